"""Where a checkpoint lies, read from a LangGraph config."""

from __future__ import annotations

from typing import NamedTuple

from langchain_core.runnables import RunnableConfig


class Address(NamedTuple):
    """A thread, a checkpoint namespace (``""`` is the root graph) and a checkpoint.

    Attributes:
        thread_id: As text; LangGraph lets it be any scalar.
        ns: The checkpoint namespace.
        checkpoint_id: None for the latest.
    """

    thread_id: str
    ns: str
    checkpoint_id: str | None

    @classmethod
    def of(cls, config: RunnableConfig) -> Address:
        """Read a config; an empty checkpoint id is none."""
        given = config["configurable"]
        checkpoint_id = given.get("checkpoint_id")
        return cls(
            str(given["thread_id"]),
            str(given.get("checkpoint_ns", "")),
            str(checkpoint_id) if checkpoint_id else None,
        )


def config_of(thread_id: object, ns: str, checkpoint_id: str) -> RunnableConfig:
    """Return the config that names exactly one checkpoint."""
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": ns,
            "checkpoint_id": checkpoint_id,
        }
    }
