"""What the tests of the two-phase pipeline share: scripted answers, and a memory over loopback."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast import Change, Changes, Memory, Record
from holdfast.providers.openai import OpenAILLM
from holdfast.testing import HashEmbedder
from support.openai_server import OpenAIServer

LIVES_IN = {"subject": "user", "relation": "lives_in", "single_valued": True}


def lives_in(place: str) -> dict[str, Any]:
    """The relation of somebody's one home."""
    return {**LIVES_IN, "object": place, "subject_type": "person", "object_type": "place"}


def fact(text: str, *turns: int, when: str = "", **rest: Any) -> dict[str, Any]:
    """One fact as extraction is told it; of turn 1 unless others are named."""
    return {
        "text": text,
        "about": "user",
        "turns": list(turns) or [1],
        "when": when,
        "importance": 0.6,
        "category": "profile",
        "relations": [],
        **rest,
    }


def facts(*given: Mapping[str, Any] | str) -> dict[str, Any]:
    """The answer of extraction."""
    return {"facts": [fact(one) if isinstance(one, str) else dict(one) for one in given]}


def decision(event: str, *memories: int, of: str = "F1", text: str = "") -> dict[str, Any]:
    """One decision of consolidation."""
    made = {"fact": of, "event": event, "memories": list(memories)}
    return {**made, "text": text, "reason": f"because {event.lower()}"}


def decisions(*given: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of consolidation."""
    return {"decisions": [dict(one) for one in given]}


def model(server: OpenAIServer, **options: Any) -> OpenAILLM:
    """A real client of the loopback server; faults are not retried unless a test says so."""
    return OpenAILLM("test", **{"base_url": server.url, "retries": 0, "timeout": 10.0, **options})


def opened(path: Path, llm: Any, **options: Any) -> Memory:
    """A memory with a hashing embedder."""
    return Memory(path / "memory.db", **{"embedder": HashEmbedder(), "llm": llm, **options})


def of(changes: Changes) -> list[Change]:
    """The changes of facts: those that come after the turns."""
    return [change for change in changes if (change.after or change.before or _NONE).kind == "fact"]


class _Nothing:
    kind = "nothing"


_NONE = _Nothing()


def texts(memory: Memory, kind: str = "fact", user_id: str = "ada") -> list[str]:
    """What holds now."""
    return [record.text for record in memory.list(user_id=user_id, kinds=[kind])]


def only(memory: Memory, kind: str = "fact", user_id: str = "ada") -> Record:
    """The one record of a kind."""
    (record,) = memory.list(user_id=user_id, kinds=[kind])
    return record


def echo(messages: Any, tool: Any) -> dict[str, Any]:
    """Record each new message as a fact of its own words, add every one, summarise in a word."""
    asked = messages[1]["content"]
    if tool.name == "record_facts":
        return facts(*(fact(f"Noted: {text}", number) for number, text in new_messages(asked)))
    if tool.name == "decide":
        return decisions(*(decision("ADD", of=name) for name in re.findall(r"(?m)^F\d+", asked)))
    return {"summary": "Much was said."}


def new_messages(asked: str) -> list[tuple[int, str]]:
    """Read the numbered messages out of an extraction prompt: (number, words)."""
    inside = asked.split("<new_messages>")[1].split("</new_messages>")[0]
    found = []
    for row in inside.strip().splitlines():
        number, _, rest = row.partition(" | ")
        found.append((int(number), json.loads(rest.rsplit(" | ", 1)[1])))
    return found
