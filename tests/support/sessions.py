"""Facts that cross sessions: a scripted model for them, and what a file opened anew answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

from holdfast import Memory
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import decision, decisions, fact, facts, new_messages

SAID = re.compile(r"I (live in|like) (\w+)")


def listening(messages: Any, tool: Any) -> Any:
    """Record "I live in X" (one at a time) and "I like X"; add whatever is in doubt."""
    asked = messages[1]["content"]
    if tool.name == "record_facts":
        heard = [(number, *said) for number, text in new_messages(asked) for said in told(text)]
        return facts(*(_fact(*one) for one in heard))
    if tool.name == "decide":
        return decisions(*(decision("ADD", of=name) for name in re.findall(r"(?m)^F\d+", asked)))
    return {"summary": "Much was said."}


def told(text: str) -> list[tuple[str, str]]:
    """Return what a message says: verb and object."""
    return [(found[1], found[2]) for found in SAID.finditer(text)]


def _fact(number: int, verb: str, thing: str) -> Any:
    relation = {
        "subject": "user",
        "subject_type": "person",
        "relation": "lives_in" if verb == "live in" else "likes",
        "object": thing,
        "object_type": "",
        "single_valued": verb == "live in",
    }
    says = "lives in" if verb == "live in" else "likes"
    return fact(f"The user {says} {thing}", number, relations=[relation])


def listener(path: Path, **options: Any) -> Memory:
    """Open a memory whose model listens."""
    return Memory(path, embedder=HashEmbedder(16), llm=ScriptedLLM(repeat(listening)), **options)


@contextmanager
def anew(path: Path) -> Iterator[Memory]:
    """Open a file as a process that starts now."""
    with Memory(path, embedder=HashEmbedder(16)) as memory:
        yield memory


def ranked(handle: Memory, query: str = "Where does the user live?", **options: Any) -> Any:
    """Return what a search finds, in order: id, version, words, score to five digits."""
    found = handle.search(query, limit=100, **options)
    return [
        (match.record.id, match.record.version, match.record.text, round(match.score, 5))
        for match in found
    ]
