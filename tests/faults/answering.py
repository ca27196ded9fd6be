"""Texts in the answers of a model, and of the endpoint behind `holdfast.openai.wrap`.

A model says anything: each field of each tool's answer in turn holds the text, or the whole answer
is the text. What it says is data; the worst it may do is to be refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import httpx
import openai
from faults.slots import Call, Room, Slot
from faults.talker import answer, opened
from holdfast.openai import wrap
from holdfast.testing import ScriptedLLM

_FACT_FIELDS = ("text", "about", "when", "category")
_RELATION_FIELDS = ("subject", "subject_type", "relation", "object", "object_type")
_Change = Callable[[Any, str], Any]


def _in_facts(name: str) -> _Change:
    def change(data: Any, text: str) -> Any:
        for fact in data["facts"]:
            fact[name] = text
        return data

    return change


def _in_relations(name: str) -> _Change:
    def change(data: Any, text: str) -> Any:
        for fact in data["facts"]:
            for relation in fact["relations"]:
                relation[name] = text
        return data

    return change


def _many_facts(data: Any, text: str) -> Any:
    words = text.split()[:2_000]
    return {"facts": [{**data["facts"][0], "text": word} for word in words]}


def _in_decisions(name: str) -> _Change:
    def change(data: Any, text: str) -> Any:
        for one in data["decisions"]:
            one |= {"event": "UPDATE", "memories": [1], name: text}
        return data

    return change


_CHANGES: dict[str, dict[str, _Change]] = {
    "record_facts": {
        **{name: _in_facts(name) for name in _FACT_FIELDS},
        **{f"relations.{name}": _in_relations(name) for name in _RELATION_FIELDS},
        "turns": _in_facts("turns"),
        "many": _many_facts,
        "field": lambda data, text: {**data, text: 1},
    },
    "decide": {
        name: _in_decisions(name) for name in ("text", "reason", "fact", "event", "memories")
    },
    "record_summary": {"summary": lambda data, text: {"summary": text}},
    "record_procedure": {
        "title": lambda data, text: {**data, "title": text},
        "goal": lambda data, text: {**data, "goal": text},
        "outcome": lambda data, text: {**data, "outcome": text},
        "steps": lambda data, text: {**data, "steps": [text]},
        "many steps": lambda data, text: {**data, "steps": text.split()[:5_000]},
    },
}


def answer_slots() -> list[Slot]:
    """Return a slot for each field of each tool, and for plain text in its place."""
    made = []
    for tool, changes in _CHANGES.items():
        for name, change in changes.items():
            made.append(Slot(f"answer {tool}({name})", _asking(tool, change), writes=True))
        plain: _Change = lambda data, text: text  # noqa: E731
        made.append(Slot(f"answer {tool} in words", _asking(tool, plain), writes=True))
    return made


def _asking(tool: str, change: _Change) -> Call:
    def script(text: str) -> Callable[..., Any]:
        def reply(messages: Sequence[Mapping[str, str]], asked: Any) -> Any:
            said = answer(messages, asked)
            return change(said, text) if asked is not None and asked.name == tool else said

        return reply

    def call(room: Room, text: str) -> None:
        llm = ScriptedLLM(repeat(script(text)))
        with opened(room.folder / "m.db", llm) as memory:
            ids = {"user_id": "ada", "run_id": "r"}
            if tool == "record_procedure":
                memory.add_procedure("talk", **ids)
                return
            memory.add("I like boats", **ids)
            if tool == "record_summary":
                memory.add([f"more {number}" for number in range(24)], **ids)
                memory.flush(retry=True)

    return call


# -- the OpenAI client -----------------------------------------------------------------------------


def _client(said: str) -> openai.OpenAI:
    """Return a client whose endpoint, within this process, always answers the same."""
    message = {"role": "assistant", "content": said}
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    told = json.dumps(body).encode()
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=told, headers={"content-type": "application/json"})
    )
    http = httpx.Client(transport=transport)
    return openai.OpenAI(api_key="any", base_url="http://model.test", http_client=http)


def _wrapped(asked: Callable[[str], str], said: Callable[[str], str]) -> Call:
    def call(room: Room, text: str) -> None:
        if not _sendable(text):
            return  # no client can send it, with or without memory
        with _client(said(text)) as client:
            wrapped = wrap(client, room.memory, user_id="ada", infer=False, wait=True)
            messages: list[Any] = [{"role": "user", "content": asked(text)}]
            wrapped.chat.completions.create(model="m", messages=messages)

    return call


def _sendable(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def wrapped_slots() -> list[Slot]:
    """Return the slots of a wrapped client: what is asked, what is answered, whose it is."""

    def whose(name: str) -> Call:
        def call(room: Room, text: str) -> None:
            with _client("noted") as client:
                wrap(client, room.memory, **{name: text})

        return call

    return [
        Slot("wrap: what is asked", _wrapped(lambda text: text, lambda _: "noted"), writes=True),
        Slot("wrap: what is answered", _wrapped(lambda _: "hi", lambda text: text), writes=True),
        *(Slot(f"wrap({name})", whose(name)) for name in ("user_id", "run_id")),
    ]
