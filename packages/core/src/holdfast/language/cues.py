"""Cues: what a question asks for, read without a model.

Every cue does nothing where it finds nothing: a query in an unknown language is its words.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

import regex

from holdfast.language.clues import Clued, said
from holdfast.language.dates import Range, ranges
from holdfast.language.normal import normal, read_of
from holdfast.language.terms import Group, Word, fold, has_unspaced, language_of, words

# What a protocol calls its parties is no name; "you" and "assistant" are read as a role.
_PARTIES: Final = frozenset({"user", "assistant", "system", "tool", "human", "ai", "bot"})
READ: Final = 4_000
"""Characters that are read of a question: a longer one is a text, and asks for nothing more."""
_NICKNAME: Final = 3  # letters that suffice for a name's beginning

_WHEN: Final = Clued(
    regex.compile(
        r"""(?xi)\b(?:when|how\ (?:long|recently)|since\ when
        |(?:what|which)\ (?:\w+\ )?(?:year|month|day|date|time|week|season|weekend)
        |wann|wie\ lange|(?:welche[mnrs]?|an\ welchem|in\ welchem)\ (?:jahr|monat|tag|datum|woche)
        |cu[aá]ndo|cu[aá]nto\ tiempo|qu[eé]\ (?:año|mes|d[ií]a|fecha|semana)
        |quand|depuis\ quand|quelle\ (?:année|date|heure)|quando|когда)\b
        |什么时候|什麼時候|何时|何時|几时|几点|幾點|哪[一]?[天年月]|几[月号]|多久|多长时间|いつ|何[年月日]"""
    ),
    """when long recently year month day date time week season weekend wann lange jahr monat
    tag datum woche cuando tiempo mes dia fecha semana quand heure quando""",
)
_NOW: Final = Clued(
    regex.compile(
        r"""(?xi)\b(?:current(?:ly)?|latest|newest|most\ recent(?:ly)?|right\ now|nowadays
        |these\ days|at\ the\ moment|so\ far|up\ to\ date|aktuell(?:(?:st)?e[mnrs]?)?|derzeit
        |zurzeit|neueste[nrs]?|actualmente|actuellement|attualmente)\b|目前|现在|現在|最新"""
    ),
    """current currently latest newest recent recently now nowadays days moment far date
    aktuell aktuelle aktuellem aktuellen aktueller aktuelles aktuellste aktuellstem
    aktuellsten aktuellster aktuellstes derzeit zurzeit neueste neuesten neuester neuestes
    actualmente actuellement attualmente""",
)
_TO_ASSISTANT: Final = Clued(
    regex.compile(
        r"""(?xi)\b(?:(?:did|have|had)\ you|you(?:'ve|\ have|\ had)?\ (?:\w+\ )?(?:said|told|gave
        |given|suggested|recommended|mentioned|explained|listed|provided|proposed|wrote|shared
        |described|advised|showed|created)|your\ (?:\w+\ )?(?:suggestions?|advice
        |recommendations?|answers?|explanations?|response|list)|assistant
        |hast\ du|dijiste|recomendaste)\b|你(?:说|給|给|推荐|建议|提到)"""
    ),
    "you your assistant hast dijiste recomendaste",
)
_QUOTED: Final = regex.compile(
    r"\"([^\"]{2,200})\"|“([^”]{2,200})”|«([^»]{2,200})»|「([^」]{2,200})」"
)
_POSSESSIVE: Final = regex.compile(r"['’]s\b")


@dataclass(frozen=True, slots=True)
class Cues:
    """What a question asks for.

    Attributes:
        dense: The question as the embedder should see it.
        speakers: The speakers it names, as they were given.
        role: ``assistant`` where it asks for the assistant's own words, else None.
        groups, pairs, quotes: Its words, see `KeywordQuery`.
        when: It asks for a time.
        now: It asks for the present state of things.
        ranges: The times it names, as (start, end) in seconds since 1970.
    """

    dense: str
    speakers: tuple[str, ...] = ()
    role: str | None = None
    groups: tuple[Group, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    quotes: tuple[tuple[Group, ...], ...] = ()
    when: bool = False
    now: bool = False
    ranges: tuple[Range, ...] = ()


def read(query: str, speakers: Collection[str], now: datetime) -> Cues:
    """Return what a question asks for.

    Args:
        query: The question; of one longer than `READ`, its beginning and its end are read.
        speakers: Everybody who speaks in the scope.
        now: The moment from which "last week" is counted.
    """
    whole, query = query, shortened(query)
    everybody = tuple(sorted(speakers))
    spaced, inside = _without_unspaced(query, everybody)
    found = words(spaced)
    named = _named(found, everybody)
    people = tuple(dict.fromkeys([*inside, *named.values()]))
    groups, pairs = _wanted(found, named)
    runs = said(query)
    return Cues(
        dense=_dense(whole, query, found, named if len(people) == 1 else {}),
        speakers=people,
        role="assistant" if _TO_ASSISTANT.found(query, runs) else None,
        groups=groups,
        pairs=pairs,
        quotes=_quotes(query),
        when=_WHEN.found(query, runs),
        now=_NOW.found(query, runs),
        ranges=ranges(query, now),
    )


def read_words(query: str) -> Cues:
    """Return only the words a question asks for, where nobody speaks and no time counts."""
    query = shortened(query)
    groups, pairs = _wanted(words(query), {})
    return Cues(query, groups=groups, pairs=pairs, quotes=_quotes(query))


def shortened(query: str) -> str:
    """Return what is read of a question, in NFKC."""
    return normal("NFKC", read_of(query, READ))


def _dense(whole: str, query: str, found: Sequence[Word], named: dict[int, str]) -> str:
    if len(whole) > READ:  # how much of it counts, the embedder knows
        return whole
    return _as_me(query, found, named) if named else query


def _without_unspaced(query: str, speakers: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return a query with blanks over the names that may stand inside a run, and whose they are."""
    inside = [
        name for name in speakers if not name.isascii() and name in query and has_unspaced(name)
    ]
    for name in inside:
        query = query.replace(name, " " * len(name))
    return query, inside


def _named(found: Sequence[Word], speakers: tuple[str, ...]) -> dict[int, str]:
    """Return the speaker each word names, by the word's place."""
    if not speakers:
        return {}
    full, first = _names(speakers)
    named: dict[int, str] = {}
    for at, word in enumerate(found):
        capital = word.text[0].isupper() or not word.text[0].islower()
        if word.stop and (not capital or at == 0):
            continue  # "Will" is a name only where nothing else asks for the capital
        folded = fold(_POSSESSIVE.sub("", word.text))
        speaker = full.get(folded)
        if speaker is None and capital and not word.stop:
            speaker = _by_nickname(folded, first)
        if speaker is not None:
            named[at] = speaker
    return named


@lru_cache(maxsize=256)
def _names(speakers: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Return speakers by each part of their names that one of them alone has, and by the first."""
    full: dict[str, str | None] = {}
    first: dict[str, str] = {}
    for speaker in speakers:
        if fold(speaker) in _PARTIES:
            continue
        parts = [fold(word.text) for word in words(speaker)] or [fold(speaker)]
        first.setdefault(parts[0], speaker)
        for part in dict.fromkeys([*parts, fold(speaker)]):
            full[part] = speaker if part not in full else None
    return {part: speaker for part, speaker in full.items() if speaker}, first


def _by_nickname(folded: str, first: dict[str, str]) -> str | None:
    """Return the only speaker whose first name begins with a word, or the other way round."""
    if len(folded) < _NICKNAME:
        return None
    fits = {
        speaker
        for name, speaker in first.items()
        if len(name) >= _NICKNAME and (name.startswith(folded) or folded.startswith(name))
    }
    return fits.pop() if len(fits) == 1 else None


def _wanted(
    found: Sequence[Word], named: dict[int, str]
) -> tuple[tuple[Group, ...], tuple[tuple[int, int], ...]]:
    """Return the groups worth looking for, and which of them are neighbours.

    Names of speakers are left out (who said it is a cue of its own) and so are function words;
    where nothing else is asked for, they are all there is.
    """
    kept = [at for at, word in enumerate(found) if not word.stop and at not in named]
    kept = kept or list(named) or list(range(len(found)))
    places: dict[Group, int] = {}
    pairs: list[tuple[int, int]] = []
    last_at, last_place = -2, -1
    for at in kept:
        for group in found[at].groups:
            place = places.setdefault(group, len(places))
        if last_at == at - 1 and len(found[at].groups) == 1 == len(found[last_at].groups):
            pairs.append((last_place, place))
        last_at, last_place = at, place
    return tuple(places), tuple(dict.fromkeys(pairs))


def _quotes(query: str) -> tuple[tuple[Group, ...], ...]:
    """Return the words of every quoted phrase of two terms and more."""
    if query.isascii() and '"' not in query:
        return ()
    phrases = (next(filter(None, match.groups())) for match in _QUOTED.finditer(query))
    terms = (
        tuple(group for word in words(phrase, whole=True) for group in word.groups)
        for phrase in phrases
    )
    return tuple(some for some in terms if len(some) > 1)


def _as_me(query: str, found: Sequence[Word], named: dict[int, str]) -> str:
    """Return an English question about one person as if that person asked it.

    People say "I", not their own name: "What is Ann's dog called?" is answered by "my dog is
    called Rex".
    """
    asks_more = any(not word.stop and at not in named for at, word in enumerate(found))
    if not asks_more or language_of([word.text.lower() for word in found]) != "english":
        return query
    parts: list[str] = []
    start = 0
    for at, word in enumerate(found):
        if at in named:
            whose = _POSSESSIVE.search(word.text) or query[word.end : word.end + 1] in {"'", "’"}
            parts += [query[start : word.start], "my" if whose else "I"]
            start = word.end
    return "".join([*parts, query[start:]])
