from __future__ import annotations

from pathlib import Path

from holdfast import Database, Memory
from holdfast.storage.schema import NAMESPACE_BITS, STEPS
from holdfast.testing import HashEmbedder


def first_step(path: Path) -> None:
    """Make a file as the first version did: one item in a namespace, two entries in the log."""
    database = Database(path)
    database.migrate("core", STEPS[:1])
    row = (1 << NAMESPACE_BITS) + 2
    with database.write() as connection:
        connection.execute(
            "INSERT INTO namespaces VALUES (1, ?, NULL, NULL, NULL, NULL, 3)", ("i\x1fdocs\x1f",)
        )
        connection.execute(
            "INSERT INTO items VALUES (?, 'k', '{\"n\":1}', 1, 2, NULL, NULL, '[]', x'', x'', x'')",
            (row,),
        )
        for at, before, after in ((1, None, row - 1), (2, row - 1, row)):
            connection.execute(
                "INSERT INTO log (namespace, operation, at, before, after)"
                " VALUES (1, 'PUT', ?, ?, ?)",
                (at, before, after),
            )
    database.close()


def test_a_file_of_the_first_version_is_read_and_written_on(tmp_path: Path) -> None:
    first_step(tmp_path / "m.db")
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        found = memory.items.get(("docs",), "k")
        assert found is not None
        assert found.value == {"n": 1}
        memory.items.put(("docs",), "k", {"n": 2}, texts=["two"])
        memory.items.put(("more",), "k", {"n": 3})
        with memory.database.read() as connection:
            log = connection.execute("SELECT seq, namespace, before, after FROM log").fetchall()
    row = 1 << NAMESPACE_BITS
    assert log == [
        (1, 1, None, row + 1),
        (2, 1, row + 1, row + 2),
        (3, 1, row + 2, row + 3),
        (4, 2, None, (2 << NAMESPACE_BITS) + 1),
    ]


def test_a_file_brought_up_to_date_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    first_step(tmp_path / "old.db")
    made = []
    for name in ("old.db", "new.db"):
        with (
            Memory(tmp_path / name, embedder=HashEmbedder()) as memory,
            memory.database.read() as connection,
        ):
            rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            made.append(rows.fetchall())
    assert made[0] == made[1]
