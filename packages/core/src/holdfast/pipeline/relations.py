"""Relations between things, under one name each, and which of them hold one value at a time.

The tables are English because relation names are: the extraction prompt asks for English
snake_case names in every language. A name that is in no table is left to the model's own
`single_valued`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

from holdfast.language.normal import normal
from holdfast.language.wording import normalise, words


def _listed(names: str) -> frozenset[str]:
    return frozenset(names.split())


SINGLE_VALUED: dict[str, str] = {
    "lives_in": "live in, living in, lives at, resides in, reside in, residing in, residence, "
    "moved to, relocated to, based in, home, home city, current city, current residence",
    "works_at": "work at, working at, works for, work for, working for, employed at, "
    "employed by, employer, company, current employer",
    "job": "works as, working as, work as, occupation, profession, job title, position, "
    "employed as, job role, current job",
    "partner": "married to, spouse, husband, wife, partner of, dating, boyfriend, girlfriend, "
    "engaged to, fiance, fiancee, in relationship with, in a relationship with",
    "marital_status": "relationship status",
    "studies_at": "study at, studying at, attends school, attends university",
    "name": "full name, first name",
    "nickname": "goes by, preferred name",
    "age": "years old, aged, current age",
    "birthday": "birth date, date of birth, born on, birthdate",
    "hometown": "home town, native town",
    "phone_number": "phone, telephone, mobile, mobile number, mobile phone number, cell phone",
    "email": "email address, e mail, mail address",
    "address": "home address, postal address, street address",
    "time_zone": "timezone",
    "height": "body height",
    "weight": "body weight",
    "diet": "follows diet, dietary preference, dietary restriction",
    "pronouns": "preferred pronouns",
}
"""Canonical name: other names of it. A person has one at a time; a new one ends the old one."""

MANY_VALUED = _listed(
    "likes dislikes loves hates enjoys prefers wants knows owns has uses speaks plays reads "
    "watched visited travelled_to attended bought met friend friend_of sibling sibling_of "
    "brother sister parent parent_of child child_of son daughter pet allergic_to allergy "
    "interested_in hobby member_of skill plans same_as different_from"
)
"""Many values at a time, whatever the model says: closing one of these would end a true fact."""

ADDING = _listed(
    "also additionally another besides both second secondary too one among include includes"
)
"""Words by which a fact stands beside what is known: "also works at a bakery"."""

NOT_PRESENT = _listed(
    "no not never without former formerly previously ex used was were had until "
    "plans planning wants hopes hoping considering might could would if"
)
"""Words by which a fact states no present value: what ended, is denied, planned or wished."""

_ARTICLES = _listed("a an the")
_LEADING = _listed("is are am be being has have having currently now the a an my his her")
_USER = frozenset(("user", "the user", "this user", "speaker"))
_FAVOURITE = re.compile(r"^(?:favou?rite|preferred|prefers?) (?=\w)")
_ALIASES = {
    other: name.replace("_", " ")
    for name, others in SINGLE_VALUED.items()
    for other in others.split(", ")
}
# Which names are one: `holdfast.graph` unites them, and tells apart what is not.
_ALIASES |= dict.fromkeys(
    ("alias", "alias of", "aka", "also known as", "known as", "same person as", "same"), "same as"
)
_ALIASES |= dict.fromkeys(("not same as", "not same person as", "differs from"), "different from")

FIRST_PERSON = _listed("i me my myself")

SPEAKER = "user"
"""The subject that stands for the user who speaks, whatever they are called."""


@dataclass(frozen=True, slots=True)
class Relation:
    """Subject, relation, object, as read from one fact.

    Attributes:
        subject, object: As the conversation names them; `SPEAKER` for the user who speaks.
        relation: Canonical name (`canonical`).
        single_valued: A new object ends the old one.
        subject_type, object_type: ``person``, ``place``, ...; empty where unknown.
    """

    subject: str
    relation: str
    object: str
    single_valued: bool = False
    subject_type: str = ""
    object_type: str = ""

    @property
    def slot(self) -> str | None:
        """The place only one live fact may fill, e.g. ``user|lives_in``; None if many may."""
        if not self.single_valued:
            return None
        return f"{_bare(self.subject)}|{self.relation}"

    @property
    def key(self) -> tuple[str, str, str]:
        """What the relation says, whatever the case and the articles."""
        return _bare(self.subject), self.relation, _bare(self.object)

    def replaces(self, other: Relation) -> bool:
        """Return whether both fill one slot with different things.

        "Berlin" against "Berlin, Germany" is no difference: one says more.
        """
        if self.slot is None or self.slot != other.slot:
            return False
        mine, theirs = set(_bare(self.object).split()), set(_bare(other.object).split())
        return not (mine <= theirs or theirs <= mine)


def canonical(relation: str) -> str:
    """Return the one name of a relation: ``"is living in"`` -> ``"lives_in"``.

    Unknown names come back in snake_case; ``prefers_x`` and ``favorite_x`` as ``favourite_x``.
    """
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", normal("NFKC", relation))
    parts = re.sub(r"[\W_]+", " ", split.casefold()).split()
    leading = sum(1 for _ in takewhile(_LEADING.__contains__, parts[:-1]))
    phrase = " ".join(parts[leading:])
    known = _ALIASES.get(phrase) or _FAVOURITE.sub("favourite ", phrase)
    return known.replace(" ", "_")


def canonical_subject(subject: str, speaker_name: str | None) -> str:
    """Return `SPEAKER` for I, the user, or the user's own name; else the subject as it is."""
    bare = normalise(subject)
    if bare in FIRST_PERSON | _USER or (speaker_name and bare == normalise(speaker_name)):
        return SPEAKER
    return subject


def holds_one_value(relation: str, told: bool, text: str) -> bool:
    """Return whether a relation ends the value it had before.

    Args:
        relation: Canonical name.
        told: What the model says of it.
        text: The fact; "also works at ..." or "no longer lives in ..." ends nothing.
    """
    if relation in MANY_VALUED or (ADDING | NOT_PRESENT) & set(words(text)):
        return False
    return relation in SINGLE_VALUED or relation.startswith("favourite_") or told


def _bare(name: str) -> str:
    split = re.sub(r"[\W_]+", " ", normalise(name)).split()
    return " ".join([word for word in split if word not in _ARTICLES] or split)
