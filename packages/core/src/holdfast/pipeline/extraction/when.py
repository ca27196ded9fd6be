"""Event times as models write them: a day, a month, a year, or a moment."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

_PARTIAL = re.compile(r"([0-9]{4})(?:-([0-9]{1,2}))?")
_DATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?P<time>[T ].+)?", re.DOTALL)


def period(when: str, zone: tzinfo = timezone.utc) -> tuple[datetime, datetime] | None:
    """Return the start and the end (exclusive) of what `when` names; None if it is no date.

    Args:
        when: ``2026-05-20``, ``2026-05``, ``2026``, or ISO 8601 with a time of day.
        zone: The zone of a time that names none.
    """
    try:
        start, end = _span(when, zone)
        return start.astimezone(timezone.utc), end.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _span(when: str, zone: tzinfo) -> tuple[datetime, datetime]:
    if partial := _PARTIAL.fullmatch(when):
        return _month_or_year(int(partial[1]), partial[2], zone)
    dated = _DATED.fullmatch(when)
    if dated is None:
        raise ValueError("no date")
    moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", when))
    placed = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return placed, placed + (timedelta(minutes=1) if dated["time"] else timedelta(days=1))


def _month_or_year(year: int, month: str | None, zone: tzinfo) -> tuple[datetime, datetime]:
    if month is None:
        return datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
    first = datetime(year, int(month), 1, tzinfo=zone)
    return first, (first + timedelta(days=32)).replace(day=1)


def begins(span: tuple[datetime, datetime], said_at: datetime) -> datetime:
    """Return the moment from which something dated `span` and told at `said_at` holds.

    "Today" and "this year" have begun by the time they are told, so the telling bounds them:
    two things told on one day keep their order.
    """
    start, end = span
    return said_at if start <= said_at < end else start
