"""Names that may be one: which are asked about, which are settled by rule, what is then stated.

Vectors of names tell little. Of 53 pairs that are one and 66 that are two ("Boston University",
"Boston College"), all-MiniLM-L6-v2 puts 49 and 51 at `NEAR` or above, 13 and 5 at .9, 5 and none
at `SAME` (``benchmarks/entity_names.py``). So a vector alone unites next to nothing: it only says
what a model is worth asking about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.language.names import bare, sort
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import SPEAKER, Relation

NEAR = 0.55
"""Cosine from which two names may be one."""

SAME = 0.95
"""Cosine from which they are, without asking: with `MEASURED` only, other scales differ; and
never two persons, whose names differ by letters."""

MEASURED = "all-MiniLM-L6-v2/"
"""The beginning of the fingerprint of the embedder whose cosines were measured."""

MOST_PAIRS = 5
"""Pairs that one call asks about, the nearest first."""

SAME_AS = "same_as"
NAMING = frozenset((SAME_AS, "different_from"))
"""Relations that say which names are one."""

_NOBODY = frozenset((SPEAKER, "assistant"))


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a fact states: as spelled, its type, and the position of the fact."""

    spelling: str
    type: str
    fact: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two names that may be one.

    Attributes:
        fact: Position of the fact that states the first.
        name, type: The first; the type is empty where unknown.
        other, other_type, other_text: The second, and a statement it stands in.
        similarity: Their cosine.
    """

    fact: int
    name: str
    type: str
    other: str
    other_type: str
    other_text: str
    similarity: float


def named(facts: Sequence[Fact]) -> dict[str, Name]:
    """Return the names that facts state, by bare form, each where it first stands with a type."""
    found: dict[str, Name] = {}
    for position, fact in enumerate(facts):
        for one in _stated(fact, position):
            name = bare(one.spelling)
            known = found.get(name)
            if name and name not in _NOBODY and (known is None or (one.type and not known.type)):
                found[name] = one
    return found


def _stated(fact: Fact, position: int) -> Iterator[Name]:
    for relation in fact.relations:
        if relation.relation not in NAMING:
            yield Name(relation.subject, relation.subject_type, position)
            yield Name(relation.object, relation.object_type, position)


def told(facts: Sequence[Fact]) -> set[frozenset[str]]:
    """Return the pairs of bare names of which facts say whether they are one."""
    said = (relation for fact in facts for relation in fact.relations)
    return {frozenset(map(bare, (r.subject, r.object))) for r in said if r.relation in NAMING}


def is_settled(pair: Pair, fingerprint: str) -> bool:
    """Return whether two names are one without asking."""
    person = "person" in (sort(pair.type), sort(pair.other_type))
    return pair.similarity >= SAME and fingerprint.startswith(MEASURED) and not person


def statement(pair: Pair, facts: Sequence[Fact]) -> Fact:
    """Return the fact that two names are one; it rests on the turns of the fact with the first."""
    said = facts[pair.fact]
    relation = Relation(
        pair.name, SAME_AS, pair.other, False, pair.type or pair.other_type, pair.other_type
    )
    return Fact(
        text=sentence(relation),
        about=pair.name,
        turns=said.turns,
        said_at=said.said_at,
        holds_from=said.said_at,
        importance=0.3,
        relations=(relation,),
    )


def sentence(relation: Relation) -> str:
    """Return a relation in words."""
    return f"{relation.subject} {relation.relation.replace('_', ' ')} {relation.object}"
