"""Several processes on one file: each turn is extracted once; a killed worker's are taken over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import opened, texts

pytestmark = pytest.mark.slow

TURNS = int(os.environ.get("HOLDFAST_TURNS", "120"))
PROCESSES = 4

WORKER = """
import itertools, sys
from pathlib import Path
from holdfast import Memory
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import echo

log = open(sys.argv[2], "a", buffering=1)

def told(messages, tool):
    answer = echo(messages, tool)
    if tool.name == "record_facts":
        log.write("".join(fact["text"] + "\\n" for fact in answer["facts"]))
    return answer

llm = ScriptedLLM(itertools.repeat(told))
with Memory(sys.argv[1], embedder=HashEmbedder(), llm=llm) as memory:
    print("ready", flush=True)
    sys.stdin.readline()
    while memory.stats().waiting:
        memory.flush()
"""

KILLED = """
import os, sys
from holdfast.pipeline import conductor
from holdfast.runtime import SYNC, run
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import facts

def die(messages, tool):
    os._exit(9)

storage = SqliteStorage(sys.argv[1], lease=float(sys.argv[2]))
llm = ScriptedLLM([facts("Rex the dog of the user died"), die])
run(conductor.drain(conductor.Pipeline(SYNC, storage, HashEmbedder(), llm)))
"""


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that finds `support`."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_four_processes_extract_each_queued_turn_once(tmp_path: Path) -> None:
    """HOLDFAST_TURNS=2000 for the full count."""
    said = [f"thing {number}" for number in range(TURNS)]
    with opened(tmp_path, ScriptedLLM()) as memory:
        for run in range(20):
            memory.add(said[run::20], user_id="ada", run_id=f"run {run}", wait=False)
        path = memory._storage.database.path
    logs = [tmp_path / f"{number}.txt" for number in range(PROCESSES)]
    workers = [started(WORKER, path, log) for log in logs]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=100)
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    read = Counter(line for log in logs for line in log.read_text().splitlines())
    assert read == Counter(f"Noted: {words}" for words in said)
    with opened(tmp_path, None) as memory:
        stats = memory.stats(check=True)
        assert (stats.waiting, stats.parked, stats.problems) == (0, 0, ())
        page = memory.list(user_id="ada", kinds=["fact"], limit=10_000)
        assert sorted(record.text for record in page) == sorted(read)


@pytest.mark.parametrize("lease", [0, 600])
def test_a_kill_between_the_phases_loses_no_turn(tmp_path: Path, lease: int) -> None:
    answers = [{"facts": [{"text": "Rex is a dog of the user", "turns": [1]}]}]
    with opened(tmp_path, ScriptedLLM(answers)) as memory:
        memory.add("I have a dog called Rex", user_id="ada")
        memory.add("Rex, my dog, died", user_id="ada", wait=False)
        path = memory._storage.database.path
    victim = started(KILLED, path, lease)
    victim.communicate(timeout=60)
    assert victim.returncode == 9
    again = [
        {"facts": [{"text": "Rex the dog of the user died", "turns": [1]}]},
        {"decisions": [{"fact": "F1", "event": "DELETE", "memories": [1]}]},
    ]
    with opened(tmp_path, ScriptedLLM(again), embedder=HashEmbedder()) as memory:
        assert texts(memory) == ["Rex is a dog of the user"]  # nothing half written
        changes = memory.flush()
        held = lease > 0
        assert (len(changes), changes.pending) == ((0, 1) if held else (1, 0))
        assert texts(memory) == (["Rex is a dog of the user"] if held else [])
