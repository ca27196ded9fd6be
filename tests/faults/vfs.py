"""SQLite's file operations, watched and failed from within the process, without a compiler.

SQLite reaches the disk through a table of functions, its VFS. The driver's library exports
``sqlite3_vfs_find``, so `ctypes` can put functions of ours into that table: ``xOpen`` and
``xDelete`` of the VFS, and ``xWrite``, ``xTruncate``, ``xSync`` and ``xClose`` of each file opened
while somebody watches. Each tells the `Watcher` and calls what stood there before. Afterwards all
is put back, in files that are still open as well: a function of ours must not be called when the
interpreter is gone.

The shared-memory file of the write-ahead log is mapped, not written, and SQLite rebuilds it from
the log: it is not seen here and need not be.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from holdfast.storage.sqlite.opening import driver

OK: Final = 0
FULL: Final = 13  # SQLITE_FULL
WRITE_FAILED: Final = 778  # SQLITE_IOERR_WRITE

_POINTER = ctypes.c_void_p
_INT, _LONG, _TEXT = ctypes.c_int, ctypes.c_int64, ctypes.c_char_p
_Open = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_Delete = ctypes.CFUNCTYPE(_INT, _POINTER, _TEXT, _INT)
_Close = ctypes.CFUNCTYPE(_INT, _POINTER)
_Write = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_Truncate = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_Sync = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)


class Watcher(Protocol):
    """Who is told of file operations; names are file names without their folder."""

    folder: Path
    short: bool

    def opened(self, name: str) -> None:
        """A file was opened, and made if it was not there."""

    def written(self, name: str, offset: int, data: bytes) -> int | None:
        """Bytes are about to be written; an error code makes the write fail.

        A failing write writes nothing; that of a `short` watcher writes its first half.
        """

    def truncated(self, name: str, size: int) -> None:
        """A file was cut."""

    def synced(self, name: str) -> None:
        """A file has reached the disk."""

    def removed(self, name: str) -> None:
        """A file was removed."""


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("version", _INT),
        ("file_size", _INT),
        ("longest_path", _INT),
        ("next", _POINTER),
        ("name", _TEXT),
        ("data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
    ]  # more follow, which stay as they are


class _File(ctypes.Structure):
    _fields_ = [("methods", _POINTER)]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("version", _INT),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _POINTER),
        ("truncate", _POINTER),
        ("sync", _POINTER),
        ("others", _POINTER * 13),  # up to version 3: xUnfetch is the last
    ]


_watcher: Watcher | None = None
_names: dict[int, tuple[str, int]] = {}
"""Of files opened under watch: name and own table, by the address of SQLite's handle."""
_tables: dict[int, tuple[_Methods, list[Any]]] = {}
"""Ours, with the functions in them, by the address of the table whose place they take."""


def can_watch() -> bool:
    """Say whether the driver's SQLite can be reached."""
    try:
        return hasattr(_library(), "sqlite3_vfs_find")
    except OSError:
        return False


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` of every operation on files of its folder that are opened in this block."""
    global _watcher
    find = _library().sqlite3_vfs_find
    find.restype = ctypes.POINTER(_Vfs)
    vfs = find(None).contents
    before = vfs.open, vfs.delete
    functions = _opening(_Open(vfs.open)), _deleting(_Delete(vfs.delete))
    _watcher = watcher
    vfs.open, vfs.delete = (ctypes.cast(one, _POINTER).value for one in functions)
    try:
        yield
    finally:
        vfs.open, vfs.delete = before
        _watcher = None
        for file, (_, methods) in _names.items():
            _File.from_address(file).methods = methods
        _names.clear()


def _library() -> ctypes.CDLL:
    """Load the driver's extension module once more, as a C library."""
    encrypts = driver.__name__.startswith("sqlcipher3")
    module = importlib.import_module("sqlcipher3._sqlite3" if encrypts else "_sqlite3")
    return ctypes.CDLL(getattr(module, "__file__", None))


def _watched(path: bytes) -> str | None:
    """Return the name of a file of the watched folder."""
    if _watcher is None:
        return None
    folder, name = os.path.split(os.fsdecode(path))
    return name if folder == str(_watcher.folder) else None


def _opening(before: Any) -> Any:
    @_Open
    def open_(vfs: int, path: int | None, file: int, flags: int, got: int) -> int:
        code: int = before(vfs, path, file, flags, got)
        name = _watched(ctypes.string_at(path)) if path is not None else None
        if code == OK and name is not None and _watcher is not None:
            handle = _File.from_address(file)
            _names[file] = name, handle.methods
            handle.methods = ctypes.addressof(_table(handle.methods))
            _watcher.opened(name)
        return code

    return open_


def _deleting(before: Any) -> Any:
    @_Delete
    def delete(vfs: int, path: bytes, sync: int) -> int:
        code: int = before(vfs, path, sync)
        name = _watched(path)
        if code == OK and name is not None and _watcher is not None:
            _watcher.removed(name)
            if sync:
                _watcher.synced("")
        return code

    return delete


def _table(address: int) -> _Methods:
    """Return a copy of a file's table with our functions in it; made once for each original."""
    if address not in _tables:
        old = _Methods.from_address(address)
        table = _Methods.from_buffer_copy(old)
        functions = {
            "close": _closing(_Close(old.close)),
            "write": _writing(_Write(old.write)),
            "truncate": _truncating(_Truncate(old.truncate)),
            "sync": _syncing(_Sync(old.sync)),
        }
        for name, function in functions.items():
            setattr(table, name, ctypes.cast(function, _POINTER).value)
        _tables[address] = table, list(functions.values())
    return _tables[address][0]


def _closing(before: Any) -> Any:
    @_Close
    def close(file: int) -> int:
        _names.pop(file, None)
        return int(before(file))

    return close


def _writing(before: Any) -> Any:
    @_Write
    def write(file: int, data: int, size: int, offset: int) -> int:
        if _watcher is None or file not in _names:
            return int(before(file, data, size, offset))
        code = _watcher.written(_names[file][0], offset, ctypes.string_at(data, size))
        if code is None:
            return int(before(file, data, size, offset))
        if _watcher.short:
            before(file, data, size // 2, offset)
        return code

    return write


def _truncating(before: Any) -> Any:
    @_Truncate
    def truncate(file: int, size: int) -> int:
        code: int = before(file, size)
        if code == OK and _watcher is not None and file in _names:
            _watcher.truncated(_names[file][0], size)
        return code

    return truncate


def _syncing(before: Any) -> Any:
    @_Sync
    def sync(file: int, flags: int) -> int:
        code: int = before(file, flags)
        if code == OK and _watcher is not None and file in _names:
            _watcher.synced(_names[file][0])
        return code

    return sync
