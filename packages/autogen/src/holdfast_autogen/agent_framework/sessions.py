"""Whose a session is: the ids that stand in its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast import ScopeError

from holdfast_autogen.scopes import Ids, Owner

NAMES = ("user_id", "agent_id", "app_id")


def stated(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids that a session's state gives.

    Raises:
        ScopeError: One is no string.
    """
    given = {name: state[name] for name in NAMES if state.get(name) is not None}
    wrong = sorted(name for name, value in given.items() if not isinstance(value, str))
    if wrong:
        raise ScopeError(f"session.state{wrong} must be strings, not {given[wrong[0]]!r:.80}")
    return given


def writing(owner: Owner, state: Mapping[str, Any], session_id: str) -> Ids:
    """Return the ids to write under in a session.

    Raises:
        ScopeError: Nobody is named: a session's own id says not whose it is.
    """
    ids = owner.writing({**stated(state), "run_id": session_id})
    if list(ids) == ["run_id"] and owner.sessions == "all":
        raise ScopeError(
            "whose memory? set session.state['user_id'], give the provider user_id (or agent_id, "
            "app_id), or sessions='this' for a memory of one session alone"
        )
    return ids
