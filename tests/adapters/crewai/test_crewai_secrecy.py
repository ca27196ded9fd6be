"""CrewAI's models, when they fail: their words are in the cause, and nowhere else."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from crewai.events.event_bus import crewai_event_bus
from crewai.events.types.memory_events import MemoryQueryFailedEvent, MemorySaveFailedEvent
from holdfast import LLM, Embedder
from holdfast.testing import HashEmbedder
from holdfast_crewai import CrewEmbedder, CrewLLM, ExtractionWarning, HoldfastMemory
from support.crewai_doubles import FakeLLM, embed
from support.secrecy import SECRET, EmbedderSecrecy, LLMSecrecy, blab, unwritten


class Provided:
    """An embedder as an object."""

    __call__ = blab


class TestCrewLLM(LLMSecrecy):
    @pytest.fixture
    def llm(self) -> LLM:
        return CrewLLM(FakeLLM.that(blab))


@pytest.mark.parametrize("given", [blab, Provided()], ids=["function", "object"])
class TestCrewEmbedder(EmbedderSecrecy):
    @pytest.fixture
    def embedder(self, given: Any) -> Embedder:
        return CrewEmbedder(given)


def test_a_vector_of_words_is_not_quoted() -> None:
    with pytest.raises(Exception, match="ValueError") as caught:
        CrewEmbedder(lambda texts: [[SECRET]]).embed(["x"])
    assert SECRET not in str(caught.value)


def test_a_memory_warns_and_tells_nothing_a_model_said(path: str, tmp_path: Path) -> None:
    memory = HoldfastMemory(storage=path, embedder=HashEmbedder(), llm=FakeLLM.that(blab))
    events: list[Any] = []
    told = threading.Event()
    with crewai_event_bus.scoped_handlers():

        @crewai_event_bus.on(MemorySaveFailedEvent)
        def failed(source: Any, event: Any) -> None:
            events.append(event)
            told.set()

        memory.remember("Ada sails")
        with pytest.warns(ExtractionWarning) as caught:
            memory.drain_writes()
        assert told.wait(5)
    assert not [warning for warning in caught if SECRET in str(warning.message)]
    assert SECRET not in str(events)
    assert unwritten(tmp_path)


def test_a_recall_that_fails_tells_the_bus_nothing_an_embedder_said(path: str) -> None:
    broken = threading.Event()

    def embedding(input: list[str]) -> Any:
        return blab() if broken.is_set() else embed(input)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory = HoldfastMemory(storage=path, embedder=embedding)
        memory.remember("Ada sails", scope="/", categories=[], importance=0.5)
    broken.set()
    events: list[Any] = []
    told = threading.Event()
    with crewai_event_bus.scoped_handlers():

        @crewai_event_bus.on(MemoryQueryFailedEvent)
        def failed(source: Any, event: Any) -> None:
            events.append(event)
            told.set()

        with pytest.raises(Exception, match="BlabbedError"):
            memory.recall("Who sails?", depth="shallow")
        assert told.wait(5)
    assert SECRET not in str(events)
