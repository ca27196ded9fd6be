"""AutoGen's memory contents as records, and back without loss."""

from __future__ import annotations

import base64
import json
from typing import Any

from autogen_core import Image
from autogen_core.memory import MemoryContent, MemoryMimeType
from holdfast import InvalidInputError, Message, Record

from holdfast_autogen.message_ids import Said, next_id

# Where a record's metadata says what is not plain text: its type, its form and its bytes.
KEY = "_autogen"


def message_of(content: MemoryContent) -> Message:
    """Return a content as a message to store; equal contents have equal ids.

    Raises:
        InvalidInputError: It would not come back as it is, or is none.
    """
    if not isinstance(content, MemoryContent):
        raise InvalidInputError(
            "memory takes a MemoryContent(content=..., mime_type=...), "
            f"not {type(content).__name__!r}"
        )
    mime = _mime(content)
    text, form = _text(content, mime)
    if content.metadata and KEY in content.metadata:
        raise InvalidInputError(f"the metadata key {KEY!r} is Holdfast's own")
    metadata = {**(content.metadata or {}), **({KEY: form} if form else {})}
    told = json.dumps([text, metadata], sort_keys=True, default=repr)
    return Message(text, id=next_id("", Said("user", mime, told)), metadata=metadata)


def _mime(content: MemoryContent) -> str:
    mime = content.mime_type
    return mime.value if isinstance(mime, MemoryMimeType) else mime


def _text(content: MemoryContent, mime: str) -> tuple[str, dict[str, str] | None]:
    """Return the words a content is found by, and how it is restored."""
    given = content.content
    if isinstance(given, str):
        plain = mime == MemoryMimeType.TEXT.value
        return given, None if plain else {"mime_type": mime, "form": "text"}
    if isinstance(given, dict):
        return _json(given), {"mime_type": mime, "form": "json"}
    is_image = isinstance(given, Image)
    data = given.to_base64() if isinstance(given, Image) else base64.b64encode(given).decode()
    form = {"mime_type": mime, "form": "image" if is_image else "bytes", "data": data}
    return _caption(content) or f"{mime}, {len(data) * 3 // 4:,} bytes", form


def _json(given: dict[str, Any]) -> str:
    try:
        text = json.dumps(given, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"content must be JSON: {error}") from error
    if json.loads(text) != given:
        raise InvalidInputError("content must be JSON: a tuple, NaN or a key that is no string?")
    return text


def _caption(content: MemoryContent) -> str:
    """Return what the caller says of bytes and images: that is what they are found by."""
    said = ((content.metadata or {}).get(key) for key in ("description", "caption", "name"))
    return ". ".join(text for text in said if isinstance(text, str) and text.strip())


def content_of(record: Record, score: float | None = None) -> MemoryContent:
    """Return a record as a content: what was given, and in its metadata what became of it.

    `id`, `kind`, times (ISO 8601), `score`, `role` and `speaker` are added where the caller has
    not used these keys.
    """
    form = record.metadata.get(KEY, {})
    own = {name: value for name, value in record.metadata.items() if name != KEY}
    mime = form.get("mime_type", MemoryMimeType.TEXT.value)
    known = {one.value for one in MemoryMimeType}
    return MemoryContent(
        content=_restored(record, form),
        mime_type=MemoryMimeType(mime) if mime in known else mime,
        metadata={**_facts(record, score), **own},
    )


def shown(record: Record) -> MemoryContent:
    """Return a record as an event can carry it: bytes, which JSON cannot, by their caption."""
    content = content_of(record)
    if isinstance(content.content, bytes):
        return MemoryContent(content=record.text, mime_type="text/plain", metadata=content.metadata)
    return content


def _restored(record: Record, form: dict[str, str]) -> str | bytes | dict[str, Any] | Image:
    if form.get("form") == "bytes":
        return base64.b64decode(form["data"])
    if form.get("form") == "image":
        return Image.from_base64(form["data"])
    if form.get("form") != "json":
        return record.text
    try:
        read = json.loads(record.text)
    except ValueError:  # somebody has changed the words since
        return record.text
    return read if isinstance(read, dict) else record.text


def _facts(record: Record, score: float | None) -> dict[str, Any]:
    facts = {
        "id": record.id,
        "kind": record.kind,
        "created_at": record.created_at.isoformat(),
        "occurred_at": record.occurred_at.isoformat(),
        "score": score,
        "role": record.role if record.kind == "turn" else None,
        "speaker": record.speaker,
        "session": record.scope.run_id,
    }
    return {name: value for name, value in facts.items() if value is not None}
