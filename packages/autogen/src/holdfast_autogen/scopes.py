"""Whose memory: ids fixed in an object, ids of the run at hand, and never none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Literal, TypedDict, get_args

from holdfast import InvalidInputError, Scope, ScopeError
from holdfast.types import NO_ID

Sessions = Literal["all", "this"]
"""What is recalled: all sessions of the owner, or the session at hand."""


class Ids(TypedDict, total=False):
    """The ids of a scope, by name; only those that are given."""

    user_id: str
    agent_id: str
    run_id: str
    app_id: str


_served: ContextVar[Mapping[str, str]] = ContextVar("holdfast_served", default={})  # noqa: B039


@contextmanager
def serving(
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    run_id: str | None = None,
    app_id: str | None = None,
) -> Iterator[None]:
    """Say whom the code within serves, so that one memory object may serve many at once.

        with serving(user_id="ada"):
            await agent.run(task="Where do I live?")

    It holds for this task and what it starts. An id fixed in an object cannot be changed so.

    Raises:
        ScopeError: No id, or a malformed one.
    """
    token = _served.set({**_served.get(), **Scope(user_id, agent_id, run_id, app_id).ids()})
    try:
        yield
    finally:
        _served.reset(token)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory an object keeps; `run_id` is the session it writes under.

    Attributes:
        user_id, agent_id, run_id, app_id: What is fixed; the rest may come with a run.
        sessions: ``"all"``: recall what the owner said in any session.
    """

    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None
    sessions: Sessions = "all"

    def __post_init__(self) -> None:
        if self.sessions not in get_args(Sessions):
            raise InvalidInputError(f"sessions must be 'all' or 'this', not {self.sessions!r}")

    def writing(self, more: Mapping[str, str] | None = None) -> Ids:
        """Return the ids to write under.

        Args:
            more: Ids that come with the run, beside those of `serving`.

        Raises:
            ScopeError: There is none, or one differs from what is fixed.
        """
        fixed = {name: value for name, value in asdict(self).items() if name != "sessions"}
        known = {name: value for name, value in fixed.items() if value is not None}
        for name, value in {**_served.get(), **(more or {})}.items():
            if known.setdefault(name, value) != value:
                raise ScopeError(f"this memory belongs to {name}={known[name]!r}, not {value!r}")
        return _ids(known)

    def reading(self, writing: Ids) -> Ids:
        """Return the scope to read for a given write scope.

        A session is that of all its ids: not those of others that are named alike.
        """
        if self.sessions == "this" or list(writing) == ["run_id"]:
            return _ids({**dict.fromkeys(Ids.__annotations__, NO_ID), **writing})
        return _ids({name: value for name, value in writing.items() if name != "run_id"})


def _ids(given: Mapping[str, object]) -> Ids:
    checked: Ids = Scope(**given).ids()  # type: ignore[arg-type, assignment]
    return checked
