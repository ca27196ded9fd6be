"""Files that cannot be opened, read or written: each a clear error, nothing lost, nothing torn."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import (
    Memory,
    SchemaVersionError,
    StorageClosedError,
    StorageError,
    WrongKeyError,
)
from holdfast.storage.sqlite.database import Database
from holdfast.storage.sqlite.opening import Opening, claim, driver
from holdfast.testing import HashEmbedder
from support.drivers import needs_encryption

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))


def opened(path: Path | str, **options: Any) -> Memory:
    return Memory(path, embedder=HashEmbedder(), **options)


def fill(path: Path, **options: Any) -> None:
    with opened(path, **options) as memory:
        memory.add("the password is quinoa", user_id="ada")


# -- not ours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [0, 1234])
def test_another_programs_sqlite_file_is_refused_and_left_alone(tmp_path: Path, mark: int) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE notes (text)")
    theirs.execute(f"PRAGMA application_id = {mark}")
    theirs.commit()
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(SchemaVersionError, match="another program"):
        opened(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"plain text, long enough to fill a page\n" * 200, b"SQLite format 3"],
    ids=["short", "long", "almost"],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"notes\.txt"):
        opened(path)
    assert path.read_bytes() == content


def test_a_damaged_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    fill(path)
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged: go back to a copy"), opened(path) as memory:
        memory.search("quinoa", user_id="ada")


def test_a_relative_path_stays_the_same_file_when_the_process_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    with opened("m.db") as memory:
        memory.add("green tea", user_id="ada")
        monkeypatch.chdir(elsewhere)
        with memory._storage.database.read():  # so that the next one needs a connection of its own
            assert len(memory.list(user_id="ada")) == 1
        assert memory.stats().bytes > 0
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["file::memory:", "file:m.db?mode=memory", "a b#c%20d?e.db"])
def test_a_name_is_a_name_and_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(name) as memory:
        memory.add("green tea", user_id="ada")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_system_without_shared_memory_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    opening = Opening(path, None, "normal", busy_seconds=0.05)
    connection = driver.connect(f"file:{path}?vfs=unix-dotfile", isolation_level=None, uri=True)
    with pytest.raises(StorageError, match="write-ahead log"):
        opening.use_wal(connection)
    connection.close()


def test_a_folder_and_a_missing_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        opened(tmp_path)
    with pytest.raises(StorageError, match="folder exists"):
        opened(tmp_path / "missing" / "m.db")
    assert not (tmp_path / "missing").exists()


def test_an_empty_file_becomes_a_memory(tmp_path: Path) -> None:
    (tmp_path / "m.db").touch()
    fill(tmp_path / "m.db")
    with opened(tmp_path / "m.db") as memory:
        assert len(memory.list(user_id="ada")) == 1


def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    fill(path)
    database = Database(path)
    with database.write() as connection:
        connection.execute("UPDATE migrations SET step = step + 1")
    with pytest.raises(
        SchemaVersionError, match=r"another version.*newer one, or one before the first release"
    ):
        opened(path)
    with database.write() as connection:
        connection.execute("UPDATE migrations SET step = step - 1")
    database.close()
    with opened(path) as memory:
        assert len(memory.list(user_id="ada")) == 1


def test_a_migration_that_fails_leaves_no_step_half_done(tmp_path: Path) -> None:
    database = Database(tmp_path / "m.db")
    with pytest.raises(StorageError):
        database.migrate("mine", ["CREATE TABLE one (a);\nCREATE TABLE oops ("])
    with database.read() as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("properties",)]  # a file of ours begins with it
    database.migrate("mine", ["CREATE TABLE one (a)"])
    database.migrate("mine", ["CREATE TABLE one (a)", "CREATE TABLE two (a)"])
    database.close()


class Interrupted:
    """A connection that is interrupted before its n-th statement."""

    def __init__(self, connection: Any, statements: int) -> None:
        self._connection, self._left = connection, statements

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def execute(self, sql: str) -> Any:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
        return self._connection.execute(sql)


@pytest.mark.parametrize("statements", [1, 2, 3, 4, 5])
def test_a_file_that_was_half_begun_can_be_opened(tmp_path: Path, statements: int) -> None:
    connection = Opening(tmp_path / "m.db", None, "normal", 1.0).connect()
    with pytest.raises(KeyboardInterrupt):
        claim(Interrupted(connection, statements))
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    with opened(tmp_path / "m.db") as memory:
        assert memory.stats(check=True).problems == ()


# -- keys ---------------------------------------------------------------------------------------


@needs_encryption
def test_an_encrypted_file_shows_no_word(tmp_path: Path) -> None:
    with opened(tmp_path / "m.db", key=KEY) as memory:
        memory.add("the password is quinoa", user_id="ada-lovelace")
        memory.documents.put(("docs",), "k", {"secret": "spelt"}, texts=["barley"])
        for file in tmp_path.iterdir():
            content = file.read_bytes()
            words = (b"quinoa", b"ada-lovelace", b"spelt", b"barley", b"CREATE TABLE")
            assert not any(word in content for word in words), file
    assert not (tmp_path / "m.db").read_bytes().startswith(b"SQLite format 3")


@needs_encryption
@pytest.mark.parametrize("key", [None, OTHER, "passphrase", b"short"], ids=repr)
def test_a_wrong_or_missing_key_is_an_error_and_harms_nothing(
    tmp_path: Path, key: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.db"
    fill(path, key=KEY)
    before = path.read_bytes()
    said = "looks encrypted" if key is None else "cannot be read with this key"
    with pytest.raises(WrongKeyError, match=rf"m\.db {said}"):
        opened(path, key=key)
    assert capfd.readouterr() == ("", "")  # the library prints its own view of it
    assert path.read_bytes() == before
    with opened(path, key=KEY) as memory:
        assert len(memory.list(user_id="ada")) == 1


@needs_encryption
def test_a_key_on_a_plain_file_says_that_it_is_not_encrypted(tmp_path: Path) -> None:
    fill(tmp_path / "m.db")
    with pytest.raises(WrongKeyError, match="not encrypted; open it without key="):
        opened(tmp_path / "m.db", key=KEY)


@needs_encryption
@pytest.mark.parametrize("key", ["", b""])
def test_an_empty_key_is_an_error(tmp_path: Path, key: Any) -> None:
    with pytest.raises(WrongKeyError, match="empty"):
        opened(tmp_path / "m.db", key=key)
    assert list(tmp_path.iterdir()) == []


@needs_encryption
@pytest.mark.parametrize(("key", "said"), [(5, "is a int"), ("caf\udce9", "no UTF-8 text")])
def test_a_key_that_is_none_is_an_error(tmp_path: Path, key: Any, said: str) -> None:
    with pytest.raises(WrongKeyError, match=said) as caught:
        opened(tmp_path / "m.db", key=key)
    assert caught.value.__cause__ is None  # it would hold the key


@needs_encryption
def test_a_folder_with_a_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="check that it is a file"):
        opened(tmp_path, key=KEY)


@needs_encryption
def test_a_passphrase_opens_what_it_closed(tmp_path: Path) -> None:
    fill(tmp_path / "m.db", key="correct horse ☃")
    with opened(tmp_path / "m.db", key="correct horse ☃") as memory:
        assert len(memory.list(user_id="ada")) == 1


@needs_encryption
@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("tea", "tea\x00"),
        (b"tea", b"tea\x00\x00"),
        ("t" * 200, hashlib.sha512(b"t" * 200).digest()),
    ],
    ids=["text", "bytes", "digest"],
)
def test_a_key_with_zeros_behind_it_is_another_key(tmp_path: Path, key: Any, other: Any) -> None:
    """HMAC fills short keys up with zeros, and takes the digest of long ones."""
    fill(tmp_path / "m.db", key=key)
    with pytest.raises(WrongKeyError):
        opened(tmp_path / "m.db", key=other)


@needs_encryption
def test_rekey_changes_the_key(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with opened(path, key=KEY) as memory:
        memory.add("one", user_id="ada")
        memory.rekey(OTHER)
        memory.add("two", user_id="ada")
        assert len(memory.search("one two", user_id="ada")) == 2
    with pytest.raises(WrongKeyError):
        opened(path, key=KEY)
    with opened(path, key=OTHER) as memory:
        assert [record.text for record in memory.list(user_id="ada")] == ["one", "two"]
        assert memory.stats(check=True).problems == ()
        memory.rekey("a passphrase")
    with opened(path, key="a passphrase") as memory:
        assert len(memory.list(user_id="ada")) == 2


@needs_encryption
def test_rekey_while_another_reads_is_an_error_and_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    fill(path, key=KEY)
    other = Database(path, key=KEY)
    one = Database(path, key=KEY, busy_seconds=0.05)
    with other.read() as connection:
        connection.execute("SELECT count(*) FROM records").fetchone()
        with pytest.raises(StorageError, match="in use"):
            one.rekey(OTHER)
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1
    other.close()
    with one.read() as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1
    one.close()
    with opened(path, key=KEY) as memory:
        assert len(memory.list(user_id="ada")) == 1


def test_a_plain_file_cannot_be_rekeyed(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "m.db") as memory,
        pytest.raises(StorageError, match="only an encrypted file"),
    ):
        memory.rekey(KEY)


# -- busy, full, read-only ----------------------------------------------------------------------


@pytest.fixture
def rivals(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    """Two on one file; the second is impatient."""
    one = Database(tmp_path / "m.db")
    one.migrate("test", ["CREATE TABLE notes (text)"])
    other = Database(tmp_path / "m.db", busy_seconds=0.05)
    yield one, other
    one.close()
    other.close()


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])


def test_a_writer_that_waits_too_long_says_so(rivals: tuple[Database, Database]) -> None:
    one, other = rivals
    with one.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('mine')")
        with (
            pytest.raises(StorageError, match=r"another writer held the file for over 0\.05 s"),
            other.write() as theirs,
        ):
            theirs.execute("INSERT INTO notes VALUES ('theirs')")
        assert count(other) == 0
    with other.write() as theirs:
        theirs.execute("INSERT INTO notes VALUES ('theirs')")
    assert count(one) == 2


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    with opened(tmp_path / "m.db") as one, opened(tmp_path / "m.db") as other:
        one.add("green tea", user_id="ada")
        with one._storage.database.write() as connection:
            connection.execute("UPDATE records SET importance = 1")
            (match,) = other.search("tea", user_id="ada")
            assert match.record.importance == 0.5
            assert len(other.list(user_id="ada")) == 1


def note(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('mine')")
        connection.execute(statement)


def test_a_write_that_fails_leaves_nothing(rivals: tuple[Database, Database]) -> None:
    one, _ = rivals
    with pytest.raises(StorageError, match="no such table"):
        note(one, "INSERT INTO missing VALUES (1)")
    assert count(one) == 0


def test_a_write_that_is_interrupted_leaves_nothing(rivals: tuple[Database, Database]) -> None:
    one, _ = rivals

    def interrupted() -> Iterator[None]:
        with one.write() as connection:
            connection.execute("INSERT INTO notes VALUES ('mine')")
            yield

    flow = interrupted()
    next(flow)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert count(one) == 0


def test_a_full_disk_is_an_error_and_leaves_nothing_of_the_write(tmp_path: Path) -> None:
    with opened(tmp_path / "m.db") as memory:
        memory.add("green tea", user_id="ada")
        with memory._storage.database.bare() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="disk is full; nothing was written"):
            memory.add([f"a long story {'x' * 5000} {n}" for n in range(50)], user_id="ada")
        assert [match.record.text for match in memory.search("tea", user_id="ada")] == ["green tea"]
        assert memory.stats(check=True).problems == ()
        with memory._storage.database.bare() as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
        memory.add(["black tea"] * 50, user_id="ada")
        assert len(memory.list(user_id="ada")) == 51
        assert memory.stats(check=True).problems == ()


def child(script: str, *arguments: object) -> str:
    """Run Python in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_that_may_grow_no_further_loses_nothing(tmp_path: Path) -> None:
    """A real limit of the operating system, in a process of its own."""
    said = child(
        """
        import resource, sys
        from holdfast import Memory, StorageError
        from holdfast.testing import HashEmbedder
        memory = Memory(sys.argv[1], embedder=HashEmbedder())
        memory.add("green tea", user_id="ada")
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        stored = 1
        try:
            while stored < 1000:
                memory.add(f"a long story {'x' * 5000} {stored}", user_id="ada")
                stored += 1
        except StorageError as error:
            print(stored, error, sep="|")
        """,
        tmp_path / "m.db",
    )
    stored, message = said.split("|")
    assert "nothing was written" in message
    with opened(tmp_path / "m.db") as memory:
        assert len(memory.list(user_id="ada", limit=10_000)) == int(stored) > 1
        assert memory.stats(check=True).problems == ()


def test_a_read_only_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Nobody's rights bind root, so the child gives them up first where it has them."""
    path = tmp_path / "shared" / "m.db"
    path.parent.mkdir()
    fill(path)
    said = child(
        """
        import os, sys
        from pathlib import Path
        from holdfast import Memory, StorageError
        from holdfast.testing import HashEmbedder
        Memory(":memory:", embedder=HashEmbedder()).close()  # loads what only root may read
        path = Path(sys.argv[1])
        for folder in list(path.parents)[:-1]:
            if folder.stat().st_uid == os.geteuid() and folder != path.parent:
                folder.chmod(0o755)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            memory = Memory(path, embedder=HashEmbedder())
            memory.add("green tea", user_id="ada")
        except StorageError as error:
            print(error)
        """,
        path,
    )
    path.parent.chmod(0o755)
    assert "read-only" in said or "may be written" in said
    with opened(path) as memory:
        assert len(memory.list(user_id="ada")) == 1


def test_a_database_is_closed_once_and_for_all(tmp_path: Path) -> None:
    database = Database(tmp_path / "m.db")
    database.close()
    database.close()
    with pytest.raises(StorageClosedError, match="open a new Memory"), database.read():
        pass


def test_a_memory_database_does_not_nest(tmp_path: Path) -> None:
    with opened(":memory:") as memory:
        memory.add("green tea", user_id="ada")
        with memory._storage.database.read(), pytest.raises(StorageError, match="do not nest"):
            memory.list(user_id="ada")
        assert len(memory.list(user_id="ada")) == 1


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_both_durabilities_store(tmp_path: Path, durability: Any) -> None:
    fill(tmp_path / "m.db", durability=durability)
    with opened(tmp_path / "m.db") as memory:
        assert len(memory.list(user_id="ada")) == 1


def test_an_unknown_durability_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="'normal' or 'full'"):
        opened(tmp_path / "m.db", durability="some")
