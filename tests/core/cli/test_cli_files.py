"""`holdfast export`, `import` and `stats`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.tables import Database
from support.cli import Terminal

LOCOMO = [
    {
        "sample_id": "walk-1",
        "conversation": {
            "speaker_a": "Nora",
            "speaker_b": "Ben",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Nora", "dia_id": "D1:1", "text": "I adopted a greyhound."},
                {
                    "speaker": "Ben",
                    "dia_id": "D1:2",
                    "text": "Look at mine!",
                    "blip_caption": "a small dog on a sofa",
                },
            ],
            "session_2_date_time": "12:05 am on 3 January, 2024",
            "session_2": [{"speaker": "Nora", "dia_id": "D2:1", "text": "She is called Comet."}],
        },
        "qa": [],
    },
    {
        "sample_id": "walk-2",
        "conversation": {
            "session_1_date_time": "9:00 am on 1 June, 2023",
            "session_1": [{"speaker": "Ida", "dia_id": "D1:1", "text": "I row on Sundays."}],
        },
        "qa": [],
    },
]
TURN = {
    "id": "0",
    "session": "one",
    "speaker": "user",
    "role": "user",
    "when": "2024-03-15T00:00:00+00:00",
    "text": "Plan my week.",
}
ANSWER = {**TURN, "id": "1", "speaker": "assistant", "role": "assistant", "text": "Rest on Monday."}
PLAIN = {"name": "chat", "turns": [TURN, ANSWER]}


def written(folder: Path, data: object) -> str:
    path = folder / "conversations.json"
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return str(path)


def test_an_export_can_be_imported_into_another_file(terminal: Terminal) -> None:
    identifier = terminal.add("I moved to Lisbon")
    path, copy = terminal.folder / "all.jsonl", str(terminal.folder / "copy.db")

    exported = terminal.json("export", str(path))
    imported = terminal.json("import", str(path), "--db", copy)

    [record] = terminal.json("list", "--user-id", "ada", "--db", copy)["records"]
    assert exported["lines"] == len(path.read_text().splitlines())
    assert imported["format"] == "export"
    assert imported["new"] == 1
    assert record["id"] == identifier


def test_an_export_of_a_scope_holds_nobody_elses_memories(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon", "ada")
    terminal.add("I moved to Turin", "grace")
    path = terminal.folder / "ada.jsonl"

    ran = terminal.run("export", str(path), "--user-id", "ada")

    assert ran.code == 0
    assert "Lisbon" in path.read_text()
    assert "Turin" not in path.read_text()


def test_a_locomo_conversation_keeps_its_sessions_speakers_times_and_photos(
    terminal: Terminal,
) -> None:
    done = terminal.json("import", written(terminal.folder, LOCOMO))

    records = terminal.json("list", "--user-id", "walk-1", "--order", "occurred_at")["records"]
    assert done == {
        "format": "conversations",
        "read": 4,
        "new": 4,
        "users": ["walk-1", "walk-2"],
    }
    assert [record["speaker"] for record in records] == ["Nora", "Ben", "Nora"]
    assert [record["message_id"] for record in records] == ["D1:1", "D1:2", "D2:1"]
    assert [record["scope"]["run_id"] for record in records] == ["session_1"] * 2 + ["session_2"]
    assert records[0]["occurred_at"] == "2023-05-08T13:56:00+00:00"
    assert records[2]["occurred_at"] == "2024-01-03T00:05:00+00:00"
    assert records[1]["text"] == "Look at mine! [photo: a small dog on a sofa]"


def test_importing_a_conversation_again_stores_nothing_twice(terminal: Terminal) -> None:
    path = written(terminal.folder, LOCOMO)
    terminal.json("import", path)

    again = terminal.run("import", path)

    assert "Stored 0 turns, 4 known already" in again.out
    assert terminal.json("stats")["records"] == {"turn": 4}


def test_a_plain_conversation_can_be_given_to_a_user(terminal: Terminal) -> None:
    path = written(terminal.folder, PLAIN)

    terminal.json("import", path, "--user-id", "ada", "--app-id", "planner")

    records = terminal.json("list", "--user-id", "ada", "--app-id", "planner")["records"]
    assert [record["role"] for record in records] == ["user", "assistant"]
    assert [record["speaker"] for record in records] == [None, None]


def test_several_conversations_cannot_be_given_to_one_user(terminal: Terminal) -> None:
    ran = terminal.run("import", written(terminal.folder, LOCOMO), "--user-id", "ada")

    assert ran.code == 2
    assert "2 conversations" in ran.complaint


def test_an_export_keeps_its_own_scopes(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon")
    path = str(terminal.folder / "all.jsonl")
    terminal.run("export", path)

    assert terminal.run("import", path, "--user-id", "grace").code == 1


@pytest.mark.parametrize(
    "content",
    [
        b"no json at all",
        b"\xff\xfe\x00binary",
        b"[]",
        b"[1, 2]",
        b'{"turns": [{"text": "no id"}]}',
        b'{"conversation": {"session_1": []}}',
        json.dumps([PLAIN, PLAIN]).encode(),
        b"",
    ],
)
def test_what_is_no_conversation_is_refused_and_no_file_is_made(
    terminal: Terminal, content: bytes
) -> None:
    path = terminal.folder / "odd.json"
    path.write_bytes(content)

    ran = terminal.run("import", str(path))

    assert ran.code == 1
    assert ran.err.startswith("holdfast: ")
    assert not terminal.db.exists()


def test_stats_count_a_file_or_one_scope(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon", "ada")
    terminal.add("I moved to Turin", "grace")

    assert terminal.json("stats")["records"] == {"turn": 2}
    assert terminal.json("stats", "--user-id", "ada")["records"] == {"turn": 1}
    assert "MiniLM" in terminal.run("stats").out


def test_stats_check_proves_a_sound_file(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon")

    ran = terminal.run("stats", "--check")

    assert ran.code == 0
    assert "sound" in ran.out


def test_stats_check_fails_on_a_damaged_file(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon")
    database = Database(terminal.db)
    with database.write() as connection:
        connection.execute("DELETE FROM log")
    database.close()

    ran = terminal.run("stats", "--check")

    assert ran.code == 1
    assert "records without history" in ran.out
    assert terminal.run("stats").code == 0


def test_stats_check_concerns_the_whole_file(terminal: Terminal) -> None:
    assert terminal.run("stats", "--check", "--user-id", "ada").code == 2


def test_a_file_written_by_the_library_is_read_by_the_command_line(terminal: Terminal) -> None:
    with Memory(terminal.db) as memory:
        memory.add("I moved to Lisbon", user_id="ada")

    assert len(terminal.json("list", "--user-id", "ada")["records"]) == 1
