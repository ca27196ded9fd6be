"""Stories of the core: what is said, what follows from it, and documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from faults.world import Step, Story, World, add_and_find, find, told
from holdfast import InvalidInputError, Memory, StorageError
from holdfast.documents import Put

WHEN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def _memory_verbs(world: World) -> Sequence[Step]:
    """Everything that `Memory` does with what was said."""
    add = _adder(world)
    return [
        add("green tea"),
        add(["black tea", "white tea", "oolong " * 300], run_id="monday"),
        _with(world, "green tea", "update", "green tea from Uji"),
        _with(world, "black tea", "delete"),
        add("short lived", expires_at=WHEN + timedelta(days=36_500)),
        _with(world, "green tea from Uji", "update", metadata={"topic": "tea"}, importance=0.9),
        partial(_undo, world, "green tea from Uji"),
        world.close,
        add([f"cup {number}" for number in range(12)], run_id="tuesday", agent_id="bot"),
        lambda: world.memory.search("tea", user_id="ada"),
        lambda: world.memory.delete_all(user_id="ada", run_id="monday"),
        _with(world, "cup 3", "update", "cup three"),
        _with(world, "cup 4", "delete"),
        lambda: world.memory.purge(),
        add("the last one"),
        world.close,
        partial(_undo, world, "cup three"),
        add("once more"),
    ]


def _adder(world: World) -> Callable[..., Step]:
    def adder(said: Any, **more: Any) -> Step:
        return lambda: world.memory.add(said, user_id="ada", infer=False, **more)

    return adder


def _with(world: World, text: str, verb: str, *given: Any, **more: Any) -> Step:
    """Return a step that changes ada's record with these words, if it is still there."""

    def step() -> None:
        id = find(world.memory, text)
        if id is not None:
            getattr(world.memory, verb)(id, *given, **more, user_id="ada")

    return step


def _undo(world: World, text: str) -> None:
    id = find(world.memory, text)
    if id is not None:
        world.memory.undo(world.memory.history(id, user_id="ada")[-1], user_id="ada")


def _facts(world: World) -> Sequence[Step]:
    """Facts of a model, relations, names, summaries, procedures."""
    steps: list[Step] = [
        partial(_say, world, "1", "I live in Paris", "monday"),
        partial(_say, world, "2", "I live in Rome", "monday"),
        partial(_say, world, "3", "I live in Oslo", "friday"),
        partial(_state, world, "Ada", "works_with", "Bob"),
        partial(_state, world, "Robert", "lives_in", "Lyon"),
        lambda: _ignoring(lambda: world.memory.graph(user_id="ada").merge("Bob", "Robert")),
        world.close,
        *(partial(_say, world, f"n{n}", f"nothing much {n}", "monday") for n in range(3)),
        partial(_many, world),
        partial(_flush, world),
        _with(world, "I live in Rome", "delete"),
        lambda: _ignoring(lambda: world.memory.graph(user_id="ada").split("Bob", "Robert")),
        partial(_distil, world),
        _with(world, "Ada lives in Oslo", "update", "Ada lives in Oslo now"),
        partial(_say, world, "9", "I live in Bergen", "friday"),
    ]
    return steps


def _say(world: World, id: str, text: str, run: str) -> None:
    world.memory.add([{"role": "user", "content": text, "id": id}], user_id="ada", run_id=run)
    _flush(world)


def _many(world: World) -> None:
    said = [{"role": "user", "content": f"small talk {n}", "id": f"m{n}"} for n in range(20)]
    world.memory.add(said, user_id="ada", run_id="monday")


def _flush(world: World) -> None:
    """Extract all that waits. What failed stays in the queue, and this can be called again."""
    _let_leases_run_out(world.memory)
    done = world.memory.flush(retry=True)
    if done.problems or done.pending:
        raise StorageError(f"{done.pending} turns wait, for {done.problems}")


def _let_leases_run_out(memory: Memory) -> None:
    """Do what ten minutes do: a disk that fails also keeps a worker from giving turns back."""
    tables = ("queue", "summaries")
    with memory._storage.database.read() as connection:
        held = [
            connection.execute(f"SELECT count(claimed_until) FROM {table}").fetchone()[0]
            for table in tables
        ]
    if any(held):
        with memory._storage.database.write() as connection:
            for table in tables:
                connection.execute(f"UPDATE {table} SET claimed_until = NULL")


def _state(world: World, *triple: str) -> None:
    world.memory.add_relations([triple], user_id="ada")


def _ignoring(step: Step) -> None:
    """Run a step that refuses to be done twice."""
    try:
        step()
    except InvalidInputError:
        return


def _distil(world: World) -> None:
    if not world.memory.list(user_id="ada", kinds=["procedure"]).records:
        world.memory.add_procedure("settle", user_id="ada", run_id="monday")


def _items(world: World) -> Sequence[Step]:
    """Documents by namespace and key."""
    shelf, other = ("users", "ada"), ("users", "ada", "notes")

    def put(number: int, words: str, **more: Any) -> Step:
        value = {"number": number, "words": words}
        return lambda: world.memory.documents.put(shelf, f"k{number}", value, texts=[words], **more)

    def batch(base: int, size: int) -> None:
        rows = [
            Put(other, f"n{n}", {"n": n, "long": "x" * 40 * n}, [f"note {n}"])
            for n in range(base, base + size)
        ]
        world.memory.documents.batch(rows, strict=True)

    return [
        *(put(number, f"tea {number}") for number in range(4)),
        put(1, "coffee instead"),
        partial(batch, 0, 20),
        lambda: world.memory.documents.delete(shelf, "k2"),
        put(7, "gone in a century", lifetime=timedelta(days=36_500)),
        world.close,
        partial(batch, 10, 20),
        *(partial(_take_away, world, other, f"n{n}") for n in range(6)),
        lambda: world.memory.documents.sweep(),
        lambda: world.memory.purge(),
        put(8, "the last"),
    ]


def _take_away(world: World, namespace: tuple[str, ...], key: str) -> None:
    world.memory.documents.delete(namespace, key)


def _items_told(world: World) -> object:
    found = world.memory.documents.search((), limit=1000)
    return sorted(
        repr((one.document.namespace, one.document.key, one.document.value)) for one in found
    )


def _put_and_find(world: World) -> None:
    world.memory.documents.put(("after",), "k", {"words": "juniper"}, texts=["juniper"])
    found = world.memory.documents.get(("after",), "k")
    assert found is not None
    assert found.value == {"words": "juniper"}


def _memory_told(world: World) -> object:
    return told(world.memory)


def _facts_told(world: World) -> object:
    graph = world.memory.graph(user_id="ada")
    edges = sorted(f"{one.source} {one.label} {one.target}" for one in graph.relations())
    return told(world.memory), edges


MEMORY = Story("memory verbs", _memory_verbs, _memory_told, add_and_find)
FACTS = Story("facts, graph, summaries", _facts, _facts_told, add_and_find)
ITEMS = Story("documents", _items, _items_told, _put_and_find)
