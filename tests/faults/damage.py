"""Bits that change by themselves: a damaged file says so, or answers as it did before.

Watches the digest of each row, the sums of what changes, and the errors that stand for values
that cannot be read. A flip is *right* (every answer as before), *refused* (at opening), *told* (by
an error of ours, or by `check`), or a failure: an answer differs and nothing tells it, or an error
that is none of ours.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.parts import Counts, Report, quiet
from holdfast import HoldfastError, Memory
from holdfast.testing import HashEmbedder
from support import full_story as story

WHOLE = 4_000
TOLD = "told by an error of ours"


def flipped(raw: bytes, chance: random.Random) -> bytes:
    """Return bytes of which one bit, one byte, or a few in a row are others."""
    copy, at = bytearray(raw), chance.randrange(len(raw))
    how = chance.randrange(4)
    if how < 2:
        copy[at] ^= 1 << chance.randrange(8)
    elif how == 2:
        copy[at] = chance.randrange(256)
    else:
        copy[at : at + 4] = chance.randbytes(4)
    return bytes(copy)


def ask(path: Path, keys: dict[str, list[str]], right: dict[str, Any]) -> str:
    """Open a damaged file and ask everything; say how it went."""
    try:
        memory = Memory(path, embedder=HashEmbedder())
    except HoldfastError:
        return "refused"
    try:
        answers = {name: _answer(memory, ask) for name, ask in story.questions(keys).items()}
        problems = memory.stats(check=True).problems
    except HoldfastError:
        return "told"
    finally:
        _close(memory)
    others = [name for name, found in answers.items() if found not in (TOLD, right[name])]
    if others and not problems:
        return f"silently another answer to {others}"
    return "told" if problems or TOLD in answers.values() else "right"


def _answer(memory: Memory, question: Callable[[Memory], Any]) -> Any:
    try:
        return question(memory)
    except HoldfastError:
        return TOLD


def _close(memory: Memory) -> None:
    try:
        memory.close()
    except HoldfastError:
        return


def flip(seed: int, count: int, report: Report = quiet) -> Counts:
    """Damage a file in so many ways."""
    counts, folder = Counts(), Path(tempfile.mkdtemp(prefix="holdfast-damage-"))
    try:
        _flip(folder, random.Random(seed), count, counts, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def _flip(folder: Path, chance: random.Random, count: int, counts: Counts, report: Report) -> None:
    keys, right = _written(folder / "m.db")
    raw, path = (folder / "m.db").read_bytes(), folder / "x.db"
    for number in range(count):
        for name in ("x.db", "x.db-wal", "x.db-shm"):
            (folder / name).unlink(missing_ok=True)
        damaged = flipped(raw, chance)
        path.write_bytes(damaged)
        try:
            how = ask(path, keys, right)
        except Exception as error:  # noqa: BLE001 - an error that is none of ours is what is sought
            how = f"raw {error!r}"
        counts["flips"] += 1
        if how not in ("right", "refused", "told"):
            counts.fail(f"number {number}, byte {_first_difference(raw, damaged)}: {how}")
        else:
            counts[how] += 1
        if number % 500 == 499:
            report(f"{number + 1} of {count} flips, {counts['failures']} failures")


def _written(path: Path) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Write a story; return the ids of its records, and every answer."""
    with story.written(path) as memory:
        keys = story.keys_of(memory)
        memory.purge()
    with Memory(path, embedder=HashEmbedder()) as memory:
        return keys, {name: ask(memory) for name, ask in story.questions(keys).items()}


def _first_difference(raw: bytes, damaged: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(raw, damaged, strict=True)) if a != b), -1)


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Flip some thousand bits and bytes."""
    return flip(seed, int(WHOLE * scale), report)
