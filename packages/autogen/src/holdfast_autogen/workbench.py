"""`HoldfastWorkbench`: the memory tools as one workbench."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autogen_core import CancellationToken, Component
from autogen_core.tools import StaticWorkbench, ToolResult, ToolSchema, Workbench
from typing_extensions import Self

from holdfast_autogen.connections import Handle, Place
from holdfast_autogen.scopes import Owner, Sessions
from holdfast_autogen.tools import (
    ForgetTool,
    MemoryTool,
    MemoryToolConfig,
    RecallTool,
    RememberTool,
)


class HoldfastWorkbenchConfig(MemoryToolConfig):
    """As of a tool; `read_only` leaves only ``recall``."""

    read_only: bool = False


class HoldfastWorkbench(Workbench, Component[HoldfastWorkbenchConfig]):
    """``remember``, ``recall`` and ``forget`` on one memory.

    Args:
        place: The file's path, or an open `holdfast.Memory`.
        user_id, agent_id, run_id, app_id: Whose memory; what is missing comes from `serving`.
        sessions: ``"all"``: reach what the owner said in any session; or ``"this"``.
        max_tokens: Budget of what is recalled.
        read_only: Offer ``recall`` alone.
    """

    component_type = "workbench"
    component_config_schema = HoldfastWorkbenchConfig
    component_provider_override = "holdfast_autogen.HoldfastWorkbench"

    def __init__(
        self,
        place: Place,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        sessions: Sessions = "all",
        max_tokens: int = 1_000,
        read_only: bool = False,
    ) -> None:
        self._handle = Handle.of(place)
        self._owner = Owner(user_id, agent_id, run_id, app_id, sessions)
        self._max_tokens = max_tokens
        self._read_only = read_only
        kinds: list[type[MemoryTool[Any]]] = [RecallTool]
        if not read_only:
            kinds += [RememberTool, ForgetTool]
        tools = [
            kind(
                self._handle,
                user_id=user_id,
                agent_id=agent_id,
                run_id=run_id,
                app_id=app_id,
                sessions=sessions,
                max_tokens=max_tokens,
            )
            for kind in kinds
        ]
        self._bench = StaticWorkbench(list(tools))

    async def list_tools(self) -> list[ToolSchema]:
        """Return the tools' schemas."""
        return await self._bench.list_tools()

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        """Call a tool; its errors are told to the model."""
        return await self._bench.call_tool(name, arguments, cancellation_token, call_id)

    async def start(self) -> None:
        """Open the file."""
        await self._handle.memory()

    async def stop(self) -> None:
        """Let the file go; nothing is deleted, and a later call opens it again."""
        self._handle.close()

    async def reset(self) -> None:
        """Do nothing: memory outlives a team's reset."""

    async def save_state(self) -> Mapping[str, Any]:
        """Return nothing: all state is in the file."""
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Do nothing: all state is in the file."""

    def _to_config(self) -> HoldfastWorkbenchConfig:
        return HoldfastWorkbenchConfig(
            path=self._handle.path,
            **asdict(self._owner),
            max_tokens=self._max_tokens,
            read_only=self._read_only,
        )

    @classmethod
    def _from_config(cls, config: HoldfastWorkbenchConfig) -> Self:
        fields = config.model_dump()
        return cls(fields.pop("path"), **fields)
