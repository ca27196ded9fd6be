"""Stories of whole files: import, export, a change of embedder, a change of key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from faults.world import (
    DIMENSION,
    EXPORTED,
    KEYS,
    NAME,
    Step,
    Story,
    World,
    add_and_find,
    find,
    told,
)
from holdfast import Memory
from holdfast.testing import HashEmbedder

SAID: Final = 100  # so many turns a run: an export of some more lines than one page of them


def _told(world: World) -> object:
    items = world.memory.documents.search((), limit=1000)
    return told(world.memory), sorted(repr((one.document.key, one.document.value)) for one in items)


# -- import -------------------------------------------------------------------------------------


@cache
def exported() -> bytes:
    """Return an export of two runs with their history, of relations and of items."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / EXPORTED
        embedder = HashEmbedder(DIMENSION)
        with Memory(Path(folder) / NAME, embedder=embedder, graph=True) as memory:
            _fill(memory)
            memory.export(path)
        return path.read_bytes()


def _fill(memory: Memory) -> None:
    for run in ("monday", "friday"):
        said = [f"{run} said {n} {'tea ' * (n % 9)}" for n in range(SAID)]
        ids = [change.id for change in memory.add(said, user_id="ada", run_id=run)]
        for number, id in enumerate(ids[:20]):
            memory.update(id, f"{run} changed {number}", user_id="ada", run_id=run)
        memory.delete(ids[30], user_id="ada", run_id=run)
    memory.add_relations([("Ada", "works_with", "Bob")], user_id="ada")
    for number in range(20):
        memory.documents.put(("docs",), f"k{number}", {"n": number}, texts=[f"document {number}"])


def _import(world: World) -> None:
    path = world.folder.with_name("source.jsonl")
    path.write_bytes(exported())
    world.memory.import_(path)


def _imports(world: World) -> Sequence[Step]:
    def add(words: str) -> Step:
        return lambda: world.memory.add(words, user_id="ada", run_id="sunday", infer=False)

    return [
        add("before"),
        partial(_import, world),
        add("between"),
        partial(_erase, world, "monday changed 3"),
        partial(_import, world),  # what was erased stays erased
        world.close,
        add("after"),
    ]


def _erase(world: World, text: str) -> None:
    id = find(world.memory, text)
    if id is not None:
        world.memory.delete(id, user_id="ada")


def _import_again(world: World) -> None:
    """Import in any state: then all is there, but what was erased."""
    _import(world)
    held = [len(world.memory.list(user_id="ada", run_id=run, limit=1000)) for run in _RUNS]
    assert held in ([SAID - 1] * 2, [SAID - 2, SAID - 1]), f"after an import there are {held}"
    assert world.memory.stats(check=True).problems == ()
    add_and_find(world)


_RUNS: Final = ("monday", "friday")


# -- export -------------------------------------------------------------------------------------


def _exports(world: World) -> Sequence[Step]:
    def export() -> None:
        world.watch_folder(lambda: world.memory.export(world.folder / EXPORTED))

    def put(number: int) -> None:
        long = "".join(f"{number} {n} " for n in range(1500))
        world.memory.documents.put(("docs",), f"k{number}", {"long": long})

    steps: list[Step] = [
        lambda: world.memory.add("green tea", user_id="ada", infer=False),
        *(partial(put, number) for number in range(12)),
    ]
    for number in range(9):
        steps += [export, partial(put, number + 12)]
    return [*steps, world.close, export]


# -- a change of embedder -----------------------------------------------------------------------


def _reembed(world: World, name: str) -> None:
    if world.embedder != name:
        world.close()
        world.embedder = name
    world.memory.reembed()


def _reembeds(world: World) -> Sequence[Step]:
    def say(*texts: str) -> Step:
        return lambda: world.memory.add(list(texts), user_id="ada", infer=False)

    def put(number: int) -> None:
        world.memory.documents.put(
            ("docs",), f"k{number}", {"n": number}, texts=[f"document {number}"]
        )

    return [
        say(*(f"cup {number} of tea" for number in range(70))),
        *(partial(put, number) for number in range(4)),
        partial(_reembed, world, "second"),
        say("a cup of the second"),
        partial(_erase, world, "cup 3 of tea"),
        partial(_reembed, world, "third"),
        world.close,
        partial(_reembed, world, "hash"),
        say("the last cup"),
    ]


def _reembed_again(world: World) -> None:
    _reembed(world, "another")
    assert world.memory.stats(check=True).problems == ()
    add_and_find(world)
    assert world.memory.stats().embedder == f"another/{DIMENSION}"


# -- a change of key ----------------------------------------------------------------------------


def _rekeys(world: World) -> Sequence[Step]:
    def say(words: str) -> Step:
        return lambda: world.memory.add(words, user_id="ada", infer=False)

    steps: list[Step] = [say("the first " + "word " * 900)]
    for number, key in enumerate(KEYS[1:5]):
        steps += [say(f"before {number}"), partial(world.rekey, key), say(f"after {number}")]
        steps += [world.close] if number % 2 else []
    return steps


IMPORT = Story("import", _imports, _told, _import_again)
EXPORT = Story("export", _exports, _told, add_and_find)
REEMBED = Story("reembed", _reembeds, _told, _reembed_again)
REKEY = Story("rekey", _rekeys, _told, add_and_find, keyed=True)
