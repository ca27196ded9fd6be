"""Records and matches for tests of what is done with them."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from holdfast.types import Kind, Match, Record, Role, Scope

BEGINNING = datetime(2023, 5, 8, 13, 56, tzinfo=timezone.utc)


def record(
    text: str,
    number: int = 0,
    *,
    kind: Kind = "turn",
    speaker: str | None = "Ann",
    role: Role | None = "user",
    run_id: str | None = "run",
    minutes: float | None = None,
    sources: Sequence[str] = (),
    valid_to: datetime | None = None,
) -> Record:
    """Return a record said `minutes` (else `number` of them) after the beginning."""
    at = BEGINNING + timedelta(minutes=number if minutes is None else minutes)
    return Record(
        id=f"record-{number:06}",
        text=text,
        kind=kind,
        scope=Scope(user_id="ann", run_id=run_id),
        role=role,
        speaker=speaker,
        metadata={},
        created_at=at,
        updated_at=at,
        occurred_at=at,
        valid_to=valid_to,
        sources=tuple(sources),
    )


def match(of: Record, score: float = 1.0, passage: str | None = None) -> Match:
    """Return a match; its passage is the whole text unless one is given."""
    return Match(of, score, of.text if passage is None else passage)
