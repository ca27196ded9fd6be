"""Records of a LanceDB memory move in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord
from holdfast.testing import HashEmbedder
from holdfast_crewai import HoldfastMemory, HoldfastStorage, import_lancedb
from support.crewai_doubles import embed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lancedb")
    storage = LanceDBStorage(path=folder, compact_every=0)
    texts = [f"note {number} on apples" for number in range(600)]
    storage.save(
        [
            MemoryRecord(
                id=f"id-{number}",
                content=text,
                scope=f"/user/{number % 3}",
                categories=["fruit"],
                metadata={"number": number},
                importance=0.9,
                created_at=datetime(2024, 1, 1 + number % 28),
                source="ada",
                private=number % 2 == 0,
                embedding=vector,
            )
            for number, (text, vector) in enumerate(zip(texts, embed(texts), strict=True))
        ]
    )
    return folder


def test_a_storage_takes_records_as_they_are(folder: Path, path: str) -> None:
    target = HoldfastStorage(path)
    told: list[tuple[int, int]] = []
    report: Callable[[int, int], None] = lambda done, total: told.append((done, total))  # noqa: E731
    assert import_lancedb(folder, target, progress=report) == 600
    assert told[-1] == (600, 600)
    assert target.count() == 600
    moved, original = target.get_record("id-7"), LanceDBStorage(path=folder).get_record("id-7")
    assert moved is not None
    assert original is not None
    assert moved.embedding == pytest.approx(original.embedding, abs=1e-6)
    assert moved.model_dump() == original.model_dump()


def test_a_memory_takes_words_times_and_privacy_once(folder: Path, path: str) -> None:
    target = HoldfastMemory(storage=path, embedder=HashEmbedder(), root_scope="/moved")
    assert import_lancedb(folder, target) == 600
    import_lancedb(folder, target)
    assert target.info().record_count == 600
    assert target.list_scopes() == ["/moved/user"]
    (match,) = target.recall("note 7 on apples", limit=1)
    assert match.record.metadata == {"number": 7}
    assert match.record.created_at == datetime(2024, 1, 8)
    assert not match.record.private


def test_a_missing_folder_is_said_so(path: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no LanceDB folder"):
        import_lancedb(tmp_path / "nowhere", HoldfastStorage(path))
    assert not (tmp_path / "nowhere").exists()
