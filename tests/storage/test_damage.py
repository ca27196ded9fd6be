"""A file that was damaged says so: by an error of ours, or by what `check` names."""

from __future__ import annotations

from pathlib import Path

import pytest
from holdfast import DamagedFileError, Memory, StorageError
from holdfast.testing import HashEmbedder
from support import full_story as story
from support.drivers import needs_encryption


def damaged(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes of a closed file, the first time they come."""
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def test_a_damaged_record_is_named_and_never_answered(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Memory(path, embedder=HashEmbedder()) as memory:
        rent, _ = memory.add(["the rent is 640 a month", "tea is hot"], user_id="ada").records
        memory.add("bob", user_id="bob")
    damaged(path, b"rent is 640", b"rent is 740")
    with Memory(path, embedder=HashEmbedder()) as memory:
        for call in (
            lambda: memory.get(rent.id, user_id="ada"),
            lambda: memory.history(rent.id, user_id="ada"),
            lambda: memory.list(user_id="ada"),
            lambda: memory.search("rent", user_id="ada"),
            lambda: memory.context("rent", user_id="ada"),
            lambda: memory.update(rent.id, importance=0.9, user_id="ada"),
            lambda: memory.export(tmp_path / "e.jsonl"),
        ):
            with pytest.raises(DamagedFileError, match=f"damaged at record '{rent.id}': go back"):
                call()
        assert not (tmp_path / "e.jsonl").exists()
        (found,) = memory.search("tea hot", user_id="ada", limit=1)
        assert found.record.text == "tea is hot"
        assert memory.stats(check=True).problems == (
            f"records: '{rent.id}' is not as it was written",
        )
        assert memory.scoped(user_id="bob").export(tmp_path / "bob.jsonl") == 4
        memory.delete(rent.id, user_id="ada")
        memory.export(tmp_path / "e.jsonl")
        assert memory.stats(check=True).problems == ()


def test_a_damaged_item_is_named_and_never_answered(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory.documents.put(("docs",), "k", {"rent": 640}, texts=["the rent"])
    damaged(path, b'{"rent":640}', b'{"rent":740}')
    with Memory(path, embedder=HashEmbedder()) as memory:
        for call in (
            lambda: memory.documents.get(("docs",), "k"),
            lambda: memory.documents.search(("docs",), "rent"),
            lambda: memory.documents.search(("docs",)),
        ):
            with pytest.raises(DamagedFileError, match="damaged at document 'k'"):
                call()
        assert memory.stats(check=True).problems == ("documents: 'k' is not as it was written",)


def test_new_vectors_do_not_make_a_damaged_record_look_sound(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory.add("the rent is 640 a month", user_id="ada")
    damaged(path, b"rent is 640", b"rent is 740")
    with (
        Memory(path, embedder=HashEmbedder(48, name="other")) as memory,
        pytest.raises(DamagedFileError),
    ):
        memory.reembed()


def test_the_reason_of_an_erased_fact_leaves_no_sum_of_its_words(tmp_path: Path) -> None:
    with story.written(tmp_path / "m.db") as memory:
        memory.delete_all(user_id="ada")
        with memory._storage.database.read() as connection:
            left = connection.execute(
                "SELECT count(*) FROM log WHERE words IS NOT NULL AND reason IS NULL"
            ).fetchone()[0]
        assert left == 0
        assert memory.stats(check=True).problems == ()


# -- vacuum --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, pytest.param("secret", marks=needs_encryption)])
def test_a_file_shrinks_when_it_is_vacuumed(tmp_path: Path, key: str | None) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder(), key=key) as memory:
        memory.add([f"turn {n}" for n in range(2000)], user_id="ada")
        memory.add("kept", user_id="bob")
        memory.delete_all(user_id="ada")
        before = memory.stats().bytes
        freed = memory.vacuum()
        assert memory.stats().bytes == before - freed < before / 2
        assert memory.search("kept", user_id="bob")[0].record.text == "kept"
        assert memory.stats(check=True).problems == ()


def test_a_file_that_others_read_is_not_vacuumed_in_silence(tmp_path: Path) -> None:
    with (
        Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory,
        Memory(tmp_path / "m.db", embedder=HashEmbedder()) as other,
    ):
        memory.add([f"turn {n}" for n in range(200)], user_id="ada")
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            with pytest.raises(StorageError, match="in use"):
                memory.vacuum()
        assert len(memory.list(user_id="ada", limit=300)) == 200
