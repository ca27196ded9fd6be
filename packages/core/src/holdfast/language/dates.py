"""Dates and ranges named in a question, for a boost and never a filter.

A pattern finds what looks like a date; `dateparser` (the extra ``dates``) reads it, in half a
millisecond. A question without a date costs one search of the pattern, and without the extra
there are no ranges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, TypeAlias

import regex

from holdfast.language.clues import has_word

Range: TypeAlias = tuple[float, float]

_MONTH: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
    "|januar|februar|märz|mai|juni|juli|oktober|dezember"
    "|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
)
_DAY: Final = r"\d{1,2}(?:st|nd|rd|th|\.)?"
_YEAR: Final = r"(?:19|20)\d\d"
_FIND: Final = regex.compile(
    rf"""(?xi)
    (?<day>\b{_YEAR}-\d\d-\d\d\b|\b{_YEAR}年\d{{1,2}}月\d{{1,2}}[日号]
      |\b{_DAY}\ (?:of\ |de\ )?(?:{_MONTH})\.?(?:,?\ (?:de\ )?{_YEAR})?\b
      |\b(?:{_MONTH})\.?\ {_DAY}(?:,?\ {_YEAR})?\b
      |\b(?:yesterday|today|gestern|heute|ayer|hoy)\b|昨天|今天
      |\b(?:\d{{1,4}}\ days?\ ago|vor\ \d{{1,4}}\ tagen|hace\ \d{{1,4}}\ días)\b)
    |(?<week>\b(?:last\ week|letzte\ woche|la\ semana\ pasada|\d{{1,4}}\ weeks?\ ago)\b
      |上[个個]?(?:周|週|星期))
    |(?<month>\b(?:{_MONTH})\.?,?\ (?:of\ |de\ )?{_YEAR}\b|\b{_YEAR}-\d\d\b|\b{_YEAR}年\d{{1,2}}月
      |\b(?:last\ month|letzten\ monat|el\ mes\ pasado|\d{{1,4}}\ months?\ ago)\b
      |(?<=\b(?:in|during|im|en)\ )(?:{_MONTH})\b|上[个個]月)
    |(?<year>(?<=\b(?:in|during|of|since|im\ jahr|en)\ ){_YEAR}\b|\b{_YEAR}年
      |\b(?:last\ year|letztes\ jahr|el\ año\ pasado)\b|去年)
    """
)
# A question in ASCII without any of these, and without a digit, names no date.
_CLUES: Final = """
    jan january feb february mar march apr april may jun june jul july aug august sep sept september
    oct october nov november dec december januar februar mai juni juli oktober dezember
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    yesterday today gestern heute ayer hoy week woche semana month monat mes year jahr"""
_CLUE_WORDS: Final = frozenset(_CLUES.split())
_DIGIT: Final = re.compile("[0-9]")
_LANGUAGES: Final = ["en", "de", "es", "zh"]
_MOST: Final = 16
"""Dates read of one text: each takes half a millisecond, and a list of more says little of each."""


def ranges(query: str, now: datetime) -> tuple[Range, ...]:
    """Return the spans of time a question names, each as (start, end) in seconds since 1970.

    A date without a year is the last one before `now`; "last week" is Monday to Sunday.
    """
    return tuple((start, end) for _, start, end in _found(query, now))


def spelled(text: str, now: datetime) -> tuple[str, ...]:
    """Return the spans of time a text names as ISO 8601 writes them, each once.

    ``2024-06-01``, ``2024-W23``, ``2024-06`` or ``2024``.
    """
    found = [
        datetime.fromtimestamp(start, timezone.utc).strftime(_SPELLED[unit])
        for unit, start, _ in _found(text, now)
    ]
    return tuple(dict.fromkeys(found))


def _found(text: str, now: datetime) -> Iterator[tuple[str, float, float]]:
    if not may_name_dates(text):
        return
    today = now.astimezone(timezone.utc).date().isoformat()
    seen: dict[tuple[str, str], None] = {}
    for match in _FIND.finditer(text):
        seen[match.lastgroup or "", match[0]] = None
        if len(seen) == _MOST:
            break
    for unit, expression in seen:
        span = _range(unit, expression, today)
        if span is not None:
            yield unit, *span


def may_name_dates(query: str) -> bool:
    """Return whether the pattern is worth its time: most questions name no date."""
    if not query.isascii() or _DIGIT.search(query):
        return True
    return has_word(query.lower(), _CLUE_WORDS)


@lru_cache(maxsize=256)
def _range(unit: str, text: str, today: str) -> Range | None:
    parse = _parser()
    if parse is None:
        return None
    base = datetime.fromisoformat(today)
    settings = {"RELATIVE_BASE": base, "PREFER_DATES_FROM": "past"}
    try:
        moment = parse(text, languages=_LANGUAGES, settings=settings)
        if moment is None:
            return None
        start, end = _SPANS[unit](moment.replace(hour=0, minute=0, second=0, microsecond=0))
    except (OverflowError, ValueError):  # beyond the calendar
        return None
    return start.replace(tzinfo=timezone.utc).timestamp(), end.replace(
        tzinfo=timezone.utc
    ).timestamp()


@lru_cache(maxsize=1)
def _parser() -> Callable[..., Any] | None:
    """Return dateparser's `parse`, loaded with the first date (it takes a tenth of a second)."""
    try:
        return import_module("dateparser").parse  # type: ignore[no-any-return]
    except ImportError:
        return None


def _day(moment: datetime) -> tuple[datetime, datetime]:
    return moment, moment + timedelta(days=1)


def _week(moment: datetime) -> tuple[datetime, datetime]:
    monday = moment - timedelta(days=moment.weekday())
    return monday, monday + timedelta(days=7)


def _month(moment: datetime) -> tuple[datetime, datetime]:
    first = moment.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _year(moment: datetime) -> tuple[datetime, datetime]:
    first = moment.replace(month=1, day=1)
    return first, first.replace(year=first.year + 1)


_SPELLED: Final = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}
_SPANS: Final = {"day": _day, "week": _week, "month": _month, "year": _year}
