"""Facts made findable, with the names they state: which of those may be one with a known name.

One call of the embedder for facts and names together; a second only where names are one by rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.ingestion.conductor import index
from holdfast.pipeline import naming
from holdfast.pipeline.deliberation import Resolved
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.naming import Name, Pair
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.contract.memories import Indexed
from holdfast.storage.contract.pipeline import NameMatches, NameQuery
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Scope

BATCH = 256
"""Texts embedded at once."""


async def plain(runtime: Runtime, embedder: Embedder, facts: Sequence[Fact]) -> Resolved:
    """Make facts findable and leave their names alone."""
    found = await _index(runtime, embedder, [fact.text for fact in facts])
    return Resolved(tuple(facts), tuple(found), len(facts))


async def resolve(
    runtime: Runtime,
    storage: Storage,
    embedder: Embedder,
    scope: Scope,
    facts: Sequence[Fact],
) -> Resolved:
    """Make facts findable, and find which of their names may be one with another."""
    names = naming.named(facts)
    texts = [*(fact.text for fact in facts), *(one.spelling for one in names.values())]
    found = await _index(runtime, embedder, texts)
    if not names:
        return Resolved(tuple(facts), tuple(found), len(facts))
    known, wanted = found[: len(facts)], _wanted(facts, names, found[len(facts) :])
    user = str(scope.ids().get("user_id", ""))
    reach = Reach.of_neighbours(scope)
    near = await runtime.read(storage.pipeline.alike, reach, user, wanted, naming.NEAR)
    pairs = _pairs(facts, names, wanted, near)
    certain = [pair for pair in pairs if naming.is_settled(pair, embedder.fingerprint)]
    stated = [naming.statement(pair, facts) for pair in certain]
    known += await _index(runtime, embedder, [fact.text for fact in stated])
    return Resolved(
        (*facts, *stated),
        tuple(known),
        len(facts),
        {one.name: one.vector for one in wanted if one.name not in near.settled},
        tuple(pair for pair in pairs if pair not in certain),
    )


def _wanted(
    facts: Sequence[Fact], names: Mapping[str, Name], found: Sequence[Indexed]
) -> list[NameQuery]:
    return [
        NameQuery(name, one.spelling, one.type, facts[one.fact].text, indexed.vectors[0])
        for (name, one), indexed in zip(names.items(), found, strict=True)
    ]


def _pairs(
    facts: Sequence[Fact], names: Mapping[str, Name], wanted: Sequence[NameQuery], near: NameMatches
) -> list[Pair]:
    """Return the pairs of which the facts themselves do not tell, the nearest first."""
    told = naming.told(facts)
    pairs = [
        Pair(
            names[one.name].fact,
            one.spelling,
            one.type,
            other.spelling,
            other.type,
            other.text,
            other.similarity,
        )
        for other in near.alike
        if frozenset(((one := wanted[other.wanted]).name, other.name)) not in told
    ]
    return sorted(pairs, key=lambda pair: -pair.similarity)


async def _index(runtime: Runtime, embedder: Embedder, texts: Sequence[str]) -> list[Indexed]:
    found = []
    for start in range(0, len(texts), BATCH):
        some = [(text, None) for text in texts[start : start + BATCH]]
        found += await index(runtime, embedder, "fact", some)
    return found
