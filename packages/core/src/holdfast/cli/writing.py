"""`holdfast add` and `delete`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from holdfast import InvalidInputError, Message
from holdfast.cli import showing
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
    needed_scope,
    read_object,
    time_option,
)
from holdfast.cli.shapes import print_json


def add(
    text: Annotated[str, typer.Argument(help="What was said; - reads it from stdin.")],
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    role: Annotated[str, typer.Option(help="user, assistant, system or tool.")] = "user",
    name: Annotated[str | None, typer.Option(help="Who said it, by name.")] = None,
    message_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Your id; said twice, stored once.")
    ] = None,
    occurred_at: Annotated[Any, time_option("When it was said, if not now.")] = None,
    expires_at: Annotated[Any, time_option("From this time on no read returns it.")] = None,
    metadata: Annotated[
        Any, typer.Option(parser=read_object, metavar="JSON", help="To filter by.")
    ] = None,
    kind: Annotated[str, typer.Option(help="fact: stated rather than quoted.")] = "turn",
    db: Db = DEFAULT_DB,
    key: Key = False,
    model: Model = None,
    json: AsJson = False,
) -> None:
    """Remember what was said."""
    scope = needed_scope(user_id, agent_id, run_id, app_id)
    words = _stdin() if text == "-" else text
    # The memory itself checks role and kind: both are strings here.
    said: Any = {"role": role, "kind": kind}
    message = Message(words, said["role"], name, message_id, occurred_at, metadata or {})
    with create(db, key, model) as memory:
        changes = memory.scoped(**scope).add(message, expires_at=expires_at, kind=said["kind"])
    print_json(changes) if json else showing.added(changes)


def _stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"what comes on stdin is no UTF-8 text: {error}") from error


def delete(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Ids of memories.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Erase the whole scope instead.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    db: Db = DEFAULT_DB,
    key: Key = False,
    json: AsJson = False,
) -> None:
    """Erase memories for good: words, vectors, versions. All or none; it cannot be undone."""
    scope = needed_scope(user_id, agent_id, run_id, app_id)
    if bool(ids) is everything:
        raise typer.BadParameter("give ids of memories, or --all for the whole scope")
    with existing(db, key) as memory:
        handle = memory.scoped(**scope)
        if ids:
            gone = handle.delete(ids)
            named = ", ".join(change.id for change in gone)
            print_json(gone) if json else showing.say(f"Erased {named}.")
            return
        _ask_first(sum(handle.stats().records.values()), scope, yes)
        erased = handle.delete_all()
    if json:
        print_json({"erased": erased})
    else:
        showing.say(f"Erased {showing.plural(erased, 'memory', 'memories')}.")


def _ask_first(count: int, scope: dict[str, str], yes: bool) -> None:
    whose = ", ".join(f"{name}={value}" for name, value in scope.items())
    if not yes:
        memories = showing.plural(count, "memory", "memories")
        typer.confirm(f"Erase {memories} of {whose} for good?", abort=True, err=True)
