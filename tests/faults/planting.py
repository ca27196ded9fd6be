"""Words to be erased, planted in every place where words can lie, and how each is erased."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from agent_framework import Message as FrameworkMessage
from autogen_core.memory import MemoryContent
from holdfast import Memory
from holdfast.documents import Collection, Put
from holdfast_autogen import HoldfastMemory as AutoGenMemory
from holdfast_autogen.agent_framework import HoldfastHistoryProvider
from holdfast_langgraph import HoldfastSaver
from holdfast_llamaindex import HoldfastChatStore
from holdfast_llamaindex import HoldfastMemory as LlamaMemory
from llama_index.core.base.llms.types import ChatMessage
from support.checkpoints import checkpoint

_PAST = datetime(2024, 1, 1, tzinfo=timezone.utc)


@dataclass
class Plant:
    """What was stored, and how it goes.

    Attributes:
        words: Occur in the file while it is there.
        forgotten: Words of earlier versions; they go too.
        raw: Bytes of vectors and hashes.
        whole: Whole texts and ids, whose digests would tell them.
        keys: Ids of the records: a digest keyed with one can be guessed all the same.
        told: An export or a verb of `Memory` tells it; a framework's chat only the framework.
    """

    words: list[str]
    erase: Callable[[], Any]
    forgotten: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    told: bool = True
    close: Callable[[], Any] = lambda: None
    name: str = ""


@dataclass
class Ground:
    """Where plants are set."""

    memory: Memory
    folder: Path
    rng: random.Random

    def word(self) -> str:
        """Return a word that nothing else holds; no stem, no name, no date."""
        return "q" + "".join(self.rng.choices("bcdfghjkmnpqrtvwxz", k=13))

    def words(self, count: int) -> list[str]:
        return [self.word() for _ in range(count)]

    def blobs(self, key: str) -> list[bytes]:
        """Return vectors whole, and each hash of a term, of all versions of a record."""
        with self.memory._storage.database.read() as connection:
            rows = connection.execute(
                "SELECT vectors, terms FROM records WHERE key = ?", (key,)
            ).fetchall()
        found = [vectors for vectors, _ in rows if vectors]
        for _, terms in rows:
            found += [terms[at : at + 8] for at in range(0, len(terms), 8)]
        return [one for one in found if any(one)]


def _text(words: list[str]) -> str:
    return " ".join(words)


# -- memories --------------------------------------------------------------------------------------


def turn(ground: Ground) -> Plant:
    """A turn with a name, an id and metadata, erased by its id."""
    words, name, given, meta = ground.words(9), *ground.words(3)
    message = {"role": "user", "content": _text(words), "name": name, "id": given}
    (change,) = ground.memory.add(
        [message], user_id="ada", infer=False, metadata={"k": meta, meta + "k": 1}
    )
    return Plant(
        [*words, name, given, meta],
        lambda: ground.memory.delete(change.id, user_id="ada"),
        raw=ground.blobs(change.id),
        whole=[_text(words)],  # of an id of a message a hash is kept, to know it when it is resent
        keys=[change.id],
    )


def long_turn(ground: Ground) -> Plant:
    """A text of many passages and pages."""
    words = ground.words(1_200)
    (change,) = ground.memory.add(_text(words), user_id="ada", infer=False)
    return Plant(
        words[:3] + words[-3:],
        lambda: ground.memory.delete(change.id, user_id="ada"),
        forgotten=words[3:-3:40],
        raw=ground.blobs(change.id)[::50],
        whole=[_text(words)],
    )


def versions(ground: Ground) -> Plant:
    """A record reworded twice, one rewording undone, erased with all its versions."""
    first, second, third = ground.words(8), ground.words(8), ground.words(8)
    memory = ground.memory
    (change,) = memory.add(_text(first), user_id="ada", infer=False, kind="fact")
    memory.update(change.id, _text(second), user_id="ada", metadata={"why": second[0]})
    memory.undo(memory.update(change.id, _text(third), user_id="ada"), user_id="ada")
    return Plant(
        second,
        lambda: memory.delete(change.id, user_id="ada"),
        forgotten=first + third,
        raw=ground.blobs(change.id),
        whole=[_text(one) for one in (first, second, third)],
        keys=[change.id],
    )


def facts(ground: Ground) -> Plant:
    """What a model read out of a turn, with relations and reasons; it goes with its turn."""
    word, memory = ground.word(), ground.memory
    changes = memory.add(f"I like {word}", user_id="ada", run_id="r1")
    memory.add(f"I like {word}", user_id="ada", run_id="r1")

    def erase() -> Any:
        found = [r for r in memory.list(user_id="ada", limit=1_000) if word in r.text]
        return [memory.delete(r.id, user_id="ada") for r in found if r.kind == "turn"] + [
            memory.delete(r.id, user_id="ada")
            for r in memory.list(user_id="ada", limit=1_000)
            if word in r.text
        ]

    return Plant([word], erase, keys=[changes[0].id], whole=[f"I like {word}"])


def relation(ground: Ground) -> Plant:
    """A relation by hand: two names, their types, the statement."""
    one, two, kind, *text = ground.words(8)
    given = {"subject": one, "relation": "knows", "object": two, "object_type": kind}
    changes = ground.memory.add_relations([{**given, "text": _text(text)}], user_id="ada")
    key = changes[0].id
    return Plant(
        [one, two, kind, *text],
        lambda: ground.memory.delete(key, user_id="ada"),
        raw=ground.blobs(key),
        whole=[_text(text)],
        keys=[key],
    )


def session(ground: Ground) -> Plant:
    """A session with facts, a summary and a procedure, erased as a whole."""
    run, memory = ground.word(), ground.memory
    words = ground.words(24)
    for word in words:
        memory.add(f"I like {word}", user_id="bea", run_id=run, wait=False)
    memory.flush(user_id="bea", run_id=run)
    memory.add_procedure("talk", user_id="bea", run_id=run)
    return Plant(
        [*words, run],
        lambda: memory.delete_all(user_id="bea", run_id=run),
        whole=[f"I like {word}" for word in words],
    )


def scope(ground: Ground) -> Plant:
    """All that a user has, with the user's name."""
    user, words = ground.word(), ground.words(12)
    ground.memory.add(_text(words), user_id=user, agent_id="bot", infer=False)
    ground.memory.add(f"I live in {words[0]}", user_id=user)
    return Plant(words, lambda: ground.memory.delete_all(user_id=user), whole=[_text(words)])


def filtered(ground: Ground) -> Plant:
    """What a filter names."""
    words, tag = ground.words(9), ground.word()
    ground.memory.add(_text(words), user_id="ada", infer=False, metadata={"tag": tag})
    return Plant(
        [*words, tag],
        lambda: ground.memory.delete_all(user_id="ada", filters={"tag": tag}),
        whole=[_text(words)],
    )


def waiting(ground: Ground) -> Plant:
    """A turn that still waits for extraction."""
    word, memory = ground.word(), ground.memory
    (change,) = memory.add(f"I live in {word}", user_id="cleo", wait=False)
    return Plant(
        [word], lambda: memory.delete(change.id, user_id="cleo"), whole=[f"I live in {word}"]
    )


def expired(ground: Ground) -> Plant:
    """What expires; `purge` erases it."""
    words, memory = ground.words(9), ground.memory
    (change,) = memory.add(_text(words), user_id="ada", infer=False)
    raw = ground.blobs(change.id)

    def erase() -> Any:
        memory.update(change.id, expires_at=_PAST, user_id="ada")
        return memory.purge()

    return Plant(words, erase, raw=raw, whole=[_text(words)], keys=[change.id])


# -- documents -------------------------------------------------------------------------------------


def item(ground: Ground) -> Plant:
    """A document, the only one of its namespace: its labels go with it."""
    label, key, value, *text = ground.words(12)
    items = ground.memory.documents
    items.put(("memories", label), key, {"v": value, value: [value]}, texts=[_text(text)])
    return Plant(
        [label, key, value, *text],
        lambda: items.delete(("memories", label), key),
        whole=[_text(text)],
    )


def replaced_item(ground: Ground) -> Plant:
    """A document whose value gave way to another before it went."""
    first, second, items = ground.word(), ground.word(), ground.memory.documents
    items.put(("kept",), first, {"v": first}, texts=[first])
    items.put(("kept",), first, {"v": second}, texts=[second])
    return Plant([second], lambda: items.delete(("kept",), first), forgotten=[first])


def expired_item(ground: Ground) -> Plant:
    """A document whose lifetime ends; `sweep` deletes it."""
    word, items = ground.word(), ground.memory.documents
    items.put(("short",), word, {"v": word}, texts=[word])

    def erase() -> Any:
        items.put(("short",), word, {"v": word}, texts=[word], lifetime=timedelta(microseconds=1))
        return items.sweep()

    return Plant([word], erase)


def document(ground: Ground) -> Plant:
    """A document of a vector store, with a vector of the caller's."""
    label, key, value, *text = ground.words(9)
    vector = [ground.rng.uniform(-1, 1) for _ in range(32)]
    fingerprint = ground.memory.stats().embedder or "hash/32"
    store = Collection(ground.folder / "m.db", ("c",), fingerprint=fingerprint, key=_key(ground))
    store.put([Put((label,), key, {"v": value}, [_text(text)], vectors=[vector])])
    ((_, unit),) = store.get([key], (label,))
    return Plant(
        [label, key, value],
        lambda: store.delete((label,)),
        raw=[unit.tobytes()],  # type: ignore[union-attr]
        close=store.close,
    )


def _key(ground: Ground) -> bytes | None:
    plain = (ground.folder / "m.db").read_bytes()[:6] == b"SQLite"
    return None if plain else bytes(range(32))


# -- chats of frameworks ---------------------------------------------------------------------------


def thread(ground: Ground) -> Plant:
    """A thread of LangGraph's checkpointer."""
    name, value, written = ground.words(3)
    saver = HoldfastSaver(ground.memory._storage.database)
    config: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    made = checkpoint({"messages": [value, value * 40]})
    metadata: Any = {"source": "loop", "step": 0, "parents": {}, "who": value}
    put = saver.put(config, made, metadata, made["channel_versions"])
    saver.put_writes(put, [("messages", written)], "task")
    erase = lambda: saver.delete_thread(name)  # noqa: E731
    return Plant([name], erase, forgotten=[value, written], told=False)


def chat_store(ground: Ground) -> Plant:
    """A conversation in LlamaIndex's chat store."""
    key, words = ground.word(), ground.words(6)
    store = HoldfastChatStore(memory=ground.memory)
    for word in words:
        asyncio.run(store.add_message(key, ChatMessage(role="user", content=word)))
    return Plant([key, *words], lambda: asyncio.run(store.delete_messages(key)), told=False)


def llama_memory(ground: Ground) -> Plant:
    """A conversation of LlamaIndex's memory, with what it remembers."""
    user, words = ground.word(), ground.words(4)
    memory = LlamaMemory.from_defaults(
        session_id="1", memory=ground.memory, user_id=user, token_limit=60, token_flush_size=20
    )
    for word in words:
        memory.put(ChatMessage(role="user", content=f"{word} tea"))
    return Plant(words, lambda: memory.reset(long_term=True))


def history(ground: Ground) -> Plant:
    """A session of Agent Framework's history."""
    run, words = ground.word(), ground.words(4)
    provider = HoldfastHistoryProvider(ground.memory, user_id="ada")
    messages = [FrameworkMessage("user", [word]) for word in words]
    asyncio.run(provider.save_messages(run, messages))
    return Plant([run, *words], lambda: asyncio.run(provider.clear(run)), told=False)


def notes(ground: Ground) -> Plant:
    """AutoGen's memory."""
    user, words = ground.word(), ground.words(4)
    memory = AutoGenMemory(ground.memory, user_id=user)
    for word in words:
        content = MemoryContent(content=word, mime_type="text/plain", metadata={"m": word})
        asyncio.run(memory.add(content))
    return Plant(words, lambda: asyncio.run(memory.clear()))


PLANTS: dict[str, Callable[[Ground], Plant]] = {
    made.__name__.replace("_", " "): made
    for made in (
        turn, long_turn, versions, facts, relation, session, scope, filtered, waiting, expired,
        item, replaced_item, expired_item, document, thread, chat_store, llama_memory, history,
        notes,
    )
}  # fmt: skip
