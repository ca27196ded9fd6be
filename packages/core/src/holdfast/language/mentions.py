"""Names and dates that a text mentions, as far as its letters show them; nothing is understood.

A name is a run of capitalised words inside a sentence. What begins a sentence is one only if it
is written so elsewhere in the text, or is the name of a speaker. German, which
capitalises every noun, and scripts without capitals show speakers only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Final

import regex

from holdfast.language.dates import spelled
from holdfast.language.names import TITLES, bare
from holdfast.language.stopwords import ENGLISH
from holdfast.language.terms import fold, language_of

MOST = 8
"""Names and dates read from one text; a list of more says little of each."""

READ = 20_000
"""Characters of a text in which names are looked for, and dates: `MOST` are found long before."""

_WORD: Final = regex.compile(r"\w+")
_TOKEN: Final = regex.compile(r"\p{L}[\p{L}\p{M}\p{N}]*(?:['’\-]\p{L}[\p{L}\p{M}]*)*")
_POSSESSIVE: Final = regex.compile(r"['’]s?$")
_WITHIN: Final = regex.compile(r"[\s,/&]*")  # what may stand before a word inside a sentence


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_JOINING: Final = _listed("of de da di du del della van von der den la le")
_CALENDAR: Final = _listed(
    "january february march april may june july august september october november december jan feb "
    "mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday "
    "sunday mon tue tues wed thu thur thurs fri sat sun today yesterday tomorrow tonight"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """What a text mentions: a name as it is written, or a date as ISO 8601 writes it."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    folded: str
    start: int
    end: int
    inside: bool  # it stands inside a sentence, not at its beginning

    @property
    def is_capital(self) -> bool:
        """It is written as names are: "Oslo", "McKay"; not "USA", which may be shouting."""
        letters = self.text[1:]
        return self.text[0].isupper() and letters != "" and not self.text.isupper()

    @property
    def is_plain(self) -> bool:
        """It is a function word, or a date has it."""
        return self.folded in ENGLISH or self.folded in _CALENDAR


class Speakers(tuple[str, ...]):
    """Names of speakers, each once, laid out so that a text is read once for all of them.

    Attributes:
        parts: The words of all names, case-folded.
    """

    parts: frozenset[str]
    _by_sign: dict[str, list[int]]  # each name under the sign that it shares with the fewest

    @classmethod
    def of(cls, names: Collection[str]) -> Speakers:
        """Return the names as such, if they are not yet."""
        if isinstance(names, Speakers):
            return names
        known = cls(dict.fromkeys(names))
        known.parts = frozenset(part for name in known for part in fold(name).split())
        shared = Counter(sign for name in known for sign in _signs(name))
        known._by_sign = defaultdict(list)
        for place, name in enumerate(known):
            known._by_sign[min(_signs(name), key=shared.__getitem__)].append(place)
        return known

    def within(self, text: str) -> list[str]:
        """Return the names that stand in a text, in the order in which they were given."""
        pairs = (text[at : at + 2] for at in range(len(text)))
        signs = self._by_sign.keys() & {*_WORD.findall(text), *text, *pairs}
        places = sorted(place for sign in signs for place in self._by_sign[sign])
        return [self[place] for place in places if _is_in(self[place], text)]


def _signs(name: str) -> set[str]:
    """Return what stands in every text that a name stands in: its words, or its first letters."""
    return (set() if _is_bare(name) else {*_WORD.findall(name)}) or {name[:2]}


def _is_bare(name: str) -> bool:
    """Return whether a name is of a script without capitals, and maybe without spaces."""
    return fold(name) == name and not name.isascii()


def _is_in(name: str, text: str) -> bool:
    at = text.find(name)
    if _is_bare(name):
        return at >= 0
    while at >= 0:
        if _is_edge(text, at) and _is_edge(text, at + len(name)):
            return True
        at = text.find(name, at + 1)
    return False


def _is_edge(text: str, at: int) -> bool:
    """Return whether a word begins or ends here."""
    before, after = text[at - 1 : at] if at else "", text[at : at + 1]
    return (_WORD.match(before) is None) is not (_WORD.match(after) is None)


def read(text: str, speakers: Collection[str], said_at: datetime) -> tuple[Mention, ...]:
    """Return the names and dates of a text, in that order, each once.

    Args:
        text: What was said.
        speakers: Names that count wherever they stand.
        said_at: When: "last week" is counted from it.
    """
    known = Speakers.of(speakers)
    people = [Mention(name, "person") for name in known.within(text)]
    taken = {part for one in people for part in bare(one.name).split()}
    others = [Mention(name) for name in names(text, known) if not taken & {*bare(name).split()}]
    dates = [Mention(date, "date") for date in spelled(text[:READ], said_at)]
    return tuple({bare(one.name): one for one in (*people, *others, *dates)}.values())[:MOST]


def names(text: str, speakers: Collection[str] = ()) -> list[str]:
    """Return the runs of capitalised words of a text that its letters show to be names.

    Of a text longer than `READ` the beginning is read.
    """
    text = text[:READ]
    tokens = list(_tokens(text))
    if language_of([token.folded for token in tokens]) == "german":
        return []
    sure = {token.folded for token in tokens if token.is_capital and token.inside}
    sure |= Speakers.of(speakers).parts & {token.folded for token in tokens}
    found = [_name(text, run, sure) for run in _runs(text, tokens)]
    return list(dict.fromkeys(name for name in found if name))


def _tokens(text: str) -> Iterator[_Token]:
    end, titled = 0, False
    for match in _TOKEN.finditer(text):
        gap, word = text[end : match.start()], _POSSESSIVE.sub("", match[0])
        inside = end > 0 and (_WITHIN.fullmatch(gap) is not None or (titled and gap == ". "))
        folded = fold(word)
        titled = folded in TITLES
        yield _Token(word, folded, match.start(), match.start() + len(word), inside)
        end = match.end()


def _runs(text: str, tokens: Sequence[_Token]) -> Iterator[list[_Token]]:
    """Yield runs of capitalised words; "of" and the like may stand between two of them."""
    run: list[_Token] = []
    for token, behind in zip_longest(tokens, tokens[1:]):
        near = bool(run) and token.inside and text[run[-1].end : token.start] in (" ", ". ")
        if near and token.folded in _JOINING and behind is not None and behind.is_capital:
            run.append(token)
        elif token.is_capital and not (token.is_plain and token.inside):
            if run and not near:
                yield run
                run = []
            run.append(token)
        else:
            yield run
            run = []
    yield run


def _name(text: str, run: list[_Token], sure: Collection[str]) -> str:
    """Return a run as a name; empty if only the beginning of a sentence made it look like one."""
    while run and (run[0].is_plain or run[0].folded in _JOINING):
        run = run[1:]
    while run and run[-1].folded in _JOINING:
        run = run[:-1]
    if not run or not (run[0].inside or run[0].folded in sure or run[0].folded in TITLES):
        return ""
    return "" if all(token.folded in TITLES for token in run) else text[run[0].start : run[-1].end]
