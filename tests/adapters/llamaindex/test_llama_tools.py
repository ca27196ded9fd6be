from __future__ import annotations

import pytest
from holdfast import Memory, ScopeError
from holdfast_llamaindex import HoldfastToolSpec
from llama_index.core.tools import FunctionTool
from support.injections import INJECTIONS, leaks

pytestmark = pytest.mark.anyio


@pytest.fixture
def spec(opened: Memory) -> HoldfastToolSpec:
    return HoldfastToolSpec(memory=opened, user_id="ada")


def tools(spec: HoldfastToolSpec) -> dict[str, FunctionTool]:
    return {str(tool.metadata.name): tool for tool in spec.to_tool_list()}


def test_four_tools_have_a_description_and_a_schema(spec: HoldfastToolSpec) -> None:
    found = tools(spec)

    assert list(found) == ["remember", "recall", "correct", "forget"]
    for tool in found.values():
        schema = tool.metadata.get_parameters_dict()
        assert schema["required"]
        assert "user_id" not in schema["properties"]


def test_what_is_remembered_is_recalled(spec: HoldfastToolSpec) -> None:
    found = tools(spec)
    found["remember"].call(text="Ada lives in Berlin.")

    assert '"Ada lives in Berlin."' in str(found["recall"].call(question="Where does Ada live?"))


async def test_the_async_face_does_the_same(spec: HoldfastToolSpec, opened: Memory) -> None:
    found = tools(spec)
    await found["remember"].acall(text="Ada lives in Berlin.")
    id = opened.list(user_id="ada").records[0].id

    await found["correct"].acall(id=id, text="Ada lives in Rome.")
    assert "Rome" in str(await found["recall"].acall(question="Where does Ada live?"))
    await found["forget"].acall(id=id)
    assert "Nothing" in str(await found["recall"].acall(question="Where does Ada live?"))


def test_a_memory_is_corrected_and_forgotten_by_its_id(
    spec: HoldfastToolSpec, opened: Memory
) -> None:
    spec.remember("Ada lives in Berlin.")
    id = opened.list(user_id="ada").records[0].id

    assert id in spec.correct(id, "Ada lives in Rome.")
    assert [record.text for record in opened.list(user_id="ada")] == ["Ada lives in Rome."]
    assert id in spec.forget(id)
    assert len(opened.list(user_id="ada")) == 0


def test_a_models_mistake_is_told_to_the_model(spec: HoldfastToolSpec) -> None:
    assert spec.forget("made-up").startswith("Not done")
    assert spec.remember(" ").startswith("Not done")


def test_tools_of_another_user_reach_nothing(spec: HoldfastToolSpec, opened: Memory) -> None:
    spec.remember("Ada lives in Berlin.")
    id = opened.list(user_id="ada").records[0].id
    bob = HoldfastToolSpec(memory=opened, user_id="bob")

    assert "Nothing" in bob.recall("Where does Ada live?")
    assert bob.forget(id).startswith("Not done")


def test_a_bound_memory_keeps_its_bounds(opened: Memory) -> None:
    bound = opened.scoped(user_id="ada")

    assert HoldfastToolSpec(memory=bound).remember("Ada lives in Berlin.") == "Remembered."
    with pytest.raises(ScopeError):
        HoldfastToolSpec(memory=bound, user_id="bob")


def test_tools_of_nobody_are_refused(opened: Memory) -> None:
    with pytest.raises(ScopeError):
        HoldfastToolSpec(memory=opened)


@pytest.mark.parametrize("stored", INJECTIONS[::10])
def test_nothing_recalled_poses_as_an_instruction(spec: HoldfastToolSpec, stored: str) -> None:
    spec.remember(stored)

    assert leaks(spec.recall("instructions")) == []
