"""Reading consolidation's answer: numbers become ids only where the fact was shown that memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.errors import ExtractionError
from holdfast.language.wording import shorten
from holdfast.pipeline.answers import Problem, items, numbers_of, text_of
from holdfast.pipeline.consolidation.deciding import Decision, Verdict, decide
from holdfast.pipeline.consolidation.planning import Neighbour, Plan
from holdfast.pipeline.consolidation.prompt import numbered
from holdfast.pipeline.naming import Pair
from holdfast.types import Answer, Event

MAX_ENDED = 3
"""Memories a model may end by one fact; "forget everything" is a command, not news."""
MAX_TEXT = 1000
MAX_REASON = 300

_EVENTS: dict[str, Event] = {
    "ADD": "ADD",
    "UPDATE": "UPDATE",
    "DELETE": "DELETE",
    "NONE": "NONE",
    "NOOP": "NONE",
}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What an answer held.

    Attributes:
        decisions: In the order of the facts; rules and verdicts joined.
        problems: What was wrong with the answer.
        verdicts: What the model said of the open facts, by position, checked.
        united: Pairs of names that the model says are one.
    """

    decisions: tuple[Decision, ...] = ()
    problems: tuple[Problem, ...] = ()
    verdicts: Mapping[int, Verdict] = field(default_factory=dict)
    united: tuple[Pair, ...] = ()


def read(
    answer: Answer, plan: Plan, doubts: Sequence[Pair] = (), *, last: bool = False
) -> Decisions:
    """Check an answer and join it with what the rules say.

    Args:
        answer: What the model said to `request`.
        plan, doubts: What `request` was given.
        last: No repair follows: save what an answer that breaks off holds.

    Raises:
        ExtractionError: Not one decision can be read: ask again with `repair`, once.
    """
    listed, problems = items(answer, "decisions", last=last)
    reader = _Reader(plan)
    for number, item in enumerate(listed, start=1):
        reader.take(f"decision {number}", item)
    if not reader.understood:
        raise ExtractionError("the answer holds no decision on any of the facts")
    reader.note_missing()
    made = decide(plan, reader.verdicts)
    united = tuple(_united(answer, doubts))
    return Decisions(made, (*problems, *reader.problems), reader.verdicts, united)


def _united(answer: Answer, doubts: Sequence[Pair]) -> Iterator[Pair]:
    """Yield the pairs that are one; what cannot be read is in doubt, and they stay two."""
    listed = answer.data.get("names") if answer.data is not None else None
    if not isinstance(listed, list):
        return
    said = [item for item in listed if isinstance(item, Mapping)]
    for number, pair in enumerate(doubts, start=1):
        told = [item.get("same") for item in said if numbers_of(item.get("pair")) == [number]]
        if told == [True]:
            yield pair


class _Reader:
    """Collects the verdicts of one answer and notes what was wrong."""

    def __init__(self, plan: Plan) -> None:
        self.problems: list[Problem] = []
        self.verdicts: dict[int, Verdict] = {}
        self.understood: set[int] = set()
        self._plan = plan
        self._facts = dict(enumerate(plan.open, start=1))
        self._memories = numbered(plan)

    def take(self, place: str, item: object) -> None:
        """Read one item; a fact's first usable decision counts."""
        if not isinstance(item, Mapping):
            return self._note(place, "no object; dropped", lost=True)
        index = self._fact(item)
        event = _EVENTS.get(text_of(item, "event").upper())
        if index is None or event is None:
            return self._note(place, "names no fact or no event that exists; dropped", lost=True)
        if index in self.verdicts:
            return self._note(place, "is a second one on its fact; dropped", lost=True)
        self.understood.add(index)
        verdict = self._verdict(place, index, event, item)
        if verdict is not None:
            self.verdicts[index] = verdict
        return None

    def note_missing(self) -> None:
        """Return which open facts the model passed over."""
        for number, index in self._facts.items():
            if index not in self.understood:
                self._note(f"fact F{number}", "got no decision; added")

    def _fact(self, item: Mapping[str, object]) -> int | None:
        numbers = numbers_of(item.get("fact"))
        return self._facts.get(numbers[0] or 0) if len(numbers) == 1 else None

    def _verdict(
        self, place: str, index: int, event: Event, item: Mapping[str, object]
    ) -> Verdict | None:
        targets = [] if event == "ADD" else self._targets(place, index, item)
        reason = shorten(text_of(item, "reason"), MAX_REASON)
        if event == "NONE":
            return self._known(place, index, Verdict(event, _ids(targets), "", reason))
        if event != "ADD":
            targets = self._endable(place, index, targets)
            if not targets:
                self._note(place, f"{event} without a memory it may end; the fact is added")
                return None
        text = shorten(text_of(item, "text"), MAX_TEXT) if event == "UPDATE" else ""
        return Verdict(event, _ids(targets), text, reason)

    def _targets(self, place: str, index: int, item: Mapping[str, object]) -> list[Neighbour]:
        shown = {found.id for found in self._plan.shown[index]}
        cited = [self._memories.get(number or 0) for number in numbers_of(item.get("memories"))]
        real = [found for found in cited if found is not None and found.id in shown]
        if len(real) < len(cited):
            self._note(place, "cites memories that were not listed for its fact; ignored")
        return list({found.id: found for found in real}.values())

    def _endable(self, place: str, index: int, targets: list[Neighbour]) -> list[Neighbour]:
        if len(targets) > MAX_ENDED:
            self._note(place, f"would end more than {MAX_ENDED} memories; refused")
            return []
        kept = [found for found in targets if not self._is_newer(found, index)]
        if len(kept) < len(targets):
            self._note(place, "would end memories newer than its fact; refused for those")
        return kept

    def _is_newer(self, found: Neighbour, index: int) -> bool:
        said_at = found.said_at or found.valid_from
        later = self._plan.facts[index].said_at < said_at
        return later or found.id in self._plan.settled[index].yields_to

    def _known(self, place: str, index: int, verdict: Verdict) -> Verdict | None:
        """Believe that a fact is known only if its numbers are."""
        told = " ".join(found.text for found in self._plan.shown[index])
        if _numbers(self._plan.facts[index].text) <= _numbers(told):
            return verdict
        self._note(place, "NONE, yet the fact has a number no memory has; the fact is added")
        return None

    def _note(self, place: str, reason: str, *, lost: bool = False) -> None:
        self.problems.append(Problem(place, reason, lost))


def _ids(targets: list[Neighbour]) -> tuple[str, ...]:
    return tuple(found.id for found in targets)


def _numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+", text))
