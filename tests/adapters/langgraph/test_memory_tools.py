import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from holdfast import InvalidInputError
from holdfast_langgraph import (
    HoldfastStore,
    create_manage_memory_tool,
    create_search_memory_tool,
)
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel
from support.word_embeddings import WordEmbeddings

PLACE = ("memories", "ada")
Invoke = Callable[[Any, dict[str, Any]], Any]

faces = pytest.mark.parametrize(
    "invoke",
    [
        lambda tool, arguments: tool.invoke(arguments),
        lambda tool, arguments: asyncio.run(tool.ainvoke(arguments)),
    ],
    ids=["sync", "async"],
)


@pytest.fixture
def store() -> HoldfastStore:
    return HoldfastStore(":memory:", index={"embed": WordEmbeddings(), "fields": ["content"]})


@faces
def test_a_memory_is_created_updated_and_deleted(store: HoldfastStore, invoke: Invoke) -> None:
    manage = create_manage_memory_tool(PLACE, store=store)

    created = invoke(manage, {"content": "Ada drinks tea"})
    key = created.removeprefix("created memory ")
    assert store.get(PLACE, key).value == {"content": "Ada drinks tea"}  # type: ignore[union-attr]

    assert invoke(manage, {"content": "Ada drinks mate", "action": "update", "id": key}) == (
        f"updated memory {key}"
    )
    assert store.get(PLACE, key).value == {"content": "Ada drinks mate"}  # type: ignore[union-attr]

    assert invoke(manage, {"action": "delete", "id": key}) == f"deleted memory {key}"
    assert store.get(PLACE, key) is None


@faces
@pytest.mark.parametrize("action", ["update", "delete"])
def test_an_id_that_is_not_there_is_told_to_the_model(
    store: HoldfastStore, invoke: Invoke, action: str
) -> None:
    manage = create_manage_memory_tool(PLACE, store=store)

    told = invoke(manage, {"content": "x", "action": action, "id": "none"})

    assert "There is no memory none" in told
    assert store.search(PLACE) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"content": "x", "id": "1"}, "leave out id"),
        ({"action": "delete"}, "give its id"),
        ({"action": "create"}, "give its content"),
    ],
)
def test_what_the_model_gets_wrong_is_told_to_it(
    store: HoldfastStore, arguments: dict[str, Any], told: str
) -> None:
    assert told in create_manage_memory_tool(PLACE, store=store).invoke(arguments)


def test_actions_may_be_limited(store: HoldfastStore) -> None:
    manage = create_manage_memory_tool(PLACE, store=store, actions_permitted=("update",))

    assert "update a memory" in manage.description.lower()
    assert manage.args["action"]["const"] == "update"
    with pytest.raises(InvalidInputError):
        create_manage_memory_tool(PLACE, actions_permitted=())
    with pytest.raises(InvalidInputError):
        create_manage_memory_tool(PLACE, actions_permitted=("drop",))  # type: ignore[arg-type]


class Profile(BaseModel):
    name: str
    tastes: list[str] = []


def test_content_may_have_a_schema(store: HoldfastStore) -> None:
    manage = create_manage_memory_tool(PLACE, store=store, schema=Profile)

    manage.invoke({"content": {"name": "Ada", "tastes": ["tea"]}})

    assert store.search(PLACE)[0].value == {"content": {"name": "Ada", "tastes": ["tea"]}}
    assert "Profile" in json.dumps(manage.tool_call_schema.model_json_schema())  # type: ignore[union-attr]


@faces
def test_a_search_gives_items_as_json(store: HoldfastStore, invoke: Invoke) -> None:
    store.put(PLACE, "1", {"content": "Ada drinks tea", "topic": "food"})
    store.put(PLACE, "2", {"content": "Ada drives a car", "topic": "car"})
    search = create_search_memory_tool(PLACE, store=store)

    found = json.loads(invoke(search, {"query": "tea", "limit": 1}))
    filtered = json.loads(invoke(search, {"query": "tea", "filter": {"topic": "car"}}))

    assert [item["value"]["content"] for item in found] == ["Ada drinks tea"]
    assert [item["key"] for item in filtered] == ["2"]


def test_the_program_may_have_the_items_too(store: HoldfastStore) -> None:
    store.put(PLACE, "1", {"content": "Ada drinks tea"})
    search = create_search_memory_tool(PLACE, store=store, response_format="content_and_artifact")

    call = {"name": "search_memory", "args": {"query": "tea"}, "id": "1", "type": "tool_call"}
    message = search.invoke(call)

    assert isinstance(message, ToolMessage)
    assert message.artifact[0].key == "1"


@dataclass
class Who:
    user_id: str


def acting(tools: list[Any], store: Any) -> Any:
    graph = StateGraph(MessagesState, context_schema=Who)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "tools")
    return graph.compile(store=store)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": "1"}])]}


@pytest.mark.parametrize("make", [InMemoryStore, lambda: HoldfastStore(":memory:")])
def test_in_a_graph_the_namespace_comes_from_the_run(make: Callable[[], Any]) -> None:
    store = make()
    tools = [create_manage_memory_tool(("memories", "{user_id}", "of-{team}"))]
    graph = acting(tools, store)
    team = {"configurable": {"team": "red"}}

    graph.invoke(call("manage_memory", content="tea"), team, context=Who("ann@example.com"))
    asyncio.run(graph.ainvoke(call("manage_memory", content="tea"), team, context=Who("bob")))
    graph.invoke(
        call("manage_memory", content="tea"), {"configurable": {"team": "red", "user_id": "cy"}}
    )

    assert store.list_namespaces() == [
        ("memories", "ann@example%2Ecom", "of-red"),
        ("memories", "bob", "of-red"),
        ("memories", "cy", "of-red"),
    ]


def test_a_run_that_does_not_say_whose_is_an_error() -> None:
    graph = acting([create_search_memory_tool(("memories", "{user_id}"))], InMemoryStore())

    with pytest.raises(InvalidInputError, match="user_id"):
        graph.invoke(call("search_memory", query="tea"))


def test_a_tool_by_itself_takes_the_namespace_from_its_config(store: HoldfastStore) -> None:
    manage = create_manage_memory_tool(("memories", "{user_id}"), store=store)
    manage.invoke({"content": "Ada drinks tea"}, {"configurable": {"user_id": "ada"}})

    assert len(store.search(PLACE)) == 1
    with pytest.raises(InvalidInputError, match="the namespace needs 'user_id'"):
        manage.invoke({"content": "Ada drinks tea"})


def test_without_a_store_the_tool_says_so() -> None:
    with pytest.raises(InvalidInputError, match="store"):
        create_search_memory_tool(PLACE).invoke({"query": "tea"})
