"""`HoldfastToolSpec`: memory as tools an agent calls itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import holdfast
from holdfast import HoldfastError, InvalidInputError, RecordNotFoundError
from holdfast.adapters.connections import IN_MEMORY
from llama_index.core.tools.tool_spec.base import BaseToolSpec

from holdfast_llamaindex.connections import connect, share

if TYPE_CHECKING:
    from holdfast import Change, Changes, Match, Memory

MOST = 20
_NOTHING = "Nothing is remembered about that."


class HoldfastToolSpec(BaseToolSpec):
    """Tools to remember, recall, correct and forget.

        FunctionAgent(tools=HoldfastToolSpec(path="memory.db", user_id="ada").to_tool_list(), ...)

    The model chooses words and ids of memories, never whose memory it is: the tools reach no
    other scope than the one given here. What is recalled is quoted as data.

    Args:
        path: The file; one that is open in this process is shared. By default in RAM.
        memory: An open `holdfast.Memory`, in place of a path; a bound one is kept to its scope.
        user_id, agent_id, run_id, app_id: Whose memory; at least one, unless `memory` is bound.

    Raises:
        ScopeError: It is nobody's memory.
    """

    spec_functions: ClassVar[Sequence[tuple[str, str]]] = [  # type: ignore[assignment,misc]
        ("remember", "aremember"),
        ("recall", "arecall"),
        ("correct", "acorrect"),
        ("forget", "aforget"),
    ]

    def __init__(
        self,
        path: str | os.PathLike[str] = IN_MEMORY,
        *,
        memory: Memory | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> None:
        ids: dict[str, Any] = {
            "user_id": user_id,
            "agent_id": agent_id,
            "run_id": run_id,
            "app_id": app_id,
        }
        self._memory = (memory or share(connect(path))).scoped(**ids)

    def remember(self, text: str) -> str:
        """Remember a fact about the user or their world, in one sentence that stands alone."""
        try:
            return _remembered(self._memory.add(text, kind="fact"))
        except HoldfastError as error:
            return _failed(error)

    async def aremember(self, text: str) -> str:
        """Remember a fact about the user or their world, in one sentence that stands alone."""
        try:
            return _remembered(await self._memory.aadd(text, kind="fact"))
        except HoldfastError as error:
            return _failed(error)

    def recall(self, question: str, limit: int = 5) -> str:
        """Look up what earlier conversations say. Each line: id, day, who, quoted words."""
        try:
            return _recalled(self._memory.search(question, limit=_limit(limit)))
        except HoldfastError as error:
            return _failed(error)

    async def arecall(self, question: str, limit: int = 5) -> str:
        """Look up what earlier conversations say. Each line: id, day, who, quoted words."""
        try:
            return _recalled(await self._memory.asearch(question, limit=_limit(limit)))
        except HoldfastError as error:
            return _failed(error)

    def correct(self, id: str, text: str) -> str:
        """Replace what a memory says, by the id that recall showed."""
        try:
            return _corrected(self._memory.update(id, text))
        except HoldfastError as error:
            return _failed(error)

    async def acorrect(self, id: str, text: str) -> str:
        """Replace what a memory says, by the id that recall showed."""
        try:
            return _corrected(await self._memory.aupdate(id, text))
        except HoldfastError as error:
            return _failed(error)

    def forget(self, id: str) -> str:
        """Erase a memory for good, by the id that recall showed."""
        try:
            return _forgotten(self._memory.delete(id)[0])
        except HoldfastError as error:
            return _failed(error)

    async def aforget(self, id: str) -> str:
        """Erase a memory for good, by the id that recall showed."""
        try:
            return _forgotten((await self._memory.adelete(id))[0])
        except HoldfastError as error:
            return _failed(error)


def _limit(limit: int) -> int:
    return max(1, min(limit, MOST))


def _remembered(changes: Changes) -> str:
    return "Remembered." if changes.records else "That was known already."


def _recalled(matches: Sequence[Match]) -> str:
    return "\n".join(_line(match) for match in matches) or _NOTHING


def _line(match: Match) -> str:
    record = match.record
    day, who = record.occurred_at.date().isoformat(), record.role or record.kind
    return f"{record.id} {day} {who}: {holdfast.quote(match.passage)}"


def _corrected(change: Change) -> str:
    return f"Corrected {change.id}."


def _forgotten(change: Change) -> str:
    return f"Forgot {change.id}."


def _failed(error: HoldfastError) -> str:
    """Tell the model what it can mend; what it cannot is raised."""
    if isinstance(error, InvalidInputError | RecordNotFoundError):
        return f"Not done: {error}"
    raise error
