"""Ctrl-C at any moment: what was begun is whole or absent, and the memory goes on.

Python raises a KeyboardInterrupt when a function begins or a C function has returned; so does
`interrupt`, at one such moment after another, inside our storage. A notebook keeps the last
exception and its frames, so these tests keep them, too.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from holdfast import Memory
from holdfast.tables import Database
from holdfast.testing import HashEmbedder

pytestmark = pytest.mark.slow

STORAGE = os.path.join("holdfast", "storage")
# Python 3.10 leaves a generator that a profiler interrupts without its `finally`; Ctrl-C does not.
SPARED = inspect.CO_GENERATOR if sys.version_info < (3, 11) else 0
STRIDE = 3  # every third moment: the suite must stay quick


def opened(path: Path | str, **options: Any) -> Memory:
    return Memory(path, embedder=HashEmbedder(), **options)


def interrupt(moment: int, operation: Callable[[], object]) -> KeyboardInterrupt | None:
    """Run an operation and interrupt it at a moment; return None if it had ended before."""
    left = moment

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        code = frame.f_code  # a generator that is thrown away has nobody to interrupt
        inside = STORAGE in code.co_filename and code.co_name != "<genexpr>"
        if inside and (event == "c_return" or (event == "call" and not code.co_flags & SPARED)):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        operation()
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.setprofile(previous)
    return None


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_an_interrupted_write_is_whole_or_absent_and_locks_nobody_out(
    tmp_path: Path, durability: Any
) -> None:
    path = tmp_path / "m.db"
    rival = Database(path, busy_seconds=0)
    with opened(path, durability=durability) as memory:
        memory.add("green tea", user_id="ada")
        moment = 1
        while (kept := interrupt(moment, lambda: memory.add("a b", user_id="bo"))) is not None:
            with rival.write():
                pass
            memory.add("black tea", user_id="ada")
            moment += STRIDE
            del kept
        assert moment > 60
        assert memory.stats(check=True).problems == ()
    rival.close()


@pytest.mark.parametrize("place", ["file", "memory"])
def test_an_interrupted_search_leaves_a_memory_that_finds_all(tmp_path: Path, place: str) -> None:
    with opened(tmp_path / "m.db" if place == "file" else ":memory:") as memory:
        memory.add(["green tea", "black coffee"], user_id="ada")
        moment = stored = 1
        while interrupt(moment, lambda: memory.search("tea", user_id="ada")) is not None:
            found = memory.search("tea", user_id="ada", limit=1000)
            assert len(found) == stored + 1
            memory.add("white tea", user_id="ada")
            moment, stored = moment + STRIDE, stored + 1
        assert moment > 60
        assert memory.stats(check=True).problems == ()
