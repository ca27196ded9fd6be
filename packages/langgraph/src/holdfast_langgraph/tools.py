"""Tools with which an agent keeps and finds memories, with the signatures of LangMem's.

    tools = [
        create_manage_memory_tool(("memories", "{user_id}")),
        create_search_memory_tool(("memories", "{user_id}")),
    ]
    agent = create_agent(model, tools, store=store)

They work in ``create_agent``, in a ``ToolNode`` and in nodes, sync and async, on any store. What
the model gets wrong (an unknown id) comes back to it as the tool's answer; nothing is written.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holdfast import InvalidInputError
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.config import get_store
from langgraph.store.base import BaseStore, SearchItem
from pydantic import BaseModel, create_model

from holdfast_langgraph.scopes import NamespaceTemplate
from holdfast_langgraph.store.values import plain

Action: TypeAlias = Literal["create", "update", "delete"]

ACTIONS: tuple[Action, ...] = ("create", "update", "delete")
MANAGE = (
    "Call it when you learn something about the user that will matter in later conversations, "
    "when the user asks you to remember or to forget something, when your work yields something "
    "worth keeping, and when a memory you have been shown is wrong or out of date."
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tool keeps its memories."""

    template: NamespaceTemplate
    given: BaseStore | None

    def store(self) -> BaseStore:
        if self.given is not None:
            return self.given
        try:
            store = get_store()
        except (RuntimeError, KeyError) as error:
            raise InvalidInputError(_NO_STORE) from error
        if store is None:
            raise InvalidInputError(_NO_STORE)
        return store


_NO_STORE = "the tool has no store: compile the graph with store=, or give the tool one"


def create_manage_memory_tool(
    namespace: tuple[str, ...] | str,
    *,
    instructions: str = MANAGE,
    schema: type = str,
    actions_permitted: Sequence[Action] = ACTIONS,
    store: BaseStore | None = None,
    name: str = "manage_memory",
) -> BaseTool:
    """Return a tool that creates, updates and deletes memories.

    The model calls it with ``content``, ``action`` and ``id``. A memory is stored as
    ``{"content": ...}`` under a new id.

    Args:
        namespace: Where; ``"{user_id}"`` is filled in from the run's context or
            ``config["configurable"]``.
        instructions: Tell the model when to call it.
        schema: Type of the content, for example a Pydantic model.
        actions_permitted: Which actions the model has.
        store: By default the graph's.
        name: What the model calls it.
    """
    managing = _Managing(_Place(NamespaceTemplate(namespace), store), _permitted(actions_permitted))
    return StructuredTool.from_function(
        managing.manage,
        managing.amanage,
        name=name,
        description=_description(managing.permitted, instructions),
        args_schema=managing.arguments(name, schema),
        handle_tool_error=True,
    )


@dataclass(frozen=True, slots=True)
class _Managing:
    """What the managing tool does."""

    place: _Place
    permitted: tuple[Action, ...]

    @property
    def default(self) -> Action:
        return "create" if "create" in self.permitted else self.permitted[0]

    def arguments(self, name: str, schema: type) -> type[BaseModel]:
        """Return what the model may fill in."""
        content: Any = schema | None
        action: Any = Literal[self.permitted]
        return create_model(
            name, content=(content, None), action=(action, self.default), id=(str | None, None)
        )

    def manage(
        self, content: Any = None, action: Action | None = None, id: str | None = None
    ) -> str:
        action = self._checked(content, action or self.default, id)
        store, labels = self.place.store(), self.place.template.filled()
        if id is not None and store.get(labels, id) is None:
            raise ToolException(_unknown(id))
        key = id or str(uuid.uuid4())
        if action == "delete":
            store.delete(labels, key)
        else:
            store.put(labels, key, {"content": plain(content)})
        return f"{action}d memory {key}"

    async def amanage(
        self, content: Any = None, action: Action | None = None, id: str | None = None
    ) -> str:
        action = self._checked(content, action or self.default, id)
        store, labels = self.place.store(), self.place.template.filled()
        if id is not None and await store.aget(labels, id) is None:
            raise ToolException(_unknown(id))
        key = id or str(uuid.uuid4())
        if action == "delete":
            await store.adelete(labels, key)
        else:
            await store.aput(labels, key, {"content": plain(content)})
        return f"{action}d memory {key}"

    def _checked(self, content: object, action: Action, id: str | None) -> Action:
        """Return the action, if it and what comes with it make sense."""
        if action not in self.permitted:
            raise ToolException(f"Invalid action {action!r}: allowed are {self.permitted}.")
        if action == "create" and id is not None:
            raise ToolException("A new memory gets its id from the store: leave out id.")
        if action != "create" and not id:
            raise ToolException(f"To {action} a memory, give its id, as search shows it.")
        if action != "delete" and content is None:
            raise ToolException(f"To {action} a memory, give its content.")
        return action


def _permitted(actions: Sequence[Action]) -> tuple[Action, ...]:
    if not actions:
        raise InvalidInputError("actions_permitted must name at least one action")
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown:
        raise InvalidInputError(f"unknown actions {unknown}; allowed are {', '.join(ACTIONS)}")
    return tuple(actions)


def create_search_memory_tool(
    namespace: tuple[str, ...] | str,
    *,
    instructions: str = "",
    store: BaseStore | None = None,
    response_format: Literal["content", "content_and_artifact"] = "content",
    name: str = "search_memory",
) -> BaseTool:
    """Return a tool that searches memories and gives them as JSON.

    The model calls it with ``query``, ``limit``, ``offset`` and ``filter``.

    Args:
        namespace, store, name: As of `create_manage_memory_tool`.
        instructions: Tell the model when to call it.
        response_format: ``"content_and_artifact"`` also gives the items to the program.
    """
    place = _Place(NamespaceTemplate(namespace), store)

    def answered(found: list[SearchItem]) -> Any:
        text = json.dumps([item.dict() for item in found], ensure_ascii=False)
        return (text, found) if response_format == "content_and_artifact" else text

    def search_memory(
        query: str, *, limit: int = 10, offset: int = 0, filter: dict[str, Any] | None = None
    ) -> Any:
        found = place.store().search(
            place.template.filled(), query=query, filter=filter, limit=limit, offset=offset
        )
        return answered(found)

    async def asearch_memory(
        query: str, *, limit: int = 10, offset: int = 0, filter: dict[str, Any] | None = None
    ) -> Any:
        found = await place.store().asearch(
            place.template.filled(), query=query, filter=filter, limit=limit, offset=offset
        )
        return answered(found)

    return StructuredTool.from_function(
        search_memory,
        asearch_memory,
        name=name,
        description="Search your memories of earlier conversations for what matters now. "
        f"{instructions}".strip(),
        response_format=response_format,
    )


def _unknown(id: str) -> str:
    return f"There is no memory {id}; nothing was changed. Search for it, or create a new one."


def _description(permitted: Sequence[str], instructions: str) -> str:
    *first, last = permitted
    verbs = (f"{', '.join(first)} or {last}" if first else last).capitalize()
    return (
        f"{verbs} a memory that lasts beyond this conversation.\n"
        "To update or delete one, give its id; a new one gets its own.\n"
        f"{instructions}"
    )
