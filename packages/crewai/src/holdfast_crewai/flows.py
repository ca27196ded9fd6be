"""`HoldfastFlowPersistence`: states of flows, in the same file as the memories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from enum import Enum
from pathlib import Path
from typing import Any

from crewai.flow.async_feedback.types import PendingFeedbackContext
from crewai.flow.persistence.base import FlowPersistence
from holdfast import Database
from pydantic import BaseModel, Field, PrivateAttr

STEPS = (
    """
CREATE TABLE crewai_states (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    flow TEXT NOT NULL,
    method TEXT NOT NULL,
    state TEXT NOT NULL,
    at TEXT NOT NULL
);

CREATE INDEX crewai_states_flow ON crewai_states(flow, no);

CREATE TABLE crewai_feedback (
    flow TEXT PRIMARY KEY,
    context TEXT NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID
""",
)


class HoldfastFlowPersistence(FlowPersistence):
    """Keeps every state of a flow, and what waits for a human.

        @persist(HoldfastFlowPersistence(path="memory.db"))
        class MyFlow(Flow[State]): ...

    Attributes:
        path: The file; it may be the memory's own.
        key: Its key, if it is encrypted; never written into a checkpoint.
    """

    persistence_type: str = Field(default="HoldfastFlowPersistence")
    path: str
    key: str | bytes | None = Field(default=None, exclude=True, repr=False)

    _database: Database = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Open the file."""
        if self.path != ":memory:":
            self.path = str(Path(self.path).expanduser().absolute())
        self._database = Database(self.path, key=self.key)
        self.init_db()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> HoldfastFlowPersistence:
        """Return itself: a copy is a handle on the same file."""
        return self

    def init_db(self) -> None:
        """Make the tables."""
        self._database.migrate("crewai-flows", STEPS)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def save_state(
        self, flow_uuid: str, method_name: str, state_data: dict[str, Any] | BaseModel
    ) -> None:
        """Keep a flow's state after a method.

        Raises:
            ValueError: The state is neither a model nor a dictionary.
        """
        state = _json(state_data)
        with self._database.write() as connection:
            _append(connection, flow_uuid, method_name, state)

    def load_state(self, flow_uuid: str) -> dict[str, Any] | None:
        """Return a flow's latest state, or None."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT state FROM crewai_states WHERE flow = ? ORDER BY no DESC LIMIT 1",
                (flow_uuid,),
            ).fetchone()
        return None if row is None else _read(row[0])

    def save_pending_feedback(
        self,
        flow_uuid: str,
        context: PendingFeedbackContext,
        state_data: dict[str, Any] | BaseModel,
    ) -> None:
        """Keep a flow's state and what it asks a human, in one transaction."""
        state = _json(state_data)
        with self._database.erasing() as connection:  # an earlier question gives way
            _append(connection, flow_uuid, context.method_name, state)
            connection.execute(
                "REPLACE INTO crewai_feedback VALUES (?, ?, ?)",
                (flow_uuid, json.dumps(context.to_dict(), default=_plain), state),
            )

    def load_pending_feedback(
        self, flow_uuid: str
    ) -> tuple[dict[str, Any], PendingFeedbackContext] | None:
        """Return the state and the question of a flow that waits, or None."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT state, context FROM crewai_feedback WHERE flow = ?", (flow_uuid,)
            ).fetchone()
        if row is None:
            return None
        return _read(row[0]) or {}, PendingFeedbackContext.from_dict(json.loads(row[1]))

    def clear_pending_feedback(self, flow_uuid: str) -> None:
        """Forget that a flow waits."""
        with self._database.erasing() as connection:
            connection.execute("DELETE FROM crewai_feedback WHERE flow = ?", (flow_uuid,))


def _append(connection: Any, flow: str, method: str, state: str) -> None:
    connection.execute(
        "INSERT INTO crewai_states (flow, method, state, at) VALUES (?, ?, ?, ?)",
        (flow, method, state, datetime.now(timezone.utc).isoformat()),
    )


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
