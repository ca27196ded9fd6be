"""Filling a token budget with memories, line by line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain

from holdfast.context.redundancy import Repetition, covers, tells_numbers
from holdfast.context.rendering import day, fenced, line
from holdfast.context.tokens import Counter
from holdfast.context.window import Live
from holdfast.language.quoting import quote
from holdfast.types import Context, Match, Record

# Shares of the budget. What a part does not use is the memories'.
SUMMARY_SHARE = 0.25
RECENT_SHARE = 0.25

# A turn longer than this (in characters; about 120 tokens) is shown as its best passage.
LONG = 480

# So many candidates that do not fit, and the rest is not looked at.
PATIENCE = 50

# No tokenizer's tokens are longer than that on average over a text; what has more characters a
# token is not counted, for it cannot fit.
MOST_CHARACTERS = 8

# An excerpt has at least so many words.
FEWEST_WORDS = 5

# Where an excerpt may end: before a space, and after any character where there are no spaces.
_BREAK = re.compile(r"\s+|(?<=[\u3001-\u30ff\u3400-\u9fff])")


@dataclass(frozen=True, slots=True)
class _Piece:
    """One memory as it will be shown."""

    record: Record
    text: str
    cost: int

    @property
    def session(self) -> tuple[date, str]:
        """The group it is shown in: one date header each."""
        return self.record.occurred_at.date(), self.record.scope.run_id or ""

    @property
    def moment(self) -> tuple[object, ...]:
        """Its place within the group. Ids are time-ordered, so they break ties."""
        return self.record.occurred_at, self.record.created_at, self.record.id


class Filling:
    """A budget being filled: costs are added up line by line, the whole is counted at the end."""

    def __init__(self, max_tokens: int, count: Counter, live: Live) -> None:
        self._max_tokens = max_tokens
        self._count = count
        self._live = live
        self._summary: tuple[Record, str] | None = None
        self._pieces: dict[str, _Piece] = {}
        self._facts: defaultdict[str, list[_Piece]] = defaultdict(list)
        self._sessions: defaultdict[tuple[date, str], int] = defaultdict(int)
        self._repetition = Repetition()
        self._room = max_tokens - count(fenced(["0"])) if max_tokens else 0
        self._costs: dict[tuple[str, str], int] = {}

    def take_summary(self, summary: Record | None) -> None:
        """Take the summary, or its opening words, within its share."""
        share = min(self._room, int(self._max_tokens * SUMMARY_SHARE))
        if summary is None or share <= 0:
            return
        text = excerpt(summary.text, share, self._counting(_summary_line))
        if text:
            self._summary = (summary, _summary_line(text))
            self._room -= self._count(self._summary[1] + "\n")

    def take_recent(self, recent: Sequence[Record]) -> None:
        """Take the last turns, the newest first, as far as their share goes."""
        floor = self._room - min(self._room, int(self._max_tokens * RECENT_SHARE))
        for record in reversed(recent):
            if self._live.has(record.text) or record.id in self._pieces:
                continue
            room = self._room - floor - self._header(record)
            text = excerpt(record.text, room, self._counting(partial(line, record)))
            if not text or not self._add(record, text, floor):
                return

    def _counting(self, rendered: Callable[[str], str]) -> Counter:
        return lambda shown: self._count(rendered(shown) + "\n")

    def take_matches(self, matches: Sequence[Match]) -> None:
        """Take matches best first.

        What did not fit gets a second chance with the room that the exact count of the whole
        text leaves: line by line is a little dear, since tokens span line breaks.
        """
        left = self._pour(matches)
        if left and self._pieces:
            self._room = self._max_tokens - self._count(self._text(list(self._pieces.values())))
            self._pour(left)

    def _pour(self, matches: Sequence[Match]) -> list[Match]:
        """Take what fits; return what did not, up to where patience ends."""
        left: list[Match] = []
        for match in matches:
            shown = passage(match)
            if self._is_shown(match.record) or self._live.has(shown):
                continue
            if self._too_long(shown):
                left.append(match)
            elif self._repetition.has(match.record, shown) or self._told(match.record, shown):
                continue
            elif not self._add(match.record, shown):
                left.append(match)
            if len(left) >= PATIENCE:
                break
        return left

    def _is_shown(self, record: Record) -> bool:
        summary = self._summary is not None and self._summary[0].id == record.id
        return summary or record.id in self._pieces

    def _too_long(self, shown: str) -> bool:
        """Return whether a text cannot fit, without counting it."""
        return len(shown) > MOST_CHARACTERS * self._room

    def _cost(self, record: Record, shown: str) -> int:
        """Return what a memory's line costs; counted once."""
        cost = self._costs.get((record.id, shown))
        if cost is None:
            cost = self._costs[record.id, shown] = self._count(line(record, shown) + "\n")
        return cost

    def _told(self, record: Record, shown: str) -> bool:
        """Return whether a candidate is not needed beside the facts, or the turns, it comes from.

        A fact and its turn are shown once: what ranks first stays, unless the other says the
        same in fewer tokens. A turn puts out its facts, too, where it has a number that none of
        them tells.
        """
        if record.kind == "turn":
            return self._told_by_facts(record, shown)
        turns = [self._pieces[source] for source in record.sources if source in self._pieces]
        if not turns or len(turns) < len(record.sources):
            return False
        cheaper = self._cost(record, shown) < turns[0].cost
        if len(turns) > 1 or not cheaper or not covers([shown], turns[0].text):
            return True
        self._drop(turns[0])
        return False

    def _told_by_facts(self, turn: Record, shown: str) -> bool:
        facts = [fact for fact in self._facts.get(turn.id, []) if fact.record.sources == (turn.id,)]
        if not facts:
            return False
        cost, spent = self._cost(turn, shown), sum(fact.cost for fact in facts)
        told = [fact.text for fact in facts]
        cheaper = cost < spent and covers([shown], " ".join(told))
        if not cheaper and tells_numbers(told, shown):
            return True
        if cost - spent + self._header(turn) > self._room:
            return True
        for fact in facts:
            self._drop(fact)
        return False

    def _add(self, record: Record, text: str, floor: int = 0) -> bool:
        """Add a memory if it fits above the floor."""
        cost = self._cost(record, text)
        if cost + self._header(record) > self._room - floor:
            return False
        piece = _Piece(record, text, cost)
        self._room -= cost + self._header(record)
        self._sessions[piece.session] += 1
        self._pieces[record.id] = piece
        self._repetition.add(record, text)
        if record.kind == "fact":
            for source in record.sources:
                self._facts[source].append(piece)
        return True

    def _drop(self, piece: _Piece) -> None:
        """Give a memory's tokens back."""
        del self._pieces[piece.record.id]
        for source in piece.record.sources:
            if piece in self._facts.get(source, []):
                self._facts[source].remove(piece)
        self._sessions[piece.session] -= 1
        self._room += piece.cost + self._header(piece.record)

    def _header(self, record: Record) -> int:
        """Return what the date header costs, if this record is the first of its session."""
        session = _Piece(record, "", 0).session
        return 0 if self._sessions[session] else self._count(day(record.occurred_at) + "\n")

    def context(self, full_tokens: int) -> Context:
        """Return the context: the most memories, best first, whose whole text is in budget."""
        pieces = list(self._pieces.values())
        if not pieces and self._summary is None:
            return Context(full_tokens=full_tokens)
        fewest, most = -1, len(pieces)
        while fewest < most:  # nearly always all fit, and the first look ends it
            tried = most if most == len(pieces) and fewest < 0 else (fewest + most + 1) // 2
            if self._count(self._text(pieces[:tried])) <= self._max_tokens:
                fewest = tried
            else:
                most = tried - 1
        if fewest < 0 or (not fewest and self._summary is None):
            return Context(full_tokens=full_tokens)
        return self._finished(pieces[:fewest], full_tokens)

    def _finished(self, pieces: list[_Piece], full_tokens: int) -> Context:
        text = self._text(pieces)
        records = [piece.record for group in _sessions(pieces) for piece in group]
        if self._summary is not None:
            records.insert(0, self._summary[0])
        return Context(text, self._count(text), full_tokens, tuple(records))

    def _text(self, pieces: list[_Piece]) -> str:
        opening = [self._summary[1]] if self._summary else []
        return fenced(chain(opening, *map(_shown, _sessions(pieces))))


def _sessions(pieces: Iterable[_Piece]) -> list[list[_Piece]]:
    """Return pieces by session and day, the groups and their members in the order of time."""
    groups: defaultdict[tuple[date, str], list[_Piece]] = defaultdict(list)
    for piece in sorted(pieces, key=lambda piece: piece.moment):
        groups[piece.session].append(piece)
    return sorted(groups.values(), key=lambda group: (group[0].session[0], group[0].moment))


def _shown(session: Sequence[_Piece]) -> list[str]:
    header = day(session[0].record.occurred_at)
    return [header, *(line(piece.record, piece.text) for piece in session)]


def _summary_line(text: str) -> str:
    return f"Summary: {quote(text)}"


def passage(match: Match) -> str:
    """Return what is shown of a match: its text, or the best passage of a long one, marked so."""
    text, best = match.record.text.strip(), match.passage.strip()
    if len(text) <= LONG or not best or len(best) >= len(text):
        return text
    before = "" if text.startswith(best) else "… "
    after = "" if text.endswith(best) else " …"
    return f"{before}{best}{after}"


def excerpt(text: str, max_tokens: int, count: Counter) -> str:
    """Return a text, or as many of its first words as cost at most `max_tokens`, and an ellipsis.

    Returns "" when less than five words would be left. Counts O(log n) times.
    """
    if max_tokens <= 0:
        return ""
    opening = text[: MOST_CHARACTERS * max_tokens]
    if opening == text and count(text) <= max_tokens:
        return text
    ends = [found.start() for found in _BREAK.finditer(opening)]
    fewest = bisect_right(ends, max_tokens, key=lambda end: count(f"{opening[:end]} …"))
    return f"{opening[: ends[fewest - 1]]} …" if fewest >= FEWEST_WORDS else ""
