"""What Holdfast aims at in speed, and whether a run of `speed.py` holds it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crowd import ASYNC, SYNC
from peers import OURS
from tables import markdown

Found = Mapping[str, Any]
MILLION = 1_000_000
_BARE = {"": "bare SQLite", " full": "bare SQLite full"}


@dataclass(frozen=True, slots=True)
class Aim:
    """One figure beside what it may be at most, or must be at least; None: not measured."""

    what: str
    bound: float
    got: float | None
    at_least: bool = False

    @property
    def held(self) -> str:
        """Whether it holds."""
        if self.got is None:
            return "not measured"
        holds = self.got >= self.bound if self.at_least else self.got <= self.bound
        return "holds" if holds else "**misses**"


def table(found: Found) -> str:
    """Return all aims beside what was measured."""
    lines = []
    for aim in every(found):
        sign = "at least" if aim.at_least else "at most"
        got = "" if aim.got is None else _number(aim.got)
        lines.append([aim.what, f"{sign} {_number(aim.bound)}", got, aim.held])
    return markdown(["aim", "asked", "measured", ""], lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def every(found: Found) -> Iterator[Aim]:
    """Yield all aims."""
    yield _exact(found)
    for size in (10_000, 100_000):
        yield from _search(found, size)
        yield from _adds(found, size)
    for row in found.get("growth", ())[:2]:
        yield from _flat(found, row["system"])
    flat = _p50(found, 100_000, 1, "flat FAISS", "search")
    ours = _p50(found, 100_000, 1, "holdfast items", "search")
    yield Aim("100,000 of one user: search / flat FAISS scan", 1 / 2, _over(ours, flat))
    yield Aim(
        "the same: recall@10", 1, _recall(found, 100_000, 1, "holdfast items", "search"), True
    )
    yield from _million(found)
    yield from _crowd(found)


def _exact(found: Found) -> Aim:
    shares = [
        one["recall"][phase]["least"]
        for one in found["results"]
        if one["system"].startswith("holdfast items")
        for phase in one["recall"]
        if phase != "add_search"
    ]
    return Aim(
        "recall@10 of every vector search, filtered and not", 1, min(shares, default=None), True
    )


def _search(found: Found, size: int) -> Iterator[Aim]:
    users = size // 1_000

    def p50(system: str) -> float | None:
        return _p50(found, size, users, system, "search")

    asked = {"sqlite-vec": 2, "SqliteStore": 25, "Chroma": 40, "LanceDB": 40}
    for peer, times in asked.items():
        what = f"{size:,} of {users} users: vector search / {peer}'s"
        yield Aim(what, 1 / times, _over(p50("holdfast items"), p50(peer)))
    yield Aim(f"{size:,} of {users} users: hybrid search, ms", 2, p50("holdfast"))
    ratio = _over(p50("holdfast"), p50("SqliteStore"))
    yield Aim(f"{size:,} of {users} users: hybrid search / SqliteStore's", 1 / 3, ratio)


def _adds(found: Found, size: int) -> Iterator[Aim]:
    users = size // 1_000
    for name in OURS:
        bare = _BARE[" full" if name.endswith("full") else ""]
        ours = _p50(found, size, users, name, "add")
        ratio = _over(ours, _p50(found, size, users, bare, "add"))
        yield Aim(f"{size:,} of {users} users: add of {name} / {bare}", 1.5, ratio)


def _flat(found: Found, system: str) -> Iterator[Aim]:
    sizes = {row["size"]: row for row in found["growth"] if row["system"] == system}
    for phase in ("search", "filtered"):
        small, large = (sizes[size]["phases"][phase]["p50"] for size in (10_000, 100_000))
        what = f"{system}, {phase}: with 99,000 of others / with 9,000"
        yield Aim(what, 1.5, _over(large, small))


def _million(found: Found) -> Iterator[Aim]:
    for system in ("holdfast items", "holdfast"):
        row = _row(found, MILLION, 1_000, system)

        def of(read: Callable[[Found], float | None], row: Found | None = row) -> float | None:
            return None if row is None else read(row)

        said = f"1,000,000 of 1,000 users, {system}"
        yield Aim(
            f"{said}: reopen + first search, ms",
            1_000,
            of(lambda row: row["phases"]["reopen"]["p50"]),
        )
        yield Aim(f"{said}: search p99, ms", 5, of(lambda row: row["phases"]["search"]["p99"]))
        yield Aim(
            f"{said}: search p99 of processor time, ms",
            5,
            of(lambda row: row["phases"]["search"].get("cpu p99")),
        )
        yield Aim(
            f"{said}: resident MB with 50 users active",
            600,
            of(lambda row: row["facts"]["full"]["rss"] / 1e6),
        )


def _crowd(found: Found) -> Iterator[Aim]:
    rounds = found.get("crowd", ())
    if not rounds:
        return
    said, plain = "1,000 adds and searches at once", _way(rounds, ASYNC)
    yield Aim(f"{said}: errors", 0, max(one["errors"] for one in rounds))
    yield Aim(f"{said}: loop blocked, ms", 20, max(one["blocked_ms"] for one in plain))
    pairs = zip(_way(rounds, SYNC), plain, strict=True)
    ratios = [one["seconds"] / other["seconds"] for one, other in pairs]
    yield Aim(f"{said}: throughput / the sync face's", 1, statistics.median(ratios), True)


def _way(rounds: Sequence[Found], way: str) -> list[Found]:
    return [one for one in rounds if one["way"] == way]


def _row(found: Found, size: int, users: int, system: str) -> Found | None:
    for one in found["results"]:
        if (one["size"], one["users"], one["system"]) == (size, users, system):
            row: Found = one
            return row
    return None


def _p50(found: Found, size: int, users: int, system: str, phase: str) -> float | None:
    row = _row(found, size, users, system)
    return None if row is None else row["phases"].get(phase, {}).get("p50")


def _recall(found: Found, size: int, users: int, system: str, phase: str) -> float | None:
    row = _row(found, size, users, system)
    return None if row is None else row["recall"].get(phase, {}).get("least")


def _over(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other
