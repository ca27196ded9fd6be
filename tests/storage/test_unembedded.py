"""Records without vectors: one write, claims, views of words alone, codes, a process that dies."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from holdfast import Memory
from holdfast.language import cues
from holdfast.retrieval import ranking
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import KeywordQuery, Probe
from holdfast.storage.index.loading import Reading
from holdfast.storage.index.searching import Hit, find
from holdfast.storage.index.views import View
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast.types import Scope, utc_now
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flows import facts, of, opened

ADA = {"user_id": "ada"}
SAID_AT = datetime(2024, 5, 1, tzinfo=timezone.utc)
EMBEDDER = HashEmbedder(16)


def memory_at(path: Path, **options: Any) -> Memory:
    return Memory(path / "memory.db", **{"embedder": EMBEDDER, **options})


def commits(path: Path) -> tuple[int, int]:
    """Return how often the write-ahead log was begun anew, and the transactions since.

    A frame that ends a transaction says how large the file is then.
    """
    wal = path.with_name(path.name + "-wal").read_bytes()
    page = int.from_bytes(wal[8:12], "big")
    frames = (wal[start : start + 24] for start in range(32, len(wal), 24 + page))
    ended = sum(frame[8:16] == wal[16:24] and any(frame[4:8]) for frame in frames)
    return int.from_bytes(wal[12:16], "big"), ended


def test_what_is_not_waited_for_is_one_transaction(tmp_path: Path) -> None:
    with memory_at(tmp_path, llm=ScriptedLLM()) as memory:
        memory.add("I sail", **ADA, infer=False)
        for said in ("I keep bees", ["I grow tea", "I row"]):
            begun, ended = commits(tmp_path / "memory.db")
            memory.add(said, **ADA, wait=False)
            assert commits(tmp_path / "memory.db") in ((begun, ended + 1), (begun + 1, 1))


words = st.sampled_from(["tea", "green tea", "a cat", "rain on stone", "?!", "the cat likes rain"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(words, min_size=1, max_size=3), st.sampled_from("nlsf"))))
def test_vectors_and_ranks_are_those_of_what_was_embedded_at_once(
    said: list[tuple[list[str], str]],
) -> None:
    now, later = (Memory(":memory:", embedder=EMBEDDER) for _ in range(2))
    with now, later:
        for texts, how in said:
            now.add(texts, **ADA, occurred_at=SAID_AT)
            later.add(texts, **ADA, occurred_at=SAID_AT, wait=how == "n")
            if how == "s":
                later.search("tea", **ADA)
            if how == "f":
                later.flush()
        assert later.flush().unembedded == 0
        assert stored(now) == stored(later)
        assert found(now) == found(later)
        assert later.stats(check=True).problems == ()


def stored(memory: Memory) -> list[Any]:
    with memory._storage.database.read() as connection:
        return connection.execute("SELECT text, vectors, terms FROM records ORDER BY id").fetchall()


def found(memory: Memory) -> list[tuple[str, float]]:
    matches = memory.search("does the cat like green tea", **ADA, limit=100)
    return [(match.record.text, match.score) for match in matches]


def probe(query: str) -> Probe:
    asked = cues.read(query, frozenset(), utc_now())
    return Probe(
        vector=np.array(EMBEDDER.embed_query(query), dtype=np.float32),
        keywords=KeywordQuery(asked.groups, asked.pairs, asked.quotes),
        rank=partial(ranking.rank, cues=asked),
        limit=40,
    )


def test_a_view_of_codes_finds_what_one_of_vectors_does(tmp_path: Path) -> None:
    reading = Reading("records", Reach.of_scope(Scope(user_id="ada")))
    said = [f"number {n} is {n % 13} and {n % 7}" for n in range(1_200)]
    with memory_at(tmp_path) as memory:
        memory.add(said[:700], **ADA, occurred_at=SAID_AT)
        memory.add(said[700:], **ADA, occurred_at=SAID_AT, wait=False)
        coded, whole = View(reading, 16, many=500), View(reading, 16)

        def answers() -> list[list[Hit]]:
            with memory._storage.database.read() as connection:
                loader = SqliteLoader(connection)
                for view in (coded, whole):
                    view.follow(loader)
                return [
                    find(loader, view, probe("number 9 is 5"), memory._storage.file.now())
                    for view in (coded, whole)
                ]

        assert len(coded.vectors) == len(whole.vectors) == 0
        before = answers()
        assert (coded.vectors.codes is not None, len(coded.unembedded)) == (True, 500)
        memory.flush()
        after = answers()
        assert (len(coded.unembedded), len(whole.unembedded)) == (0, 0)
        for one, other in (before, after):
            assert [hit.row_id for hit in one] == [hit.row_id for hit in other]
            np.testing.assert_allclose(
                [hit.score for hit in one], [hit.score for hit in other], atol=1e-5
            )
        assert before[0] != after[0]


def test_a_view_of_words_alone_takes_the_first_vectors_of_another_process(tmp_path: Path) -> None:
    with memory_at(tmp_path) as one, memory_at(tmp_path) as other:
        one.add(["I keep bees", "I sail"], **ADA, wait=False)
        assert one.search("bees", **ADA)[0].text == "I keep bees"
        other.flush()
        parts = one.search("bees", **ADA, explain=True)[0].parts
        assert parts["dense"] > 0
        for memory in (one, other):
            assert memory.stats(check=True).problems == ()


def test_a_record_is_embedded_by_one_worker(tmp_path: Path) -> None:
    with memory_at(tmp_path) as memory:
        memory.add([f"text {number}" for number in range(100)], **ADA, wait=False)
    one, other = (SqliteStorage(tmp_path / "memory.db") for _ in range(2))
    claims = [storage.embedding.claim("hash/16") for storage in (one, other, one)]
    assert [len(jobs) for jobs in claims] == [64, 36, 0]
    vectors = [(job.row_id, np.ones((1, 16), dtype=np.float32) / 4) for job in claims[0]]
    assert one.embedding.save(vectors, "hash/16") == 64
    assert one.embedding.save(vectors, "hash/16") == 0  # as of one whose lease ran out
    other.embedding.release([job.row_id for job in claims[1]])
    assert len(one.embedding.claim("hash/16")) == 36
    for storage in (one, other):
        storage.close()


def test_what_is_erased_while_it_is_embedded_stays_erased(tmp_path: Path) -> None:
    with memory_at(tmp_path) as memory:
        (gone,) = memory.add("I keep bees", **ADA, wait=False)
        storage = memory._storage
        (job,) = storage.embedding.claim("hash/16")
        memory.delete(gone.id, **ADA)
        vector = np.ones((1, 16), dtype=np.float32) / 4
        assert storage.embedding.save([(job.row_id, vector)], "hash/16") == 0
        assert memory.stats(check=True).problems == ()


KILLED = """
import os, sys
from holdfast.ingestion.embedding import embed_waiting
from holdfast.runtime import SYNC, run
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.testing import HashEmbedder

class Dying(HashEmbedder):
    def embed(self, texts):
        os._exit(9)

storage = SqliteStorage(sys.argv[1], lease=float(sys.argv[2]))
run(embed_waiting(SYNC, storage, Dying(16)))
"""


def test_a_kill_while_it_is_embedded_loses_nothing(tmp_path: Path) -> None:
    with memory_at(tmp_path) as memory:
        memory.add(["I keep bees", "I sail"], **ADA, wait=False)
    for lease, left in ((600, 2), (0, 0)):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / "memory.db"), str(lease)],
            env=dict(os.environ),
            check=False,
        )
        assert killed.returncode == 9
        with memory_at(tmp_path) as memory:
            assert memory.search("bees", **ADA)[0].text == "I keep bees"
            assert memory.flush().unembedded == left
            assert memory.stats(check=True).problems == ()
            if left:
                with memory._storage.database.write() as connection:  # the lease runs out
                    connection.execute("UPDATE unembedded SET claimed_until = 0")


def test_a_stated_fact_without_vectors_is_weighed_by_its_words(tmp_path: Path) -> None:
    llm = ScriptedLLM([facts("The user keeps bees")])
    with opened(tmp_path, llm) as memory:
        memory.add("The user keeps bees", **ADA, kind="fact", wait=False)
        changes = of(memory.add("I keep bees", user_id="ada", run_id="later"))
        assert [change.event for change in changes] == ["NONE"]


def test_a_damaged_record_is_not_made_sound_by_its_vectors(tmp_path: Path) -> None:
    with memory_at(tmp_path) as memory:
        memory.add(["I keep bees", "I sail"], **ADA, wait=False)
        with memory._storage.database.write() as connection:
            connection.execute("UPDATE records SET text = 'I keep cats' WHERE text LIKE '%bees'")
        assert "damaged" in memory.flush().problems[0]
        assert any("not as it was written" in one for one in memory.stats(check=True).problems)
