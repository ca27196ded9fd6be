"""A file that is deleted, moved or replaced while it is open acknowledges nothing more."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from holdfast import HoldfastError, Memory, StorageError
from holdfast.tables import Database
from holdfast.testing import HashEmbedder
from support.drivers import needs_encryption

LOST = "was moved, deleted or replaced while it was open"


def new(path: Path, durability: str = "normal") -> Memory:
    return Memory(path, embedder=HashEmbedder(), durability=durability)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "m.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with new(path) as memory:
        memory.add("tea", user_id="ada")
        yield memory


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def delete_all(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        beside(path, ending).unlink()


def replace(path: Path) -> None:
    with new(path.with_name("other.db")) as other:
        other.add("coffee", user_id="ada")
    path.with_name("other.db").replace(path)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def restore(path: Path) -> None:
    shutil.copy(path, beside(path, ".copy"))
    beside(path, ".copy").replace(path)


LOSSES = [
    delete_all,
    lambda path: path.unlink(),
    replace,
    restore,
    move_folder,
    lambda path: path.rename(path.with_name("renamed.db")),
]
NAMES = ["all deleted", "deleted", "replaced", "restored", "folder moved", "renamed"]
BESIDE: list[Callable[[Path], None]] = [
    lambda path: beside(path, "-wal").unlink(),
    lambda path: beside(path, "-shm").unlink(),
]


@pytest.mark.parametrize(
    "lose", [*LOSSES, *BESIDE], ids=[*NAMES, "log deleted", "shared memory deleted"]
)
def test_no_write_is_acknowledged_and_no_check_is_sound(
    memory: Memory, path: Path, lose: Callable[[Path], None]
) -> None:
    lose(path)
    for _ in range(2):
        with pytest.raises(StorageError, match=LOST):
            memory.add("lost", user_id="ada")
    with pytest.raises(StorageError, match=LOST):
        memory.stats(check=True)
    with pytest.raises(StorageError, match=LOST), memory._storage.database.bare() as connection:
        connection.execute("INSERT INTO properties VALUES ('lost', 1)")


@pytest.mark.parametrize("lose", LOSSES, ids=NAMES)
def test_nothing_is_read_from_a_file_without_its_name(
    memory: Memory, path: Path, lose: Callable[[Path], None]
) -> None:
    lose(path)
    for read in (
        lambda: memory.search("tea", user_id="ada"),
        lambda: memory.list(user_id="ada"),
        lambda: memory.documents.get(("a",), "key"),
    ):
        with pytest.raises(StorageError, match=LOST):
            read()


def test_a_file_that_is_put_back_goes_on(memory: Memory, path: Path) -> None:
    path.rename(path.with_name("renamed.db"))
    with pytest.raises(StorageError, match=LOST):
        memory.add("lost", user_id="ada")
    path.with_name("renamed.db").rename(path)
    memory.add("kept", user_id="ada")
    assert [record.text for record in memory.list(user_id="ada")].count("lost") == 0
    assert memory.stats(check=True).problems == ()


def test_a_link_that_leads_elsewhere_by_now_is_a_lost_name(path: Path) -> None:
    for name in ("one", "two"):
        new(path.with_name(name)).close()
    path.symlink_to("one")
    with new(path) as memory:
        memory.add("tea", user_id="ada")
        memory.add("more tea", user_id="ada")
        path.unlink()
        path.symlink_to("two")
        with pytest.raises(StorageError, match=LOST):
            memory.add("lost", user_id="ada")


def test_a_file_lost_within_a_write_refuses_its_commit(memory: Memory, path: Path) -> None:
    with pytest.raises(StorageError, match=LOST), memory._storage.database.write() as connection:
        connection.execute("INSERT INTO properties VALUES ('lost', 1)")
        delete_all(path)
    memory.close()


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_writes_that_share_a_commit_are_all_refused(path: Path, durability: str) -> None:
    with new(path, durability) as memory:
        memory.add("tea", user_id="ada")
        delete_all(path)
        begin = threading.Barrier(4)

        def add(number: int) -> str:
            begin.wait()
            try:
                memory.add(f"lost {number}", user_id="ada")
            except HoldfastError as error:
                return str(error)
            return "acknowledged"

        with ThreadPoolExecutor(4) as threads:
            said = list(threads.map(add, range(4)))
        assert all(LOST in words for words in said)


def test_a_database_of_an_adapter_is_watched_as_well(path: Path) -> None:
    database = Database(path)
    with database.write() as connection:
        connection.execute("CREATE TABLE mine (value)")
    beside(path, "-wal").unlink()
    with pytest.raises(StorageError, match=LOST), database.write() as connection:
        connection.execute("INSERT INTO mine VALUES (1)")
    database.close()


def test_a_new_connection_does_not_join_another_file(memory: Memory, path: Path) -> None:
    """A second connection is opened where the first is in use: it would write beside it."""
    with memory._storage.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1
        delete_all(path)
        with pytest.raises(StorageError, match=LOST):
            memory.add("lost", user_id="ada")
    assert not path.exists()


def test_a_file_replaced_around_a_fork_is_a_lost_name(memory: Memory, path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no forks here")
    from support.forking import in_child

    assert in_child(lambda: None) == "None"  # closes every connection
    replace(path)
    with pytest.raises(StorageError, match=LOST):
        memory.add("lost", user_id="ada")


def test_a_file_in_memory_has_no_name_to_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with new(Path(":memory:")) as memory:
        (tmp_path / ":memory:").write_text("no database")
        memory.add("tea", user_id="ada")
        assert memory.stats(check=True).problems == ()


@needs_encryption
def test_what_needs_no_snapshot_goes_on_after_a_change_of_key(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), key=b"1" * 32) as memory:
        memory.add("hello", user_id="ada")
        memory.rekey(b"2" * 32)
        with memory._storage.database.bare() as connection:
            assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1
