"""What a graph is told: triples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Triple:
    """A relation that you state yourself.

    Attributes:
        subject, relation, object: "Paul", "works_with", "Quinn". Relation names are brought to one
            form ("is living in" -> ``lives_in``); a subject ``user`` is the user of the scope.
        text: The statement in words; made of the three where empty.
        subject_type, object_type: ``person``, ``place``, ...; empty where unknown.
        valid_from: From when it holds, if not from now on.
        single_valued: One at a time: a new object ends the old one. None: as its name says.
        confidence: 0 to 1; kept as the fact's importance.
        sources: Ids of the records it rests on; it goes when the last of them is erased.
    """

    subject: str
    relation: str
    object: str
    text: str = ""
    subject_type: str = ""
    object_type: str = ""
    valid_from: datetime | None = None
    single_valued: bool | None = None
    confidence: float = 0.5
    sources: tuple[str, ...] = ()
