"""What the rules settle, and which facts a model must still be asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from holdfast.errors import InvalidInputError
from holdfast.language.wording import gist
from holdfast.pipeline.consolidation.claims import Claim, conflict, order, repeats
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation

NEAR = 0.4
"""Cosine from which a stored fact may bear on a new one.

Of 15 pairs in which one statement ends or changes the other ("sold the car", "died"), all-MiniLM-
L6-v2 puts the farthest at 0.42 and five at 0.50 or below: a higher bound saves calls and keeps
contradictions.
"""

MAX_SHOWN = 5
"""Neighbours of one fact that a model is shown: those that fill its slot, then the nearest."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored fact near a new one.

    Attributes:
        id: The record's.
        text: What it says.
        valid_from: From when it holds (where unknown: when it was said).
        said_at: When it was said; `valid_from` where None.
        valid_to: Until when it holds; None is open.
        relations: As stored with it.
        similarity: Cosine to the new fact; 0 where it was found by its words or slot only.
    """

    id: str
    text: str
    valid_from: datetime
    said_at: datetime | None = None
    valid_to: datetime | None = None
    relations: tuple[Relation, ...] = ()
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """What the rules say of one fact.

    Attributes:
        known: The fact is known already: the rule that found out; empty otherwise.
        known_as: Id of the record that says the same; None for an earlier fact of the batch,
        repeats: and this is its position.
        ends: Neighbours whose place it takes (id: when), in the order of the neighbours.
        yields_to: Ids of neighbours that took its own place later.
        valid_to: When the fact itself was over, if something known began later.
    """

    known: str = ""
    known_as: str | None = None
    repeats: int | None = None
    ends: Mapping[str, datetime] = field(default_factory=dict)
    yields_to: tuple[str, ...] = ()
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Facts, what is known near them, what rules say, and what is open.

    Attributes:
        facts: As extracted.
        neighbours: Those of each fact.
        settled: What the rules say of each fact.
        shown: The neighbours of each fact a model is to weigh; empty where no doubt is left.
    """

    facts: tuple[Fact, ...]
    neighbours: tuple[tuple[Neighbour, ...], ...]
    settled: tuple[Settled, ...]
    shown: tuple[tuple[Neighbour, ...], ...]

    @property
    def open(self) -> tuple[int, ...]:
        """Positions of the facts a model must be asked about; none: no call."""
        return tuple(index for index, shown in enumerate(self.shown) if shown)


def plan(
    facts: Sequence[Fact], neighbours: Sequence[Sequence[Neighbour]], *, near: float = NEAR
) -> Plan:
    """Settle what needs no model: duplicates, and new values of single-valued relations.

    Args:
        facts: Of one batch, in the order they were said.
        neighbours: For each fact, stored facts that may bear on it: found by search over the
            whole scope, by `Fact.slots` and by `fingerprint`. Records whose validity has ended
            may be among them; retired versions may not.
        near: Cosine from which a neighbour is shown to a model.

    Raises:
        InvalidInputError: Facts and neighbours are not equally many.
    """
    if len(facts) != len(neighbours):
        raise InvalidInputError(f"{len(facts)} facts but {len(neighbours)} lists of neighbours")
    listed = tuple(tuple(found) for found in neighbours)
    ledger = _Ledger(facts)
    settled = ledger.settle(listed)
    shown = (
        _to_weigh(fact, ledger.live(found, rules, fact.holds_from), rules, near)
        for fact, found, rules in zip(facts, listed, settled, strict=True)
    )
    return Plan(tuple(facts), listed, settled, tuple(shown))


class _Ledger:
    """Goes through a batch in the order it was said and keeps what it has changed so far."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._claims = [
            Claim(fact.text, fact.relations, fact.said_at, fact.holds_from) for fact in facts
        ]
        self._settled = [Settled() for _ in facts]
        self._ended: dict[str, datetime] = {}
        self._seen: dict[str, list[int]] = {}  # by what two facts must share to meet
        self._turn: dict[int, int] = {}

    def settle(self, neighbours: Sequence[Sequence[Neighbour]]) -> tuple[Settled, ...]:
        """Return what the rules say of each fact, in the order of the facts."""
        by_time = sorted(range(len(self._claims)), key=lambda i: (self._claims[i].said_at, i))
        for index in by_time:
            self._settled[index] = self._weigh(index, neighbours[index])
            if not self._settled[index].known:
                self._turn[index] = len(self._turn)
                for key in self._keys(index):
                    self._seen.setdefault(key, []).append(index)
        return tuple(self._settled)

    def _keys(self, index: int) -> list[str]:
        claim = self._claims[index]
        slots = [relation.slot for relation in claim.relations]
        return [f"words {gist(claim.text)}", *(f"slot {slot}" for slot in slots if slot)]

    def _earlier(self, index: int) -> list[int]:
        """Return the facts of the batch that this one may repeat or contradict, in order."""
        met = {other for key in self._keys(index) for other in self._seen.get(key, ())}
        return sorted(met, key=self._turn.__getitem__)

    def live(
        self, neighbours: Sequence[Neighbour], rules: Settled, moment: datetime
    ) -> list[Neighbour]:
        """Return those that hold at `moment`, or that end only by the fact `rules` are about."""
        return [
            found
            for found in neighbours
            if found.id in rules.ends or self._stored(found).holds_at(moment)
        ]

    def _weigh(self, index: int, neighbours: Sequence[Neighbour]) -> Settled:
        new = self._claims[index]
        stored = [(found, self._stored(found)) for found in neighbours]
        for found, old in stored:
            if rule := repeats(new, old, found.similarity):
                return Settled(known=rule, known_as=found.id)
        for other in self._earlier(index):
            if rule := repeats(new, self._claims[other], None):
                return Settled(known=f"{rule} within the batch", repeats=other)
        self._against_batch(index)
        return self._against_stored(index, stored)

    def _stored(self, found: Neighbour) -> Claim:
        ends = self._ended.get(found.id, found.valid_to)
        said_at = found.said_at or found.valid_from
        return Claim(found.text, found.relations, said_at, found.valid_from, ends)

    def _against_batch(self, index: int) -> None:
        """Let earlier facts of the batch and this one end each other."""
        for other in self._earlier(index):
            new, old = self._claims[index], self._claims[other]
            if not conflict(new, old) or not old.holds_at(new.holds_from):
                continue
            verdict = order(new, old)
            if verdict == "new ends old":
                self._end(other, new.holds_from)
            elif verdict == "old ends new":
                self._end(index, old.holds_from)

    def _against_stored(self, index: int, stored: Sequence[tuple[Neighbour, Claim]]) -> Settled:
        ends: dict[str, datetime] = {}
        later: list[str] = []
        for found, old in stored:
            new = self._claims[index]
            if not conflict(new, old) or not old.holds_at(new.holds_from):
                continue
            verdict = order(new, old)
            if verdict == "new ends old":
                ends[found.id] = self._ended[found.id] = new.holds_from
            elif verdict == "old ends new":
                later.append(found.id)
                self._end(index, old.holds_from)
        return Settled(ends=ends, yields_to=tuple(later), valid_to=self._claims[index].ends)

    def _end(self, index: int, moment: datetime) -> None:
        """End a fact of the batch; the earliest end stands."""
        claim = self._claims[index]
        ends = moment if claim.ends is None else min(claim.ends, moment)
        self._claims[index] = replace(claim, ends=ends)
        self._settled[index] = replace(self._settled[index], valid_to=ends)


def _to_weigh(
    fact: Fact, neighbours: Sequence[Neighbour], rules: Settled, near: float
) -> tuple[Neighbour, ...]:
    """Return the near neighbours, if any of them is not dealt with by the rules."""
    if rules.known:
        return ()
    close = [found for found in neighbours if found.similarity >= near or _meets(fact, found)]
    if not any(_doubtful(fact, found, rules) for found in close):
        return ()
    ranked = sorted(close, key=lambda found: (not _meets(fact, found), -found.similarity))
    return tuple(ranked[:MAX_SHOWN])


def _meets(fact: Fact, found: Neighbour) -> bool:
    slots = {relation.slot for relation in found.relations}
    return any(slot in slots for slot in fact.slots)


def _doubtful(fact: Fact, found: Neighbour, rules: Settled) -> bool:
    """A neighbour the rules end raises no doubt, unless it says more that would end with it."""
    if found.id in rules.yields_to:
        return False
    if found.id not in rules.ends:
        return True
    return bool({relation.slot for relation in found.relations} - {*fact.slots, None})
