"""The conductor of `add`: store turns, extract, embed, look for neighbours, consolidate, commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast import indexing
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.embedded import Added, EmbeddedStorage
from holdfast.storage.records import Draft, Indexed
from holdfast.types import Changes, Kind, Message, Scope


@dataclass(frozen=True, slots=True)
class Writing:
    """One call of `add`.

    Attributes:
        scope: Where the messages are stored.
        messages: Checked (`holdfast.messages.read`).
        kind: What they are.
        expires_at: When they are to be forgotten.
        extract: Derive facts from them.
    """

    scope: Scope
    messages: Sequence[Message]
    kind: Kind = "turn"
    expires_at: datetime | None = None
    extract: bool = False


async def add(
    runtime: Runtime, storage: EmbeddedStorage, embedder: Embedder, writing: Writing
) -> Changes:
    """Store messages verbatim, searchable at once."""
    added = await store(runtime, storage, embedder, writing)
    return Changes(added.changes)


async def store(
    runtime: Runtime, storage: EmbeddedStorage, embedder: Embedder, writing: Writing
) -> Added:
    """Embed and store the messages that are not there yet, in one transaction."""
    fingerprint = embedder.fingerprint
    await runtime.store(storage.check_embedder, fingerprint)
    messages = await _unknown(runtime, storage, writing)
    if not messages:
        return Added((), ())
    findable = await index(
        runtime, embedder, [(message.content, message.name) for message in messages]
    )
    drafts = [
        _draft(writing, message, indexed)
        for message, indexed in zip(messages, findable, strict=True)
    ]
    return await runtime.store(
        storage.add, writing.scope, drafts, fingerprint, extract=writing.extract
    )


async def index(
    runtime: Runtime, embedder: Embedder, texts: Sequence[tuple[str, str | None]]
) -> list[Indexed]:
    """Make (text, speaker) pairs findable, with one call of the embedder for all."""
    spans = [indexing.passages(text) for text, _ in texts]
    wanted = [
        passage
        for (text, speaker), cut in zip(texts, spans, strict=True)
        for passage in indexing.texts_to_embed(text, speaker, cut)
    ]
    given = await runtime.embed(embedder, wanted)
    vectors = indexing.unit_vectors(given, len(wanted))
    findable, start = [], 0
    for (text, speaker), cut in zip(texts, spans, strict=True):
        end = start + len(cut)
        findable.append(indexing.indexed(text, speaker, cut, vectors[start:end]))
        start = end
    return findable


async def _unknown(
    runtime: Runtime, storage: EmbeddedStorage, writing: Writing
) -> Sequence[Message]:
    """Leave out messages that are stored already: embedding them again is the cost of a resend."""
    ids = [message.id for message in writing.messages if message.id is not None]
    if not ids:
        return writing.messages
    known = await runtime.store(storage.known_messages, writing.scope, ids)
    return [message for message in writing.messages if message.id not in known]


def _draft(writing: Writing, message: Message, indexed: Indexed) -> Draft:
    return Draft(
        text=message.content,
        kind=writing.kind,
        indexed=indexed,
        role=message.role,
        speaker=message.name,
        metadata=message.metadata,
        occurred_at=message.occurred_at,
        expires_at=writing.expires_at,
        message_id=message.id,
    )
