"""The conductor of `add` and `update`: check, leave out what is known, embed, store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import numpy as np

from holdfast.checks import check_time
from holdfast.errors import InvalidInputError, shown
from holdfast.ingestion import indexing
from holdfast.ingestion import mentions as mentioning
from holdfast.ingestion.messages import check_metadata, check_text
from holdfast.language.mentions import Speakers
from holdfast.language.passages import Span
from holdfast.language.wording import fingerprint
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.codec import to_json, to_micros
from holdfast.storage.contract.memories import Added, Draft, Indexed
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Change, Kind, Message, Metadata, Scope, utc_now

NO_VECTORS: Final = np.empty((0, 0), dtype=np.float32)
"""Of what is stored now and embedded later."""

# Characters of messages that are cut into passages at once: some microseconds.
LITTLE = 1_000


@dataclass(frozen=True, slots=True)
class Writing:
    """One call of `add`.

    Attributes:
        scope: Where the messages are stored.
        messages: Checked (`holdfast.ingestion.messages.read`).
        kind: What they are.
        expires_at: When they are to be forgotten.
        importance: 0 to 1.
        extract: Derive facts from them.
        wait: Embed them, and derive the facts, before the call returns.
        mentions: Read from each turn whom it mentions, and which dates.
    """

    scope: Scope
    messages: Sequence[Message]
    kind: Kind = "turn"
    expires_at: datetime | None = None
    importance: float = 0.5
    extract: bool = False
    wait: bool = True
    mentions: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """What the caller changes of a record: its words, or other columns."""

    text: str | None
    columns: Metadata


def edit(
    text: str | None,
    metadata: Metadata | None,
    importance: float | None,
    expires_at: datetime | None,
) -> Edit:
    """Return a checked edit.

    Raises:
        InvalidInputError: Nothing is given, or it cannot be stored.
    """
    columns: dict[str, object] = {}
    if metadata is not None:
        columns["metadata"] = to_json(dict(check_metadata(metadata)))
    if importance is not None:
        columns["importance"] = check_importance(importance)
    if expires_at is not None:
        columns["expires_at"] = to_micros(check_time("expires_at", expires_at))
    if text is None and not columns:
        raise InvalidInputError("nothing to update: give text, metadata, importance or expires_at")
    return Edit(None if text is None else check_text(text), columns)


def check_importance(importance: float) -> float:
    """Return an importance between 0 and 1.

    Raises:
        InvalidInputError: It is no such number.
    """
    if type(importance) not in (int, float) or not 0 <= importance <= 1:
        raise InvalidInputError(f"importance must be a number from 0 to 1, not {shown(importance)}")
    return float(importance)


async def update(
    runtime: Runtime,
    storage: Storage,
    embedder: Embedder,
    reach: Reach,
    key: str,
    change: Edit,
    *,
    mentions: bool = False,
) -> Change:
    """Give a record other words or other columns; with `mentions`, a turn is read anew."""
    if change.text is None:
        return await runtime.write(storage.amend, reach, key, change.columns)
    maker = embedder.fingerprint
    await runtime.read(storage.check_embedder, maker)
    old = await runtime.read(storage.get, reach, key)
    indexed = (await index(runtime, embedder, old.kind, [(change.text, old.speaker)]))[0]
    columns = change.columns
    if mentions and old.kind == "turn":
        known = () if old.speaker is None else (old.speaker,)
        told = mentioning.relations(change.text, old.role, old.speaker, known, old.occurred_at)
        columns = {**columns, "relations": to_json(list(told))}
    return await runtime.write(storage.rewrite, reach, key, change.text, indexed, columns, maker)


async def store(runtime: Runtime, storage: Storage, embedder: Embedder, writing: Writing) -> Added:
    """Store the messages that are not there yet, in one transaction; embedded if `wait`."""
    fingerprint = embedder.fingerprint
    if _is_light(storage, fingerprint, writing):
        messages, spans, wanted = _unknown(storage, fingerprint, writing)
    else:
        messages, spans, wanted = await runtime.read(_unknown, storage, fingerprint, writing)
    if not messages:
        return Added((), ())
    vectors = NO_VECTORS
    if writing.wait:
        given = await runtime.embed(embedder, wanted)
        vectors = indexing.unit_vectors(given, len(wanted), embedder)
    kept = partial(_keep, storage, fingerprint, writing, messages, spans, vectors)
    if writing.extract and writing.wait:
        return await runtime.claim(partial(_let_go, storage), kept)
    return await runtime.write(kept)


def _is_light(storage: Storage, fingerprint: str, writing: Writing) -> bool:
    """Return whether no query is needed and the texts are short: then no thread is needed.

    What is embedded later needs no look at the embedder: the transaction that stores it has one.
    """
    messages = writing.messages
    return (
        (storage.knows(fingerprint) or not writing.wait)
        and all(message.id is None for message in messages)
        and sum(len(message.content) for message in messages) <= LITTLE
    )


def _unknown(
    storage: Storage, fingerprint: str, writing: Writing
) -> tuple[Sequence[Message], list[tuple[Span, ...]], list[str]]:
    """Leave out messages that are stored already: embedding them again is the cost of a resend.

    Returns:
        The others, the passages of each, and what is to be embedded for all of them.
    """
    storage.check_embedder(fingerprint)
    messages = writing.messages
    ids = [message.id for message in messages if message.id is not None]
    if ids:
        known = storage.known_messages(writing.scope, ids)
        messages = [message for message in messages if message.id not in known]
    texts = [(message.content, message.name) for message in messages]
    return messages, *_passages(writing.kind, texts)


def _keep(
    storage: Storage,
    fingerprint: str,
    writing: Writing,
    messages: Sequence[Message],
    spans: Sequence[tuple[Span, ...]],
    vectors: Floats,
) -> Added:
    findable = _indexed([message.content for message in messages], spans, vectors)
    said = (message.name for message in writing.messages if message.name is not None)
    speakers = Speakers.of(dict.fromkeys(said) if writing.mentions else ())
    drafts = [
        _draft(writing, message, indexed, speakers)
        for message, indexed in zip(messages, findable, strict=True)
    ]
    return storage.add(
        writing.scope, drafts, fingerprint, extract=writing.extract, hold=writing.wait
    )


def _let_go(storage: Storage, added: Added) -> None:
    """Let others extract turns whose caller was cancelled: they are due at once."""
    storage.pipeline.release(added.rows)


async def index(
    runtime: Runtime, embedder: Embedder, kind: Kind, texts: Sequence[tuple[str, str | None]]
) -> list[Indexed]:
    """Make (text, speaker) pairs findable, with one call of the embedder for all."""
    if not texts:
        return []
    spans, wanted = await runtime.read(_passages, kind, texts)
    given = await runtime.embed(embedder, wanted)
    vectors = indexing.unit_vectors(given, len(wanted), embedder)
    return await runtime.read(_indexed, [text for text, _ in texts], spans, vectors)


def _passages(
    kind: Kind, texts: Sequence[tuple[str, str | None]]
) -> tuple[list[tuple[Span, ...]], list[str]]:
    """Return the passages of each text, and what is to be embedded for all of them."""
    spans = [indexing.spans_of(text) for text, _ in texts]
    wanted = [
        passage
        for (text, speaker), cut in zip(texts, spans, strict=True)
        for passage in indexing.texts_to_embed(kind, text, speaker, cut)
    ]
    return spans, wanted


def _indexed(
    texts: Sequence[str], spans: Sequence[tuple[Span, ...]], vectors: Floats
) -> list[Indexed]:
    findable, start = [], 0
    for text, cut in zip(texts, spans, strict=True):
        end = start + len(cut)
        findable.append(indexing.indexed(text, cut, vectors[start:end]))
        start = end
    return findable


def _draft(writing: Writing, message: Message, indexed: Indexed, speakers: Speakers) -> Draft:
    return Draft(
        text=message.content,
        kind=writing.kind,
        indexed=indexed,
        role=message.role,
        speaker=message.name,
        metadata=message.metadata,
        occurred_at=message.occurred_at,
        expires_at=writing.expires_at,
        importance=writing.importance,
        message_id=message.id,
        relations=_relations(message, speakers) if writing.mentions else (),
        digest=fingerprint(message.content) if writing.kind == "fact" else None,
    )


def _relations(message: Message, speakers: Speakers) -> tuple[Metadata, ...]:
    said_at = message.occurred_at or utc_now()
    return mentioning.relations(message.content, message.role, message.name, speakers, said_at)
