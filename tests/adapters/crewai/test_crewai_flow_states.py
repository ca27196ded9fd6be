"""`HoldfastFlowPersistence`: save, load, resume, pending feedback, fork."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.flow import Flow, listen, start
from crewai.flow.persistence import persist
from holdfast import Memory, WrongKeyError
from holdfast.testing import HashEmbedder
from holdfast_crewai import HoldfastFlowPersistence, HoldfastMemory
from pydantic import BaseModel
from support.drivers import needs_encryption


class Counter(BaseModel):
    id: str = ""
    count: int = 0
    notes: set[str] = set()


@pytest.fixture
def states(path: str) -> HoldfastFlowPersistence:
    return HoldfastFlowPersistence(path=path)


def flow_on(states: HoldfastFlowPersistence) -> Any:
    @persist(states)
    class Counting(Flow[Counter]):
        @start()
        def one(self) -> None:
            self.state.count += 1

        @listen(one)
        def two(self) -> int:
            self.state.count += 10
            return self.state.count

    return Counting


def test_the_latest_state_is_loaded(states: HoldfastFlowPersistence) -> None:
    states.save_state("f", "one", {"n": 1})
    states.save_state("f", "two", {"n": 2})
    states.save_state("g", "one", {"n": 3})
    assert states.load_state("f") == {"n": 2}
    assert states.load_state("unknown") is None


def test_states_survive_the_process(path: str, states: HoldfastFlowPersistence) -> None:
    states.save_state("f", "one", Counter(id="f", count=3))
    states.close()
    assert HoldfastFlowPersistence(path=path).load_state("f") == {
        "id": "f",
        "count": 3,
        "notes": [],
    }


def test_states_may_hold_what_python_holds(states: HoldfastFlowPersistence) -> None:
    class Colour(Enum):
        RED = "red"

    states.save_state(
        "f",
        "one",
        {
            "model": Counter(count=1, notes={"a"}),
            "set": {1},
            "when": datetime(2025, 1, 1),
            "day": date(2025, 1, 1),
            "colour": Colour.RED,
            "other": ValueError("lost"),
        },
    )
    assert states.load_state("f") == {
        "model": {"id": "", "count": 1, "notes": ["a"]},
        "set": [1],
        "when": "2025-01-01T00:00:00",
        "day": "2025-01-01",
        "colour": "red",
        "other": "lost",
    }


def test_a_state_of_another_kind_is_refused(states: HoldfastFlowPersistence) -> None:
    wrong: Any = [1]
    with pytest.raises(ValueError, match="BaseModel or dict"):
        states.save_state("f", "one", wrong)


def test_a_flow_resumes_where_it_was(states: HoldfastFlowPersistence) -> None:
    first = flow_on(states)()
    assert first.kickoff() == 11
    again = flow_on(states)()
    assert again.kickoff(inputs={"id": first.state.id}) == 22


def test_a_flow_forks_from_another(states: HoldfastFlowPersistence) -> None:
    first = flow_on(states)()
    first.kickoff()
    fork = flow_on(states)()
    assert fork.kickoff(restore_from_state_id=first.state.id) == 22
    assert fork.state.id != first.state.id
    kept = states.load_state(first.state.id)
    assert kept is not None
    assert kept["count"] == 11


def waiting(flow: str) -> PendingFeedbackContext:
    return PendingFeedbackContext(
        flow_id=flow,
        flow_class="tests.Counting",
        method_name="review",
        method_output={"draft": "text"},
        message="Good enough?",
    )


def test_what_a_flow_asks_a_human_is_kept_until_it_is_answered(
    states: HoldfastFlowPersistence,
) -> None:
    states.save_pending_feedback("f", waiting("f"), {"n": 1})
    loaded = states.load_pending_feedback("f")
    assert loaded is not None
    assert loaded[0] == {"n": 1}
    assert loaded[1].message == "Good enough?"
    assert states.load_state("f") == {"n": 1}
    states.clear_pending_feedback("f")
    assert states.load_pending_feedback("f") is None
    assert states.load_state("f") == {"n": 1}


def test_an_answered_question_leaves_no_byte(path: str, states: HoldfastFlowPersistence) -> None:
    with Memory(path, embedder=HashEmbedder()) as memory:
        states.save_pending_feedback("f", waiting("f"), {"n": 1})
        with memory._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            states.clear_pending_feedback("f")
            assert memory.stats().erasure_pending is True
        memory.purge()
        assert memory.stats().erasure_pending is False
        files = Path(path).parent.glob(Path(path).name + "*")
        assert not any(b"Good enough?" in file.read_bytes() for file in files)


def test_a_question_that_is_asked_anew_takes_the_place_of_the_one_before(
    path: str, states: HoldfastFlowPersistence
) -> None:
    states.save_pending_feedback("f", waiting("f"), {"n": 1})
    states.save_pending_feedback("f", replace(waiting("f"), message="And now?"), {"n": 2})
    files = list(Path(path).parent.glob(Path(path).name + "*"))
    assert any(b"And now?" in file.read_bytes() for file in files)
    assert not any(b"Good enough?" in file.read_bytes() for file in files)


def test_states_and_memories_lie_in_one_file(path: str, states: HoldfastFlowPersistence) -> None:
    memory = HoldfastMemory(storage=path, embedder=HashEmbedder())
    memory.remember("x")
    states.save_state("f", "one", {"n": 1})
    assert memory.info().record_count == 1
    assert states.load_state("f") == {"n": 1}


@needs_encryption
def test_an_encrypted_file_needs_its_key(tmp_path: Any) -> None:
    path = str(tmp_path / "secret.db")
    HoldfastFlowPersistence(path=path, key="sesame").save_state("f", "one", {"n": 1})
    assert "sesame" not in HoldfastFlowPersistence(path=path, key="sesame").model_dump_json()
    with pytest.raises(WrongKeyError):
        HoldfastFlowPersistence(path=path)
