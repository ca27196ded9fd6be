"""The operations of tenancy by twin files: every verb, a third of them with facts over sessions."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from faults import twins
from faults.parts import Counts, Report, quiet
from faults.twins import Deed, Household, Side, World

WHOLE = 300_000
_BASE = datetime(2024, 1, 1, tzinfo=timezone.utc)
_WORDS = [
    "tea",
    "rain",
    "garden",
    "boat",
    "train",
    "paris",
    "rome",
    "oslo",
    "lamp",
    "bread",
    "friday",
    "music",
    "cold",
    "river",
    "book",
]
_PLACES = ["Paris", "Rome", "Oslo", "Bern", "Lyon", "Turin", "Ghent"]
_LIKES = ["tea", "rain", "boats", "trains", "bread", "music", "rivers", "books"]
_SPEAKERS = (None, None, "Ada", "Bob", "Rosa")


def _text(world: World, house: Household, most: int = 8) -> str:
    words = world.rng.choices(_WORDS, k=world.rng.randint(1, most))
    if world.rng.random() < 0.6:
        words.insert(world.rng.randrange(len(words) + 1), house.tenant.mark)
    return " ".join(words)


def _moment(world: World, house: Household) -> datetime:
    house.minutes += 1
    early = world.rng.random() < 0.1
    return _BASE + timedelta(minutes=house.minutes - (3_000 if early else 0))


def _place(world: World, house: Household, names: list[str]) -> str:
    """Return a name; half of them hold the tenant's mark, half are everybody's."""
    chosen = world.rng.choice(names)
    return chosen + house.tenant.mark if world.rng.random() < 0.5 else chosen


# -- writing ---------------------------------------------------------------------------------------


def tell(world: World, house: Household) -> Deed:
    """Say something that facts follow from, in any session."""
    rng = world.rng
    verb, names = rng.choice([("live in", _PLACES), ("like", _LIKES)])
    text = f"I {verb} {_place(world, house, names)}"
    moment, wait = _moment(world, house), rng.random() < 0.85
    return lambda side: side.handle.add(text, occurred_at=moment, wait=wait, **side.ids)


def say(world: World, house: Household) -> Deed:
    rng = world.rng
    messages = [
        {
            "role": rng.choice(["user", "assistant"]),
            "content": _text(world, house),
            "name": rng.choice(_SPEAKERS),
            "id": f"m{rng.randrange(40)}" if rng.random() < 0.2 else None,
            "metadata": {"n": rng.randrange(10)},
        }
        for _ in range(rng.randint(1, 3))
    ]
    moment, expires = _moment(world, house), _expiry(rng)
    return lambda side: side.handle.add(
        messages, occurred_at=moment, infer=False, expires_at=expires, **side.ids
    )


def _expiry(rng: random.Random) -> datetime | None:
    return rng.choice([None] * 9 + [datetime(2100, 1, 1, tzinfo=timezone.utc)])


def state(world: World, house: Household) -> Deed:
    text, moment = _text(world, house), _moment(world, house)
    return lambda side: side.handle.add(text, kind="fact", occurred_at=moment, **side.ids)


def relate(world: World, house: Household) -> Deed:
    label, names = world.rng.choice([("lives_in", _PLACES), ("likes", _LIKES)])
    subject = world.rng.choice(["user", "user", "Ada", "Rosa"])
    triple = (subject, label, _place(world, house, names))
    since = _moment(world, house)
    given = [
        {**dict(zip(("subject", "relation", "object"), triple, strict=False)), "valid_from": since}
    ]
    return lambda side: side.handle.add_relations(given, **side.ids)


def flush(world: World, house: Household) -> Deed:
    return lambda side: side.handle.flush(**side.ids)


def distil(world: World, house: Household) -> Deed:
    return lambda side: side.handle.add_procedure("talk", **side.ids)


def join(world: World, house: Household) -> Deed:
    verb = world.rng.choice(["merge", "split"])
    return lambda side: getattr(side.graph(), verb)("Ada", "Rosa")


# -- changing --------------------------------------------------------------------------------------


def _key(world: World, house: Household) -> int | None:
    known = len(house.table.pairs)
    return world.rng.randrange(max(0, known - 60), known) if known else None


def update(world: World, house: Household) -> Deed | None:
    which, text = _key(world, house), _text(world, house)
    if which is None:
        return None
    if world.rng.random() < 0.3:
        n = world.rng.randrange(10)
        return lambda side: side.handle.update(side.key(which), metadata={"n": n}, **side.ids)
    return lambda side: side.handle.update(side.key(which), text, **side.ids)


def delete(world: World, house: Household) -> Deed | None:
    which = _key(world, house)
    return None if which is None else lambda side: side.handle.delete(side.key(which), **side.ids)


def expire(world: World, house: Household) -> Deed | None:
    """Let a record expire; `step` purges at once: left alone, each file erases in its own time."""
    which, then = _key(world, house), datetime(2025, 1, 1, tzinfo=timezone.utc)
    if which is None:
        return None
    return lambda side: side.handle.update(side.key(which), expires_at=then, **side.ids)


def delete_some(world: World, house: Household) -> Deed:
    n = world.rng.randrange(10)
    return lambda side: side.handle.delete_all(filters={"n": n}, **side.ids)


def delete_all(world: World, house: Household) -> Deed:
    return lambda side: side.handle.delete_all(**side.ids)


def undo(world: World, house: Household) -> Deed | None:
    which, back = _key(world, house), world.rng.choice([-1, -1, -1, 0])
    if which is None:
        return None

    def deed(side: Side) -> Any:
        changes = side.handle.history(side.key(which), **side.ids)
        return side.handle.undo(changes[back], **side.ids)

    return deed


# -- reading ---------------------------------------------------------------------------------------


def search(world: World, house: Household) -> Deed:
    rng = world.rng
    query = rng.choice([_text(world, house, 4), "where does the user live", "What likes Rosa?"])
    options: dict[str, Any] = {"limit": rng.choice([1, 5, 50])}
    if rng.random() < 0.4:
        options["kinds"] = rng.choice([["fact"], ["turn"], ["fact", "summary", "procedure"]])
    if rng.random() < 0.15:
        options["filters"] = {"n": {"lt": rng.randrange(10)}}
    if rng.random() < 0.1:
        options["graph"] = True
    if rng.random() < 0.1:
        options["valid_at"] = _BASE + timedelta(minutes=rng.randrange(house.minutes + 1))
    return lambda side: side.handle.search(query, **options, **side.ids)


def context(world: World, house: Household) -> Deed:
    query = world.rng.choice([None, _text(world, house, 4), "where does the user live"])
    most = world.rng.choice([60, 300, 1_000])
    return lambda side: side.handle.context(query, max_tokens=most, **side.ids)


def listing(world: World, house: Household) -> Deed:
    rng = world.rng
    order = rng.choice(["created_at", "-updated_at", "occurred_at", "-importance"])
    kinds = rng.choice([None, None, ["fact"], ["turn"], ["summary"]])
    limit = rng.choice([4, 50])

    def deed(side: Side) -> Any:
        pages = [side.handle.list(order=order, kinds=kinds, limit=limit, **side.ids)]
        while pages[-1].cursor and len(pages) < 4:
            more = pages[-1].cursor
            pages.append(
                side.handle.list(order=order, kinds=kinds, limit=limit, cursor=more, **side.ids)
            )
        return pages

    return deed


def get(world: World, house: Household) -> Deed | None:
    which = _key(world, house)
    return None if which is None else lambda side: side.handle.get(side.key(which), **side.ids)


def history(world: World, house: Household) -> Deed | None:
    which = _key(world, house)
    return None if which is None else lambda side: side.handle.history(side.key(which), **side.ids)


def stats(world: World, house: Household) -> Deed:
    def deed(side: Side) -> Any:
        scope = side.whole.scoped(**(side.tenant.anchor or side.tenant.rooms[0]))
        return scope.stats(), sorted(map(repr, scope.scopes()))

    return deed


def graph(world: World, house: Household) -> Deed:
    rng = world.rng
    name = rng.choice(["user", "Ada", "Rosa", *_PLACES])
    asked: list[Deed] = [
        lambda side: side.graph().entities(),
        lambda side: side.graph().relations(),
        lambda side: side.graph().relations(name, label="lives_in"),
        lambda side: side.graph().neighbours(name, 2),
        lambda side: side.graph().paths("user", name),
    ]
    return rng.choice(asked)


# -- frameworks' documents -------------------------------------------------------------------------


def items(world: World, house: Household) -> Deed:
    rng, tenant = world.rng, house.tenant
    owner = "/".join([*tenant.anchor.values(), str(tenant.number)]) if rng.random() < 0.5 else ""
    labels = ("memories", owner or tenant.mark)
    key, text = f"k{rng.randrange(8)}", _text(world, house, 4)
    asked: list[Deed] = [
        lambda side: side.whole.documents.put(labels, key, {"text": text}, texts=[text]),
        lambda side: side.whole.documents.put(labels, key, {"text": text}, texts=[text]),
        lambda side: side.whole.documents.delete(labels, key),
        lambda side: side.whole.documents.get(labels, key),
        lambda side: side.whole.documents.search(labels, text),
        lambda side: side.whole.documents.search(labels),
        lambda side: side.whole.documents.namespaces(labels),
    ]
    return rng.choice(asked)


# -- what happens next -----------------------------------------------------------------------------

_Made = Callable[[World, Household], "Deed | None"]
# How often: of a hundred operations, a third derives facts over sessions.
_DEEDS: dict[_Made, float] = {
    tell: 27,
    relate: 4,
    flush: 3,
    say: 10,
    state: 2,
    distil: 0.5,
    join: 0.7,
    update: 5,
    delete: 4,
    expire: 0.5,
    delete_some: 1,
    delete_all: 1.5,
    undo: 4,
    search: 14,
    context: 4,
    listing: 6,
    get: 2,
    history: 3,
    stats: 1,
    graph: 3,
    items: 4,
}
_WRITES_EXACTLY = {tell, say, state, relate, distil}
_RARELY = {"purge": 0.002, "reopen": 0.0005, "check": 0.0005, "export": 0.001}


def step(world: World, house: Household) -> None:
    """Do one random thing of one tenant in both files."""
    rng = world.rng
    if rng.random() < 0.03:
        attacked = twins.attack(world, house)
        if attacked is not None:
            world.do(house, *attacked, house.tenant.reading(rng))
    make = rng.choices(list(_DEEDS), list(_DEEDS.values()))[0]
    deed = make(world, house)
    if deed is not None:
        exact = make in _WRITES_EXACTLY
        ids = house.tenant.room(rng) if exact else house.tenant.reading(rng)
        world.do(house, make.__name__, deed, ids)
        if make is expire:
            world.purge()
    for name, share in _RARELY.items():
        if rng.random() < share:
            {"purge": world.purge, "reopen": world.reopen, "check": world.check}.get(
                name, lambda: export(world, house)
            )()


def export(world: World, house: Household) -> None:
    """Export what a bound handle reaches: as many lines as of the twin, no word of others."""
    target = world.folder / "export.jsonl"

    def deed(side: Side) -> Any:
        bound = side.whole.scoped(**side.tenant.anchor) if side.tenant.anchor else side.handle
        lines = bound.export(target)
        told = target.read_text()
        foreign = [one.tenant.mark for one in world.houses if one is not house]
        return lines, [mark for mark in foreign if mark in told]

    if house.tenant.anchor:
        world.do(house, "export", deed, house.tenant.anchor)


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Do 300,000 operations in both files."""
    return twins.rounds(seed, int(WHOLE * scale), step, report)
