from __future__ import annotations

from pathlib import Path

import pytest
from holdfast import InvalidInputError, Memory
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast_llamaindex import HoldfastMemory, HoldfastMemoryBlock, connect, share
from llama_index.core.embeddings import MockEmbedding
from support.drivers import needs_encryption


def test_one_path_is_one_memory(path: Path, opened: Memory) -> None:
    assert connect(path) is opened
    assert HoldfastMemoryBlock(path=str(path)).memory is opened
    assert HoldfastMemory.from_defaults(path=path).memory is opened


def test_a_path_spelled_otherwise_is_the_same(
    path: Path, opened: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)

    assert connect(path.name) is opened


def test_memories_in_ram_are_all_different() -> None:
    one, other = (connect(":memory:", embedder=HashEmbedder()) for _ in range(2))

    assert one is not other


def test_a_closed_memory_is_opened_anew(path: Path, opened: Memory) -> None:
    opened.close()

    with connect(path, embedder=HashEmbedder(256)) as again:
        assert again is not opened


def test_a_shared_memory_is_found_by_its_path(tmp_path: Path) -> None:
    with Memory(tmp_path / "own.db", embedder=HashEmbedder()) as memory:
        share(memory)

        assert connect(tmp_path / "own.db") is memory


def test_the_same_embedder_may_be_named_again(path: Path, opened: Memory) -> None:
    assert connect(path, embedder=HashEmbedder(256)) is opened


def test_options_that_come_too_late_are_refused(path: Path, opened: Memory) -> None:
    with pytest.raises(InvalidInputError, match="another embedder"):
        connect(path, embedder=HashEmbedder(64))
    with pytest.raises(InvalidInputError, match="without an LLM"):
        connect(path, llm=ScriptedLLM())
    with pytest.raises(InvalidInputError, match="another embedder or key"):
        connect(path, key="secret")


@needs_encryption
def test_a_file_is_encrypted_with_a_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.db"
    with connect(path, embedder=MockEmbedding(embed_dim=3), key="secret") as memory:
        memory.add("My dog is called Rumpelstiltskin.", user_id="ada")

    assert b"Rumpelstiltskin" not in path.read_bytes()
