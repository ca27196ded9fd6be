"""Reading extraction's answer, item by item: good ones are kept, bad ones dropped with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property

from holdfast.errors import ExtractionError
from holdfast.language.wording import foreign_script, long_words, main_script, normalise, shorten
from holdfast.pipeline.answers import MAX_FIELD, Problem, items, number_of, numbers_of, text_of
from holdfast.pipeline.extraction.prompt import EXAMPLE_WORDS, Conversation, Guidance
from holdfast.pipeline.extraction.when import begins, period
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import (
    FIRST_PERSON,
    SPEAKER,
    Relation,
    canonical,
    canonical_subject,
    holds_one_value,
)
from holdfast.pipeline.transcript import MAX_NAME, Turn
from holdfast.types import Answer

MAX_FACTS = 100
"""Facts kept of one answer, the most important first; a batch of turns rarely holds thirty."""
MAX_TEXT = 1000
"""Characters of one fact; what is longer is a retelling."""
MAX_RELATIONS = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer held: its facts in order, and what was wrong with the rest."""

    facts: tuple[Fact, ...] = ()
    problems: tuple[Problem, ...] = ()


def read(
    answer: Answer,
    conversation: Conversation,
    guidance: Guidance | None = None,
    *,
    last: bool = False,
) -> Facts:
    """Check an answer.

    Args:
        answer: What the model said to `request`.
        conversation: What `request` was given.
        guidance: What `request` was given.
        last: No repair follows: save what an answer that breaks off holds.

    Raises:
        ExtractionError: Nothing can be read: ask again with `repair`, once.
    """
    listed, problems = items(answer, "facts", last=last)
    reader = _Reader(conversation, guidance or Guidance())
    read_ = [reader.fact(f"fact {number}", item) for number, item in enumerate(listed, start=1)]
    facts = [fact for fact in read_ if fact is not None]
    if listed and reader.malformed == len(listed):
        raise ExtractionError(f"none of the {len(listed)} facts has the shape asked for")
    return Facts(_limit(facts, reader.problems), (*problems, *reader.problems))


def _limit(facts: list[Fact], problems: list[Problem]) -> tuple[Fact, ...]:
    if len(facts) <= MAX_FACTS:
        return tuple(facts)
    over = len(facts) - MAX_FACTS
    reason = f"the {over} least important facts beyond {MAX_FACTS} dropped"
    problems.append(Problem("answer", reason, lost=True))
    ranked = sorted(range(len(facts)), key=lambda index: -facts[index].importance)
    return tuple(facts[index] for index in sorted(ranked[:MAX_FACTS]))


class _Reader:
    """Reads the facts of one answer and notes what was wrong."""

    def __init__(self, conversation: Conversation, guidance: Guidance) -> None:
        self.problems: list[Problem] = []
        self.malformed = 0
        self._turns = conversation.turns
        self._categories = guidance.categories
        self._script = main_script(" ".join(turn.text for turn in conversation.turns))
        self._known = _everything(conversation).casefold()
        self._asked_relations = conversation.relations
        self._speaker = _only_user(conversation) if conversation.one_user else None

    @cached_property
    def _words(self) -> list[set[str]]:
        return [long_words(turn.text) for turn in self._turns]

    def fact(self, place: str, item: object) -> Fact | None:
        """Return the fact of one item, or None with the reason noted."""
        text = text_of(item, "text") if isinstance(item, Mapping) else ""
        if not isinstance(item, Mapping) or not text:
            self.malformed += 1
            self._drop(place, "no object with a text; dropped")
            return None
        if self._is_echo(item):
            self._drop(place, "repeats the prompt's own example; dropped")
            return None
        turns = self._cited(place, item, text)
        if not turns:
            return None
        return self._build(place, item, self._fitting(place, text), turns)

    def _build(
        self, place: str, item: Mapping[str, object], text: str, turns: tuple[int, ...]
    ) -> Fact:
        said_at = max(self._turns[turn].said_at for turn in turns).astimezone(timezone.utc)
        relations = self._relations(place, item, text, self._turns[turns[0]])
        lasting = any(relation.single_valued for relation in relations)
        event_time, holds_from = self._times(place, item, said_at, lasting=lasting)
        return Fact(
            text=text,
            about=self._about(item, turns),
            turns=turns,
            said_at=said_at,
            holds_from=holds_from,
            event_time=event_time,
            importance=self._importance(place, item),
            category=self._category(place, item),
            relations=relations,
        )

    def _is_echo(self, item: Mapping[str, object]) -> bool:
        said = " ".join(_strings(item)).casefold()
        return any(word in said and word not in self._known for word in EXAMPLE_WORDS)

    def _cited(self, place: str, item: Mapping[str, object], text: str) -> tuple[int, ...]:
        """Return the positions of the turns a fact comes from; none if it must be dropped."""
        numbers = numbers_of(item.get("turns"))
        real = {n - 1 for n in numbers if n is not None and 1 <= n <= len(self._turns)}
        if len(real) < len(set(numbers)) or not real:
            real = self._nearest(place, text, real)
        if real and all(self._turns[turn].role == "system" for turn in real):
            self._drop(place, "comes from system text only; dropped")
            return ()
        return tuple(sorted(real))

    def _nearest(self, place: str, text: str, real: set[int]) -> set[int]:
        """Put right turn numbers that are missing or do not exist: the turn of the same words."""
        if real:
            self._mend(place, "cites turns that do not exist; the others kept")
            return real
        mine = long_words(text)
        shared = [len(mine & words) for words in self._words]
        if len(shared) > 1 and not any(shared):
            self._drop(place, "cites no turn that exists and shares no word with any; dropped")
            return set()
        self._mend(place, "cites no turn that exists; the turn nearest in words taken")
        return {shared.index(max(shared))}

    def _fitting(self, place: str, text: str) -> str:
        if foreign_script(text, self._script):
            self._mend(place, "is in another script than the messages; kept")
        if len(text) > MAX_TEXT:
            self._mend(place, f"is longer than {MAX_TEXT} characters; cut")
        return shorten(text, MAX_TEXT)

    def _times(
        self, place: str, item: Mapping[str, object], said_at: datetime, *, lasting: bool
    ) -> tuple[datetime | None, datetime]:
        """Return the event's time and the moment from which the fact holds.

        A plan holds from when it is told, a new home from the day one moves in.
        """
        when = item.get("when")
        if when is None or when == "":
            return None, said_at
        span = period(text_of(item, "when"))
        if span is None:
            self._mend(place, "has an event time that is no date; left open")
            return None, said_at
        start = begins(span, said_at)
        return span[0], start if lasting or start <= said_at else said_at

    def _importance(self, place: str, item: Mapping[str, object]) -> float:
        number = number_of(item.get("importance"))
        if number is None:
            self._mend(place, "has no importance; 0.5 taken")
            return 0.5
        if not 0 <= number <= 1:
            self._mend(place, "has an importance outside 0 to 1; clamped")
        return min(max(number, 0.0), 1.0)

    def _category(self, place: str, item: Mapping[str, object]) -> str:
        category = text_of(item, "category")
        if category and category not in self._categories:
            self._mend(place, "has a category that is not listed; left empty")
            return ""
        return category

    def _about(self, item: Mapping[str, object], turns: tuple[int, ...]) -> str:
        about = shorten(text_of(item, "about"), MAX_NAME)
        if canonical_subject(about, None) != SPEAKER and about:
            return about
        spoken = self._turns[turns[0]]
        return spoken.speaker or spoken.role

    def _relations(
        self, place: str, item: Mapping[str, object], text: str, turn: Turn
    ) -> tuple[Relation, ...]:
        listed = item.get("relations") if self._asked_relations else None
        if listed is not None and not isinstance(listed, list):
            self._mend(place, "has relations that are no list; left out")
        entries = listed if isinstance(listed, list) else []
        found = [self._relation(entry, text, turn) for entry in entries[:MAX_RELATIONS]]
        kept = tuple(dict.fromkeys(relation for relation in found if relation is not None))
        if len(kept) < len(entries):
            self._mend(place, f"{len(entries) - len(kept)} of its relations unusable; left out")
        return kept

    def _relation(self, entry: object, text: str, turn: Turn) -> Relation | None:
        if not isinstance(entry, Mapping):
            return None
        subject, object_ = text_of(entry, "subject"), text_of(entry, "object")
        name = canonical(text_of(entry, "relation"))
        if not (subject and object_ and name) or len(name) > MAX_NAME:
            return None
        told = entry.get("single_valued") is True
        return Relation(
            subject=shorten(self._subject(subject, turn), MAX_NAME),
            relation=name,
            object=shorten(object_, MAX_NAME * 3),
            single_valued=holds_one_value(name, told, text),
            subject_type=shorten(text_of(entry, "subject_type").casefold(), MAX_NAME),
            object_type=shorten(text_of(entry, "object_type").casefold(), MAX_NAME),
        )

    def _subject(self, subject: str, turn: Turn) -> str:
        """Resolve "I" and "the user": the speaker, where several people speak."""
        if turn.role == "assistant" and normalise(subject) in FIRST_PERSON:
            return turn.role
        known = canonical_subject(subject, self._speaker)
        if known != SPEAKER or self._speaker is not None or turn.role != "user":
            return known
        return turn.speaker or known

    def _drop(self, place: str, reason: str) -> None:
        self.problems.append(Problem(place, reason, lost=True))

    def _mend(self, place: str, reason: str) -> None:
        self.problems.append(Problem(place, reason))


def _everything(conversation: Conversation) -> str:
    turns = (*conversation.recent, *conversation.turns)
    said = (f"{turn.speaker or ''} {turn.text}" for turn in turns)
    return " ".join((conversation.summary, *said))


def _only_user(conversation: Conversation) -> str | None:
    """Return the name of the user who speaks; None where several do, or none has a name."""
    turns = (*conversation.recent, *conversation.turns)
    names = {turn.speaker for turn in turns if turn.role == "user" and turn.speaker}
    return names.pop() if len(names) == 1 else None


def _strings(item: Mapping[str, object]) -> list[str]:
    listed = item.get("relations")
    nested = listed[:MAX_RELATIONS] if isinstance(listed, list) else []
    fields = [item, *(entry for entry in nested if isinstance(entry, Mapping))]
    values = (value for entry in fields for value in entry.values())
    return [value[:MAX_FIELD] for value in values if isinstance(value, str)]
