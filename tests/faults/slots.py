"""Every place where a caller can put a text: each parameter of each public callable.

Found by introspection, so that a new verb or a new parameter is there without being named; where
nothing says what to fill a parameter with, `unfilled` names it and a test fails.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import holdfast
from faults.talker import opened, talker
from holdfast import Change, Memory
from holdfast.documents import Collection, Documents, Get, ListNamespaces, Put, Search
from holdfast.documents.checks import SearchOptions

IDS = ("user_id", "agent_id", "run_id", "app_id")
# They end what the other calls need, or take the file away; `rekey` is tried on a file of its own.
LEFT_OUT = {"close", "aclose", "rekey", "open", "to_networkx"}


@dataclass
class Room:
    """What calls are made on: a small memory with something of everything."""

    folder: Path

    def __post_init__(self) -> None:
        self.memory = opened(self.folder / "m.db", talker())
        ids = {"user_id": "ada"}
        (self.turn,) = self.memory.add("tea in Rome with Rosa", infer=False, **ids)
        self.memory.add("I live in Paris", run_id="r", **ids)
        self.memory.add_relations([("Ada", "knows", "Rosa"), ("Rosa", "knows", "Paul")], **ids)
        self.memory.documents.put(("n",), "k", {"a": "tea"}, texts=["tea"])
        self.bound = self.memory.scoped(user_id="ada")
        self.collection = Collection(self.folder / "c.db", ("c",), fingerprint="f")
        self.collection.put([Put(("x",), "k", {"a": "tea"}, ["tea"], vectors=[[1.0, 0.0]])])

    def close(self) -> None:
        self.memory.close()
        self.collection.close()

    def owner(self, name: str) -> Any:
        """Return what a method is called on."""
        made: dict[str, Callable[[], Any]] = {
            "Memory": lambda: self.memory,
            "bound Memory": lambda: self.bound,
            "Documents": lambda: self.memory.documents,
            "Graph": lambda: self.bound.graph(),
            "Collection": lambda: self.collection,
            "holdfast": lambda: holdfast,
        }
        return made[name]()


Call = Callable[[Room, str], Any]


@dataclass(frozen=True)
class Slot:
    """One place for a text: who is called, which parameter, which shape around the text."""

    name: str
    call: Call
    writes: bool = False


OWNERS: dict[str, type | types.ModuleType] = {
    "Memory": Memory,
    "bound Memory": Memory,
    "Documents": Documents,
    "Graph": holdfast.Graph,
    "Collection": Collection,
    "holdfast": holdfast,
}
_WRITES = {"add", "update", "add_relations", "put", "batch", "add_procedure", "merge", "split"}

# -- what is put where nothing is being tried ------------------------------------------------------


def _plain(room: Room, owner: str, method: str, name: str) -> Any:
    if name == "messages" and method == "compress":
        return [{"role": "user", "content": "tea"}]
    if owner == "Collection":
        special: dict[str, Any] = {"keys": ["k"], "vector": [1.0, 0.0], "field": "a", "puts": []}
        if name in special:
            return special[name]
    values: dict[str, Any] = {
        "messages": "I like tea",
        "query": "tea",
        "id": room.turn.id,
        "ids": [room.turn.id],
        "change": room.turn,
        "relations": [("Ada", "knows", "Paul")],
        "name": "Ada",
        "a": "Ada",
        "b": "Paul",
        "path": str(room.folder / "out"),
        "text": "tea",
        "max_tokens": 200,
        "operations": [Get(("n",), "k")],
        "namespace": ("n",),
        "key": "k",
        "value": {"a": 1},
        "matches": room.memory.search("tea", user_id="ada"),
        "count": len,
    }
    return values[name]


# -- what a text becomes in a parameter ------------------------------------------------------------


def _messages(text: str) -> Iterator[tuple[str, Any]]:
    yield "text", text
    yield "content", [{"role": "user", "content": text}]
    yield "parts", [{"role": "user", "content": [{"type": "text", "text": text}]}]
    yield "name", [{"role": "user", "content": "hi", "name": text}]
    yield "id", [{"role": "user", "content": "hi", "id": text}]
    yield "role", [{"role": text, "content": "hi"}]
    yield "metadata", [{"role": "user", "content": "hi", "metadata": {"k": text}}]
    words = text.split()[:400] or [text[:100]]
    yield "many", [{"role": "user", "content": word} for word in words]
    names = [word[:200] for word in words]
    yield "many names", [{"role": "user", "content": "hello", "name": name} for name in names]
    yield "unknown field", [{"role": "user", "content": "hi", text: 1}]


def _conversation(text: str) -> Iterator[tuple[str, Any]]:
    yield "content", [{"role": "user", "content": text}]
    yield "parts", [{"role": "user", "content": [{"type": "text", "text": text}]}]
    words = text.split()[:400] or [text[:100]]
    yield "many", [{"role": "user", "content": word} for word in words]
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": text}}
    yield (
        "tool call",
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": text},
        ],
    )


def _relations(text: str) -> Iterator[tuple[str, Any]]:
    plain = {"subject": "Ada", "relation": "knows", "object": "Rosa"}
    for name in ("subject", "relation", "object", "text", "subject_type", "object_type"):
        yield name, [{**plain, name: text}]
    yield "sources", [{**plain, "sources": [text]}]
    yield "many", [("Ada", "knows", word) for word in text.split()[:100]]


def _filters(text: str) -> Iterator[tuple[str, Any]]:
    yield "value", {"a": text}
    yield "field", {text: 1}
    yield "operator", {"a": {text: 1}}
    yield "contains", {"a": {"contains": text}}
    yield "list", {"a": {"in": [text, "b"]}}
    yield "many", {"OR": [{"a": word} for word in text.split()[:2_000]]}
    yield "text", {"text": {"icontains": text}}


def _operations(text: str) -> Iterator[tuple[str, Any]]:
    yield "put text", [Put(("n",), "k2", {"a": 1}, texts=[text])]
    yield "put value", [Put(("n",), "k2", {"a": text})]
    yield "put field", [Put(("n",), "k2", {text: 1})]
    yield "put key", [Put(("n",), text, {"a": 1})]
    yield "put label", [Put(("n", text), "k2", {"a": 1})]
    yield "get", [Get((text,), "k")]
    yield "labels", [ListNamespaces((text,))]
    yield "search", [Search(("n",), text)]
    yield "words alone", [Search(("n",), text, mode="keyword")]
    yield "mode", [Search(("n",), "tea", mode=text)]  # type: ignore[arg-type]


def _puts(text: str) -> Iterator[tuple[str, Any]]:
    yield "text", [Put(("x",), "k2", {"a": 1}, [text], vectors=[[1.0, 0.0]])]
    yield "value", [Put(("x",), "k2", {"a": text}, ["tea"], vectors=[[1.0, 0.0]])]
    yield "key", [Put(("x",), text, {}, ["tea"], vectors=[[1.0, 0.0]])]
    yield "label", [Put((text,), "k2", {}, ["tea"], vectors=[[1.0, 0.0]])]


_SHAPES: dict[str, Callable[[str], Iterator[tuple[str, Any]]]] = {
    "messages": _messages,
    "relations": _relations,
    "filters": _filters,
    "operations": _operations,
    "puts": _puts,
    "metadata": lambda text: iter([("value", {"k": text}), ("field", {text: 1})]),
    "value": lambda text: iter([("inside", {"k": text}), ("whole", text)]),
    "kinds": lambda text: iter([("one", [text])]),
    "kind": lambda text: iter([("text", text)]),
    "mode": lambda text: iter([("text", text)]),
    "change": lambda text: iter([("id", Change("ADD", text, None, None))]),
    "live": lambda text: iter([("one", [text])]),
    "matches": lambda text: iter(()),
}
_OF_TEXTS = {"texts", "keys", "ids"}
_LABELS = {"namespace", "prefix", "below"}
_NO_TEXT = {
    "limit", "offset", "min_score", "explain", "graph", "as_of", "valid_at", "occurred_at",
    "expires_at", "valid_from", "importance", "infer", "wait", "retry", "progress", "check",
    "refresh", "strict", "depth", "max_hops", "max_tokens", "lifetime", "count", "summary",
    "recent", "full_tokens", "vector", "vectors", "exact", "expired", "unscored", "self",
}  # fmt: skip


def _fillings(name: str, parameter: inspect.Parameter, text: str) -> Iterator[tuple[str, Any]]:
    if name == "messages" and "Given" not in str(parameter.annotation):
        yield from _conversation(text)
    elif name in _SHAPES:
        yield from _SHAPES[name](text)
    elif name in _OF_TEXTS:
        yield "one", [text]
        yield "many", text.split()[:500]
    elif name in _LABELS:
        yield "one", (text,)
        yield "many", tuple(text.split()[:500]) or (text,)
    elif name not in _NO_TEXT and "str" in str(parameter.annotation):
        yield "text", text


def unfilled() -> list[str]:
    """Return parameters of which nobody has said whether and how a text goes in."""
    return [
        f"{owner}.{method}({name})"
        for owner, method, name, parameter in _parameters()
        if name not in _NO_TEXT
        and not list(_fillings(name, parameter, "x y"))
        and name not in _SHAPES
    ]


def _methods(owner: str) -> Iterator[tuple[str, Any]]:
    """Yield public callables; an async twin does what its sync one does, by the same flow."""
    whole = OWNERS[owner]
    names = whole.__all__ if isinstance(whole, types.ModuleType) else dir(whole)
    for name in names:
        found = getattr(whole, name)
        twin = name.startswith("a") and hasattr(whole, name[1:])
        skipped = twin or name.startswith("_") or name in LEFT_OUT
        if inspect.isfunction(found) and not skipped:
            yield name, found


def _parameters() -> Iterator[tuple[str, str, str, inspect.Parameter]]:
    for owner in OWNERS:
        for method, found in _methods(owner):
            for name, parameter in _taken(found).items():
                yield owner, method, name, parameter


def _taken(found: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a callable, the keys in place of ``**options: Unpack[...]``."""
    taken: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(found).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            one = parameter.replace(kind=parameter.KEYWORD_ONLY, default=None)
            options = dict.fromkeys(IDS, "str")
            if "SearchOptions" in str(parameter.annotation):
                options = SearchOptions.__annotations__
            taken |= {key: one.replace(name=key, annotation=of) for key, of in options.items()}
        else:
            taken[name] = parameter
    return taken


def _ids(owner: str, parameters: Any) -> dict[str, str]:
    return {"user_id": "ada"} if owner == "Memory" and "user_id" in parameters else {}


def found_slots() -> list[Slot]:
    """Return the slots of all public callables."""
    made = []
    for owner, method, name, parameter in _parameters():
        for number, (shape, _) in enumerate(_fillings(name, parameter, "x y")):
            call = _calling(owner, method, name, parameter, number)
            made.append(Slot(f"{owner}.{method}({name}: {shape})", call, method in _WRITES))
    return made


def _calling(owner: str, method: str, name: str, parameter: inspect.Parameter, number: int) -> Call:
    def call(room: Room, text: str) -> Any:
        callee = getattr(room.owner(owner), method)
        parameters = _taken(callee)
        given: dict[str, Any] = _ids(owner, parameters)
        for other, one in parameters.items():
            if one.default is inspect.Parameter.empty and other != name:
                given[other] = _plain(room, owner, method, other)
        given[name] = list(_fillings(name, parameter, text))[number][1]
        if name == "path":
            given[name] = f"{room.folder}/{text}"
        return callee(**given)

    return call


def opening_slots() -> list[Slot]:
    """Return the slots of opening a file."""

    def opening(**options: Any) -> Call:
        def call(room: Room, text: str) -> Any:
            made = {name: value(text) for name, value in options.items()}
            path = made.pop("path", room.folder / "other.db")
            opened(path, talker(), **made).close()

        return call

    return [
        Slot("Memory(path)", lambda room, text: opened(f"{room.folder}/{text}").close()),
        Slot("Memory(key)", opening(path=lambda text: ":memory:", key=str)),
        Slot("Memory(indexed)", opening(path=lambda text: ":memory:", indexed=lambda text: [text])),
        Slot("Documents.put(lifetime)", lambda room, text: room.memory.documents.put(
            ("n",), text, 1, texts=[text], lifetime=timedelta(1))),
    ]  # fmt: skip
