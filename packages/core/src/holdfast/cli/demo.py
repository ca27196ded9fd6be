"""`holdfast demo`: a story told in one process, remembered in another."""

from __future__ import annotations

import json as json_text
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast import Match, StorageError
from holdfast.cli import showing
from holdfast.cli.opening import existing
from holdfast.cli.options import AsJson, Db, Key
from holdfast.cli.shapes import print_json
from holdfast.maintenance.conversations import read_conversations

if TYPE_CHECKING:
    from holdfast import Memory

STORY = Path(__file__).with_name("story.json")
USER = "mara"
STRANGER = "viktor"
SHOWN = 3
BUDGET = 200
"""Tokens that an agent would give to memory in its prompt."""


@dataclass(frozen=True, slots=True)
class Told:
    """One question, what was found, and what it costs beside the whole history (tokens)."""

    question: str
    matches: list[Match]
    tokens: int
    full_tokens: int


@dataclass(frozen=True, slots=True)
class Recalled:
    """All that the second process read: the owner's answers, and a stranger's."""

    answers: list[Told]
    stranger: list[Match]


def demo(
    db: Annotated[
        Path | None, typer.Option(help="Keep the file here; else it goes when the demo ends.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Remember five sessions, end the process, and ask in a new one. No key, no network."""
    if db is not None and db.exists():
        raise StorageError(f"{db} exists already; the demo begins with a fresh file")
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder:
        file = db or Path(folder) / "memory.db"
        _as_json(file) if json else _in_words(file, kept=db is not None)


def _in_words(file: Path, *, kept: bool) -> None:
    begun = time.monotonic()
    _heading("1", "One process remembers")
    showing.say("Mara opens a bakery: five sessions with her brother Jonas and an assistant.")
    _run("import", str(STORY), "--db", str(file))
    showing.say("That process has ended. What it was told is in the file, and nowhere else.")
    _heading("2", "Another process opens the file, and asks")
    _run("demo-read", "--db", str(file))
    showing.say(f"\nDone in {time.monotonic() - begun:.1f} s.")
    if kept:
        showing.say(f"Go on: holdfast search 'Is the oven mended?' --user-id {USER} --db {file}")
    else:
        showing.say("Go on: holdfast demo --db demo.db keeps the file;")
        showing.say(f"       holdfast search 'Is the oven mended?' --user-id {USER} --db demo.db")


def _as_json(file: Path) -> None:
    written = _run("import", str(STORY), "--db", str(file), "--json", capture=True)
    read = _run("demo-read", "--db", str(file), "--json", capture=True)
    print_json({"written": json_text.loads(written), "recalled": json_text.loads(read)})


def _run(*arguments: str, capture: bool = False) -> str:
    """Run a command in a process of its own; return what it printed, if captured."""
    command = [sys.executable, "-m", "holdfast", *arguments]
    sys.stdout.flush()
    done = subprocess.run(
        command, stdout=subprocess.PIPE if capture else None, check=False, encoding="utf-8"
    )
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout or ""


def _heading(number: str, title: str) -> None:
    showing.say(f"\n{number}  {title}", "bold")


# -- the second process -------------------------------------------------------------------------


def demo_read(db: Db, key: Key = False, json: AsJson = False) -> None:
    """Ask the questions of the story."""
    with existing(db, key) as memory:
        recalled = _recall(memory)
    print_json(recalled) if json else _tell(recalled)


def _recall(memory: Memory) -> Recalled:
    handle = memory.scoped(user_id=USER)
    asked = [_ask(handle, question.text) for question in read_conversations(STORY)[0].questions]
    return Recalled(asked, memory.search(asked[0].question, user_id=STRANGER))


def _ask(memory: Memory, question: str) -> Told:
    found = memory.search(question, limit=SHOWN, explain=True)
    context = memory.context(question, max_tokens=BUDGET)
    return Told(question, found, context.tokens, context.full_tokens)


def _tell(recalled: Recalled) -> None:
    showing.say(f"Process {os.getpid()}. Each answer was given in an earlier session.")
    for told in recalled.answers:
        showing.say(f"\n{told.question}", "bold cyan")
        showing.matches(told.matches, ids=False)
    _heading("3", f"The same question, asked by another user ({STRANGER})")
    showing.matches(recalled.stranger, nothing="Nothing found: a scope sees nothing of another.")
    _heading("4", "What it saves")
    _tell_saving(recalled.answers)


def _tell_saving(answers: Sequence[Told]) -> None:
    full = answers[0].full_tokens
    mean = round(sum(told.tokens for told in answers) / len(answers))
    showing.say(f"The whole history in every prompt:      {full:>6,} tokens, more every session")
    showing.say(f"memory.context(question, max_tokens={BUDGET}): {mean:>5,} tokens, and no more")
    showing.say(f"Saved:                                  {1 - mean / full:>6.0%}", "bold")
