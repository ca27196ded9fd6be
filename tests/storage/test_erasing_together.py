"""Many records erased with the same statements: as if each were erased by itself."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from holdfast.storage.contract.memories import Draft, Indexed
from holdfast.storage.sqlite import check, erasure, namespaces, records, versions
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.file import File
from holdfast.types import Scope

SCOPES = [Scope(user_id="ada"), Scope(user_id="ada", run_id="r"), Scope(user_id="bob")]
TABLES = {
    "records": "id, key, version, sources, valid_to, closed_at, retired_at",
    "sources": "source, record",
    "slots": "slot, record",
    "ends": "record, had_to",
    "queue": "record",
    "erasures": "key",  # of which version the digest is depends on the order
    "summaries": "namespace, turns",
}


def draft(rng: random.Random, kind: Any, sources: list[str]) -> Draft:
    words = f"{kind} {rng.random()}"
    found = Indexed(
        np.ones((1, 4), dtype=np.float32) / 2, ((0, len(words), 1),), np.ones(1, np.uint64), 0
    )
    slots = ("home",) if rng.random() < 0.3 else ()
    return Draft(words, kind, found, sources=tuple(sources), slots=slots, reason="because")


def write(connection: Connection, rng: random.Random) -> list[str]:
    """Write turns, and facts, summaries and procedures that rest on some of them."""
    said: dict[Scope, list[str]] = {scope: [] for scope in SCOPES}
    facts: list[int] = []
    for moment in range(1, 60):
        scope, step = rng.choice(SCOPES), rng.random()
        turns = said[scope]
        sources = rng.sample(turns, min(len(turns), rng.choice([1, 1, 2])))
        old = rng.choice(facts) if facts else 0
        open_ = old and records.fetch(connection, [old])[old].valid_to is None
        if step < 0.5 or not sources:
            (turn,) = records.add(connection, scope, [draft(rng, "turn", [])], moment).records
            turns.append(turn.id)
        elif step < 0.7 or not open_:
            kind = rng.choice(["fact", "fact", "fact", "summary", "procedure"])
            added = records.add(connection, scope, [draft(rng, kind, sources)], moment)
            facts += added.rows if kind == "fact" else ()
        elif step < 0.85:
            made = draft(rng, "fact", sources)
            facts.append(versions.supersede(connection, scope, old, made, moment, moment))
        else:
            number = namespaces.scope_number(connection, scope)
            versions.end(connection, number, old, moment, moment, "over", sources)
    return [key for keys in said.values() for key in keys]


def left(file: File) -> dict[str, list[Any]]:
    with file.database.read() as connection:
        assert check.rows(connection) == []
        return {
            table: sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)
            for table, columns in TABLES.items()
        }


def quoted(file: File, keys: list[str]) -> int:
    """How many entries of the log still name one of these as a source."""
    with file.database.read() as connection:
        rows = connection.execute("SELECT sources FROM log WHERE sources IS NOT NULL").fetchall()
    return sum(key in row[0] for row in rows for key in keys)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_erased_together_leaves_what_is_left_one_by_one(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    first = File(tmp_path / "one.db")
    with first.database.write() as connection:
        first.claim_embedder(connection, "ones", 4)
        turns = write(connection, rng)
    first.close()
    shutil.copy(tmp_path / "one.db", tmp_path / "other.db")
    one, together = File(tmp_path / "one.db"), File(tmp_path / "other.db")
    doomed = rng.sample(turns, rng.randrange(1, len(turns)))
    with one.database.write() as connection:
        gone = [
            key for turn in doomed for key in erasure.erase(connection, [turn], 100, keep_away=True)
        ]
    with together.database.write() as connection:
        same = erasure.erase(connection, doomed, 100, keep_away=True)

    assert sorted(gone) == sorted(same)
    assert left(one) == left(together)
    assert quoted(together, doomed) == 0
    one.close()
    together.close()
