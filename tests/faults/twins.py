"""Tenancy by twin files: many tenants share one file, and each also has a file of its own.

Every operation is done in both. What comes back must be equal: texts, ids (by their place), order,
scores to five digits, errors, and the prompts shown to the model. So whatever another tenant
stores can change nothing, not even a rank. Besides, no answer, error, change or prompt may hold
the mark of another tenant.

Watches the repairs of views (a fact superseded from another session), of bound handles, of turns
without a user, and of erasing one session of several.
"""

from __future__ import annotations

import random
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.likeness import Table
from faults.lookalikes import Ids, Tenant, tenants
from faults.parts import Counts, Report, quiet
from faults.talker import opened, talker
from holdfast import Change, HoldfastError, Memory

_MARK = re.compile(r"mk\d+x")
Deed = Callable[["Side"], Any]


@dataclass
class Open:
    """An open memory, and the model that it asks."""

    path: Path

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.llm = talker()
        self.memory = opened(self.path, self.llm)

    def prompts(self) -> list[str]:
        """Return what the model was shown since the last look."""
        shown = [message["content"] for call in self.llm.calls for message in call.messages[1:]]
        self.llm.calls.clear()
        return shown


@dataclass
class Side:
    """One of the two files, as an operation sees it.

    Attributes:
        whole: The memory, not bound.
        handle: It, or a handle bound to what the tenant may reach.
        ids: Whose memory; of a bound handle only what narrows it.
        place: 0: the shared file; 1: the twin.
    """

    whole: Memory
    handle: Memory
    ids: Ids
    place: int
    table: Table
    tenant: Tenant

    def key(self, which: int) -> str:
        return self.table.pairs[which][self.place]

    def graph(self) -> Any:
        return self.handle.graph(**self.ids)


@dataclass
class Household:
    """A tenant, its twin file, and what it has stored."""

    tenant: Tenant
    twin: Open
    table: Table = field(default_factory=Table)
    minutes: int = 0


class World:
    """A file shared by tenants, two memories open on it, and the twins."""

    def __init__(self, folder: Path, seed: int, count: int) -> None:
        self.rng = random.Random(seed)
        self.folder = folder
        self.counts = Counts()
        self.seed = seed
        self.shared = [Open(folder / "shared.db"), Open(folder / "shared.db")]
        self.houses = [
            Household(tenant, Open(folder / f"twin{tenant.number}.db"))
            for tenant in tenants(self.rng, count)
        ]
        self.trail: list[str] = []

    @property
    def failed(self) -> bool:
        return self.counts["failures"] > 0

    def close(self) -> None:
        for one in [*self.shared, *(house.twin for house in self.houses)]:
            one.memory.close()

    # -- one operation in both files -----------------------------------------------------------

    def do(self, house: Household, name: str, deed: Deed, ids: Ids) -> None:
        """Do a thing in both files and compare what comes back."""
        bound = self.rng.random() < 0.5
        one = self.rng.choice(self.shared)
        self.trail = [*self.trail[-11:], f"{name} t{house.tenant.number} {ids} bound={bound}"]
        mine = _outcome(deed, self._side(house, one.memory, ids, bound, 0))
        theirs = _outcome(deed, self._side(house, house.twin.memory, ids, bound, 1))
        self.counts["operations"] += 1
        self.counts[name] += 1
        house.table.learn(mine, theirs)
        shown = one.prompts()
        self._compare(house, mine, theirs)
        self._marks(house, [mine, shown])
        if shown != house.twin.prompts():
            self.fail("the model was shown other prompts than in the twin file")

    def _side(self, house: Household, memory: Memory, ids: Ids, bound: bool, place: int) -> Side:
        handle, left = memory, ids
        if bound:
            reach = house.tenant.anchor or ids
            handle = memory.scoped(**reach)
            left = {name: value for name, value in ids.items() if name not in reach}
        return Side(memory, handle, left, place, house.table, house.tenant)

    def _compare(self, house: Household, mine: Any, theirs: Any) -> None:
        for side in (mine, theirs):
            if isinstance(side, BaseException) and not isinstance(side, HoldfastError):
                self.fail(f"raised {side!r:.200}")
                return
        one, two = house.table.form(mine, 0), house.table.form(theirs, 1)
        if one != two:
            self.fail(f"shared file and twin differ:\n  {one!r:.900}\n  {two!r:.900}")

    def _marks(self, house: Household, told: object) -> None:
        foreign = {mark for mark in _MARK.findall(repr(told)) if mark != house.tenant.mark}
        if foreign:
            self.fail(f"tenant {house.tenant.number} was shown the words of {sorted(foreign)}")

    def fail(self, words: str) -> None:
        trail = "\n  ".join(self.trail)
        self.counts.fail(
            f"seed {self.seed}, operation {self.counts['operations']}: {words}\n  {trail}"
        )

    # -- beside the operations -----------------------------------------------------------------

    def purge(self) -> None:
        """Erase what has expired, in every file."""
        for house in self.houses:
            house.twin.memory.purge()
        self.rng.choice(self.shared).memory.purge()
        self.trail.append("purge")

    def reopen(self) -> None:
        """Open the shared file anew, in one of its memories."""
        one = self.rng.choice(self.shared)
        one.memory.close()
        one.open()
        self.trail.append("reopen")

    def check(self) -> None:
        """Prove every file sound; of the shared one what both memories have built."""
        for one in [*self.shared, *(house.twin for house in self.houses[:: len(self.houses)])]:
            try:
                problems = one.memory.stats(check=True).problems
            except Exception as error:  # noqa: BLE001 - whatever it raises is a failure
                problems = (repr(error),)
            self.counts["checks"] += 1
            if problems:
                self.fail(f"check of {one.path.name}: {problems!r:.400}")


def _outcome(deed: Deed, side: Side) -> Any:
    try:
        return deed(side)
    except Exception as error:  # noqa: BLE001 - compared, and refused unless it is ours
        return error


def attack(world: World, house: Household) -> tuple[str, Deed] | None:
    """Ask for a record of somebody else; the twin is asked for the same id, which it never had."""
    rng = world.rng
    other = rng.choice(world.houses)
    if other is house or not other.table.pairs:
        return None
    key = rng.choice(other.table.pairs)[0]
    change = Change("UPDATE", key, None, None, position=rng.randrange(1, 2000))
    verbs: list[tuple[str, Deed]] = [
        ("get", lambda side: side.handle.get(key, **side.ids)),
        ("update", lambda side: side.handle.update(key, "taken", **side.ids)),
        ("delete", lambda side: side.handle.delete(key, **side.ids)),
        ("history", lambda side: side.handle.history(key, **side.ids)),
        ("undo", lambda side: side.handle.undo(change, **side.ids)),
        (
            "cite",
            lambda side: side.handle.add_relations(
                [{"subject": "user", "relation": "likes", "object": "it", "sources": [key]}],
                **side.ids,
            ),
        ),
    ]
    name, deed = rng.choice(verbs)
    return f"attack by {name}", deed


def one_round(
    seed: int, operations: int, count: int, step: Callable[[World, Household], None]
) -> Counts:
    """Let tenants do random things in a file of their own and a shared one; stop at a failure."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-twins-"))
    world = World(folder, seed, count)
    try:
        while world.counts["operations"] < operations and not world.failed:
            step(world, world.rng.choice(world.houses))
        if not world.failed:
            world.check()
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)
    return world.counts


def rounds(
    seed: int, operations: int, step: Callable[[World, Household], None], report: Report = quiet
) -> Counts:
    """Run rounds of 2,000 operations among two dozen tenants until there were enough of them."""
    counts = Counts()
    number = 0
    while counts["operations"] < operations:
        size = min(2_000, operations - counts["operations"])
        counts.take(one_round(seed * 1_000 + number, size, 24, step))
        number += 1
        report(f"tenants: {counts['operations']} of {operations}, {counts['failures']} failures")
        if counts["failures"] > 20:
            break
    return counts
