"""Traits: cheap facts about a text that ranking uses, noted when it is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import regex

from holdfast.language.clues import forms, has_word

ASKS: Final = 1  # bits of `Traits.flags`
TELLS_TIME: Final = 2

_MONTHS: Final = (
    "january|february|april|june|july|august|september|october|november|december"
    "|jan|feb|apr|aug|sept?|oct|nov|dec"
)
_VERBAL: Final = (
    r"\b(?:may|march)\ \d|\d\ (?:of\ )?(?:may|march)\b|\b(?:in|last|next)\ (?:may|march)\b"
)
_FIGURES: Final = r"\d+(?:st|nd|rd|th)|\d+\s?[ap]m"
_ENGLISH: Final = rf"""
    \b(?:yesterday|today|tomorrow|tonight|{_MONTHS}|(?:mon|tues|wednes|thurs|fri|satur|sun)days?
    |(?:last|next|this|past|previous|every)\ (?:\w+\ )?
      (?:week|weekend|month|year|night|morning|evening|afternoon|day|spring|summer|fall|autumn
      |winter|semester|quarter|mon|tue|wed|thu|fri|sat|sun)
    |ago|recently|lately|weekend|since|{_FIGURES}
    |(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|few|several|couple\ of|half)
      \ (?:more\ )?(?:second|minute|hour|day|week|month|year|decade)s?)\b"""
_GERMAN: Final = r"""
    \b(?:gestern|vorgestern|heute|morgen|übermorgen|(?:mon|diens|donners|frei|sams|sonn)tag
    |mittwoch|januar|februar|märz|mai|juni|juli|oktober|dezember|neulich|kürzlich|wochenende|seit
    |(?:letzt|nächst|vorig|kommend|vergangen|dies)e[nmrs]?
      \ (?:woche|monat|jahr|nacht|tag|sommer|winter|herbst|frühling)s?
    |(?:\d+|ein(?:e[mnr]?)?|zwei|drei|vier|fünf|sechs|paar)
      \ (?:minute|stunde|tag|woche|monat|jahr)(?:e?n|e|s)?)\b"""
_SPANISH: Final = r"""
    \b(?:ayer|anteayer|hoy|mañana|anoche|lunes|martes|miércoles|jueves|viernes|sábado|domingo
    |enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre
    |recientemente|(?:semana|mes|año|verano|invierno|noche)\ (?:pasad|próxim|que\ viene)[oa]?
    |(?:próxim|últim|est)[oae]s?\ (?:semana|mes|año|verano|invierno|noche)s?
    |(?:\d+|una?|dos|tres|cuatro|cinco|seis)\ (?:minuto|hora|día|semana|mes|año)(?:e?s)?)\b"""
_CHINESE: Final = r"""
    [昨今明前后後][天日晚年早]|昨|去年|上[个個]?(?:周|週|月|星期|礼拜)|下[个個]?(?:周|週|月|星期|礼拜)|周末|週末|最近
    |星期[一二三四五六日天]|周[一二三四五六日]|[\d一二三四五六七八九十两兩几半]\ ?[个個]?
      (?:年|月|日|号|號|天|周|週|星期|小时|小時|分钟|分鐘|点|點)"""
_NUMBERS: Final = r"\b(?:19|20)\d\d\b|\b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b|\b\d{1,2}:\d\d\b"
_EXPRESSION: Final = rf"{_NUMBERS}|{_ENGLISH}|{_VERBAL}|{_GERMAN}|{_SPANISH}|{_CHINESE}"
_TIME: Final = regex.compile(f"(?xi){_EXPRESSION}")
# Of a text in small letters the standard library needs less than half the time.
_TIME_IN_ASCII: Final = re.compile(f"(?xa){_EXPRESSION}")
_FIGURES_IN_ASCII: Final = re.compile(rf"(?xa){_NUMBERS}|\b(?:{_FIGURES})\b")
# Where figures tell no time, a time expression in ASCII holds one of these words.
_CLUES: Final = frozenset(
    [
        *_MONTHS.replace("sept?", "sep|sept").split("|"),
        *forms("mon tues wednes thurs fri satur sun", "day", "days"),
        *forms("second minute hour day week month year decade", "", "s"),
        *forms(
            """may march yesterday today tomorrow tonight ago recently lately since weekend night
            morning evening afternoon spring summer fall autumn winter semester quarter
            mon tue wed thu fri sat sun""",
            "",
        ),
        *forms("mon diens donners frei sams sonn", "tag"),
        *forms("minute stunde tag woche monat jahr", "", "e", "n", "en", "s"),
        *forms("nacht sommer winter herbst", "", "s"),
        *forms(
            """gestern vorgestern heute morgen mittwoch neulich wochenende seit
            januar februar mai juni juli oktober dezember""",
            "",
        ),
        *forms("semana mes verano invierno noche minuto hora", "", "s", "es"),
        *forms(
            """ayer anteayer hoy anoche lunes martes jueves viernes domingo recientemente
            enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre
            diciembre""",
            "",
        ),
    ]
)
_MARKS: Final = frozenset("?？؟")


@dataclass(frozen=True, slots=True)
class Traits:
    """Cheap facts about a text.

    Attributes:
        flags: `ASKS`: it ends with a question. `TELLS_TIME`: it holds a time expression.
    """

    flags: int = 0

    @property
    def asks(self) -> bool:
        """It ends with a question."""
        return bool(self.flags & ASKS)

    @property
    def tells_time(self) -> bool:
        """It holds a time expression."""
        return bool(self.flags & TELLS_TIME)


def traits(text: str) -> Traits:
    """Return the traits of a text."""
    return Traits(ASKS * _asks(text) | TELLS_TIME * _tells_time(text))


def _tells_time(text: str) -> bool:
    if not text.isascii():
        return _TIME.search(text) is not None
    plain = text.lower()
    if _FIGURES_IN_ASCII.search(plain):
        return True
    return has_word(plain, _CLUES) and _TIME_IN_ASCII.search(plain) is not None


def _asks(text: str) -> bool:
    kept = text[-80:].rstrip()
    while kept and kept[-1] not in _MARKS and not kept[-1].isalnum() and kept[-1] not in ".!。！":
        kept = kept[:-1]
    return bool(kept) and kept[-1] in _MARKS
