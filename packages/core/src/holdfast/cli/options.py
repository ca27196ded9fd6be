"""The options that several commands share, each written once, and what they are read into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from holdfast.storage.contract.filters import TIME_FIELDS

DEFAULT_DB = Path("holdfast.db")
_SCOPE = "Scope (at least one is needed)"

UserId: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="Whose memory.", rich_help_panel=_SCOPE)
]
AgentId: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="Which agent's.", rich_help_panel=_SCOPE)
]
RunId: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="Which session.", rich_help_panel=_SCOPE)
]
AppId: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="Which application's.", rich_help_panel=_SCOPE)
]
Db: TypeAlias = Annotated[Path, typer.Option(envvar="HOLDFAST_DB", help="The memory's file.")]
Key: TypeAlias = Annotated[
    bool,
    typer.Option("--key", help="The file is encrypted: ask for its passphrase, or HOLDFAST_KEY."),
]
Model: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        envvar="HOLDFAST_MODEL",
        metavar="FOLDER",
        help="A local embedding model, instead of the installed one.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Kinds: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="turn, fact, summary, procedure; repeatable."),
]


def read_time(text: str) -> datetime:
    """Read an ISO 8601 moment; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no ISO 8601 time such as 2025-03-02 or 2025-03-02T18:20+01:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def read_object(text: str) -> Mapping[str, Any]:
    """Read a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter(f'{text!r} is no JSON object such as {{"topic": "food"}}')
    return value


def read_filter(text: str) -> Mapping[str, Any]:
    """Read a filter: JSON has no times, so those of a record are ISO 8601."""
    return _with_times(read_object(text))


def _with_times(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: _read_part(name, value) for name, value in tree.items()}


def _read_part(name: str, value: Any) -> Any:
    if name in ("AND", "OR", "NOT"):
        several = value if isinstance(value, list) else [value]
        read = [_with_times(part) if isinstance(part, dict) else part for part in several]
        return read if isinstance(value, list) else read[0]
    return _moments(value) if name in TIME_FIELDS else value


def _moments(value: Any) -> Any:
    if isinstance(value, dict):
        return {operator: _moments(item) for operator, item in value.items()}
    if isinstance(value, list):
        return [_moments(item) for item in value]
    return read_time(value) if isinstance(value, str) else value


Filters: TypeAlias = Annotated[
    Any,
    typer.Option(
        "--filter",
        parser=read_filter,
        metavar="JSON",
        help="""Such as {"topic": "food"} or {"year": {"gte": 2024}}: docs/filters.md.""",
    ),
]


def time_option(help: str) -> Any:
    """Return an option that takes a moment."""
    return typer.Option(parser=read_time, metavar="TIME", help=help)


def scope(
    user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None
) -> dict[str, str]:
    """Return the ids that were given, by name."""
    ids = {"user_id": user_id, "agent_id": agent_id, "run_id": run_id, "app_id": app_id}
    return {name: value for name, value in ids.items() if value is not None}


def needed_scope(
    user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None
) -> dict[str, str]:
    """Return the ids that were given; it is a usage error if there is none."""
    given = scope(user_id, agent_id, run_id, app_id)
    if not given:
        raise typer.BadParameter(
            "whose memory? Give at least one of --user-id, --agent-id, --run-id, --app-id"
        )
    return given
