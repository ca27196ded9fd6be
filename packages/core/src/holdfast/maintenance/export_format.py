"""What a line of an export may hold. An import believes nothing else of the file it is given.

Each line is checked by itself here, as strictly as what `add` and `documents.put` are given; how
lines fit each other is checked by `import_survey`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Final, TypeAlias

import numpy as np

from holdfast.documents import checks
from holdfast.errors import HoldfastError, InvalidInputError
from holdfast.ingestion.messages import MAX_TEXT, check_metadata, check_text
from holdfast.language.traits import traits
from holdfast.language.wording import fingerprint
from holdfast.storage.contract import codec
from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.exports import FORMAT, OPERATIONS, VERSION, Header, Line
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.contract.tables import PREFIX, find
from holdfast.types import KINDS, ROLES, Scope, check_id

Given: TypeAlias = Mapping[str, Any]
Rule: TypeAlias = tuple[Callable[[Any], bool], str]
"""Says whether a value is allowed; and in words, what is."""

MOST_DIMENSIONS: Final = 1 << 16
_ROW_BITS: Final = (1 << NAMESPACE_BITS) - 1
_FIRST: Final = codec.to_micros(datetime.min.replace(tzinfo=timezone.utc))
_LAST: Final = codec.to_micros(datetime.max.replace(tzinfo=timezone.utc))
_SPAN: Final = np.dtype([("start", "<i4"), ("end", "<i4"), ("words", "<i4")])


def _whole(low: int, high: int) -> Rule:
    return (
        lambda value: type(value) is int and low <= value <= high,
        f"a whole number from {low} to {high}",
    )


def _words(value: Any) -> bool:
    """Return whether it is a text that SQLite can store and a terminal can be shown."""
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _id(value: Any) -> bool:
    try:
        check_id("id", value)
    except HoldfastError:
        return False
    return True


def _or_null(rule: Rule) -> Rule:
    allows, words = rule
    return lambda value: value is None or allows(value), f"{words}, or null"


def _one_of(*values: Any) -> Rule:
    return lambda value: value in values and type(value) in map(type, values), f"one of {values}"


def _is_importance(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _list_of(allows: Callable[[Any], bool], words: str) -> Rule:
    return lambda value: isinstance(value, list) and all(map(allows, value)), f"a list of {words}"


_TIME: Final = _whole(_FIRST, _LAST)
_ROW: Final = _whole(1 << NAMESPACE_BITS, (1 << 63) - 1)
_NUMBER: Final = _whole(1, (1 << 31) - 1)
_COUNT: Final = _whole(0, (1 << 31) - 1)
_TEXT: Final[Rule] = (_words, f"a text of at most {MAX_TEXT:,} characters without NUL")
_KEY: Final[Rule] = (_id, "an id of 1 to 256 characters")
_BLOB: Final[Rule] = (lambda value: isinstance(value, str), "base64")
_JSON: Final[Rule] = (lambda value: isinstance(value, str), "JSON in a string")
_END: Final = (_ROW, _TIME, _TIME, _or_null(_ROW))
_ENDS: Final = _list_of(
    lambda end: (
        isinstance(end, list)
        and len(end) == 4
        and all(rule[0](value) for rule, value in zip(_END, end, strict=True))
    ),
    "a change, two times, and a change or null each",
)

HEADER: Final[Mapping[str, Rule]] = {
    "format": _one_of(FORMAT),
    "version": _one_of(VERSION),
    "embedder": _or_null(_TEXT),
    "dimension": _or_null(_whole(1, MOST_DIMENSIONS)),
}
FIELDS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "namespace": {
        "no": _NUMBER,
        "path": (lambda value: isinstance(value, str), "a text"),
        "user_id": _or_null(_KEY),
        "agent_id": _or_null(_KEY),
        "run_id": _or_null(_KEY),
        "app_id": _or_null(_KEY),
        "next": _whole(1, _ROW_BITS),
    },
    "record": {
        "id": _ROW,
        "key": _KEY,
        "version": _NUMBER,
        "place": _ROW,
        "kind": _one_of(*KINDS),
        "role": _one_of(*ROLES, None),
        "speaker": _or_null(_TEXT),
        "text": _TEXT,
        "metadata": _JSON,
        "importance": (_is_importance, "a number from 0 to 1"),
        "created_at": _TIME,
        "recorded_at": _TIME,
        "retired_at": _or_null(_TIME),
        "retired_by": _or_null(_ROW),
        "occurred_at": _TIME,
        "valid_from": _or_null(_TIME),
        "valid_to": _or_null(_TIME),
        "closed_at": _or_null(_TIME),
        "closed_by": _or_null(_ROW),
        "expires_at": _or_null(_TIME),
        "message_id": _or_null(_KEY),
        "sources": _JSON,
        "relations": _JSON,
        "digest": _or_null(_KEY),
        "traits": _whole(0, 3),
        "passages": _BLOB,
        "vectors": _BLOB,
        "terms": _BLOB,
        "slots": _list_of(_words, "texts"),
    },
    "document": {
        "id": _ROW,
        "key": (_words, "a text"),
        "value": _JSON,
        "created_at": _TIME,
        "updated_at": _TIME,
        "expires_at": _or_null(_TIME),
        "lifetime": _or_null(_whole(1, _LAST - _FIRST)),
        "texts": _JSON,
        "passages": _BLOB,
        "vectors": _BLOB,
        "terms": _BLOB,
    },
    "log": {
        "namespace": _NUMBER,
        "position": _NUMBER,
        "operation": _one_of(*OPERATIONS),
        "before": _or_null(_ROW),
        "after": _or_null(_ROW),
        "key": _or_null(_KEY),
        "at": _TIME,
        "reason": _or_null(_TEXT),
        "sources": _or_null(_JSON),
    },
    "queue": {
        "record": _ROW,
        "attempts": _COUNT,
        "due_at": _TIME,
        "parked": _whole(0, 1),
        "error": _or_null(_TEXT),
    },
    "erasure": {
        "key": _KEY,
        "namespace": _NUMBER,
        "at": _TIME,
        "message": _or_null(_BLOB),
    },
}
_NO_TABLE: Final = (
    f"it is no line of a {FORMAT}; tables are {', '.join(FIELDS)} and those of installed packages"
)
_OPTIONAL: Final[Mapping[str, Mapping[str, Rule]]] = {"record": {"ends": _ENDS}}


def read_header(given: object) -> Header:
    """Return the first line of an export.

    Raises:
        InvalidInputError: It is none of this format and version.
    """
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise InvalidInputError(f"the first line is no header of a {FORMAT} of version {VERSION}")
    _check_fields("header", given, HEADER, {})
    if (given["embedder"] is None) != (given["dimension"] is None):
        raise InvalidInputError("a header has both an embedder and its dimension, or neither")
    return Header(given["embedder"], given["dimension"])


def read_line(given: object, header: Header) -> Line:
    """Return a line as it is to be written: blobs unpacked, JSON as it is stored.

    Raises:
        InvalidInputError: It holds what no export does; the field is named, and what is allowed.
    """
    table = given.get("table") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(table, str):
        raise InvalidInputError(_NO_TABLE)
    values = {name: value for name, value in given.items() if name != "table"}
    if table not in FIELDS:
        if find(table) is not None:
            return Line(table, values)
        needed = f"; {table:.80} is not installed" if table.startswith(PREFIX) else ""
        raise InvalidInputError(_NO_TABLE + needed)
    _check_fields(table, values, FIELDS[table], _OPTIONAL.get(table, {}))
    values |= {
        name: _unpacked(table, name, values[name])
        for name, rule in FIELDS[table].items()
        if rule is _BLOB or (name == "message" and values[name] is not None)
    }
    check = _CHECKS.get(table)
    if check is not None:
        try:
            check(values, header)
        except InvalidInputError:
            raise
        except (HoldfastError, RecursionError, TypeError, ValueError) as error:
            raise InvalidInputError(f"a {table} cannot be read: {error}") from error
    return Line(table, values)


def _unpacked(table: str, name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise InvalidInputError(f"{name} of a {table} must be {FIELDS[table][name][1]}") from error


def _check_fields(
    table: str, values: Given, rules: Mapping[str, Rule], optional: Mapping[str, Rule]
) -> None:
    for name, (allows, words) in rules.items():
        if name not in values:
            raise InvalidInputError(f"a {table} has no {name}; it must be {words}")
        if not allows(values[name]):
            raise InvalidInputError(f"{name} of a {table} must be {words}")
    for name in values.keys() - rules.keys():
        if name not in optional:
            raise InvalidInputError(f"a {table} has no field {name!r:.40}")
        if not optional[name][0](values[name]):
            raise InvalidInputError(f"{name} of a {table} must be {optional[name][1]}")


def _namespace(values: dict[str, Any], header: Header) -> None:
    ids = [values[name] for name in ("user_id", "agent_id", "run_id", "app_id")]
    values["scope"] = Scope(*ids) if any(one is not None for one in ids) else None
    labels = reaches.document_labels(values["path"])
    values["documents"] = labels is not None
    if labels is not None:
        checks.check_labels(labels, prefix=False)
    if not reaches.agrees(values["path"], ids):
        raise InvalidInputError("path of a namespace must be the one that its ids have")


def _record(values: dict[str, Any], header: Header) -> None:
    text = check_text(values["text"])
    metadata = _parsed("metadata", values)
    values["metadata"] = codec.to_json(check_metadata(metadata))
    _check_list("sources", values, _id, "ids")
    _check_list("relations", values, _is_relation, "relations")
    if (values["valid_to"] is None) != (values["closed_at"] is None):
        raise InvalidInputError("valid_to and closed_at of a record are both given, or neither")
    if len({end[0] for end in values.get("ends", ())}) < len(values.get("ends", ())):
        raise InvalidInputError("ends of a record must be of different changes")
    values["importance"] = float(values["importance"])
    # What follows from the text is not believed.
    values["traits"] = traits(text).flags
    values["digest"] = fingerprint(text) if values["digest"] is not None else None
    spans = _spans(values, [len(text)])
    if not len(spans):
        raise InvalidInputError("a record has at least one passage")
    if values["vectors"]:  # else it still waits for them
        _check_vectors(values["vectors"], len(spans), header.dimension or 0)


def _document(values: dict[str, Any], header: Header) -> None:
    checks.check_key(values["key"])
    values["value"] = checks.check_value(_parsed("value", values))
    texts = _parsed("texts", values)
    if not isinstance(texts, list) or checks.check_texts(texts) != texts:
        raise InvalidInputError("texts of a document must be a list of texts that are not blank")
    values["texts"] = codec.to_json(texts)
    if (values["lifetime"] is None) != (values["expires_at"] is None):
        raise InvalidInputError("lifetime and expires_at of a document are both given, or neither")
    spans = _spans(values, [len(text) for text in texts] or [MAX_TEXT])
    if texts and len(spans) != len(texts):
        raise InvalidInputError("a document has one passage for each of its texts")
    _check_vectors(values["vectors"], len(spans), header.dimension or 0)


def _spans(values: Given, sizes: list[int]) -> Any:
    """Check passages and terms against each other; return the passages.

    Args:
        values: A record or a document.
        sizes: Characters of the text of every passage; one for all of them.
    """
    if len(values["passages"]) % _SPAN.itemsize or len(values["terms"]) % 8:
        raise InvalidInputError("passages must be triples of 32 bits, terms must have 64 bits each")
    spans = np.frombuffer(values["passages"], dtype=_SPAN)
    ends = np.resize(np.array(sizes), len(spans))
    if (spans["start"] < 0).any() or (spans["start"] > spans["end"]).any():
        raise InvalidInputError("a passage must begin in its text, and end behind its beginning")
    if (spans["end"] > ends).any() or (spans["words"] < 0).any():
        raise InvalidInputError("a passage must end in its text, and have a number of words")
    if spans["words"].sum(dtype=np.int64) != len(values["terms"]) // 8:
        raise InvalidInputError("there must be as many terms as passages have words")
    return spans


def _check_vectors(blob: bytes, count: int, dimension: int) -> None:
    if len(blob) != 4 * count * dimension or (count and not dimension):
        raise InvalidInputError("there must be one vector a passage, of the header's dimension")
    vectors = np.frombuffer(blob, dtype=np.float32).reshape(count, dimension)
    with np.errstate(all="ignore"):
        lengths = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
        if not ((np.abs(lengths - 1) < 1e-3) | (lengths == 0)).all():
            raise InvalidInputError("a vector must be finite, and of length 1, or zeros")


def _log(values: dict[str, Any], header: Header) -> None:
    if values["sources"] is not None:
        _check_list("sources", values, _id, "ids")


def _check_list(
    name: str, values: dict[str, Any], allows: Callable[[Any], bool], what: str
) -> None:
    listed = _parsed(name, values)
    if not isinstance(listed, list) or not all(map(allows, listed)):
        raise InvalidInputError(f"{name} must be a JSON list of {what}")
    values[name] = codec.to_json(listed)


def _parsed(name: str, values: Given) -> Any:
    try:
        return json.loads(values[name])
    except (RecursionError, ValueError) as error:
        raise InvalidInputError(f"{name} is no JSON") from error


def _is_relation(value: Any) -> bool:
    """Return whether graph views and the pipeline can read it."""
    if not isinstance(value, dict) or not value.keys() <= _RELATION.keys():
        return False
    named = {"subject", "relation", "object"} <= value.keys()
    return named and all(_RELATION[name](part) for name, part in value.items())


_RELATION: Final[Mapping[str, Callable[[Any], bool]]] = {
    "subject": _words,
    "relation": _words,
    "object": _words,
    "single_valued": lambda value: isinstance(value, bool),
    "subject_type": _words,
    "object_type": _words,
}
_CHECKS: Final[Mapping[str, Callable[[dict[str, Any], Header], None]]] = {
    "namespace": _namespace,
    "record": _record,
    "document": _document,
    "log": _log,
}
