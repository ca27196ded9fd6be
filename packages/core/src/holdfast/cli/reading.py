"""`holdfast search`, `list` and `history`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli import showing
from holdfast.cli.opening import existing
from holdfast.cli.options import (
    DEFAULT_DB,
    AgentId,
    AppId,
    AsJson,
    Db,
    Filters,
    Key,
    Kinds,
    Model,
    RunId,
    UserId,
    needed_scope,
    time_option,
)
from holdfast.cli.shapes import print_json


def search(
    query: Annotated[str, typer.Argument(help="A question, or a few words.")],
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 5,
    filters: Filters = None,
    kinds: Kinds = None,
    as_of: Annotated[Any, time_option("What the memory knew then.")] = None,
    valid_at: Annotated[Any, time_option("What was true then.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Leave out what scores less.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the parts of a score.")] = False,
    db: Db = DEFAULT_DB,
    key: Key = False,
    model: Model = None,
    json: AsJson = False,
) -> None:
    """Find the memories that answer a question."""
    scope = needed_scope(user_id, agent_id, run_id, app_id)
    with existing(db, key, model) as memory:
        matches = memory.scoped(**scope).search(
            query,
            limit=limit,
            filters=filters,
            kinds=_kinds(kinds),
            as_of=as_of,
            valid_at=valid_at,
            min_score=min_score,
            explain=explain,
        )
    print_json(matches) if json else showing.matches(matches)


def list_(
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    limit: Annotated[int, typer.Option(min=1, help="Records a page.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    order: Annotated[
        str,
        typer.Option(help="created_at, updated_at, occurred_at, importance; - before it reverses."),
    ] = "created_at",
    filters: Filters = None,
    kinds: Kinds = None,
    db: Db = DEFAULT_DB,
    key: Key = False,
    json: AsJson = False,
) -> None:
    """List what is remembered, a page at a time."""
    scope = needed_scope(user_id, agent_id, run_id, app_id)
    with existing(db, key) as memory:
        page = memory.scoped(**scope).list(
            limit=limit, cursor=cursor, order=order, filters=filters, kinds=_kinds(kinds)
        )
    print_json(page) if json else showing.page(page)


def history(
    id: Annotated[str, typer.Argument(help="The memory's id, as search and list show it.")],
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    db: Db = DEFAULT_DB,
    key: Key = False,
    json: AsJson = False,
) -> None:
    """Show everything that happened to one memory."""
    scope = needed_scope(user_id, agent_id, run_id, app_id)
    with existing(db, key) as memory:
        changes = memory.scoped(**scope).history(id)
    print_json(changes) if json else showing.changes(changes)


def _kinds(given: list[str] | None) -> Any:
    """Return the kinds asked for; the memory itself refuses an unknown one."""
    return given or None
