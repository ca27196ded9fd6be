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
    source, done = LanceDBStorage(path=folder), 0
    total = source.count()
    while records := source.list_records(limit=BATCH, offset=done):
        _write([record for record in records if record.content.strip()], target)
        done += len(records)
        if progress is not None:
            progress(done, total)
    return done


def _write(records: list[MemoryRecord], target: HoldfastMemory | HoldfastStorage) -> None:
    if isinstance(target, HoldfastStorage):
        target.save(records)
    else:
        target.take(records)
