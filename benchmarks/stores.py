"""A conversation in a memory: its turns, and on request the facts that were given with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from holdfast import Embedder, Memory
from holdfast.ingestion import conductor as ingestion
from holdfast.maintenance.conversations import Conversation
from holdfast.runtime import SYNC, run
from holdfast.storage.contract.memories import Draft
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.types import Metadata, Record, Scope


class Remembering(Embedder):
    """An embedder that keeps what it has embedded, so that ways and timings do not repeat it."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, Sequence[float]] = {}

    @property
    def fingerprint(self) -> str:
        """That of the embedder inside."""
        return self._inner.fingerprint

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Embed what is new."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._inner.embed(new), strict=True) if new else ())
        return [self._known[text] for text in texts]


def remember(memory: Memory, conversation: Conversation) -> list[Record]:
    """Store a conversation, session by session; return its turns in order."""
    records: list[Record] = []
    for run_id, said in groupby(conversation.turns, key=lambda turn: turn.run_id):
        messages = [turn.message for turn in said]
        records += memory.add(messages, user_id=conversation.name, run_id=run_id).records
    return records


def remember_facts(
    memory: Memory,
    embedder: Embedder,
    conversation: Conversation,
    turns: Sequence[Record],
    relations: Mapping[str, Sequence[Metadata]] = {},
) -> None:
    """Store the facts that somebody's LLM drew from a conversation, resting on their turns.

    They are written as the pipeline writes its own, so that context sees what they rest on.
    `relations`: What each fact states, by its text.
    """
    storage = SqliteStorage(memory._storage.database.path)
    by_id = {turn.message_id or "": turn for turn in turns}
    for run_id in dict.fromkeys(fact.run_id for fact in conversation.observations):
        facts = [
            fact
            for fact in conversation.observations
            if fact.run_id == run_id and any(source in by_id for source in fact.sources)
        ]
        texts = [(fact.text, fact.about) for fact in facts]
        findable = run(ingestion.index(SYNC, embedder, "fact", texts))
        drafts = []
        for fact, indexed in zip(facts, findable, strict=True):
            sources = [by_id[source] for source in fact.sources if source in by_id]
            drafts.append(
                Draft(
                    fact.text,
                    "fact",
                    indexed,
                    speaker=fact.about,
                    metadata={"turns": [source.message_id for source in sources]},
                    occurred_at=sources[0].occurred_at,
                    sources=tuple(source.id for source in sources),
                    relations=tuple(relations.get(fact.text, ())),
                )
            )
        scope = Scope(user_id=conversation.name, run_id=run_id)
        storage.add(scope, drafts, embedder.fingerprint, extract=False)
    storage.file.close()


def turns_of(record: Record) -> frozenset[str]:
    """Return the conversation's ids of the turns a record stands for."""
    if record.kind == "fact":
        return frozenset(record.metadata.get("turns", ()))
    return frozenset([record.message_id] if record.message_id else ())
