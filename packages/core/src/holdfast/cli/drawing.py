"""`holdfast graph`: what is known, as a page to look at or a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli import showing
from holdfast.cli.opening import existing
from holdfast.cli.options import (
    DEFAULT_DB,
    AgentId,
    AppId,
    AsJson,
    Db,
    Key,
    RunId,
    UserId,
    needed_scope,
)
from holdfast.cli.shapes import print_json


def graph(
    html: Annotated[
        Path | None, typer.Option(help="Write one page that opens in any browser, offline.")
    ] = None,
    graphml: Annotated[
        Path | None, typer.Option(help="Write GraphML, for Gephi, yEd and others.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Relations to draw, the newest ones.")] = 500,
    user_id: UserId = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    app_id: AppId = None,
    db: Db = DEFAULT_DB,
    key: Key = False,
    json: AsJson = False,
) -> None:
    """Draw the people, places and things of a scope, and how they relate."""
    scope = needed_scope(user_id, agent_id, run_id, app_id)
    if html is None and graphml is None:
        raise typer.BadParameter("where to? Give --html FILE, --graphml FILE or both")
    with existing(db, key) as memory:
        found = memory.graph(**scope)
        if html is not None:
            found.to_html(html, limit=limit)
        if graphml is not None:
            found.to_graphml(graphml)
    written = [str(path) for path in (html, graphml) if path is not None]
    print_json({"written": written}) if json else showing.say(f"Wrote {' and '.join(written)}.")
