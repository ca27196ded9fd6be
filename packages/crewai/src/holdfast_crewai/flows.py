"""`HoldfastFlowPersistence`: states of flows, in the same file as the memories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, time
from enum import Enum
from typing import Any

from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.persistence.base import FlowPersistence
from holdfast import Documents, Scope
from holdfast.documents import Put
from pydantic import BaseModel, Field, PrivateAttr

from holdfast_crewai.paths import IDS, Spec

_STATES, _QUESTIONS = ("crewai", "flow states"), ("crewai", "flow questions")


class HoldfastFlowPersistence(FlowPersistence):
    """Keeps the latest state of every flow, and what waits for a human.

        @persist(HoldfastFlowPersistence(path="memory.db", user_id="ada"))
        class MyFlow(Flow[State]): ...

    CrewAI names a flow by its id alone. With ``user_id``, `holdfast.Memory.delete_all` of the user
    erases the states; without any id ``stats(check=True)`` counts them as `unowned`.

    Attributes:
        path: The file, or ``holdfast:/data/memory.db?user_id=ada``; it may be the memory's own.
        user_id, agent_id, run_id: Whose flows.
        key: Its key, if it is encrypted; never written into a checkpoint.
    """

    persistence_type: str = Field(default="HoldfastFlowPersistence")
    path: str
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    key: str | bytes | None = Field(default=None, exclude=True, repr=False)

    _documents: Documents = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Open the file."""
        spec = Spec.read(self.path)
        self.path = spec.path
        for name, value in spec.ids.items():
            setattr(self, name, value)
        self.init_db()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> HoldfastFlowPersistence:
        """Return itself: a copy is a handle on the same file."""
        return self

    def init_db(self) -> None:
        """Open the file."""
        ids = {name: value for name in IDS if (value := getattr(self, name)) is not None}
        owner = Scope(**ids) if ids else None
        self._documents = Documents.open(self.path, owner=owner, key=self.key)

    def close(self) -> None:
        """Close the file."""
        self._documents.close()

    def save_state(
        self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel
    ) -> None:
        """Keep a flow's state after a method, in the place of the one before.

        Raises:
            ValueError: The state is neither a model nor a dictionary.
        """
        self._documents.batch([Put(_STATES, flow_uuid, _json(state_data))], strict=True)

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """Return a flow's latest state, or None."""
        found = self._documents.get(_STATES, flow_uuid)
        return None if found is None else _read(found.value)

    def save_pending_feedback(
        self,
        flow_uuid: str,
        context: PendingFeedbackContext,
        state_data: dict[str, Any] | BaseModel,
    ) -> None:
        """Keep a flow's state and what it asks a human, in one transaction."""
        state = _json(state_data)
        question = {"context": json.dumps(context.to_dict(), default=_plain), "state": state}
        self._documents.batch(
            [Put(_STATES, flow_uuid, state), Put(_QUESTIONS, flow_uuid, question)],
            strict=True,
        )
        self._documents.sweep()  # an earlier question gives way, to the last byte

    def load_pending_feedback(
        self, flow_uuid: str
    ) -> tuple[dict[str, Any], PendingFeedbackContext] | None:
        """Return the state and the question of a flow that waits, or None."""
        found = self._documents.get(_QUESTIONS, flow_uuid)
        if found is None:
            return None
        context = PendingFeedbackContext.from_dict(json.loads(found.value["context"]))
        return _read(found.value["state"]) or {}, context

    def clear_pending_feedback(self, flow_uuid: str) -> None:
        """Forget that a flow waits."""
        self._documents.delete(_QUESTIONS, flow_uuid)
        self._documents.sweep()


def _read(text: str) -> dict[str, Any] | None:
    state = json.loads(text)
    return state if isinstance(state, dict) else None


def _json(state: Mapping[str, Any] | BaseModel) -> str:
    if not isinstance(state, Mapping | BaseModel):
        raise ValueError(  # noqa: TRY004 - CrewAI's own persistence raises it
            f"state_data must be either a Pydantic BaseModel or dict, got {type(state)}"
        )
    return json.dumps(state, default=_plain)


def _plain(value: object) -> Any:
    """Return what JSON can hold of a value it does not know; at last its words, as CrewAI does."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", fallback=str)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else str(value)
