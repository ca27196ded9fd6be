"""CrewAI's embedders and chat models as Holdfast's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from crewai.hooks.dispatch import HookAborted
from holdfast import InvalidInputError, ProviderError, Tool
from holdfast.testing import HashEmbedder
from holdfast_crewai import CrewEmbedder, CrewLLM
from holdfast_crewai.embedders import RememberingCallable, as_embedder
from support.crewai_doubles import FakeLLM, embed

TOOL = Tool("note", "Write a note.", {"type": "object", "properties": {"text": {}}})


def test_a_callable_embeds_and_names_itself() -> None:
    embedder = CrewEmbedder(embed)
    assert embedder.embed(["x"]) == pytest.approx(np.asarray(embed(["x"]), np.float32))
    assert embedder.fingerprint == "crewai/support.crewai_doubles.embed"


def test_a_provider_dictionary_is_named_after_its_model() -> None:
    given = {"provider": "ollama", "config": {"model_name": "all-minilm"}}
    assert CrewEmbedder(given).fingerprint == "crewai/ollama/all-minilm"


def test_an_object_is_named_after_its_class_and_model() -> None:
    class Remote:
        model_name = "small"

        def __call__(self, input: list[str]) -> Any:
            return np.ones((len(input), 3))

    embedder = CrewEmbedder(Remote())
    assert embedder.fingerprint.endswith("Remote/small")
    assert embedder.embed(["a", "b"]) == [[1.0, 1.0, 1.0]] * 2


def test_an_unknown_provider_is_a_provider_error() -> None:
    with pytest.raises(ProviderError, match="nowhere"):
        CrewEmbedder({"provider": "nowhere"}).embed(["x"])


def test_holdfasts_own_embedder_is_taken_as_it_is() -> None:
    embedder = HashEmbedder()
    assert as_embedder(embedder) is embedder


def test_the_words_of_a_vector_are_found_again() -> None:
    remembering = RememberingCallable(embed)
    vectors = remembering(["one", "two"])
    assert remembering.text_of(vectors[1]) == "two"
    assert remembering.text_of([0.5] * 64) is None


def test_only_the_latest_texts_are_remembered() -> None:
    remembering = RememberingCallable(lambda texts: [[float(text), 1.0] for text in texts])
    first = remembering(["0"])[0]
    for number in range(1, 1100):
        remembering([str(number)])
    assert remembering.text_of(first) is None


def test_a_model_is_asked_in_words_and_its_object_is_read() -> None:
    llm = FakeLLM.that(lambda prompt: 'Here:\n{"text": "x"}')
    answer = CrewLLM(llm).complete([{"role": "user", "content": "note x"}], tool=TOOL)
    assert answer.data == {"text": "x"}
    assert '"properties"' in llm.prompts[0]


def test_the_agents_model_is_left_as_it_is() -> None:
    llm = FakeLLM.that(lambda prompt: "ok")
    llm.stream = True
    assert CrewLLM(llm).complete([{"role": "user", "content": "x"}]).text == "ok"
    assert llm.stream is True


def test_a_failing_model_is_named() -> None:
    def fail(prompt: str) -> str:
        raise RuntimeError("quota exceeded")

    with pytest.raises(ProviderError, match="CrewAI's model fake failed with RuntimeError"):
        CrewLLM(FakeLLM.that(fail)).complete([{"role": "user", "content": "x"}])


def test_what_embeds_nothing_is_refused_by_its_type() -> None:
    with pytest.raises(InvalidInputError, match="not a list"):
        CrewEmbedder(["sk-key"]).embed(["x"])


def test_a_hook_that_forbids_the_call_is_heard() -> None:
    def forbid(prompt: str) -> str:
        raise HookAborted("not this")

    with pytest.raises(HookAborted):
        CrewLLM(FakeLLM.that(forbid)).complete([{"role": "user", "content": "x"}])
