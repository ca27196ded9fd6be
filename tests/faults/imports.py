"""Import of edited exports: refused with nothing written, or accepted and all of it works.

Only a file's owner imports, but a service that lets people bring back their export imports what
they edited. So no line may spoil a scope, reach another tenant or erase what is theirs.

Watches the repairs of import: types and lengths checked, paths made of ids, keys of others
refused, one transaction, and erasing that stays within its region.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from faults.mutations import Victim, mutate
from faults.parts import Counts, Report, quiet
from faults.talker import opened, talker
from holdfast import HoldfastError, Memory, Scope

WHOLE = 4_000
_SECRET = "victimsword"
_DAY = datetime(2024, 3, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Bench:
    """What all mutations share.

    Attributes:
        export: Of eve, and of items.
        base: A file that holds another tenant; each mutation gets a copy of it.
        victim: A record of that tenant: its key, its path.
    """

    folder: Path
    export: bytes
    base: Path
    victim: Victim


def bench(folder: Path) -> Bench:
    """Write an export with every table in it, and a file to import into."""
    with opened(folder / "eve.db", talker()) as memory:
        _fill(memory, "eve", "eve")
        memory.export(folder / "eve.jsonl")
    with opened(folder / "base.db", talker()) as memory:
        _fill(memory, "victim", _SECRET)
        key = memory.list(user_id="victim").records[0].id
        scoped = memory.scoped(user_id="victim")
        scoped.export(folder / "victim.jsonl")
        with memory._storage.database.read() as connection:
            path = connection.execute(
                "SELECT path FROM namespaces WHERE user_id = 'victim'"
            ).fetchone()[0]
    export = (folder / "eve.jsonl").read_bytes()
    return Bench(folder, export, folder / "base.db", {"key": key, "path": path})


def _fill(memory: Memory, user: str, word: str) -> None:
    """Store something of every kind: versions, facts, relations, an erasure, a waiting turn."""
    first = memory.add(
        [
            {"role": "user", "content": f"I like tea {word}", "name": "Rosa", "id": "m1"},
            {"role": "assistant", "content": f"Noted {word}", "metadata": {"n": 1, "deep": [1]}},
            {"role": "user", "content": f"Long {word} " + "river stone " * 120},
        ],
        user_id=user,
        run_id="monday",
        occurred_at=_DAY,
    )
    memory.add("I live in Paris", user_id=user, run_id="monday", occurred_at=_DAY)
    memory.add("I live in Rome", user_id=user, run_id="friday", occurred_at=_DAY + timedelta(4))
    memory.add("soon gone", user_id=user, infer=False, expires_at=_DAY + timedelta(9_999))
    memory.add(f"stated {word}", user_id=user, agent_id="bot", app_id="shop", kind="fact")
    memory.add_relations([("Ada", "works_with", f"Paul{word}")], user_id=user, run_id="monday")
    memory.update(first[1].id, f"Noted again {word}", user_id=user)
    memory.delete(memory.add("to be erased", user_id=user, infer=False)[0].id, user_id=user)
    memory.add("I like boats", user_id=user, run_id="friday", wait=False)
    memory.documents.put(
        (user, "notes"), "k1", {"a": word, "n": 1}, texts=[f"note of {word}", "two"]
    )
    memory.documents.put((user, "notes"), "k2", {"b": [1, {"c": None}]}, lifetime=timedelta(900))


# -- one mutation ----------------------------------------------------------------------------------


def try_one(bench: Bench, counts: Counts, name: str, text: bytes) -> None:
    """Import a changed export into a copy of the base, and look at what became of it."""
    path = bench.folder / "work.db"
    for old in bench.folder.glob("work.db*"):
        old.unlink()
    shutil.copy(bench.base, path)
    source = bench.folder / "work.jsonl"
    source.write_bytes(text)
    counts["imports"] += 1
    with opened(path, talker()) as memory:
        before, theirs = _sizes(memory), _texts(memory, "victim")
        try:
            memory.import_(source)
        except HoldfastError:
            counts["refused"] += 1
            if _sizes(memory) != before:
                counts.fail(f"{name}: refused, but {before} became {_sizes(memory)}")
            elif counts["refused"] % 10 == 0:
                _check(memory, counts, f"{name}: refused")
        except Exception as error:  # noqa: BLE001 - that it is not ours is the failure
            counts.fail(f"{name}: import_ raised {error!r:.200}")
        else:
            counts["accepted"] += 1
            _accepted(memory, counts, name, theirs)


def _sizes(memory: Memory) -> tuple[Any, ...]:
    now = memory.stats()
    return dict(now.records), now.documents, now.namespaces, now.characters, now.waiting, now.parked


def _texts(memory: Memory, user: str) -> list[str]:
    return [record.text for record in memory.list(user_id=user, limit=1_000)]


def _check(memory: Memory, counts: Counts, name: str) -> None:
    problems = memory.stats(check=True).problems
    if problems:
        counts.fail(f"{name}: check says {problems!r:.300}")


def _accepted(memory: Memory, counts: Counts, name: str, theirs: list[str]) -> None:
    """Use what was imported in every way; the other tenant's must be as it was."""
    step = "start"
    try:
        for scope in _scopes(memory):
            step = f"scope {scope}"
            if scope.user_id != "victim":
                told = _read(memory, scope)
                if _SECRET in told:
                    counts.fail(f"{name}: {scope} is told another tenant's words")
        step = "items"
        memory.documents.namespaces()
        memory.documents.search(("eve",), "note", limit=50)
        memory.documents.search(("eve",))
        step = "whole file"
        memory.export(memory._storage.database.path.with_suffix(".out"))
        _check(memory, counts, f"{name}: accepted")
        step = "writing"
        _write(memory)
        _check(memory, counts, f"{name}: written to")
    except Exception as error:  # noqa: BLE001 - nothing may be raised by what was accepted
        counts.fail(f"{name}: accepted, then {step} raised {error!r:.200}")
        return
    missing = [text for text in theirs if text not in _texts(memory, "victim")]
    if missing:
        counts.fail(f"{name}: the other tenant lost {missing!r:.200}")


def _scopes(memory: Memory) -> list[Scope]:
    with memory._storage.database.read() as connection:
        rows = connection.execute(
            "SELECT user_id, agent_id, run_id, app_id FROM namespaces WHERE coalesce(user_id,"
            " agent_id, run_id, app_id) IS NOT NULL"
        ).fetchall()
    return [Scope(*row) for row in rows]


def _read(memory: Memory, scope: Scope) -> str:
    """Read all that a scope holds by every verb; return it in words."""
    ids = scope.ids()
    orders = ("created_at", "-updated_at", "occurred_at", "importance")
    told: list[Any] = [memory.list(order=order, limit=1_000, **ids) for order in orders]
    for record in told[0]:
        told += [memory.get(record.id, **ids), memory.history(record.id, **ids)]
    told.append(memory.search("tea paris", limit=100, **ids))
    told.append(memory.search("Where does Rosa live?", limit=100, graph=True, **ids))
    told.append(memory.search("tea", filters={"n": {"gt": 0}}, kinds=["turn", "fact"], **ids))
    told.append(memory.search("tea", as_of=_DAY + timedelta(9_000), valid_at=_DAY, **ids))
    told += [memory.context("tea", **ids), memory.context(**ids), memory.scopes(**ids)]
    graph = memory.graph(**ids)
    told += [graph.entities(), graph.relations(), graph.neighbours("user", 2)]
    told.append(graph.paths("user", "Paul"))
    told.append(memory.scoped(**ids).stats())
    return repr(told)


def _write(memory: Memory) -> None:
    """Go on with the imported scopes as if they had been written here; then erase them."""
    memory.add("I live in Bern", user_id="eve", run_id="sunday")
    memory.flush(retry=True, user_id="eve")
    for record in memory.list(user_id="eve", limit=1_000):
        ids = record.scope.ids()
        memory.update(record.id, f"{record.text[:50]} anew", **ids)
        memory.undo(memory.history(record.id, **ids)[-1], **ids)
    memory.purge()
    memory.delete_all(user_id="eve", run_id="monday")
    for scope in _scopes(memory):
        if scope.user_id != "victim":
            memory.delete_all(**scope.ids())


# -- interrupted -----------------------------------------------------------------------------------


class _Stopped(RuntimeError):
    """Raised by a progress function, as Ctrl-C or a closed terminal would."""


def interrupt(bench: Bench, counts: Counts, after: int) -> None:
    """Stop an import when it reports progress for the n-th time: nothing of it stays."""
    path = bench.folder / f"stopped{after}.db"
    calls = 0

    def stop(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls >= after:
            raise _Stopped

    with opened(path) as memory:
        before = _sizes(memory)
        try:
            memory.import_(bench.folder / "long.jsonl", progress=stop)
        except _Stopped:
            counts["interrupted"] += 1
            if _sizes(memory) != before:
                counts.fail(f"an import stopped at call {after} left {_sizes(memory)}")
        _check(memory, counts, f"stopped at call {after}")
        memory.import_(bench.folder / "long.jsonl")
        if memory.stats().records["turn"] != 1_300:
            counts.fail(f"imported again after call {after}: {dict(memory.stats().records)}")
        _check(memory, counts, f"imported again after call {after}")
    path.unlink()


def write_long(folder: Path) -> None:
    """Write an export of several batches."""
    with opened(folder / "long.db") as memory:
        memory.add([f"turn {number}" for number in range(1_300)], user_id="ada")
        memory.export(folder / "long.jsonl")


# -- the part --------------------------------------------------------------------------------------


def fuzz(seed: int, count: int, report: Report = quiet) -> Counts:
    """Import so many changed exports."""
    counts, rng = Counts(), random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-imports-"))
    try:
        shared = bench(folder)
        for number in range(count):
            name, text = mutate(rng, shared.export, shared.victim)
            try_one(shared, counts, f"seed {seed}, number {number}, {name}", text)
            if number % 500 == 499:
                report(f"imports: {number + 1} of {count}, {counts['failures']} failures")
        write_long(folder)
        for after in range(1, 8):
            interrupt(shared, counts, after)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Import 4,000 changed exports, and stop some in the middle."""
    return fuzz(seed, int(WHOLE * scale), report)
