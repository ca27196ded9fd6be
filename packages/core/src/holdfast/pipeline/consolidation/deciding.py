"""Rules and verdicts -> decisions: every fact gets one, and no memory is ended twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from holdfast.pipeline.consolidation.planning import Neighbour, Plan
from holdfast.pipeline.facts import Fact
from holdfast.types import Event


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model says of one fact, checked: every target is the id of a neighbour it was shown.

    Attributes:
        event: What to do.
        targets: Ids of the records it is about.
        text: For UPDATE, the statement to keep; empty for the fact's own.
        reason: The model's, in its words.
    """

    event: Event
    targets: tuple[str, ...] = ()
    text: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do for one fact.

    A fact has one decision, and a further DELETE for each further record it ends. Nothing is
    erased: UPDATE and DELETE set the target's ``valid_to`` to `closes_at`.

    Attributes:
        event: ``ADD`` stores `text`; ``UPDATE`` ends `target` and stores `text` in its place;
            ``DELETE`` ends `target`; ``NONE`` does nothing, it is known.
        fact: Position of the fact.
        target: Id of the record to end, or (NONE) of the one that says it already, if stored.
        text: What to store; empty for DELETE and NONE.
        reason: The rule, or the model's words.
        decided_by: Who settled it.
        closes_at: The target's ``valid_to``; never before it began.
        valid_to: Of what is stored, where something known had already taken its place.
        repeats: For NONE without a target: the earlier fact of the batch that says the same.
        merges: Ids of the records out of which, and of the fact, a model made `text`.
    """

    event: Event
    fact: int
    target: str | None = None
    text: str = ""
    reason: str = ""
    decided_by: Literal["rule", "model"] = "rule"
    closes_at: datetime | None = None
    valid_to: datetime | None = None
    repeats: int | None = None
    merges: tuple[str, ...] = ()


def decide(plan: Plan, verdicts: Mapping[int, Verdict] | None = None) -> tuple[Decision, ...]:
    """Return the decisions, in the order of the facts.

    Args:
        plan: What the rules say.
        verdicts: What a model says of the open facts, by position (`read` calls this itself).
            A fact without one is added, so that nothing is lost.
    """
    said = verdicts or {}
    made = [_of_fact(plan, index, said.get(index)) for index in range(len(plan.facts))]
    return _each_target_once([decision for decisions in made for decision in decisions])


def _of_fact(plan: Plan, index: int, verdict: Verdict | None) -> list[Decision]:
    rules = plan.settled[index]
    if rules.known:
        again = rules.repeats
        return [Decision("NONE", index, rules.known_as, reason=rules.known, repeats=again)]
    if rules.ends:
        return _superseding(plan, index, verdict)
    if verdict is None:
        reason = "the model gave no usable decision" if plan.shown[index] else "nothing near"
        return [_storing(plan, index, Decision("ADD", index, reason=reason))]
    return _following(plan, index, verdict)


def _superseding(plan: Plan, index: int, verdict: Verdict | None) -> list[Decision]:
    """A new value of a single-valued relation ends the old one, whatever the model says."""
    rule = "new value of a single-valued relation"
    ended = [Decision("DELETE", index, id, reason=rule) for id in plan.settled[index].ends]
    agreed = verdict if verdict is not None and verdict.event in {"UPDATE", "DELETE"} else None
    if agreed is not None:
        told = {id: _told(index, id, agreed) for id in agreed.targets}
        ended = [told.pop(decision.target or "", decision) for decision in ended]
        ended.extend(told.values())
    closing = [_closing(plan, decision) for decision in ended]
    text = agreed.text if agreed is not None and agreed.event == "UPDATE" else ""
    return [_successor(plan, index, closing, text), *closing[1:]]


def _following(plan: Plan, index: int, verdict: Verdict) -> list[Decision]:
    """Do as the model says; a fact that states a present value is stored, not swallowed."""
    if verdict.event in {"ADD", "NONE"}:
        target = verdict.targets[0] if verdict.event == "NONE" and verdict.targets else None
        plain = Decision(verdict.event, index, target, "", verdict.reason, "model")
        return [plain if verdict.event == "NONE" else _storing(plan, index, plain)]
    closing = [_closing(plan, _told(index, id, verdict)) for id in verdict.targets]
    if verdict.event == "DELETE" and not plan.facts[index].slots:
        return closing
    return [_successor(plan, index, closing, verdict.text), *closing[1:]]


def _successor(plan: Plan, index: int, closing: Sequence[Decision], text: str) -> Decision:
    """Return the UPDATE that ends the first record; a model's own `text` merges them all."""
    merges = tuple(decision.target or "" for decision in closing) if text else ()
    return _storing(plan, index, replace(closing[0], event="UPDATE", merges=merges), text)


def _told(index: int, id: str, verdict: Verdict) -> Decision:
    return Decision("DELETE", index, id, reason=verdict.reason, decided_by="model")


def _storing(plan: Plan, index: int, decision: Decision, text: str = "") -> Decision:
    fact = plan.facts[index]
    return replace(decision, text=text or fact.text, valid_to=plan.settled[index].valid_to)


def _closing(plan: Plan, decision: Decision) -> Decision:
    fact, target = plan.facts[decision.fact], _neighbour(plan, decision)
    return replace(decision, closes_at=_closes_at(fact, target))


def _closes_at(fact: Fact, target: Neighbour) -> datetime:
    return max(fact.holds_from, target.valid_from)


def _neighbour(plan: Plan, decision: Decision) -> Neighbour:
    found = plan.neighbours[decision.fact]
    return next(neighbour for neighbour in found if neighbour.id == decision.target)


def _each_target_once(decisions: list[Decision]) -> tuple[Decision, ...]:
    """Where several facts end one record, the earliest does; the others stand on their own."""
    first: dict[str, Decision] = {}
    for decision in decisions:
        if decision.closes_at is not None and decision.target is not None:
            held = first.get(decision.target)
            if held is None or _end_of(decision) < _end_of(held):
                first[decision.target] = decision
    kept = [
        decision
        if decision.closes_at is None or first[decision.target or ""] is decision
        else _too_late(decision)
        for decision in decisions
    ]
    return tuple(kept)


def _end_of(decision: Decision) -> tuple[float, int]:
    return (decision.closes_at.timestamp() if decision.closes_at else 0.0, decision.fact)


def _too_late(decision: Decision) -> Decision:
    reason = "another fact of the batch ends that memory"
    if decision.event == "UPDATE":
        return replace(decision, event="ADD", target=None, closes_at=None, reason=reason)
    return replace(decision, event="NONE", closes_at=None, reason=reason)
