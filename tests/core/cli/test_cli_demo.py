"""`holdfast demo`: in a process of its own, and in this one; each reads in yet another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from holdfast.cli.demo import STORY
from holdfast.maintenance.conversations import read_conversations
from support.cli import Terminal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def told(folder: Path) -> str:
    environment = {**os.environ, "TMPDIR": str(folder), "COLUMNS": "80", "PYTHONUTF8": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "holdfast", "demo"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    return ran.stdout


@pytest.fixture(scope="module")
def kept(folder: Path) -> Path:
    return folder / "kept.db"


@pytest.fixture(scope="module")
def recalled(folder: Path, kept: Path) -> dict[str, Any]:
    answer: dict[str, Any] = Terminal(folder).json("demo", "--db", str(kept))
    return answer


def test_the_demo_tells_its_story_in_order(told: str) -> None:
    steps = ["One process", "Another process", "another user", "What it saves", "Done in"]

    assert [step for step in steps if step in told] == steps
    assert sorted(steps, key=told.index) == steps


def test_the_demo_fits_into_80_columns_without_colour(told: str, folder: Path) -> None:
    lines = [line for line in told.splitlines() if str(folder) not in line]

    assert max(map(len, lines)) <= 80
    assert "\x1b" not in told


def test_the_demo_leaves_nothing_behind(told: str, folder: Path) -> None:
    assert told
    assert not list(folder.glob("holdfast-demo-*"))


def test_every_answer_of_the_demo_is_found(recalled: dict[str, Any]) -> None:
    evidence = {asked.text: asked.evidence for asked in read_conversations(STORY)[0].questions}

    for answer in recalled["recalled"]["answers"]:
        found = {match["record"]["message_id"] for match in answer["matches"]}
        assert found & set(evidence.pop(answer["question"]))
    assert evidence == {}


def test_a_stranger_sees_nothing_of_it(recalled: dict[str, Any]) -> None:
    assert recalled["recalled"]["stranger"] == []


def test_the_demo_saves_most_tokens(recalled: dict[str, Any]) -> None:
    for answer in recalled["recalled"]["answers"]:
        assert 0 < answer["tokens"] <= answer["full_tokens"] / 4


def test_the_story_has_five_sessions_and_forty_turns(recalled: dict[str, Any]) -> None:
    story = read_conversations(STORY)[0]

    assert recalled["written"]["new"] == len(story.turns) == 40
    assert len({turn.run_id for turn in story.turns}) == 5
    assert {turn.message.name for turn in story.turns} == {"Mara", "Jonas", None}


def test_the_demos_file_can_be_kept_and_asked(
    recalled: dict[str, Any], kept: Path, told: str, terminal: Terminal
) -> None:
    assert recalled
    hint = re.search(r"search '(.+)' --user-id (\w+) --db demo.db", told)
    assert hint is not None

    question, user = hint.groups()
    found = terminal.json("search", question, "--user-id", user, "--db", str(kept))

    assert any("oven" in match["passage"] for match in found)


def test_the_demo_does_not_touch_a_file_that_is_there(kept: Path, terminal: Terminal) -> None:
    kept.touch()

    ran = terminal.run("demo", "--db", str(kept))

    assert ran.code == 1
    assert "exists already" in ran.err
