"""A SQLite driver that loads extensions: the standard library's, else the one Holdfast brings."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any


def driver() -> ModuleType:
    """Return the driver.

    Raises:
        RuntimeError: None here can load extensions.
    """
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    try:
        from sqlcipher3 import dbapi2
    except ImportError as error:
        raise RuntimeError("this Python's sqlite3 loads no extensions") from error
    module: ModuleType = dbapi2
    return module


def connect(path: Path) -> Any:
    """Open a file in autocommit mode, as LangGraph's `from_conn_string` does."""
    return driver().connect(str(path), check_same_thread=False, isolation_level=None)
