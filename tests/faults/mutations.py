"""Exports with one thing changed: a field, a line, an order, a byte."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable
from typing import Any

Line = dict[str, Any]
Lines = list[Line]
Victim = dict[str, str]

_DEEP = "[" * 5_000 + "]" * 5_000
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    -(2**70),
    10**400,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "wizard",
    "\x00",
    "a\x00b",
    "\ud800",
    "\u202e",
    "1",
    "null",
    "[]",
    "{}",
    "[1]",
    '{"a":1}',
    "{",
    _DEEP,
    "x" * 70_000,
    "../../etc/passwd",
    "'; DROP TABLE records; --",
    [],
    [None],
    [1, "a"],
    [[]],
    {},
    {"a": {"b": [1]}},
)
_BLOBS = ("vectors", "passages", "terms", "digest", "message")
_IDS = ("user_id", "agent_id", "run_id", "app_id")


def _pick(rng: random.Random, lines: Lines, *tables: str) -> Line:
    """Return a line of a table drawn first, so that rare tables are drawn as often as records."""
    found = [line for line in lines if not tables or line.get("table") in tables] or lines
    table = rng.choice(sorted({str(line.get("table")) for line in found}))
    return rng.choice([line for line in found if str(line.get("table")) == table])


def _value(rng: random.Random, lines: Lines, victim: Victim) -> str:
    line = _pick(rng, lines)
    name = rng.choice(list(line))
    line[name] = rng.choice(VALUES)
    return f"{line.get('table', 'header')}.{name} = {line[name]!r:.40}"


def _nested(rng: random.Random, lines: Lines, victim: Victim) -> str:
    """Change a value within a column that holds JSON."""
    line = _pick(rng, lines, "record", "document", "log")
    names = [
        n for n, v in line.items() if isinstance(v, str) and v[:1] in ("[", "{") and len(v) > 2
    ]
    if not names:
        return _value(rng, lines, victim)
    name = rng.choice(names)
    inside = json.loads(line[name])
    at = rng.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    if isinstance(inside[at], dict) and inside[at]:
        inside, at = inside[at], rng.choice(list(inside[at]))
    value = rng.choice(VALUES)
    whole = json.loads(line[name])
    _replace(whole, inside, at, value)
    line[name] = json.dumps(whole)
    return f"{line['table']}.{name}[{at!r}] = {value!r:.40}"


def _replace(whole: Any, inside: Any, at: Any, value: Any) -> None:
    if whole == inside:
        whole[at] = value
        return
    for part in whole.values() if isinstance(whole, dict) else whole:
        if part == inside:
            part[at] = value
            return


def _number(rng: random.Random, lines: Lines, victim: Victim) -> str:
    line = _pick(rng, lines)
    names = [name for name, value in line.items() if type(value) in (int, float)]
    name = rng.choice(names or list(line))
    had = line[name]
    steps = (1, -1, 1 << 32, -(1 << 32), 10**6, -(10**16), 10**16, 3_600_000_000)
    line[name] = (had if isinstance(had, int) else 0) + rng.choice(steps)
    return f"{line.get('table', 'header')}.{name}: {had} -> {line[name]}"


def _removed(rng: random.Random, lines: Lines, victim: Victim) -> str:
    line = _pick(rng, lines)
    name = rng.choice(list(line))
    del line[name]
    return f"{line.get('table', 'header')} without {name}"


def _added(rng: random.Random, lines: Lines, victim: Victim) -> str:
    line = _pick(rng, lines)
    name = rng.choice(["unknown", "id; DROP TABLE records", "namespace", "user_id", "seq"])
    line[name] = rng.choice(VALUES)
    return f"{line.get('table', 'header')} with {name} = {line[name]!r:.40}"


def _table(rng: random.Random, lines: Lines, victim: Victim) -> str:
    line = _pick(rng, lines)
    line["table"] = rng.choice(
        ["records", "properties", "sqlite_master", "", 1, None, [], "log", "record", "document"]
    )
    return f"a line of table {line['table']!r}"


def _order(rng: random.Random, lines: Lines, victim: Victim) -> str:
    kind = rng.choice(["shuffled", "reversed", "doubled", "lost", "swapped", "all twice"])
    body = lines[1:]
    at = rng.randrange(len(body))
    match kind:
        case "shuffled":
            rng.shuffle(body)
        case "reversed":
            body.reverse()
        case "doubled":
            body.insert(rng.randrange(len(body)), dict(body[at]))
        case "lost":
            del body[at]
        case "swapped":
            other = rng.randrange(len(body))
            body[at], body[other] = body[other], body[at]
        case _:
            body += [dict(line) for line in body]
    lines[1:] = body
    return f"lines {kind} ({at})"


def _blob(rng: random.Random, lines: Lines, victim: Victim) -> str:
    found = [line for line in lines if any(line.get(name) for name in _BLOBS)]
    line = rng.choice(found)
    name = rng.choice([name for name in _BLOBS if line.get(name)])
    raw = base64.b64decode(line[name])
    kind = rng.choice(["cut", "empty", "doubled", "nan", "inf", "zero", "noise", "huge", "base64"])
    changed: dict[str, bytes] = {
        "cut": raw[: rng.randrange(len(raw))],
        "empty": b"",
        "doubled": raw + raw,
        "nan": struct.pack("<f", float("nan")) * (len(raw) // 4),
        "inf": struct.pack("<f", float("inf")) * (len(raw) // 4),
        "zero": bytes(len(raw)),
        "noise": rng.randbytes(len(raw)),
        "huge": b"\x7f" * len(raw),
    }
    line[name] = "no base64!" if kind == "base64" else base64.b64encode(changed[kind]).decode()
    return f"{line['table']}.{name} {kind}"


def _foreign(rng: random.Random, lines: Lines, victim: Victim) -> str:
    """Name what is another tenant's: its key, its id, its path, its row."""
    line = _pick(rng, lines, "record", "document", "log", "erasure", "namespace", "queue")
    kind = rng.choice(["key", "every key", "sources", "ids", "path", "both", "user", "no ids"])
    own = line.get("key")
    match kind:
        case "key" if own:
            line["key"] = victim["key"]
        case "every key" if own:
            text = json.dumps(lines).replace(str(own), victim["key"])
            lines[:] = json.loads(text)
        case "sources":
            line["sources"] = json.dumps([victim["key"]])
        case "user" | "ids":
            space = _pick(rng, lines, "namespace")
            space[rng.choice(_IDS) if kind == "ids" else "user_id"] = "victim"
        case "path":
            space = _pick(rng, lines, "namespace")
            space["path"] = rng.choice(
                [victim["path"], "s", "s\x1f", "i\x1f", "x", space["path"] * 2]
            )
        case "both":
            space = _pick(rng, lines, "namespace")
            space |= {**dict.fromkeys(_IDS), "user_id": "victim", "path": victim["path"]}
        case _:
            _pick(rng, lines, "namespace").update(dict.fromkeys(_IDS))
    return f"{line.get('table')} with another's {kind}"


def _header(rng: random.Random, lines: Lines, victim: Victim) -> str:
    name = rng.choice(list(lines[0]))
    lines[0][name] = rng.choice([*VALUES, "holdfast", 1, 2, 16, "hash/16", "other/32"])
    return f"header.{name} = {lines[0][name]!r:.40}"


_CHANGES: dict[Callable[[random.Random, Lines, Victim], str], int] = {
    _value: 34,
    _nested: 12,
    _number: 12,
    _removed: 6,
    _added: 4,
    _table: 2,
    _order: 8,
    _blob: 12,
    _foreign: 14,
    _header: 3,
}


def _raw(rng: random.Random, text: bytes) -> tuple[str, bytes]:
    """Change bytes of the file rather than lines."""
    at = rng.randrange(len(text))
    kind = rng.choice(["cut", "flipped", "noise", "blank", "deep", "bom", "nul", "list", "utf8"])
    cut = text.index(b"\n") + 1
    made = {
        "cut": text[:at],
        "flipped": text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1 :],
        "noise": text[:at] + rng.randbytes(20) + text[at:],
        "blank": text[:cut] + b"\n\n" + text[cut:],
        "deep": text[:cut] + b"[" * 100_000 + b"\n" + text[cut:],
        "bom": b"\xef\xbb\xbf" + text,
        "nul": text + b"\x00",
        "list": text[:cut] + b"[]\n" + text[cut:],
        "utf8": text[:at] + b"\xff\xfe" + text[at:],
    }
    return f"bytes {kind} at {at}", made[kind]


def mutate(rng: random.Random, text: bytes, victim: Victim) -> tuple[str, bytes]:
    """Return what was changed, and the changed export."""
    if rng.random() < 0.06:
        return _raw(rng, text)
    lines = [json.loads(row) for row in text.decode().splitlines()]
    change = rng.choices(list(_CHANGES), list(_CHANGES.values()))[0]
    name = change(rng, lines, victim)
    made = "\n".join(json.dumps(line) for line in lines) + "\n"
    return name, made.encode("utf-8", "surrogatepass")
