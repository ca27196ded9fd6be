"""When the write-ahead log is moved into the file, so that a copy of an open file holds something.

SQLite moves it when it has grown (`opening.CHECKPOINT_PAGES`) or when the last connection closes.
Until then the file itself is empty, and a copy of it while it is open holds nothing. So it is
moved behind the first write too, then ever more seldom, at most about once a second: a copy lacks
what was written since. It does not wait: what a reader still needs stays for the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

# Seconds to the second time; each pause is so many times as long as the one before, up to the last.
FIRST: Final = 0.005
LONGER: Final = 1.5
LONGEST: Final = 1.0


class Moving:
    """Says when it is time, behind a write that has committed.

    Args:
        move: Moves what can be moved now.
    """

    def __init__(self, move: Callable[[], None]) -> None:
        self._move = move
        self._due = 0.0
        self._pause = FIRST

    def look(self) -> None:
        """Move the log if it is time."""
        now = monotonic()
        if now < self._due:
            return
        self._due = now + self._pause
        self._pause = min(self._pause * LONGER, LONGEST)
        self._move()
