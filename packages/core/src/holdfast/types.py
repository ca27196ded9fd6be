"""The values that cross rooms: scopes, messages, records, matches, changes.

All are frozen; none knows how it is stored. Times are timezone-aware; naive ones are refused.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    TypeAlias,
    TypedDict,
    cast,
    get_args,
    overload,
)
from uuid import uuid4

if sys.version_info >= (3, 11):
    from typing import Unpack as Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack
else:
    Unpack = TypedDict  # named in annotations only, which nothing evaluates

from holdfast.errors import ScopeError, shown

Kind = Literal["turn", "fact", "summary", "procedure"]
Role = Literal["user", "assistant", "system", "tool"]
Event = Literal["ADD", "UPDATE", "DELETE", "NONE"]
JSON: TypeAlias = Mapping[str, Any]
Metadata: TypeAlias = JSON

KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES: tuple[Role, ...] = get_args(Role)

MAX_ID_LENGTH = 256


def check_id(name: str, value: object) -> str:
    """Return `value` if it can name a user, an agent, a run, an app or a message.

    Raises:
        ScopeError: It is no string, empty, too long, or holds a control character.
    """
    if not isinstance(value, str) or not value or len(value) > MAX_ID_LENGTH:
        raise ScopeError(
            f"{name} must be a string of 1 to {MAX_ID_LENGTH} characters, not {shown(value)}"
        )
    if not value.isprintable() and any(map(_spoils, value)):
        raise ScopeError(f"{name} {shown(value)} holds a control character or a lone surrogate")
    return value


def _spoils(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"}


class Within(str):
    """An id that also reads what lies below it; slashes divide its levels.

    ``app_id=Within("acme")`` reads ``acme`` and ``acme/sales``, not ``acme-two``; ``Within("/")``
    reads every id that begins with a slash. Writing stores under exactly the id.

    Args:
        value: The id.
        or_none: Also read what was stored without such an id; another id must say whose it is.
    """

    __slots__ = ("or_none",)

    or_none: bool

    def __new__(cls, value: str, *, or_none: bool = False) -> Within:
        """Make an id that reads what lies below it."""
        made = super().__new__(cls, value)
        made.or_none = or_none
        return made

    def __eq__(self, other: object) -> bool:
        """Be equal to what reads the same; never to the plain id, which reads less."""
        return (
            isinstance(other, Within)
            and other.bounds == self.bounds
            and (other.or_none == self.or_none)
        )

    def __ne__(self, other: object) -> bool:
        """Be the contrary of equal: `str` has an answer of its own."""
        return not self == other

    def __hash__(self) -> int:
        """Hash what is compared."""
        return hash((self.bounds, self.or_none))

    @property
    def bounds(self) -> tuple[str, str, str]:
        """The id itself, and the range of what lies below it (its end is outside)."""
        base = self.rstrip("/")
        return base or "/", base + "/", base + chr(ord("/") + 1)


NO_ID: Final = Within(uuid4().hex, or_none=True)
"""As an id of a read: what was stored without one, and nothing else; no user can have this id."""


def reaches(held: str, asked: str) -> bool:
    """Return whether what `asked` reads lies within what `held` reads."""
    if not isinstance(held, Within):
        return held == asked and not isinstance(asked, Within)
    itself, first, end = held.bounds
    if isinstance(asked, Within) and asked.or_none and not held.or_none:
        return False
    plain = asked.rstrip("/") or "/" if isinstance(asked, Within) else asked
    return plain == itself or first <= plain < end


class Ids(TypedDict, total=False):
    """Whose memory, as keywords of every verb: ``**ids: Unpack[Ids]``.

    Attributes:
        user_id: A user.
        agent_id: An agent.
        run_id: A run: one session or thread.
        app_id: An application.
    """

    user_id: str | None
    agent_id: str | None
    run_id: str | None
    app_id: str | None


IDS = tuple(Ids.__annotations__)


def given_ids(ids: Ids) -> dict[str, str]:
    """Return the ids that are not None, by name.

    Raises:
        TypeError: A keyword is none of the four: a misspelt id must not widen what is read.
    """
    for name in ids:
        if name not in IDS:
            raise TypeError(
                f"unexpected keyword argument {shown(name)}: the ids of a scope are "
                f"{', '.join(IDS)}; what else a call takes stands in its signature"
            )
    given = cast("dict[str, str | None]", ids)
    return {name: value for name, value in given.items() if value is not None}


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory: at least one of user, agent, run (session) and app.

    Writing stores under exactly the ids given; reading matches every id given and leaves the
    others open. Nothing is a wildcard: ``"*"`` is only a string. An id that is a `Within` also
    reads what lies below it.
    """

    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None

    def __post_init__(self) -> None:
        given = self.ids()
        if not given:
            raise ScopeError(
                "no scope given: name at least one of user_id, agent_id, run_id, app_id; "
                "no call reads or writes the memory of all users"
            )
        for name, value in given.items():
            check_id(name, value)
        if all(isinstance(value, Within) and value.or_none for value in given.values()):
            raise ScopeError(
                f"{' and '.join(given)} alone would read all memories that have none; "
                "name another id, or leave or_none out"
            )

    def ids(self) -> dict[str, str]:
        """Return the ids that are given, by name."""
        return {name: value for name in IDS if (value := getattr(self, name)) is not None}

    def covers(self, other: Scope) -> bool:
        """Return whether reading this scope would see what is written under `other`."""
        theirs = other.ids()
        return all(
            reaches(value, theirs[name])
            if name in theirs
            else isinstance(value, Within) and value.or_none
            for name, value in self.ids().items()
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One turn as it was said.

    Attributes:
        content: The words; never empty.
        role: Who speaks in the protocol's terms.
        name: Who speaks by name, where the conversation has names.
        id: The caller's id of the message; one already stored in its run is not stored again.
        occurred_at: When it was said; the time of storing where unknown.
        metadata: Anything JSON, filterable.
    """

    content: str
    role: Role = "user"
    name: str | None = None
    id: str | None = None
    occurred_at: datetime | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One stored memory, at one version.

    Attributes:
        id: Stable over versions; time-ordered.
        kind: ``turn`` as said, ``fact`` derived or stated, ``summary`` of a run, ``procedure``.
        scope: Exactly the ids it was written under.
        role, speaker: Who said it (or whom a fact is about), where known.
        created_at, updated_at: Record time of the first and of this version.
        occurred_at: Event time: when it was said or happened.
        valid_from, valid_to: Event-time span in which it holds; None is open.
        retired_at: Record time at which another version took its place; None while live.
        expires_at: From then on no read returns it.
        importance: 0 (trivial) to 1 (vital); .5 where it was not given.
        version: 1, 2, ...
        sources: Ids of the records it was derived from.
        message_id: The caller's own id of the message.
    """

    id: str
    text: str
    kind: Kind
    scope: Scope
    role: Role | None
    speaker: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime
    occurred_at: datetime
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    retired_at: datetime | None = None
    expires_at: datetime | None = None
    importance: float = 0.5
    version: int = 1
    sources: tuple[str, ...] = ()
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A record found by search.

    Attributes:
        record: The whole record.
        score: Higher is better; comparable within one search only.
        passage: The best passage of a long text; the whole text of a short one.
        parts: With ``explain=True``, what each channel added to the score, by name.
    """

    record: Record
    score: float
    passage: str
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The record's id."""
        return self.record.id

    @property
    def text(self) -> str:
        """The record's whole text."""
        return self.record.text


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls cost: number of calls, prompt tokens, completion tokens."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Sum field by field."""
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """One answer shape an LLM may choose: a function name, its purpose, its JSON schema."""

    name: str
    description: str
    parameters: JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """What an LLM said: `data` when a tool was asked for, else `text`; and what it cost."""

    text: str = ""
    data: JSON | None = None
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did to one record.

    Attributes:
        event: ``ADD``, ``UPDATE``, ``DELETE`` or ``NONE`` (it was already known).
        id: The record's id.
        before: The version that was live before, if any.
        after: The version that is live now, if any.
        reason: Why, in words: the model's, or the rule's name.
        sources: Ids of the turns that caused it.
        at: Record time.
        position: Its number among the changes of its exact scope, from 1, in the order of commits.
    """

    event: Event
    id: str
    before: Record | None
    after: Record | None
    reason: str = ""
    sources: tuple[str, ...] = ()
    at: datetime | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class Changes(Sequence[Change]):
    """What one call did: a sequence of changes, and what the models cost.

    Attributes:
        changes: In the order of the messages, then of the facts.
        usage: Model calls and tokens spent before the call returned.
        pending: Turns that still wait for extraction (``wait=False``).
        problems: What of a model's answer had to be put right or left out, and why.
        unembedded: Records that still wait for their vectors (``wait=False``); found by words.
    """

    changes: tuple[Change, ...] = ()
    usage: Usage = Usage()
    pending: int = 0
    problems: tuple[str, ...] = ()
    unembedded: int = 0

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Change, ...]: ...
    def __getitem__(self, index: int | slice) -> Change | tuple[Change, ...]:
        """Return one change, or a tuple of them."""
        return self.changes[index]

    def __len__(self) -> int:
        """Return how many changes there are."""
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        """Iterate over the changes."""
        return iter(self.changes)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that live after this call."""
        return tuple(change.after for change in self.changes if change.after is not None)


def within_reach(changes: Changes, to: Scope) -> Changes:
    """Return changes without the records that a scope does not reach."""
    within = []
    for one in changes:
        before, after = (r if r and to.covers(r.scope) else None for r in (one.before, one.after))
        within.append(replace(one, before=before, after=after))
    return replace(changes, changes=tuple(within))


@dataclass(frozen=True, slots=True)
class Page(Sequence[Record]):
    """One page of `list`: a sequence of records.

    Attributes:
        records: The records, in order.
        cursor: Where the next page begins; None on the last one.
    """

    records: tuple[Record, ...]
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, index: int | slice) -> Record | tuple[Record, ...]:
        """Return one record, or a tuple of them."""
        return self.records[index]

    def __len__(self) -> int:
        """Return the number of records on this page."""
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records of this page."""
        return iter(self.records)


@dataclass(frozen=True, slots=True)
class Context:
    """What memory has to say about a question, within a token budget.

    Attributes:
        text: The fenced rendering, ready to be placed in a prompt; "" when nothing was found.
        tokens: What `text` costs; never over the budget.
        full_tokens: What the whole history of the scope would have cost (an estimate).
        records: What `text` shows, in its order.
    """

    text: str = ""
    tokens: int = 0
    full_tokens: int = 0
    records: tuple[Record, ...] = ()

    @property
    def saved(self) -> int:
        """Tokens saved against the whole history."""
        return max(0, self.full_tokens - self.tokens)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The text as one chat message with role ``system``; no message when it is empty."""
        return [{"role": "system", "content": self.text}] if self.text else []
