"""One path is one open memory in a process, whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory, StorageClosedError
from holdfast.adapters.connections import connect, give_back, offer, take
from holdfast.storage.sqlite import encryption
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.drivers import needs_encryption

KEY = "a passphrase of mine"


@pytest.fixture
def opened(path: Path) -> Iterator[Memory]:
    with connect(path, embedder=HashEmbedder(), llm=ScriptedLLM([])) as memory:
        yield memory


@pytest.mark.parametrize(
    "options",
    [{}, {"embedder": HashEmbedder()}, {"llm": ScriptedLLM([])}],
    ids=["none", "same embedder", "some LLM"],
)
def test_options_that_hold_may_be_given_again(
    opened: Memory, path: Path, options: dict[str, Any]
) -> None:
    assert connect(path, **options) is opened


@pytest.mark.parametrize("options", [{"embedder": HashEmbedder(32)}, {"key": "k"}], ids=repr)
def test_options_that_do_not_hold_are_refused(
    opened: Memory, path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError, match=r"memory\.db is open in this process"):
        connect(path, **options)


@pytest.mark.parametrize("options", [{"embedder": HashEmbedder()}, {"llm": ScriptedLLM([])}])
def test_nothing_is_known_of_a_memory_that_was_handed_over(
    path: Path, options: dict[str, Any]
) -> None:
    with Memory(path, embedder=HashEmbedder()) as memory:
        offer(memory)
        assert connect(path) is memory
        with pytest.raises(InvalidInputError, match="handed over"):
            connect(path, **options)


def test_the_last_handle_closes_what_handles_opened(path: Path) -> None:
    one, other = take(path), take(path)
    assert one is other
    give_back(one)
    assert one.memory.stats().documents == 0
    give_back(other)
    with pytest.raises(StorageClosedError):
        one.memory.stats()


def test_handles_never_close_what_somebody_connected_to(opened: Memory, path: Path) -> None:
    give_back(take(path))
    assert opened.stats().documents == 0


@needs_encryption
def test_no_repr_shows_a_key(path: Path) -> None:
    # Tools that report errors show the locals of every frame.
    with connect(path, embedder=HashEmbedder(), key=KEY) as memory:
        opened = take(path)
        shown = repr([opened, opened.options, memory, vars(memory._storage.database)])
        give_back(opened)

    assert KEY not in shown
    assert encryption.raw_key(KEY, path.read_bytes()[: encryption.SALT_BYTES]) not in shown
