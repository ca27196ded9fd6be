"""A file that was damaged says so: by an error of ours, or by what `check` names."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from holdfast import DamagedFileError, HoldfastError, Memory, StorageError
from holdfast.testing import HashEmbedder
from support import story


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


def told(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the kind of our error."""
    try:
        return call()
    except HoldfastError as error:
        return type(error).__name__


def ask(path: Path, keys: dict[str, list[str]], right: dict[str, Any]) -> str:
    """Open a damaged file and ask everything; say how it went."""
    try:
        memory = Memory(path, embedder=HashEmbedder())
    except HoldfastError:
        return "refused"
    try:
        wrong = False
        for name, question in story.questions(keys).items():
            try:
                wrong |= question(memory) != right[name]
            except HoldfastError:
                wrong = True
        try:
            problems = memory.stats(check=True).problems
        except HoldfastError:
            return "told"
    finally:
        told(memory.close)
    if problems:
        return "told"
    return "silent" if wrong else "right"


def survey(folder: Path, seed: int, count: int) -> dict[str, int]:
    """Damage a file of a story in many ways; count how it went."""
    with story.written(folder / "m.db") as memory:
        keys = story.keys_of(memory)
        memory.purge()
    with Memory(folder / "m.db", embedder=HashEmbedder()) as memory:
        right = {name: question(memory) for name, question in story.questions(keys).items()}
    raw, chance = (folder / "m.db").read_bytes(), random.Random(seed)
    counted: dict[str, int] = {}
    for _ in range(count):
        for name in ("x.db", "x.db-wal", "x.db-shm"):
            (folder / name).unlink(missing_ok=True)
        (folder / "x.db").write_bytes(flipped(raw, chance))
        how = ask(folder / "x.db", keys, right)
        counted[how] = counted.get(how, 0) + 1
    return counted


def test_a_flipped_bit_is_told_or_harms_nothing(tmp_path: Path) -> None:
    counted = survey(tmp_path, 5, 250)
    assert counted.get("silent", 0) == 0, counted
    assert counted["told"] > 100
