"""Relations read from what is said, without a model: who mentions whom, when, and beside what."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import combinations

from holdfast.language import mentions
from holdfast.language.names import bare
from holdfast.types import Metadata, Role

MENTIONS = "mentions"
BESIDE = "mentioned_with"


def relations(
    text: str, role: Role | None, speaker: str | None, speakers: Collection[str], said_at: datetime
) -> tuple[Metadata, ...]:
    """Return relations as a fact's row holds them: the speaker's, and of every two names.

    Args:
        text: What was said.
        role, speaker: By whom; a speaker without a name is called by his role.
        speakers: Names that count wherever they stand.
        said_at: When.
    """
    who = speaker or role or "user"
    found = [one for one in mentions.read(text, speakers, said_at) if bare(one.name) != bare(who)]
    said = [_relation(who, "person", MENTIONS, one) for one in found]
    pairs = [(a, b) for a, b in combinations(found, 2) if a.type != "date"]
    return (*said, *(_relation(a.name, a.type, BESIDE, b) for a, b in pairs))


def _relation(subject: str, type: str, label: str, other: mentions.Mention) -> Metadata:
    return {
        "subject": subject,
        "relation": label,
        "object": other.name,
        "single_valued": False,
        "subject_type": type,
        "object_type": other.type,
    }
