from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from holdfast.errors import InvalidInputError
from holdfast.maintenance.conversations import read_conversations

LOCOMO = {
    "sample_id": "talk-1",
    "conversation": {
        "speaker_a": "Ann",
        "speaker_b": "Bo",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a red kite"},
            {"speaker": "Bo", "dia_id": "D1:2", "text": "Nice kite."},
        ],
    },
    "qa": [
        {"question": "What flew?", "evidence": ["D1:1; D:1:02"], "category": 4},
        {"question": "Who sang?", "evidence": [], "category": 5},
    ],
    "observation": {"session_1_observation": {"Ann": [["Ann has a red kite.", "D1:1"]]}},
}
PLAIN = {
    "name": "chat-1",
    "turns": [
        {
            "id": 0,
            "session": "a",
            "speaker": "assistant",
            "role": "assistant",
            "when": "2024-03-15T00:00:00+00:00",
            "text": "Hello.",
        }
    ],
    "questions": [{"question": "Who greets?", "evidence": ["0"], "category": "simple"}],
}


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_locomo_gives_turns_with_dates_and_captions(tmp_path: Path) -> None:
    (talk,) = read_conversations(written(tmp_path / "a.json", [LOCOMO]))
    first = talk.turns[0].message
    assert first.content == "Look! [photo: a red kite]"
    assert (first.name, first.id, talk.turns[0].run_id) == ("Ann", "D1:1", "session_1")
    assert first.occurred_at == datetime(2023, 5, 8, 13, 56, tzinfo=timezone.utc)


def test_locomo_gives_questions_and_observations(tmp_path: Path) -> None:
    (talk,) = read_conversations(written(tmp_path / "a.json", [LOCOMO]))
    assert [question.evidence for question in talk.questions] == [("D1:1", "D1:2"), ()]
    assert [question.category for question in talk.questions] == ["single-hop", "adversarial"]
    assert talk.observations[0].sources == ("D1:1",)
    assert talk.observations[0].about == "Ann"


def test_the_plain_format_has_no_name_for_a_role(tmp_path: Path) -> None:
    (chat,) = read_conversations(written(tmp_path / "b.json", PLAIN))
    message = chat.turns[0].message
    assert (message.role, message.name, message.id) == ("assistant", None, "0")
    assert chat.questions[0].evidence == ("0",)


def test_the_plain_format_takes_z_for_utc(tmp_path: Path) -> None:
    turn = {"id": 0, "session": "a", "when": "2024-03-15T10:00:00Z", "text": "Hello."}
    (chat,) = read_conversations(written(tmp_path / "b.json", {"turns": [turn]}))
    assert chat.turns[0].message.occurred_at == datetime(2024, 3, 15, 10, tzinfo=timezone.utc)


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no conversation"):
        read_conversations(written(tmp_path / "c.json", {"a": 1}))
