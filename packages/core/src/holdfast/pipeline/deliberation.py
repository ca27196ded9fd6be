"""From facts and their neighbours to what is written; remembers what the model has said.

The commit decides inside its transaction, on the neighbours as they are then. What the model said
holds as long as it saw them all; new ones are a reason to ask again, but only so often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from holdfast.language import cues
from holdfast.language.names import bare
from holdfast.language.wording import fingerprint
from holdfast.pipeline import consolidation, naming
from holdfast.pipeline.answers import Problem
from holdfast.pipeline.consolidation import Decision, Decisions, Neighbour, Plan, Verdict
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.naming import Pair
from holdfast.pipeline.relations import Relation
from holdfast.retrieval import ranking
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.codec import maybe_micros
from holdfast.storage.contract.memories import Draft, Indexed, NameVector
from holdfast.storage.contract.pipeline import (
    CommitPlan,
    Material,
    NearFact,
    NeighbourQuery,
    Neighbours,
    Write,
)
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import KeywordQuery, Probe
from holdfast.types import Metadata, Record

NEIGHBOURS = 8
"""Stored facts looked at for each new one."""

MOST_ASKED = 2
"""How often the model is asked about one batch: once, and once more if others wrote meanwhile."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Facts ready to be weighed.

    Attributes:
        facts: Those of the turns, and behind them what follows by rule: that two names are one.
        found: Each made findable.
        told: How many come from the turns.
        vectors: Of the names to be kept with their facts, by bare form.
        doubts: Names that may be one, for a model to tell.
    """

    facts: tuple[Fact, ...]
    found: tuple[Indexed, ...]
    told: int
    vectors: Mapping[str, Floats] = field(default_factory=dict)
    doubts: tuple[Pair, ...] = ()


class Deliberation:
    """What is to become of the facts of some turns.

    Args:
        material: The turns.
        resolved: What was extracted from them.
        stated: A caller states them: they are taken as they stand, no model is asked.

    Attributes:
        facts: As resolved; what the model says of names comes behind them.
        doubts: Names that the model is to tell apart, or not, when it is asked.
        problems: What was wrong with its answers.
    """

    def __init__(self, material: Material, resolved: Resolved, *, stated: bool = False) -> None:
        self.problems: tuple[Problem, ...] = ()
        self.facts = resolved.facts
        self.doubts = resolved.doubts[: naming.MOST_PAIRS]
        self._material = material
        self._found = resolved.found
        self._told = resolved.told
        self._vectors = resolved.vectors
        self._home = {name: one.fact for name, one in naming.named(resolved.facts).items()}
        self._open = {bare(n) for pair in resolved.doubts for n in (pair.name, pair.other)}
        self._reasons = dict.fromkeys(range(self._told, len(self.facts)), "rule: names alike")
        self._stated = stated
        self._searched = 0 if stated else resolved.told  # those behind look by name alone
        self._asked = MOST_ASKED if stated else 0
        self._seen: dict[int, set[str]] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._merged: dict[str, Indexed] = {}

    def outcome(self) -> CommitPlan:
        """Return the commit that decides on these facts."""
        approaches = tuple(
            (_approach if place < self._searched else _by_name)(fact, found)
            for place, (fact, found) in enumerate(zip(self.facts, self._found, strict=True))
        )
        scope = self._material.scope
        turns = () if self._stated else tuple(self._material.rows)
        return CommitPlan(scope, Reach.of_neighbours(scope), approaches, self._steps, turns)

    def plan(self, nearby: Neighbours) -> Plan:
        """Settle by rules what needs no model."""
        known = [[_neighbour(one) for one in some] for some in nearby]
        for place, fact in enumerate(self.facts[self._searched :], self._searched):
            known[place] = [one for one in known[place] if _states(one, fact)]
        return consolidation.plan(self.facts, known)

    def learn(self, plan: Plan, made: Decisions, merged: Mapping[str, Indexed]) -> None:
        """Take over what the model said of a plan; `merged` are its own texts, made findable."""
        self._asked += 1
        self.problems += made.problems
        self._merged.update(merged)
        self._learn_names(made)
        for fact in plan.open:
            shown = {neighbour.id for neighbour in plan.shown[fact]}
            self._seen.setdefault(fact, set()).update(shown)
            self._verdicts.pop(fact, None)
        self._verdicts.update(made.verdicts)

    def _learn_names(self, made: Decisions) -> None:
        self._open -= {bare(name) for pair in self.doubts for name in (pair.name, pair.other)}
        self.doubts = ()
        for pair in made.united:
            said = naming.statement(pair, self.facts)
            self._reasons[len(self.facts)] = "model: one name"
            self.facts += (said,)
            self._found += (self._merged[said.text],)

    def _steps(self, nearby: Neighbours) -> Sequence[Write] | None:
        plan = self.plan(nearby)
        if self._asked < MOST_ASKED and any(self._is_news(plan, fact) for fact in plan.open):
            return None
        usable = {fact: said for fact, said in self._verdicts.items() if _holds(plan, fact, said)}
        known = {str(one.row_id): one.record for some in nearby for one in some}
        return [self._step(one, known) for one in consolidation.decide(plan, usable)]

    def _is_news(self, plan: Plan, fact: int) -> bool:
        shown = {neighbour.id for neighbour in plan.shown[fact]}
        return not shown <= self._seen.get(fact, set())

    def _step(self, decision: Decision, known: Mapping[str, Record]) -> Write:
        fact = self.facts[decision.fact]
        turns = list(self._material.turns.values())
        said = [turns[position] for position in fact.turns]
        added = self._stated and decision.event == "ADD"
        reason = "caller" if added else f"{decision.decided_by}: {decision.reason}"
        reason = self._reasons.get(decision.fact, reason)
        sources = tuple(turn.id for turn in said)
        writes = decision.event in ("ADD", "UPDATE")
        return Write(
            event=decision.event,
            draft=self._draft(fact, said, decision, reason, known) if writes else None,
            target=None if decision.target is None else int(decision.target),
            closes_at=maybe_micros(decision.closes_at),
            digest=fingerprint(self.facts[_first(decision)].text),
            reason=reason,
            sources=sources,
        )

    def _draft(
        self,
        fact: Fact,
        said: Sequence[Record],
        decision: Decision,
        reason: str,
        known: Mapping[str, Record],
    ) -> Draft:
        sources = tuple(turn.id for turn in said)
        merged = dict.fromkeys(_merged(decision, known))
        return Draft(
            text=decision.text,
            kind="fact",
            indexed=self._merged.get(decision.text, self._found[decision.fact]),
            speaker=fact.about or None,
            metadata=_metadata(fact, said),
            occurred_at=fact.said_at,
            valid_from=fact.holds_from,
            valid_to=decision.valid_to,
            expires_at=_expiry(said),
            importance=fact.importance,
            sources=(*(one for one in merged if one not in sources), *sources),
            relations=tuple(asdict(relation) for relation in fact.relations),
            slots=fact.slots,
            names=tuple(self._names(decision.fact)),
            digest=fingerprint(decision.text),
            reason=reason,
        )

    def _names(self, fact: int) -> Iterator[NameVector]:
        for name, vector in self._vectors.items():
            if self._home[name] == fact:
                yield NameVector(name, vector, name not in self._open)


def _approach(fact: Fact, indexed: Indexed) -> NeighbourQuery:
    asked = cues.read(fact.text, (), fact.said_at)
    probe = Probe(
        vector=indexed.vectors[0],
        keywords=KeywordQuery(asked.groups, asked.pairs),
        rank=ranking.documents["hybrid"],
        limit=NEIGHBOURS,
        kinds=("fact",),
        ended=True,
    )
    return NeighbourQuery(probe, fact.slots, fingerprint(fact.text))


def _by_name(fact: Fact, _: Indexed) -> NeighbourQuery:
    return NeighbourQuery(None, fact.slots, fingerprint(fact.text))


def _neighbour(known: NearFact) -> Neighbour:
    record = known.record
    return Neighbour(
        id=str(known.row_id),
        text=record.text,
        valid_from=record.valid_from or record.occurred_at,
        said_at=record.occurred_at,
        valid_to=record.valid_to,
        relations=tuple(Relation(**values) for values in known.relations),
        similarity=known.similarity,
    )


def _states(known: Neighbour, fact: Fact) -> bool:
    """Return whether a stored fact fills a slot of a stated one, or states a relation that it does.

    The same words that state nothing, or something else, do not make it known.
    """
    slots, keys = set(fact.slots), {relation.key for relation in fact.relations}
    return any(said.slot in slots or said.key in keys for said in known.relations)


def _holds(plan: Plan, fact: int, verdict: Verdict) -> bool:
    """Return whether all that a verdict is about is still there, and has not ended meanwhile."""
    begins = plan.facts[fact].holds_from
    live = {
        found.id
        for found in plan.neighbours[fact]
        if found.valid_to is None or found.valid_to > begins
    }
    return live.issuperset(verdict.targets)


def _merged(decision: Decision, known: Mapping[str, Record]) -> Iterator[str]:
    """Yield what else a merged text rests on: the sources of all that it was merged from.

    A statement without sources is one itself; the record that is updated cannot be its own.
    """
    for merged in decision.merges:
        record = known[merged]
        yield from record.sources or (() if merged == decision.target else (record.id,))


def _first(decision: Decision) -> int:
    """Return the position of the fact that says it first in its batch."""
    return decision.fact if decision.repeats is None else decision.repeats


def _metadata(fact: Fact, turns: Sequence[Record]) -> Metadata:
    """Return what the caller said of all its turns alike, so that one filter finds both."""
    first, *others = [turn.metadata for turn in turns] or [{}]
    shared = {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }
    return ({"category": fact.category} if fact.category else {}) | shared


def _expiry(turns: Sequence[Record]) -> datetime | None:
    """A fact outlives none of the turns it rests on, unless one of them is kept for ever."""
    ends = [turn.expires_at for turn in turns if turn.expires_at is not None]
    return max(ends) if ends and len(ends) == len(turns) else None
