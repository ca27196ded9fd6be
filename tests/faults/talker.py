"""A model that reads facts out of plain sentences: the same answer to the same prompt, always.

``I live in X`` is a fact with a single-valued relation, so a later one ends it, whichever session
says it; ``I like X`` is one that stands beside others. What the rules leave open it decides by a
hash of the prompt, so that two files with equal contents stay equal.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from holdfast import Memory, Tool
from holdfast.testing import HashEmbedder, ScriptedLLM

Messages = Sequence[Mapping[str, str]]

_SAID = re.compile(r"I (live in|like) (\w+)")
_RELATIONS = {"live in": ("lives_in", True), "like": ("likes", False)}
_EVENTS = ("ADD", "ADD", "ADD", "UPDATE", "DELETE", "NONE")


def answer(messages: Messages, tool: Tool | None) -> dict[str, Any] | str:
    """Answer any prompt of the pipeline."""
    asked = messages[1]["content"]
    if tool is None:
        return "short"
    if tool.name == "record_facts":
        return {"facts": list(_facts(asked))}
    if tool.name == "decide":
        return {"decisions": [_decision(row) for row in re.findall(r"(?m)^F\d+ .*$", asked)]}
    if tool.name == "record_summary":
        words = re.findall(r"I (?:live in|like) \w+", asked)
        return {"summary": f"Much was said: {'; '.join(words[-3:]) or 'little'}."}
    found = _SAID.findall(asked)
    steps = [f"{verb} {place}" for verb, place in found] or ["talked"]
    return {"title": "Talk", "goal": "Talk", "steps": steps, "outcome": "done"}


def _facts(asked: str) -> Any:
    inside = asked.split("<new_messages>")[1].split("</new_messages>")[0]
    for row in inside.strip().splitlines():
        number = int(row.partition(" | ")[0])
        for verb, place in _SAID.findall(row):
            label, single = _RELATIONS[verb]
            relation = {
                "subject": "user",
                "subject_type": "person",
                "relation": label,
                "object": place,
                "object_type": "",
                "single_valued": single,
            }
            yield {
                "text": f"The user {verb}s {place}".replace("live ins", "lives in"),
                "about": "user",
                "turns": [number],
                "when": "",
                "importance": 0.6,
                "category": "profile",
                "relations": [relation],
            }


def _decision(row: str) -> dict[str, Any]:
    """Decide on one row of the prompt: ``F1 | day | near 1, 2 | "..."``."""
    name, near = row.split(" ", 1)[0], re.search(r"near ([\d, ]*)", row)
    numbers = [int(number) for number in re.findall(r"\d+", near.group(1))] if near else []
    event = _EVENTS[zlib.crc32(row.encode()) % len(_EVENTS)] if numbers else "ADD"
    said = re.search(r'"(The user [^"]*)"', row)
    return {
        "fact": name,
        "event": event,
        "memories": [] if event == "ADD" else numbers[:1],
        "text": said.group(1) if said and event == "UPDATE" else "",
        "reason": f"because {event.lower()}",
    }


def talker() -> ScriptedLLM:
    """Return a model that never runs out of answers."""
    return ScriptedLLM(repeat(answer))


def opened(path: Path | str, llm: ScriptedLLM | None = None, **options: Any) -> Memory:
    """Open a file with small vectors and, if given, this model."""
    return Memory(path, embedder=HashEmbedder(32), llm=llm, **options)
