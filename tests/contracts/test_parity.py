"""The two faces are one: every verb has a twin of the same signature; and the front door."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import get_type_hints

import holdfast
import pytest
from holdfast import Documents, Memory, Scope
from holdfast.chatlog import ChatLog
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast.types import Ids

SYNC_ONLY = {
    Memory: {"scoped", "rekey", "graph", "chat_log"},
    Documents: {"open", "close"},
    ChatLog: set(),
}


def verbs(owner: type) -> list[str]:
    return sorted(
        name
        for name, member in inspect.getmembers(owner, callable)
        if not name.startswith("_") and not inspect.iscoroutinefunction(member)
    )


def parameters(function: object) -> list[tuple[object, ...]]:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    named = [(p.name, p.kind, p.default, p.annotation) for p in signature.parameters.values()]
    return [*named, ("return", signature.return_annotation)]


@pytest.mark.parametrize("owner", [Memory, Documents, ChatLog])
def test_every_verb_has_a_twin_of_the_same_signature(owner: type) -> None:
    plain = [name for name in verbs(owner) if name not in SYNC_ONLY[owner]]
    assert plain
    for name in plain:
        twin = getattr(owner, "a" + name, None)
        assert inspect.iscoroutinefunction(twin), f"{owner.__name__}.{name} has no async twin"
        assert parameters(getattr(owner, name)) == parameters(twin), name


@pytest.mark.parametrize("owner", [Memory, Documents, ChatLog])
def test_every_async_method_is_somebodys_twin(owner: type) -> None:
    twins = [n for n, m in inspect.getmembers(owner, inspect.iscoroutinefunction) if n[0] != "_"]
    assert all(name[0] == "a" and hasattr(owner, name[1:]) for name in twins)


@pytest.mark.parametrize("owner", [Memory, Documents, ChatLog])
def test_every_public_method_is_documented_and_takes_no_untyped_options(owner: type) -> None:
    for name, member in inspect.getmembers(owner, callable):
        if name.startswith("_"):
            continue
        assert inspect.getdoc(member), name
        loose = [
            p for p in inspect.signature(member).parameters.values() if p.kind is p.VAR_KEYWORD
        ]
        assert all(str(p.annotation).startswith("Unpack[") for p in loose), name


def test_the_ids_of_a_verb_are_the_four_of_a_scope() -> None:
    ids = get_type_hints(Ids)
    assert list(ids) == [field.name for field in dataclasses.fields(Scope)]
    assert set(ids.values()) == {str | None}


@pytest.fixture(scope="module")
def memory() -> Iterator[Memory]:
    with Memory(":memory:", embedder=HashEmbedder(), llm=ScriptedLLM([])) as opened:
        yield opened


SCOPED = [
    name for name in verbs(Memory) if "Unpack[Ids]" in str(inspect.signature(getattr(Memory, name)))
]


def test_every_verb_of_memories_takes_the_ids() -> None:
    whole = {"close", "export", "purge", "reembed", "rekey", "stats", "vacuum"}
    assert set(verbs(Memory)) - set(SCOPED) == whole


@pytest.mark.parametrize("name", SCOPED)
@pytest.mark.parametrize("bound", [False, True])
def test_a_misspelt_id_never_widens_a_scope(memory: Memory, name: str, bound: bool) -> None:
    owner = memory.scoped(user_id="ada") if bound else memory
    given = {} if bound else {"user_id": "ada"}
    needed = inspect.signature(getattr(owner, name)).parameters.values()
    odd = [None for p in needed if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    told = "unexpected keyword argument 'runid'.*user_id, agent_id, run_id, app_id"
    with pytest.raises(TypeError, match=told):
        getattr(owner, name)(*odd, **given, runid="r1")
    if hasattr(owner, "a" + name):
        with pytest.raises(TypeError, match=told):
            asyncio.run(getattr(owner, "a" + name)(*odd, **given, runid="r1"))


def test_the_front_door_is_sorted_and_every_name_opens() -> None:
    names = holdfast.__all__
    classes = sorted(name for name in names if not name.isupper())
    constants = sorted(name for name in names if name.isupper())
    assert names == constants + classes
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(getattr(holdfast, name), "__name__", name) in (name, "Literal")
    assert set(dir(holdfast)) >= set(names)


def test_every_error_is_at_the_front_door() -> None:
    tree = [holdfast.HoldfastError]
    for error in tree:
        tree += error.__subclasses__()
    ours = {error.__name__ for error in tree if error.__module__ == "holdfast.errors"}
    assert ours <= set(holdfast.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Memroy'"):
        holdfast.Memroy  # noqa: B018


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


HEAVY = {"faiss", "numpy", "onnxruntime", "openai", "sqlcipher3", "sqlite3", "regex", "asyncio"}


def test_importing_holdfast_loads_nothing_heavy() -> None:
    assert loaded_by("import holdfast") & HEAVY == set()


def test_values_and_errors_load_nothing_heavy() -> None:
    names = "Message, Scope, Record, Change, HoldfastError, StorageError"
    assert loaded_by(f"from holdfast import {names}") & HEAVY == set()


def test_memory_with_an_embedder_of_its_own_loads_no_model() -> None:
    statement = (
        "from holdfast import Memory\nfrom holdfast.testing import HashEmbedder\n"
        "Memory(':memory:', embedder=HashEmbedder()).close()"
    )
    assert loaded_by(statement) & {"onnxruntime", "openai", "onnx", "tokenizers"} == set()
