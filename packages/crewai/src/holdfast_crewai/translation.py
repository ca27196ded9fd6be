"""Between Holdfast's records and CrewAI's: one function each way, and the filters of a question."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from crewai.memory.types import MemoryRecord
from holdfast import Message, Record

from holdfast_crewai.paths import normal

# CrewAI's own fields lie under one name, so that they never meet the caller's metadata.
OWN = "crewai"
# A step of its own below the path: no model that looks for a memory's neighbours comes here.
PRIVATE = "/@private"


def naive(moment: datetime) -> datetime:
    """Return a time as CrewAI has them: UTC, without a timezone."""
    return moment if moment.tzinfo is None else _utc(moment).replace(tzinfo=None)


def aware(moment: datetime) -> datetime:
    """Return a time with its timezone; CrewAI's naive ones are UTC."""
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else _utc(moment)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)


def app_id(path: str, private: bool) -> str:
    """Return the id a path is stored under."""
    return normal(path).rstrip("/") + PRIVATE if private else normal(path)


def path_of(app_id: str | None) -> str:
    """Return the path that an id stands for."""
    return normal((app_id or "/").removesuffix(PRIVATE))


def metadata(record: MemoryRecord) -> dict[str, Any]:
    """Return the metadata a record is stored with; defaults are left out."""
    own = {
        "categories": list(record.categories) or None,
        "source": record.source,
        "private": record.private or None,
    }
    kept = {name: value for name, value in own.items() if value is not None}
    return {**record.metadata, **({OWN: kept} if kept else {})}


def message(record: MemoryRecord, place: str) -> Message:
    """Return what is added for a record; the same words in one place are stored once."""
    words = "\x1f".join((place, record.source or "", record.content)).encode()
    return Message(
        record.content,
        id="crewai:" + hashlib.blake2b(words, digest_size=16).hexdigest(),
        occurred_at=aware(record.created_at),
        metadata=metadata(record),
    )


def memory_record(record: Record, accessed: datetime | None = None) -> MemoryRecord:
    """Return a record as CrewAI has them; its metadata is the caller's own."""
    own = record.metadata.get(OWN, {})
    category = record.metadata.get("category")
    hidden = {OWN, "category"} if record.sources else {OWN}
    created = naive(record.occurred_at)
    return MemoryRecord(
        id=record.id,
        content=record.text,
        scope=path_of(record.scope.app_id),
        categories=own.get("categories") or ([category] if category and record.sources else []),
        metadata={key: value for key, value in record.metadata.items() if key not in hidden},
        importance=record.importance,
        created_at=created,
        last_accessed=accessed or created,
        source=own.get("source"),
        private=bool(own.get("private", False)),
    )


def criteria(
    categories: Sequence[str] | None = None,
    metadata_filter: Mapping[str, Any] | None = None,
    older_than: datetime | None = None,
    record_ids: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Return filters that must all hold, for `Memory.list` and its kin."""
    asked: list[dict[str, Any]] = []
    if categories:
        said = [{f"{OWN}.categories": {"contains": name}} for name in categories]
        asked.append({"OR": [*said, {"category": {"in": list(categories)}}]})
    for name, value in (metadata_filter or {}).items():
        asked.append({f"metadata.{name}": value})
    if older_than is not None:
        asked.append({"occurred_at": {"lt": aware(older_than)}})
    if record_ids is not None:
        asked.append({"id": {"in": list(record_ids)}})
    return asked


def visible(source: str | None) -> dict[str, Any]:
    """Return the filter that shows a reader the public records and its own private ones."""
    public = {f"{OWN}.private": {"ne": True}}
    return public if source is None else {"OR": [public, {f"{OWN}.source": source}]}
