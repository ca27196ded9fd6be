"""Moving in: records of a CrewAI memory that LanceDB holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord

from holdfast_crewai.memory import HoldfastMemory
from holdfast_crewai.storage import HoldfastStorage

BATCH = 500
ALL = 1_000_000_000


def import_lancedb(
    path: str | os.PathLike[str],
    target: HoldfastMemory | HoldfastStorage,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Copy every record of a LanceDB memory; return how many.

    Into a `HoldfastStorage` records go as they are, id and vector included. A
    `HoldfastMemory` takes words, path, categories, source, privacy and times, and makes vectors
    of its own; what it holds already is not stored twice, so a broken import is run again.
    Paths start at the target's root.

    Args:
        path: The folder, e.g. ``~/.local/share/<project>/memory``.
        target: Where to.
        progress: Called with records done and records in all.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no LanceDB folder")
    # In one reading: where times are equal, LanceDB's pages repeat some rows and leave out others.
    found = LanceDBStorage(path=folder).list_records(limit=ALL)
    for start in range(0, len(found), BATCH):
        some = found[start : start + BATCH]
        _write([record for record in some if record.content.strip()], target)
        if progress is not None:
            progress(start + len(some), len(found))
    return len(found)


def _write(records: list[MemoryRecord], target: HoldfastMemory | HoldfastStorage) -> None:
    if isinstance(target, HoldfastStorage):
        target.save(records)
    else:
        target.take(records)
