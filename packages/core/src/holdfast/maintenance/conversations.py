"""Readers of published conversations: LoCoMo's format, and a plain one.

What they give can be stored (`Said.message` in the run `Said.run_id`), and asked about. They read
JSON files that the caller brings; Holdfast ships none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from holdfast.errors import InvalidInputError
from holdfast.types import Message

LOCOMO_CATEGORIES: Final = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}

_SESSION: Final = re.compile(r"session_(\d+)$")
_TURN: Final = re.compile(r"D:?(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Said:
    """One turn: in which run, and what."""

    run_id: str
    message: Message


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the ids of the messages that answer it, and the answer, if it has one."""

    text: str
    evidence: tuple[str, ...]
    category: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """A fact that an LLM drew from a run, about whom, and from which messages."""

    run_id: str
    about: str
    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation over one or more runs, and questions about it."""

    name: str
    turns: tuple[Said, ...]
    questions: tuple[Question, ...]
    observations: tuple[Observation, ...] = ()


def read_conversations(path: str | Path) -> list[Conversation]:
    """Return the conversations of a JSON file.

    Two formats are told apart by their keys: LoCoMo's own (``conversation``, ``qa``) and a plain
    one, ``{"name", "turns": [{"id", "session", "speaker", "role", "when", "text"}],
    "questions": [{"question", "evidence", "category", "answer"}]}``; a list of either, or one
    alone.

    Raises:
        InvalidInputError: The file holds neither.
    """
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    return [_conversation(entry, path) for entry in (data if isinstance(data, list) else [data])]


def _conversation(entry: Any, path: str | Path) -> Conversation:
    if isinstance(entry, Mapping) and "conversation" in entry:
        return _locomo(entry)
    if isinstance(entry, Mapping) and "turns" in entry:
        return _plain(entry)
    raise InvalidInputError(
        f"{path} holds no conversation: expected LoCoMo's keys (conversation, qa) or "
        "name, turns, questions"
    )


def _plain(entry: Mapping[str, Any]) -> Conversation:
    return Conversation(
        name=str(entry.get("name", "")),
        turns=tuple(_plain_turn(turn) for turn in entry["turns"]),
        questions=tuple(
            Question(
                text=asked["question"],
                evidence=tuple(map(str, asked["evidence"])),
                category=asked["category"],
                answer=str(asked.get("answer", "")),
            )
            for asked in entry.get("questions", ())
        ),
    )


def _plain_turn(turn: Mapping[str, Any]) -> Said:
    role, speaker = turn.get("role", "user"), turn.get("speaker")
    message = Message(
        content=turn["text"],
        role=role,
        name=None if speaker == role else speaker,
        id=str(turn["id"]),
        occurred_at=_iso(turn.get("when")),
    )
    return Said(str(turn["session"]), message)


def _iso(when: str | None) -> datetime | None:
    if when is None:
        return None
    moment = datetime.fromisoformat(when.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _locomo(entry: Mapping[str, Any]) -> Conversation:
    return Conversation(
        name=str(entry.get("sample_id", "")),
        turns=tuple(_locomo_turns(entry["conversation"])),
        questions=tuple(
            Question(
                text=asked["question"],
                evidence=_turn_ids(" ".join(asked.get("evidence", ()))),
                category=LOCOMO_CATEGORIES[asked["category"]],
                answer=str(asked.get("answer", "")),
            )
            for asked in entry.get("qa", ())
        ),
        observations=tuple(_observations(entry.get("observation", {}))),
    )


def _locomo_turns(conversation: Mapping[str, Any]) -> Iterator[Said]:
    for number in _sessions(conversation):
        run = f"session_{number}"
        when = datetime.strptime(conversation[f"{run}_date_time"], "%I:%M %p on %d %B, %Y")
        for turn in conversation[run]:
            caption = turn.get("blip_caption")
            message = Message(
                content=f"{turn['text']} [photo: {caption}]" if caption else turn["text"],
                name=turn["speaker"],
                id=turn["dia_id"],
                occurred_at=when.replace(tzinfo=timezone.utc),
            )
            yield Said(run, message)


def _observations(sessions: Mapping[str, Any]) -> Iterator[Observation]:
    for key, people in sessions.items():
        for about, facts in people.items():
            for text, source in facts:
                sources = source if isinstance(source, list) else [source]
                run = key.removesuffix("_observation")
                yield Observation(run, about, text, _turn_ids(" ".join(map(str, sources))))


def _sessions(conversation: Mapping[str, Any]) -> list[int]:
    found = (_SESSION.match(key) for key in conversation)
    return sorted(int(match[1]) for match in found if match)


def _turn_ids(text: str) -> tuple[str, ...]:
    ids = (f"D{int(session)}:{int(turn)}" for session, turn in _TURN.findall(text))
    return tuple(dict.fromkeys(ids))
