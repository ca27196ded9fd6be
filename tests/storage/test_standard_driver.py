"""Holdfast on the standard library's SQLite, as where sqlcipher3 has no wheel."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from holdfast import StorageError
from holdfast.storage.sqlite.opening import OLDEST, check_version

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]

old = pytest.mark.skipif(
    sqlite3.sqlite_version_info < OLDEST, reason="this Python's SQLite is too old"
)


def without_sqlcipher(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process that cannot import sqlcipher3."""
    blocked = "import sys\nsys.modules['sqlcipher3'] = None\n" + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", blocked, *arguments],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@old
def test_filters_mean_the_same() -> None:
    code = """
        import pytest
        from holdfast.storage.sqlite.opening import CAN_ENCRYPT

        assert not CAN_ENCRYPT
        sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
    """
    done = without_sqlcipher(
        code, TESTS / "storage" / "test_filters_sql.py", "-k", "name or text or number"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@old
def test_a_key_says_what_encrypts(tmp_path: Path) -> None:
    code = """
        from holdfast import Memory, StorageError
        from holdfast.testing import HashEmbedder

        try:
            Memory(sys.argv[1], embedder=HashEmbedder(), key="a secret")
        except StorageError as error:
            print(error)
    """
    done = without_sqlcipher(code, tmp_path / "m.db")
    assert done.stdout == "encryption needs the sqlcipher3 package; install it or drop key=\n"
    assert list(tmp_path.iterdir()) == []


def test_a_sqlite_that_is_too_old_is_refused() -> None:
    with pytest.raises(StorageError, match=r"needs SQLite 3\.38 or newer, and this is 3\.34\.1"):
        check_version((3, 34, 1))
