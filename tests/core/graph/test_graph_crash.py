"""Nothing can lie between facts, relations and names: a killed writer leaves all or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.storage.sqlite.database import Database
from holdfast.testing import HashEmbedder

pytestmark = pytest.mark.slow

WRITER = """
import json, sys
from holdfast import Memory
from holdfast.testing import HashEmbedder
memory = Memory(sys.argv[1], embedder=HashEmbedder(), graph=True)
print("ready", flush=True)
for number in range(100_000):
    memory.add_relations(
        [(f"a{number}", "knows", f"b{number}"), (f"b{number}", "knows", f"c{number}")], user_id="u"
    )
    print(number, flush=True)
"""


def test_a_killed_process_leaves_every_fact_with_its_relations(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(8)]  # in the middle of a write, most likely
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()

    with Memory(path, embedder=HashEmbedder()) as memory:
        facts = {record.id: record.text for record in memory.list(user_id="u", limit=10_000)}
        relations = memory.graph(user_id="u").relations(limit=10_000)
        assert {one.id: one.text for one in relations} == facts
        assert len(facts) % 2 == 0
        assert len(facts) >= 2 * len([line for line in told if line.strip().isdigit()])
        assert memory.stats(check=True).problems == ()
    database = Database(path)
    with database.read() as connection:
        kept = {row[0] for row in connection.execute("SELECT name FROM entities")}
    database.close()
    assert kept == {name for one in relations for name in (one.source, one.target)}
