"""`holdfast export`, `import` and `stats`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli import importing, showing
from holdfast.cli.opening import create, existing
from holdfast.cli.options import (
    DEFAULT_DB,
    AgentId,
    AppId,
    AsJson,
    Db,
    Key,
    Model,
    RunId,
    UserId,
    scope,
)
from holdfast.cli.shapes import print_json

_BESIDE = "Store a conversation under it as well; all that an export may hold."


def export(
    path: Annotated[Path, typer.Argument(help="The file to write (JSON Lines).")],
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    db: Db = DEFAULT_DB,
    key: Key = False,
    json: AsJson = False,
) -> None:
    """Write everything, or one scope, to a file: versions, history and vectors, in clear text."""
    ids = scope(user_id, agent_id, run_id, app_id)
    with existing(db, key) as memory, showing.progress("Exporting", quiet=json) as progress:
        handle = memory.scoped(**ids) if ids else memory
        lines = handle.export(path, progress=progress)
    if json:
        print_json({"path": str(path), "lines": lines})
    else:
        showing.say(f"Wrote {lines:,} lines to {path}.")


def import_(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file to read.")],
    user_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Whose a conversation is, if not its name's; all that an export may hold.",
        ),
    ] = None,
    agent_id: Annotated[str | None, typer.Option(metavar="ID", help=_BESIDE)] = None,
    app_id: Annotated[str | None, typer.Option(metavar="ID", help=_BESIDE)] = None,
    db: Db = DEFAULT_DB,
    key: Key = False,
    model: Model = None,
    json: AsJson = False,
) -> None:
    """Read a Holdfast export, or conversations in JSON: LoCoMo's format, or a plain one.

    The plain one is {"name", "turns": [{"id", "session", "speaker", "role", "when", "text"}]}, or
    a list of such; id, session and text are needed. A conversation's name becomes the user id, its
    sessions become runs. Importing again, or after an interruption, stores nothing twice. With
    ids, an export that holds memories outside that scope is refused.
    """
    begun = time.monotonic()
    ids = scope(user_id, agent_id, None, app_id)
    source = importing.open_source(path, ids)
    with create(db, key, model) as memory, showing.progress("Importing", quiet=json) as progress:
        done = source(memory, progress)
    if json:
        print_json(done)
    else:
        showing.imported(done, db, time.monotonic() - begun)


def vacuum(db: Db = DEFAULT_DB, key: Key = False, json: AsJson = False) -> None:
    """Shrink a file after large deletions; no other process may have it open."""
    with existing(db, key) as memory:
        freed = memory.vacuum()
    if json:
        print_json({"path": str(db), "freed": freed})
    else:
        showing.say(f"{db} is {freed:,} bytes smaller.")


def stats(
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    check: Annotated[
        bool, typer.Option("--check", help="Also prove the file sound; exit code 1 if it is not.")
    ] = False,
    db: Db = DEFAULT_DB,
    key: Key = False,
    json: AsJson = False,
) -> None:
    """Count what a file, or one scope of it, holds."""
    ids = scope(user_id, agent_id, run_id, app_id)
    if ids and check:
        raise typer.BadParameter("--check concerns the whole file; leave the scope out")
    with existing(db, key) as memory:
        counted = (memory.scoped(**ids) if ids else memory).stats(check=check)
    print_json(counted) if json else showing.stats(counted, checked=check)
    if counted.problems:
        raise typer.Exit(1)
