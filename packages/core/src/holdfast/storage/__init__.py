"""Where memories are kept: a contract, an index in memory, and backends."""

from __future__ import annotations

import os
from collections.abc import Sequence

from holdfast.storage.contract.storage import VIEW_BUDGET, Durability, Storage


def open_storage(
    path: str | os.PathLike[str],
    *,
    key: str | bytes | None = None,
    durability: Durability = "normal",
    indexed: Sequence[str] = (),
    view_budget: int = VIEW_BUDGET,
) -> Storage:
    """Open the backend that a path names: an SQLite file, or ``:memory:``.

    Args:
        path: Where it is.
        key: Encrypts the file.
        durability: What an acknowledged write survives.
        indexed: Metadata fields that get an index of their own, e.g. ``"topic"``.
        view_budget: Bytes that views may hold in memory.

    Raises:
        StorageError: It cannot be opened, or is no file of this version.
        WrongKeyError: The key is another.
    """
    from holdfast.storage.sqlite.storage import SqliteStorage

    return SqliteStorage(
        path, key=key, durability=durability, indexed=indexed, view_budget=view_budget
    )
