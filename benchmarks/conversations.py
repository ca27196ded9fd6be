"""Conversations with questions and the turns that answer them, read from files.

Two formats: LoCoMo's own (two people, many sessions), and a plain list of
``{"name", "turns": [{"id", "session", "speaker", "role", "when", "text"}],
"questions": [{"question", "evidence", "category"}]}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

# LoCoMo's categories that have an answer in the conversation; 5 asks for what was never said.
ANSWERABLE = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}


@dataclass(frozen=True)
class Turn:
    """One message."""

    id: str
    session: str
    speaker: str | None
    role: str
    when: datetime
    text: str


@dataclass(frozen=True)
class Question:
    """A question and the ids of the turns that answer it."""

    text: str
    evidence: frozenset[str]
    category: str


@dataclass(frozen=True)
class Conversation:
    """One history and what is asked about it."""

    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def read(path: Path) -> list[Conversation]:
    """Read conversations; questions without a turn that answers them are left out."""
    samples = json.loads(path.read_text(encoding="utf-8"))
    return [_locomo(one) if "conversation" in one else _plain(one) for one in samples]


def _locomo(sample: Mapping[str, Any]) -> Conversation:
    turns = tuple(_sessions(sample["conversation"]))
    known = {turn.id for turn in turns}
    questions = []
    for one in sample["qa"]:
        # Some evidence is written "D1:3; D2:4" or "D:1:3".
        named = (re.findall(r"D:?(\d+):0*(\d+)", text) for text in one["evidence"])
        evidence = frozenset(f"D{s}:{t}" for found in named for s, t in found) & known
        if evidence and one["category"] in ANSWERABLE:
            questions.append(Question(one["question"], evidence, ANSWERABLE[one["category"]]))
    return Conversation(str(sample["sample_id"]), turns, tuple(questions))


def _sessions(conversation: Mapping[str, Any]) -> Iterator[Turn]:
    number = 1
    while f"session_{number}_date_time" in conversation:
        begun = datetime.strptime(
            conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y"
        ).replace(tzinfo=timezone.utc)
        for place, turn in enumerate(conversation.get(f"session_{number}", [])):
            caption = f" [photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
            role = "user" if turn["speaker"] == conversation["speaker_a"] else "assistant"
            when = begun + timedelta(seconds=20 * place)
            text = (turn["text"] + caption).strip()
            yield Turn(turn["dia_id"], f"session_{number}", turn["speaker"], role, when, text)
        number += 1


def _plain(sample: Mapping[str, Any]) -> Conversation:
    turns = []
    for place, one in enumerate(sample["turns"]):
        when = datetime.fromisoformat(one["when"]) + timedelta(seconds=20 * place)
        turns.append(Turn(one["id"], one["session"], None, one["role"], when, one["text"]))
    known = {turn.id for turn in turns}
    questions = (
        Question(one["question"], frozenset(one["evidence"]) & known, str(one["category"]))
        for one in sample["questions"]
    )
    return Conversation(sample["name"], tuple(turns), tuple(q for q in questions if q.evidence))
