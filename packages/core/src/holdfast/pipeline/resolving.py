"""Facts made findable, with the names they state: which of those may be one with a known name.

One call of the embedder for facts and names together; a second only where names are one by rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.ingestion import index
from holdfast.pipeline import naming
from holdfast.pipeline.deliberation import Resolved, wider
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.naming import Pair
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.embedded import EmbeddedStorage
from holdfast.storage.naming import Alike, Wanted
from holdfast.storage.records import Indexed
from holdfast.types import Scope

BATCH = 256
"""Texts embedded at once."""


async def plain(runtime: Runtime, embedder: Embedder, facts: Sequence[Fact]) -> Resolved:
    """Make facts findable and leave their names alone."""
    found = await _index(runtime, embedder, [fact.text for fact in facts])
    return Resolved(tuple(facts), tuple(found), len(facts))


async def resolve(
    runtime: Runtime,
    storage: EmbeddedStorage,
    embedder: Embedder,
    scope: Scope,
    facts: Sequence[Fact],
) -> Resolved:
    """Make facts findable, and find which of their names may be one with another."""
    names = naming.named(facts)
    texts = [*(fact.text for fact in facts), *(one.spelling for one in names.values())]
    found = await _index(runtime, embedder, texts)
    known, met = found[: len(facts)], found[len(facts) :]
    if not names:
        return Resolved(tuple(facts), tuple(known), len(facts))
    wanted = [
        Wanted(name, one.spelling, one.type, facts[one.fact].text, indexed.vectors[0])
        for (name, one), indexed in zip(names.items(), met, strict=True)
    ]
    user = scope.ids().get("user_id", "")
    near = await runtime.store(storage.naming.alike, wider(scope), str(user), wanted, naming.NEAR)
    said = naming.told(facts)
    pairs = [
        _pair(one, wanted, names)
        for one in near.alike
        if frozenset((wanted[one.wanted].name, one.name)) not in said
    ]
    certain = [pair for pair in pairs if naming.is_settled(pair, embedder.fingerprint)]
    stated = [naming.statement(pair, facts) for pair in certain]
    more = await _index(runtime, embedder, [fact.text for fact in stated])
    doubts = sorted((p for p in pairs if p not in certain), key=lambda pair: -pair.similarity)
    return Resolved(
        (*facts, *stated),
        (*known, *more),
        len(facts),
        {one.name: one.vector for one in wanted if one.name not in near.settled},
        tuple(doubts),
    )


def _pair(near: Alike, wanted: Sequence[Wanted], names: Mapping[str, naming.Name]) -> Pair:
    one = wanted[near.wanted]
    return Pair(
        names[one.name].fact,
        one.spelling,
        one.type,
        near.spelling,
        near.type,
        near.text,
        near.similarity,
    )


async def _index(runtime: Runtime, embedder: Embedder, texts: Sequence[str]) -> list[Indexed]:
    found = []
    for start in range(0, len(texts), BATCH):
        some = [(text, None) for text in texts[start : start + BATCH]]
        found += await index(runtime, embedder, "fact", some)
    return found
