"""Checkpoints, graphs and faces for the tests of `HoldfastSaver`."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from holdfast_langgraph import HoldfastSaver
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.graph import END, START, MessagesState, StateGraph
from typing_extensions import TypedDict

AES_KEY = b"0123456789abcdef"
METADATA: Any = {"source": "loop", "step": 0, "parents": {}}


def thread(thread_id: str = "t", **more: Any) -> RunnableConfig:
    """Return the config of a thread."""
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "", **more}}


def checkpoint(values: dict[str, Any] | None = None, version: Any = 1) -> Checkpoint:
    """Return a new checkpoint whose channels all have one version."""
    values = values or {}
    return {
        "v": 4,
        "id": str(uuid6(clock_seq=-1)),
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, version),
        "versions_seen": {},
        "updated_channels": None,
    }


def put(
    saver: BaseCheckpointSaver[Any],
    values: dict[str, Any] | None = None,
    parent: RunnableConfig | None = None,
    version: Any = 1,
    **metadata: Any,
) -> RunnableConfig:
    """Put a checkpoint that changes all its channels; return its config."""
    made = checkpoint(values, version)
    config = parent or thread()
    return saver.put(config, made, {**METADATA, **metadata}, made["channel_versions"])


def values_of(saver: BaseCheckpointSaver[Any], config: RunnableConfig) -> dict[str, Any]:
    """Return the channel values of a checkpoint that is there."""
    found = saver.get_tuple(config)
    assert found is not None
    return found.checkpoint["channel_values"]


def encrypted() -> EncryptedSerializer:
    """Return LangGraph's AES serializer."""
    return EncryptedSerializer.from_pycryptodome_aes(key=AES_KEY)


def chat(saver: BaseCheckpointSaver[Any], answer: str = "noted") -> Any:
    """Return a compiled graph that answers every message, with the count of what was said."""

    def reply(state: MessagesState) -> dict[str, Any]:
        said = len(state["messages"])
        return {"messages": [AIMessage(f"{answer} {said}", id=f"a{said}")]}

    return (
        StateGraph(MessagesState)
        .add_node("reply", reply)
        .add_edge(START, "reply")
        .add_edge("reply", END)
        .compile(checkpointer=saver)
    )


class Notes(TypedDict):
    """State of one delta channel."""

    items: Annotated[list[str], DeltaChannel(operator.add)]


def notebook(saver: BaseCheckpointSaver[Any]) -> Any:
    """Return a compiled graph that keeps its items in a delta channel."""
    return (
        StateGraph(Notes)
        .add_node("note", lambda state: {"items": [f"seen {len(state['items'])}"]})
        .add_edge(START, "note")
        .add_edge("note", END)
        .compile(checkpointer=saver)
    )


def tables(saver: HoldfastSaver) -> dict[str, int]:
    """Return how many rows each of the saver's tables has."""
    with saver.database.read() as connection:
        return {
            name: connection.execute(f"SELECT count(*) FROM langgraph_{name}").fetchone()[0]
            for name in ("threads", "checkpoints", "writes", "blobs")
        }


def blobs_of(saver: HoldfastSaver) -> list[tuple[bytes, int]]:
    """Return digest and size of every blob."""
    with saver.database.read() as connection:
        blobs: list[tuple[bytes, int]] = connection.execute(
            "SELECT digest, length(data) FROM langgraph_blobs"
        ).fetchall()
    return blobs


def bytes_of(path: Path) -> bytes:
    """Return every byte of a database and its log."""
    return b"".join(one.read_bytes() for one in sorted(path.parent.glob(path.name + "*")))


class SyncShell(BaseCheckpointSaver[Any]):
    """Offers a saver's sync methods to a suite that drives the async face only.

    Attributes:
        called: The sync methods that did the work.
    """

    def __init__(self, saver: HoldfastSaver) -> None:
        super().__init__()
        self.inner = saver
        self.called: set[str] = set()

    def _do(self, name: str, *args: Any, **options: Any) -> Any:
        self.called.add(name)
        return getattr(self.inner, name)(*args, **options)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        found: CheckpointTuple | None = self._do("get_tuple", config)
        return found

    async def alist(
        self, config: RunnableConfig | None, **options: Any
    ) -> AsyncIterator[CheckpointTuple]:
        for found in self._do("list", config, **options):
            yield found

    async def aput(self, *args: Any, **options: Any) -> Any:
        return self._do("put", *args, **options)

    async def aput_writes(self, *args: Any, **options: Any) -> None:
        self._do("put_writes", *args, **options)

    async def adelete_thread(self, thread_id: str) -> None:
        self._do("delete_thread", thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._do("delete_for_runs", run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self._do("copy_thread", source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self._do("prune", thread_ids, strategy=strategy)
