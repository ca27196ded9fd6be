"""Tables of a package's own are erased, exported, imported and checked with everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory, Scope, StorageError
from holdfast.tables import Connection, PackageTables, Row, prepare, scope_condition
from holdfast.testing import HashEmbedder

WORD = "QUINOAXYZ"
NOTE = {"user_id": None, "agent_id": None, "run_id": None, "app_id": None, "text": WORD}


class Check:
    def __init__(self) -> None:
        self.finished = False

    def take(self, row: Row) -> None:
        if row.keys() != NOTE.keys() or not isinstance(row["text"], str):
            raise InvalidInputError("it is no note")

    def finish(self) -> None:
        self.finished = True


class Writer:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, row: Row) -> None:
        self._connection.execute(
            "INSERT INTO notes VALUES (:user_id, :agent_id, :run_id, :app_id, :text)", dict(row)
        )


class Notes(PackageTables):
    """Notes with the ids of a scope, some of none."""

    name = "holdfast-notes"
    steps = (
        "CREATE TABLE notes (user_id TEXT, agent_id TEXT, run_id TEXT, app_id TEXT, text TEXT)",
    )

    def erase(self, connection: Connection, scope: Scope) -> bool:
        condition, values = scope_condition(scope)
        return connection.execute(f"DELETE FROM notes AS n WHERE {condition}", values).rowcount > 0

    def export(self, connection: Connection, scope: Scope | None) -> Iterator[Row]:
        condition, values = ("TRUE", ()) if scope is None else scope_condition(scope)
        for row in connection.execute(f"SELECT * FROM notes n WHERE {condition}", values):
            yield dict(zip(NOTE, row, strict=True))

    def row_check(self) -> Check:
        return Check()

    def row_writer(self, connection: Connection) -> Writer:
        return Writer(connection)

    def check(self, connection: Connection) -> Iterator[str]:
        for (count,) in connection.execute("SELECT count(*) FROM notes WHERE text IS NULL"):
            if count:
                yield f"{count} notes without a text"

    def unowned(self, connection: Connection) -> Iterator[str]:
        for (text,) in connection.execute("SELECT text FROM notes WHERE user_id IS NULL"):
            yield f"note {text}"


NOTES = Notes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with Memory(path, embedder=HashEmbedder()) as memory:
        prepare(memory._storage.database, NOTES)
        yield memory


def note(memory: Memory, text: str = WORD, **ids: Any) -> None:
    with memory._storage.database.write() as connection:
        Writer(connection).write({**NOTE, **ids, "text": text})


def notes(memory: Memory) -> list[tuple[Any, ...]]:
    with memory._storage.database.read() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT * FROM notes ORDER BY text"
        ).fetchall()
    return rows


def on_disk(path: Path) -> list[str]:
    files = sorted(path.parent.glob(path.name + "*"))
    return [file.name for file in files if WORD.encode() in file.read_bytes()]


def test_deleting_a_scope_deletes_its_rows_to_the_last_byte(memory: Memory, path: Path) -> None:
    note(memory, user_id="ada", run_id="1")
    note(memory, "another", user_id="bob")
    assert on_disk(path)
    assert memory.delete_all(user_id="ada") == 0
    assert [row[-1] for row in notes(memory)] == ["another"]
    assert on_disk(path) == []
    assert memory.stats().erasure_pending is False


def test_the_erasure_of_rows_waits_for_a_reader_and_is_finished_by_purge(
    memory: Memory, path: Path
) -> None:
    note(memory, user_id="ada")
    with memory._storage.database.read() as connection:
        connection.execute("SELECT count(*) FROM notes").fetchone()
        memory.delete_all(user_id="ada")
        assert memory.stats().erasure_pending is True
    memory.purge()
    assert memory.stats().erasure_pending is False
    assert on_disk(path) == []


def test_deleting_by_a_filter_or_another_scope_leaves_rows_alone(memory: Memory) -> None:
    note(memory, user_id="ada", run_id="1")
    memory.delete_all(user_id="ada", filters={"kind": "x"})
    memory.delete_all(user_id="ada", run_id="2")
    memory.scoped(user_id="bob").delete_all()
    assert len(notes(memory)) == 1


def test_rows_travel_with_an_export_and_those_of_a_scope_alone_with_a_bound_one(
    memory: Memory, tmp_path: Path
) -> None:
    note(memory, "hers", user_id="ada")
    note(memory, "his", user_id="bob")
    note(memory, "of nobody")
    memory.add("tea", user_id="ada")
    memory.export(tmp_path / "all.jsonl")
    memory.scoped(user_id="ada").export(tmp_path / "hers.jsonl")
    for name, expected in (("all", ["hers", "his", "of nobody"]), ("hers", ["hers"])):
        with Memory(tmp_path / f"{name}.db", embedder=HashEmbedder()) as other:
            assert other.import_(tmp_path / f"{name}.jsonl") == 1
            assert [row[-1] for row in notes(other)] == expected


def test_an_import_checks_rows_before_anything_is_written(memory: Memory, tmp_path: Path) -> None:
    note(memory, user_id="ada")
    memory.add("tea", user_id="ada")
    memory.export(tmp_path / "good.jsonl")
    lines = (tmp_path / "good.jsonl").read_text().splitlines()
    bad = tmp_path / "bad.jsonl"
    bad.write_text("\n".join([*lines[:-1], json.dumps({**json.loads(lines[-1]), "text": 7})]))
    with Memory(tmp_path / "other.db", embedder=HashEmbedder()) as other:
        with pytest.raises(InvalidInputError, match=f"line {len(lines)}: it is no note"):
            other.import_(bad)
        assert other.stats().records == {}


def test_an_import_into_a_scope_takes_no_rows(memory: Memory, tmp_path: Path) -> None:
    note(memory, user_id="ada")
    memory.scoped(user_id="ada").export(tmp_path / "hers.jsonl")
    with (
        Memory(tmp_path / "other.db", embedder=HashEmbedder()) as other,
        pytest.raises(InvalidInputError, match="holdfast-notes"),
    ):
        other.import_(tmp_path / "hers.jsonl", user_id="ada")


def test_a_check_names_what_is_wrong_with_rows_and_what_belongs_to_no_user(memory: Memory) -> None:
    note(memory, user_id="ada")
    note(memory, "lost")
    with memory._storage.database.write() as connection:
        connection.execute("INSERT INTO notes(user_id) VALUES ('ada')")
    stats = memory.stats(check=True)
    assert stats.problems == ("holdfast-notes: 1 notes without a text",)
    assert stats.unowned == {"holdfast-notes: note lost": 1}
    assert memory.stats().unowned == {}


def test_tables_that_are_not_named_after_a_distribution_of_ours_are_refused(memory: Memory) -> None:
    class Others(Notes):
        name = "notes"

    with pytest.raises(ValueError, match="holdfast-"):
        prepare(memory._storage.database, Others())


# -- a package that is not installed ----------------------------------------------------------


@pytest.fixture
def absent(path: Path) -> Iterator[Memory]:
    """A memory on a file with tables of a package that nobody has installed."""
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory._storage.database.migrate("holdfast-absent", ["CREATE TABLE absent (text TEXT)"])
        memory.add("tea", user_id="ada")
        yield memory


def test_nothing_is_erased_where_a_packages_rows_would_be_left_behind(absent: Memory) -> None:
    with pytest.raises(StorageError, match="pip install holdfast-absent"):
        absent.delete_all(user_id="ada")
    assert absent.stats().records == {"turn": 1}


def test_nothing_is_exported_where_a_packages_rows_would_be_missing(
    absent: Memory, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="pip install holdfast-absent"):
        absent.export(tmp_path / "all.jsonl")
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_check_says_whose_rows_it_could_not_check(absent: Memory) -> None:
    [problem] = absent.stats(check=True).problems
    assert problem.startswith("holdfast-absent: ")


def test_lines_of_a_package_that_is_not_installed_are_refused(
    memory: Memory, tmp_path: Path
) -> None:
    memory.export(tmp_path / "all.jsonl")
    with (tmp_path / "all.jsonl").open("a") as file:
        file.write(json.dumps({"table": "holdfast-absent", "text": "x"}) + "\n")
    with pytest.raises(InvalidInputError, match="holdfast-absent is not installed"):
        memory.import_(tmp_path / "all.jsonl")
