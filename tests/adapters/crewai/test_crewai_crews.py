"""Crews, agents, flows and tools on a `HoldfastMemory`; several processes on one file."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from crewai import Agent
from crewai.flow.flow import Flow, start
from crewai.memory.memory_scope import MemoryScope
from holdfast.testing import HashEmbedder
from holdfast_crewai import HoldfastMemory, RecallTool, RememberTool
from support.crewai_doubles import FakeLLM, answering, crew_of, extracting, recalling

HERE = Path(__file__).parent


@pytest.fixture
def memory(path: str) -> HoldfastMemory:
    return HoldfastMemory(storage=path, embedder=HashEmbedder(), root_scope="/crew/office")


def test_a_crew_learns_and_a_later_one_uses_it(memory: HoldfastMemory) -> None:
    crew_of(answering("Bob lives in Porto"), "Find out where Bob lives", memory=memory).kickoff()
    later = crew_of(recalling("Bob lives in Porto"), "Where does Bob live?", memory=memory)
    assert later.kickoff().raw == "Bob lives in Porto"


def test_a_crew_keeps_its_memory_by_identity(memory: HoldfastMemory) -> None:
    crew = crew_of(answering("x"), "y", memory=memory)
    assert crew._memory is memory
    assert crew.copy()._memory is memory


def test_what_an_agent_learns_lies_below_its_role(memory: HoldfastMemory) -> None:
    crew_of(answering("Bob lives in Porto"), "Find Bob", memory=memory).kickoff()
    assert [record.scope for record in memory.list_records()] == ["/crew/office/agent/clerk"]


def test_a_crew_derives_facts_with_its_own_model(path: str) -> None:
    memory = HoldfastMemory(
        storage=path, embedder=HashEmbedder(), llm=extracting("Bob lives in Porto.")
    )
    crew_of(answering("It is Porto, Bob says"), "Find out where Bob lives", memory=memory).kickoff()
    assert memory.recall("Where does Bob live?")[0].record.content == "Bob lives in Porto."


def test_kickoff_for_each_and_async_share_the_memory(memory: HoldfastMemory) -> None:
    crew = crew_of(answering("seen"), "Look at {thing}", memory=memory)
    crew.kickoff_for_each([{"thing": "a"}, {"thing": "b"}])
    asyncio.run(crew.kickoff_async({"thing": "c"}))
    assert memory.info().record_count == 3


def test_resetting_a_crew_leaves_other_crews_alone(path: str) -> None:
    memories = {
        name: HoldfastMemory(storage=path, embedder=HashEmbedder(), root_scope=f"/crew/{name}")
        for name in ("sales", "sales-eu")
    }
    for name, memory in memories.items():
        memory.remember(f"price of {name}")
    crew_of(answering("x"), "y", memory=memories["sales"]).reset_memories("memory")
    assert memories["sales"].list_records() == []
    assert len(memories["sales-eu"].list_records()) == 1


def test_an_agent_alone_recalls_and_learns(memory: HoldfastMemory) -> None:
    memory.remember("the database is PostgreSQL")
    llm = recalling("the database is PostgreSQL")
    agent = Agent(role="Clerk", goal="Answer", backstory="Brief.", llm=llm, memory=memory)
    result: Any = agent.kickoff("Which database do we use?")
    assert result.raw == "the database is PostgreSQL"
    memory.drain_writes()
    assert memory.info().record_count == 2


def test_an_agent_may_have_a_scope_of_it(memory: HoldfastMemory) -> None:
    scope = MemoryScope(memory=memory, root_path="/notes")
    agent = Agent(role="C", goal="A", backstory="B", llm=answering("noted"), memory=scope)
    agent.kickoff("Note that the door is red")
    memory.drain_writes()
    assert memory.list_scopes() == ["/crew/office/notes"]


def test_a_flow_remembers_and_recalls(memory: HoldfastMemory) -> None:
    class Office(Flow[Any]):
        @start()
        def work(self) -> str:
            self.remember(["the door is red", "the gate is green"])
            found: str = self.recall("which colour has the door?")[0].record.content
            return found

    assert Office(memory=memory, suppress_flow_events=True).kickoff() == "the door is red"


def test_the_tools_search_and_write(memory: HoldfastMemory) -> None:
    remember, recall = RememberTool(memory=memory), RecallTool(memory=memory)
    assert recall.run(queries=["door"]) == "No relevant memories found."
    assert remember.run(contents=["the door is red", "the gate is green"]) == (
        "Saved 2 of 2 to memory."
    )
    assert "the door is red" in recall.run(queries=["door", "gate"])


def test_the_writing_tool_leaves_a_read_only_memory_alone(memory: HoldfastMemory) -> None:
    memory.read_only = True
    assert "read-only" in RememberTool(memory=memory).run(contents=["x"])
    assert memory.list_records() == []


def test_crewais_own_tools_write_to_it(memory: HoldfastMemory) -> None:
    said = iter(
        [
            'Thought: save\nAction: save_to_memory\nAction Input: {"contents": ["Bob is in Faro"]}',
            "Thought: done\nFinal Answer: saved",
        ]
    )
    llm = FakeLLM.that(lambda prompt: next(said))
    crew_of(llm, "Remember where Bob is", memory=memory).kickoff()
    assert "Bob is in Faro" in {record.content for record in memory.list_records()}


# -- several processes ----------------------------------------------------------------------------


SAVES = """
import json, sys
from holdfast_crewai import HoldfastMemory
from holdfast.testing import HashEmbedder

path, name = sys.argv[1:]
memory = HoldfastMemory(storage=path, embedder=HashEmbedder())
memory.recall("anything")  # a view from before the others wrote
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    memory.remember(f"note {number} of {name}", scope=f"/{name}")
print("written", flush=True)
sys.stdin.readline()
listed = {record.content for record in memory.list_records(limit=1000)}
found = {match.record.content for match in memory.recall("note", limit=300)}
print(json.dumps([len(listed), len(found), memory.info().record_count]))
"""


STORES = """
import json, sys
from crewai.memory.types import MemoryRecord
from holdfast_crewai import HoldfastStorage
from holdfast.testing import HashEmbedder

path, name = sys.argv[1:]
storage, (vector,) = HoldfastStorage(path), HashEmbedder().embed(["note"])
storage.search(vector)  # a view from before the others wrote
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    words = f"note {number} of {name}"
    storage.save([MemoryRecord(content=words, scope=f"/{name}", embedding=vector)])
print("written", flush=True)
sys.stdin.readline()
found = {record.content for record, _ in storage.search(vector, limit=300)}
print(json.dumps([len(storage.list_records(limit=1000)), len(found), storage.count()]))
"""


@pytest.mark.parametrize("script", [SAVES, STORES], ids=["memory", "storage"])
def test_four_processes_write_two_hundred_records_and_each_sees_all(path: str, script: str) -> None:
    kept = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script, path, f"worker-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=kept,
        )
        for number in range(4)
    ]
    for word in ("ready", "written"):
        for worker in workers:
            assert worker.stdout is not None
            while worker.stdout.readline().strip() != word:
                assert worker.poll() is None
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
    results = [json.loads(worker.communicate()[0].strip().splitlines()[-1]) for worker in workers]
    assert results == [[200, 200, 200]] * 4


def test_what_one_process_learns_the_next_one_uses_and_no_other_tenant(tmp_path: Path) -> None:
    example = HERE.parents[2] / "examples" / "crewai_crew.py"
    kept = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(example), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
        env=kept,
    )
    assert "Second kickoff: Write to Bob in Portuguese." in done.stdout
    assert "Another tenant: I do not know Bob." in done.stdout
