"""Delete means gone: from every read, and from every byte on the disk."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from holdfast import Memory
from holdfast.storage.contract.memories import Draft, Indexed
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.records import add
from holdfast.testing import HashEmbedder
from holdfast.types import Scope
from support.drivers import needs_encryption
from support.queued import outcomes

NOW = datetime.now(timezone.utc)
PAST = NOW - timedelta(days=1)


def filler(seed: int, words: int = 30) -> str:
    rng = random.Random(seed)
    return " ".join(f"w{rng.randrange(5000)}" for _ in range(words))


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with Memory(path, embedder=HashEmbedder(), indexed=["note"]) as memory:
        yield memory


def on_disk(path: Path, word: str) -> list[str]:
    """The files in the folder of a memory that hold a word."""
    return [
        file.name
        for file in sorted(path.parent.iterdir())
        if file.is_file() and word.encode() in file.read_bytes()
    ]


def readable(memory: Memory, word: str, key: str | None, **ids: Any) -> list[str]:
    """Which reads still show a word."""
    shown = []
    reads: dict[str, Any] = {
        "search": lambda: memory.search(word, **ids, limit=10_000),
        "as_of": lambda: memory.search(word, **ids, limit=10_000, as_of=NOW + timedelta(days=1)),
        "valid_at": lambda: memory.search(word, **ids, limit=10_000, valid_at=NOW),
        "list": lambda: memory.list(**ids, limit=10_000).records,
        "history": lambda: memory.history(key, **ids) if key else [],
    }
    for name, read in reads.items():
        try:
            found = read()
        except KeyError:
            continue
        if word in repr(found):
            shown.append(name)
    return shown


def exported(memory: Memory, folder: Path, word: str) -> bool:
    target = folder.parent / "export.jsonl"
    memory.export(target)
    try:
        return word in target.read_text(encoding="utf-8")
    finally:
        target.unlink()


SECRETS = {
    "short": "the password is QUINOAXYZ",
    "long, over many pages": f"{filler(1, 3000)} QUINOAXYZ {filler(2, 3000)}",
    "first word": f"QUINOAXYZ {filler(3, 900)}",
}


@pytest.mark.parametrize("secret", SECRETS, ids=str)
@pytest.mark.parametrize("way", ["delete", "delete_all", "expiry"])
def test_no_read_and_no_byte_has_an_erased_word(
    memory: Memory, path: Path, secret: str, way: str
) -> None:
    ids = {"user_id": "ada", "run_id": "r1"}
    message = {
        "role": "user",
        "content": SECRETS[secret],
        "name": "QUINOAXYZ-speaker",
        "id": "QUINOAXYZ-id",
        "metadata": {"note": "QUINOAXYZ note", "QUINOAXYZ": 1},
    }
    memory.add([filler(n) for n in range(60)], **ids)
    (added,) = memory.add(message, **ids)
    memory.add([filler(n) for n in range(60, 120)], user_id="ada")
    memory.update(added.id, f"version two: {SECRETS[secret]}", **ids)
    memory.update(added.id, "nothing to see any more", **ids)
    memory.search("QUINOAXYZ", **ids)
    assert on_disk(path, "QUINOAXYZ")
    if way == "delete":
        memory.delete(added.id, **ids)
    elif way == "delete_all":
        assert memory.delete_all(**ids) == 61
    else:
        memory.update(added.id, expires_at=PAST, **ids)
        assert memory.purge() == 1
    assert readable(memory, "QUINOAXYZ", added.id, **ids) == []
    assert not exported(memory, path, "QUINOAXYZ")
    assert memory.stats(check=True).erasure_pending is False
    assert memory.stats(check=True).problems == ()
    assert on_disk(path, "QUINOAXYZ") == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_words_are_gone_however_pages_were_split_and_merged(
    memory: Memory, path: Path, seed: int
) -> None:
    """Rows of every size come and go around the erased ones, so that pages are rebalanced."""
    rng = random.Random(seed)
    kept, doomed = [], []
    for n in range(250):
        text = filler(rng.randrange(10**6), rng.choice([1, 5, 40, 400]))
        if rng.random() < 0.4:
            (change,) = memory.add(f"{text} ZZDOOMED{n}ZZ {text}", user_id="ada")
            doomed.append(change.id)
        else:
            (change,) = memory.add(text, user_id="ada", metadata={"note": filler(n, 5)})
            kept.append(change.id)
        if rng.random() < 0.3:
            pick = rng.choice(kept + doomed)
            word = "ZZDOOMEDAGAINZZ " if pick in doomed else ""
            memory.update(pick, word + filler(n, rng.choice([1, 60, 600])), user_id="ada")
    rng.shuffle(doomed)
    for key in doomed:
        memory.delete(key, user_id="ada")
    assert len(memory.list(user_id="ada", limit=1000)) == len(kept)
    assert memory.stats(check=True).problems == ()
    assert on_disk(path, "ZZDOOMED") == []


def test_vectors_and_terms_go_with_the_words(memory: Memory, path: Path) -> None:
    memory.add([filler(n) for n in range(20)], user_id="ada")
    (added,) = memory.add("the password is quinoa", user_id="ada")
    with memory._storage.database.read() as connection:
        vectors, terms = connection.execute(
            "SELECT vectors, terms FROM records WHERE key = ?", (added.id,)
        ).fetchone()
    memory.delete(added.id, user_id="ada")
    content = path.read_bytes()
    assert vectors not in content
    assert terms not in content


def test_ids_go_with_the_last_record_of_their_scope(memory: Memory, path: Path) -> None:
    memory.add("tea", user_id="QUINOAUSER", run_id="QUINOARUN")
    memory.add("tea", user_id="bob")
    memory.delete_all(user_id="QUINOAUSER")
    assert on_disk(path, "QUINOA") == []


def test_ids_go_with_a_scope_whose_records_were_erased_one_by_one(
    memory: Memory, path: Path
) -> None:
    (added,) = memory.add("tea", user_id="QUINOAUSER", run_id="QUINOARUN")
    memory.add("tea", user_id="bob")
    memory.delete(added.id, user_id="QUINOAUSER")
    assert memory.delete_all(user_id="QUINOAUSER") == 0
    assert on_disk(path, "QUINOA") == []


def test_a_reader_that_stays_keeps_an_erasure_pending_until_it_leaves(
    memory: Memory, path: Path
) -> None:
    (added,) = memory.add("the password is QUINOAXYZ", user_id="ada")
    with Memory(path, embedder=HashEmbedder()) as other:
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            memory.delete(added.id, user_id="ada")
            assert memory.stats().erasure_pending is True
            assert readable(memory, "QUINOAXYZ", added.id, user_id="ada") == []
            assert memory.purge() == 0
            assert memory.stats().erasure_pending is True
        assert memory.purge() == 0
        assert memory.stats().erasure_pending is False
        assert on_disk(path, "QUINOAXYZ") == []
        assert other.search("QUINOAXYZ", user_id="ada") == []


def leave_pending(reader: Memory, path: Path) -> None:
    """Delete a word while a reader holds the write-ahead log, from a process that then ends."""
    with Memory(path, embedder=HashEmbedder()) as memory:
        (added,) = memory.add("the password is QUINOAXYZ", user_id="ada")
        with reader._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            memory.delete(added.id, user_id="ada")
            memory.close()
    assert reader.stats().erasure_pending is True
    assert on_disk(path, "QUINOAXYZ")


def test_a_pending_erasure_outlives_its_process_and_anyone_may_finish_it(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as reader:
        leave_pending(reader, path)
        reader.purge()
        assert reader.stats().erasure_pending is False
        assert on_disk(path, "QUINOAXYZ") == []


def test_whoever_opens_the_file_finishes_an_erasure(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as reader:
        leave_pending(reader, path)
        with Memory(path, embedder=HashEmbedder()):
            assert reader.stats().erasure_pending is False
            assert on_disk(path, "QUINOAXYZ") == []


def test_whoever_closes_the_file_finishes_an_erasure(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as reader:
        with Memory(path, embedder=HashEmbedder()):
            leave_pending(reader, path)
        assert reader.stats().erasure_pending is False
        assert on_disk(path, "QUINOAXYZ") == []


@pytest.mark.parametrize("due", [True, False], ids=["due", "not yet due"])
def test_a_later_write_finishes_an_erasure_when_it_is_time_to_look(path: Path, due: bool) -> None:
    with Memory(path, embedder=HashEmbedder()) as reader:
        later = File(path, upkeep=0.0 if due else 3600.0)
        leave_pending(reader, path)
        with later.database.write() as connection:
            connection.execute("INSERT INTO properties VALUES ('any', 1)")
        assert reader.stats().erasure_pending is not due
        assert not due or on_disk(path, "QUINOAXYZ") == []  # a log begun anew may overwrite it
        later.close()


def test_writes_that_share_a_transaction_finish_an_erasure_behind_it(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as reader:
        later = File(path, upkeep=0.0)
        leave_pending(reader, path)

        def write(name: str) -> bool:
            with later.database.write() as connection:
                connection.execute("INSERT INTO properties VALUES (?, 1)", (name,))
            return reader.stats().erasure_pending

        assert (
            outcomes("loop", later.database, partial(write, "a"), partial(write, "b")) == [True] * 2
        )
        assert reader.stats().erasure_pending is False
        later.close()


def test_a_write_waits_for_no_reader_to_finish_an_erasure(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as reader:
        later = File(path, upkeep=0.0)
        leave_pending(reader, path)
        with reader._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            with later.database.write() as writing:
                writing.execute("INSERT INTO properties VALUES ('any', 1)")
            assert reader.stats().erasure_pending is True
        later.close()
        assert reader.stats().erasure_pending is False


@needs_encryption
def test_an_encrypted_file_erases_as_well(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder(), key=bytes(32)) as memory:
        (added,) = memory.add("the password is QUINOAXYZ", user_id="ada")
        memory.delete(added.id, user_id="ada")
        assert readable(memory, "QUINOAXYZ", added.id, user_id="ada") == []
        assert memory.stats(check=True).erasure_pending is False


def test_vectors_of_an_unfinished_reembedding_go_too(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as memory:
        added = memory.add([f"tea {n}" for n in range(70)], user_id="ada")
    with Memory(path, embedder=HashEmbedder(name="other", fail_at=65)) as memory:
        with pytest.raises(Exception, match="told to fail"):
            memory.reembed()
        memory.delete(added[0].id, user_id="ada")
        with memory._storage.database.read() as connection:
            left = connection.execute("SELECT count(*) FROM reembedding").fetchone()[0]
        assert left == 63


def test_a_deleted_item_leaves_no_byte(memory: Memory, path: Path) -> None:
    for n in range(40):
        memory.documents.put(("docs",), str(n), {"said": filler(n)}, texts=[filler(n)])
    secret = {"said": f"QUINOAXYZ {filler(7, 2000)} QUINOAXYZ"}
    memory.documents.put(("docs",), "QUINOAXYZ", secret, texts=["QUINOAXYZ"])
    memory.documents.put(("docs",), "QUINOAXYZ", {"said": "less QUINOAXYZ"})
    memory.documents.delete(("docs",), "QUINOAXYZ")
    assert memory.documents.search((), "QUINOAXYZ", mode="keyword", min_score=0.1) == []
    memory.purge()
    assert on_disk(path, "QUINOAXYZ") == []
    memory.documents.put(("docs",), "k", secret, lifetime=timedelta(microseconds=1))
    assert memory.documents.sweep() == 1
    memory.purge()
    assert memory.stats(check=True).erasure_pending is False
    assert on_disk(path, "QUINOAXYZ") == []


def test_labels_go_with_the_last_item_of_their_namespace(memory: Memory, path: Path) -> None:
    labels = ("memories", "QUINOAUSER")
    memory.documents.put(labels, "k", {"a": 1}, texts=["tea"])
    memory.documents.put(("memories", "bob"), "k", {"a": 1}, texts=["tea"])
    assert len(memory.documents.search(("memories",), "tea")) == 2
    memory.documents.delete(labels, "k")
    memory.purge()
    assert on_disk(path, "QUINOAUSER") == []
    assert len(memory.documents.search(("memories",), "tea")) == 1


def test_a_namespace_that_was_emptied_can_be_filled_again(memory: Memory) -> None:
    for _ in range(3):
        memory.documents.put(("memories", "ada"), "k", {"a": 1}, texts=["tea"])
        assert len(memory.documents.search(("memories",), "tea")) == 1
        memory.documents.delete(("memories", "ada"), "k")
        assert memory.documents.search(("memories",), "tea") == []
    assert memory.stats(check=True).problems == ()


def test_a_replaced_value_leaves_the_log_with_the_next_purge(memory: Memory, path: Path) -> None:
    memory.documents.put(("docs",), "k", {"said": "QUINOAXYZ"})
    memory.documents.put(("docs",), "k", {"said": "nothing"})
    assert memory.stats().erasure_pending is True
    memory.purge()
    assert memory.stats().erasure_pending is False
    assert on_disk(path, "QUINOAXYZ") == []


def expire(path: Path) -> None:
    """Write a record and an item that have expired, and leave the file as a crash would."""
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory.add("the password is QUINOAXYZ", user_id="ada", expires_at=NOW + timedelta(days=9))
        memory.documents.put(("QUINOAXYZ",), "k", {"a": 1}, lifetime=timedelta(days=9))
        with memory._storage.database.write() as connection:
            for table in ("records", "documents"):
                connection.execute(f"UPDATE {table} SET expires_at = 1")
        memory._storage.database.close()


def test_whoever_opens_the_file_erases_what_has_expired(path: Path) -> None:
    expire(path)
    assert on_disk(path, "QUINOAXYZ")
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory.purge()
        assert memory.stats(check=True).problems == ()
    assert on_disk(path, "QUINOAXYZ") == []


def test_whoever_closes_the_file_erases_what_has_expired(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder()) as memory:
        expire(path)
        assert on_disk(path, "QUINOAXYZ")
        memory.close()
        assert on_disk(path, "QUINOAXYZ") == []


@pytest.mark.parametrize("due", [True, False], ids=["due", "not yet due"])
def test_a_later_write_erases_what_has_expired(path: Path, due: bool) -> None:
    file = File(path, upkeep=0.0 if due else 3600.0)
    expire(path)
    with file.database.write() as connection:
        connection.execute("INSERT INTO properties VALUES ('any', 1)")
    assert bool(on_disk(path, "QUINOAXYZ")) is not due
    file.close()


def test_nothing_of_the_words_is_kept_beside_an_erasure(memory: Memory) -> None:
    (added,) = memory.add({"content": "my PIN is 4711", "role": "user", "id": "m"}, user_id="ada")
    memory.delete(added.id, user_id="ada")
    with memory._storage.database.read() as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(erasures)")]
    assert columns == ["key", "namespace", "at", "message"]


# -- what rested on it --------------------------------------------------------------------------


def derive(memory: Memory, text: str, kind: Any, sources: list[str]) -> None:
    """Write a derived record as the pipeline does, without one."""
    vector = np.asarray(HashEmbedder().embed([text]), dtype=np.float32)
    found = Indexed(vector, ((0, len(text), 1),), np.ones(1, dtype=np.uint64), 0)
    with memory._storage.database.write() as connection:
        draft = Draft(text, kind, found, sources=tuple(sources))
        add(connection, Scope(user_id="ada"), [draft], int(NOW.timestamp() * 1e6))


def test_what_rested_on_an_erased_turn_alone_goes_with_it(memory: Memory, path: Path) -> None:
    first, second = memory.add(["my pet is a newt", "I work in Rome"], user_id="ada")
    derive(memory, "Ada has a QUINOAXYZ newt", "fact", [first.id])
    derive(memory, "Ada has a newt in Rome", "fact", [first.id, second.id])
    (fact, _) = memory.list(user_id="ada", kinds=["fact"])
    derive(memory, "So Ada keeps a QUINOAXYZ pet", "fact", [fact.id])
    derive(memory, "Ada QUINOAXYZ told of Rome and of a newt", "summary", [])
    memory.delete(first.id, user_id="ada")
    left = {record.text: record for record in memory.list(user_id="ada")}
    assert set(left) == {"I work in Rome", "Ada has a newt in Rome"}
    assert left["Ada has a newt in Rome"].sources == (second.id,)
    assert memory.stats(check=True).problems == ()
    assert on_disk(path, "QUINOAXYZ") == []


def test_deleting_a_derived_record_spares_its_sources(memory: Memory) -> None:
    (turn,) = memory.add("my pet is a newt", user_id="ada")
    derive(memory, "Ada has a newt", "fact", [turn.id])
    (fact,) = memory.list(user_id="ada", kinds=["fact"])
    memory.delete(fact.id, user_id="ada")
    assert [record.text for record in memory.list(user_id="ada")] == ["my pet is a newt"]


def test_the_links_of_an_erased_row_are_found_by_an_index(memory: Memory) -> None:
    """Each erased row once meant a walk over all links of the file."""
    with memory._storage.database.read() as connection:
        for table in ("sources", "slots"):
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN DELETE FROM {table} WHERE record = 1"
            ).fetchall()
            assert "SEARCH" in repr(plan), plan


def test_the_folder_holds_no_other_file(memory: Memory, path: Path) -> None:
    (added,) = memory.add("the password is QUINOAXYZ", user_id="ada")
    memory.delete(added.id, user_id="ada")
    assert set(os.listdir(path.parent)) <= {"memory.db", "memory.db-wal", "memory.db-shm"}
