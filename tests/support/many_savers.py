"""What one of several processes does to a saver's file; imports little, for it starts often."""

from __future__ import annotations

from typing import Any

from holdfast_langgraph import HoldfastSaver
from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.base.id import uuid6

MESSAGES = 12


def be_one_of_many(path: str, name: str) -> int:
    """Grow a thread of one's own and one that all share, which all prune now and then.

    Returns:
        How long one's own conversation reads at the end.
    """
    own: Any = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    shared: Any = {"configurable": {"thread_id": "shared", "checkpoint_ns": ""}}
    with HoldfastSaver(path) as saver:
        parent = own
        for at in range(MESSAGES):
            said = [f"{name} says {one} " * 12 for one in range(at + 1)]
            parent = saver.put(parent, _checkpoint(said, at), {}, {"messages": at})
            saver.put_writes(parent, [("messages", said[-1:])], f"task {at}")
            saver.put(shared, _checkpoint(said, at), {}, {"messages": at})
            if at % 4 == 3:
                saver.prune(["shared"])
        found = saver.get_tuple(own)
    assert found is not None
    return len(found.checkpoint["channel_values"]["messages"])


def _checkpoint(said: list[str], version: int) -> Checkpoint:
    return {
        "v": 4,
        "id": str(uuid6()),
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": {"messages": said},
        "channel_versions": {"messages": version},
        "versions_seen": {},
        "updated_channels": None,
    }
