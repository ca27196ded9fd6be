"""Where a checkpoint lies and whose it is, read from a LangGraph config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from langchain_core.runnables import RunnableConfig

Owner: TypeAlias = tuple[str, str, str]
"""The ids of user, agent and app that a config names; an empty text for none."""

NO_OWNER: Owner = ("", "", "")


class Address(NamedTuple):
    """A thread, a checkpoint namespace (``""`` is the root graph) and a checkpoint.

    Attributes:
        thread_id: As text; LangGraph lets it be any scalar.
        ns: The checkpoint namespace.
        checkpoint_id: None for the latest.
        owner: Whose the thread is.
    """

    thread_id: str
    ns: str
    checkpoint_id: str | None
    owner: Owner = NO_OWNER

    @classmethod
    def of(cls, config: RunnableConfig) -> Address:
        """Read a config; an empty checkpoint id is none."""
        given = config["configurable"]
        checkpoint_id = given.get("checkpoint_id")
        return cls(
            str(given["thread_id"]),
            str(given.get("checkpoint_ns", "")),
            str(checkpoint_id) if checkpoint_id else None,
            (_id(given, "user_id"), _id(given, "agent_id"), _id(given, "app_id")),
        )


def _id(given: Mapping[str, Any], name: str) -> str:
    return str(given.get(name) or "")


def config_of(thread_id: object, ns: str, checkpoint_id: str) -> RunnableConfig:
    """Return the config that names exactly one checkpoint."""
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": ns,
            "checkpoint_id": checkpoint_id,
        }
    }
