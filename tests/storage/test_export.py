"""An export is of one moment, whatever others do meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder


@pytest.mark.slow
def test_an_export_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        changes = memory.add([f"tea {n}" for n in range(1200)], user_id="ada")

        def write(done: int, total: int) -> None:
            if done < total:
                memory.update(changes[0].id, "coffee", user_id="ada")
                memory.delete(changes[-1].id, user_id="ada")

        memory.export(tmp_path / "e.jsonl", progress=write)
        assert memory.get(changes[0].id, user_id="ada").text == "coffee"
        memory.purge()
        assert memory.stats(check=True).erasure_pending is False
    with Memory(tmp_path / "copy.db", embedder=HashEmbedder()) as copy:
        assert copy.import_(tmp_path / "e.jsonl") == 1200
        assert copy.get(changes[0].id, user_id="ada").text == "tea 0"
        assert copy.stats(check=True).problems == ()


def test_a_memory_database_can_be_used_while_it_is_exported(tmp_path: Path) -> None:
    with Memory(":memory:", embedder=HashEmbedder()) as memory:
        memory.add([f"tea {n}" for n in range(1200)], user_id="ada")
        seen: list[int] = []
        memory.export(
            tmp_path / "e.jsonl",
            progress=lambda done, total: seen.append(len(memory.list(user_id="ada", limit=10))),
        )
        assert set(seen) == {10}
