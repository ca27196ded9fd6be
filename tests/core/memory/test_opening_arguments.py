"""What `Memory(...)` is given is checked before a file is made, and what it raises can travel."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from holdfast import (
    EmbedderMismatchError,
    HoldfastError,
    InvalidInputError,
    Memory,
    RecordNotFoundError,
    ScopeError,
)
from holdfast.testing import HashEmbedder


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"embedder": "openai:text-embedding-3-small"}, "embedder must be a holdfast.Embedder"),
        ({"llm": "gpt-4.1-mini"}, "llm must be a holdfast.LLM, not 'str'"),
        ({"reranker": object()}, "reranker must be a holdfast.Reranker, not 'object'"),
        ({"guidance": "only facts"}, "guidance must be a holdfast.Guidance, not 'str'"),
        ({"indexed": "topic"}, "indexed must be a list of fields, not the string 'topic'"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_what_would_fail_later_is_refused_before_a_file_is_made(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        Memory(tmp_path / "m.db", **{"embedder": HashEmbedder(), **options})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [RecordNotFoundError("an id"), EmbedderMismatchError("one", "other"), ScopeError("none")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_whole_out_of_another_process(error: HoldfastError) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
