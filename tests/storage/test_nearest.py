"""Views of codes answer as views of whole vectors do, and as counting by hand does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from holdfast.documents import Collection, Put
from holdfast.ingestion.conductor import indexing
from holdfast.language.cues import read
from holdfast.retrieval.conductor import ranking
from holdfast.storage.contract.arrays import Bools, Floats
from holdfast.storage.contract.documents import Deletion
from holdfast.storage.contract.filters import parse
from holdfast.storage.contract.memories import Draft, Indexed
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.search import KeywordQuery, Probe
from holdfast.storage.index.loading import NEVER, Reading
from holdfast.storage.index.nearest import Coded
from holdfast.storage.index.searching import find
from holdfast.storage.index.vectors import Codes, Vectors
from holdfast.storage.index.views import View
from holdfast.storage.sqlite.document_rows import DocumentDraft
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.types import Scope, utc_now
from hypothesis import given, settings
from hypothesis import strategies as st

READING = Reading("documents", Reach.of_prefix(()))
NOW = NEVER - 1


def unit(vectors: Floats) -> Floats:
    return indexing.unit_vectors(list(vectors), len(vectors))


@st.composite
def clouds(draw: st.DrawFn) -> Floats:
    """Unit vectors as embedders give them: in clusters, around one mean, with twins."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, dimension = draw(st.integers(2, 300)), draw(st.sampled_from([1, 5, 8, 16, 100]))
    centres = random.standard_normal((draw(st.integers(1, 8)), dimension))
    spread = draw(st.sampled_from([0.0, 1e-4, 0.01, 0.3, 3.0]))
    vectors = centres[random.integers(len(centres), size=count)]
    vectors = vectors + spread * random.standard_normal((count, dimension))
    vectors += draw(st.sampled_from([0.0, 0.5, 5.0]))  # all of them point one way
    if draw(st.booleans()):
        vectors[:, 0] *= 50  # one number outweighs the others
    return unit(vectors.astype(np.float32))


def in_codes(vectors: Floats, many: int, step: int) -> Codes:
    """Codes of vectors that came some at a time."""
    coded = Vectors(vectors.shape[1], many)
    for start in range(0, len(vectors), step):
        coded.extend(vectors[start : start + step])
    assert coded.codes is not None
    return coded.codes


def queries(vectors: Floats) -> list[Floats]:
    """One of the vectors, one far from the first, and an axis: it has a code without an error."""
    axis = np.zeros(vectors.shape[1], dtype=np.float32)
    axis[-1] = 1
    return [vectors[-1], unit(-vectors[:1] + 0.1)[0], axis]


def exact(vectors: Floats, query: Floats) -> Any:
    return vectors.astype(np.float64) @ query.astype(np.float64)


@settings(max_examples=60, deadline=None)
@given(clouds(), st.integers(1, 200), st.integers(1, 60))
def test_a_cosine_lies_between_its_bounds_however_codes_came_to_be(
    vectors: Floats, many: int, step: int
) -> None:
    coded = in_codes(vectors, min(many, len(vectors)), step)
    places = np.arange(len(vectors))
    for query in queries(vectors):
        low, high = coded.bounds(query, places)
        cosines = exact(vectors, query)
        assert (low <= cosines).all()
        assert (cosines <= high).all()


def no_other_exceeds(coded: Codes, vectors: Floats, query: Floats, most: int) -> None:
    """Check what `scan` promises of the positions that it does not return."""
    allowed = np.arange(len(vectors)) % 5 > 0 if most % 2 else np.ones(len(vectors), dtype=bool)
    places, beyond = coded.scan(query, most, allowed)
    assert allowed[places].all()
    assert len(places) == min(most, np.count_nonzero(allowed))
    allowed[places] = False
    for cosines in (exact(vectors, query), vectors @ query):
        assert (cosines[allowed] <= beyond).all()


@settings(max_examples=100, deadline=None)
@given(clouds(), st.integers(1, 200), st.integers(1, 60), st.integers(1, 40))
def test_no_position_that_a_scan_leaves_out_exceeds_its_bound(
    vectors: Floats, many: int, step: int, most: int
) -> None:
    coded = in_codes(vectors, min(many, len(vectors)), step)
    for query in queries(vectors):
        no_other_exceeds(coded, vectors, query, most)


def test_the_bound_of_a_scan_allows_for_what_the_rounding_of_a_question_loses() -> None:
    signs = np.random.default_rng(0).choice([-1, 1], size=(60, 100)).astype(np.float32)
    signs[:, 0] = 1
    signs[-20:] = 1
    vectors = unit(np.concatenate([signs, -signs]))
    # Each number but the first is rounded to nothing; the last vectors point to all of them.
    query = np.full(100, 0.49 / 127, dtype=np.float32)
    query[0] = 1
    no_other_exceeds(in_codes(vectors, 120, 120), vectors, unit(query[None])[0], 10)


def test_the_bounds_of_codes_allow_for_a_second_rounding() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((240, 16)) * np.repeat([1e-3, 1e-2, 0.1, 1], 60)[:, None]
    vectors = unit((vectors + np.eye(16)[0]).astype(np.float32))
    coded = in_codes(vectors, 60, 60)
    for query in queries(vectors):
        low, high = coded.bounds(query, np.arange(240))
        assert (low <= exact(vectors, query)).all()
        assert (exact(vectors, query) <= high).all()
        for most in range(1, 60):
            no_other_exceeds(coded, vectors, query, most)


def test_codes_make_room_for_numbers_larger_than_seen_at_first() -> None:
    small = unit(np.random.default_rng(0).standard_normal((500, 64)).astype(np.float32))
    axes = np.eye(64, dtype=np.float32)
    coded = in_codes(np.concatenate([small, axes]), 500, 500)
    low, high = coded.bounds(axes[3], np.arange(564))
    cosines = np.concatenate([small, axes]) @ axes[3]
    assert (low <= cosines).all()
    assert (cosines <= high).all()
    assert (high - low).max() < 0.25


def test_codes_take_a_quarter_of_the_memory() -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((3_000, 384)).astype(np.float32))
    whole, coded = Vectors(384, many=10_000), Vectors(384, many=1_000)
    for some in (whole, coded):
        some.extend(vectors)
    assert coded.codes is not None
    assert coded.nbytes < 0.27 * whole.nbytes


def drafts(vectors: Floats, words: Sequence[str], first: int = 0) -> list[DocumentDraft]:
    made = []
    for number, (vector, text) in enumerate(zip(vectors, words, strict=True), first):
        terms, passages = indexing.index_texts([text])
        value = f'{{"number":{number},"even":{str(number % 2 == 0).lower()}}}'
        made.append(
            DocumentDraft(("a",), f"k{number}", value, None, (text,), vector[None], terms, passages)
        )
    return made


@contextmanager
def stored(vectors: Floats, words: Sequence[str]) -> Iterator[SqliteStorage]:
    """A file whose rows were written in two goes, some of them replaced, some deleted."""
    storage, half = SqliteStorage(":memory:"), len(vectors) // 2
    try:
        storage.documents.put(drafts(vectors[:half], words[:half]), "made")
        yield storage
    finally:
        storage.file.close()


def change(storage: SqliteStorage, vectors: Floats, words: Sequence[str]) -> None:
    half = len(vectors) // 2
    storage.documents.put(drafts(vectors[half:], words[half:], half), "made")
    storage.documents.put(drafts(vectors[-3:], words[-3:]), "made")
    place = Reach.of_namespace(("a",))
    gone = [Deletion(place, f"k{number}") for number in range(3, len(vectors), 7)]
    storage.documents.put(gone, "made")


def followed(view: View, loader: SqliteLoader) -> View:
    view.follow(loader)
    return view


def careful(view: View, loader: SqliteLoader, query: Floats, allowed: Bools) -> Coded:
    """Ask a view of codes, scanning for no more than is wanted, so that the bounds decide."""
    question = view.ask(loader, query, allowed)
    assert isinstance(question, Coded)
    return replace(question, first=1, least=1)


def cosines_of(view: View, loader: SqliteLoader, query: Floats) -> Floats:
    everything = np.ones(len(view.rows), dtype=np.bool_)
    return view.ask(loader, query, everything).cosines(np.arange(len(view.rows)))


WORDS = st.sampled_from(["tea", "green tea", "a cat", "rain on stone", "?!"])


@settings(max_examples=50, deadline=None)
@given(
    clouds(),
    st.lists(WORDS, min_size=1, max_size=9),
    st.sampled_from(["hybrid", "vector", "keyword"]),
    st.sampled_from([None, {"even": True}, {"number": {"lt": 40}}]),
    st.integers(1, 40),
)
def test_the_foremost_of_a_view_of_codes_are_those_of_all(
    vectors: Floats, said: list[str], mode: str, filters: Any, most: int
) -> None:
    words = [said[number % len(said)] for number in range(len(vectors))]
    score = ranking.document_scores[mode]
    with stored(vectors, words) as storage:
        coded, whole = View(READING, vectors.shape[1], 1), View(READING, vectors.shape[1])
        with storage.database.read() as connection:
            loader = SqliteLoader(connection)
            followed(coded, loader)
        change(storage, vectors, words)
        with storage.database.read() as connection:
            loader = SqliteLoader(connection)
            followed(coded, loader)
            followed(whole, loader)
            asked = read("green tea", (), utc_now())
            keywords = coded.keywords.scores(KeywordQuery(asked.groups))
            allowed = coded.rows.visible(NOW, None, None)
            if filters is not None:
                through = coded.fields.through(
                    loader, coded.rows.table["id"], parse(filters, own_fields=False)
                )
                assert through is not None
                allowed &= through
            if not allowed.any():
                return
            question = careful(coded, loader, vectors[0], allowed)
            places, cosines = question.foremost(score, keywords, most)
            everything = np.flatnonzero(allowed)
            ids = whole.rows.table["id"].tolist()
            order = [ids.index(row) for row in coded.rows.table["id"][everything].tolist()]
            true = cosines_of(whole, loader, vectors[0])[np.array(order)]
            np.testing.assert_allclose(
                cosines,
                true[np.isin(everything, places)][np.argsort(np.argsort(places))],
                atol=1e-5,
            )
            scores = score(true, keywords[everything])
            left_out = scores[~np.isin(everything, places)]
            if len(left_out):
                assert np.sum(scores > left_out.max() - 1e-5) >= min(most, len(everything))
                best = np.sort(scores)[::-1][:most]
                found = np.sort(scores[np.isin(everything, places)])[::-1][:most]
                np.testing.assert_allclose(found, best, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(clouds(), st.data())
def test_the_nearest_of_a_view_of_codes_are_the_nearest_however_many_are_wanted(
    vectors: Floats, data: st.DataObject
) -> None:
    most = data.draw(st.integers(1, len(vectors)))
    with stored(vectors, ["tea"] * len(vectors)) as storage:
        change(storage, vectors, ["tea"] * len(vectors))
        coded, whole = View(READING, vectors.shape[1], 1), View(READING, vectors.shape[1])
        with storage.database.read() as connection:
            loader = SqliteLoader(connection)
            followed(coded, loader)
            followed(whole, loader)
            allowed = coded.rows.visible(NOW, None, None)
            allowed[:: data.draw(st.integers(1, 5))] = True
            true = cosines_of(whole, loader, vectors[0])
            question = careful(coded, loader, vectors[0], allowed)
            places, cosines = question.nearest(most)
    wanted = np.sort(true[allowed])[::-1][:most]
    assert len(places) >= len(wanted)
    np.testing.assert_allclose(np.sort(cosines)[::-1][:most], wanted, atol=1e-5)
    np.testing.assert_allclose(cosines, true[places], atol=1e-5)


@pytest.fixture(scope="module")
def crowd() -> Iterator[SqliteStorage]:
    """One user with more records than a view keeps whole vectors of."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((300, 16))
    cloud = centres[random.integers(300, size=21_000)] + 0.3 * random.standard_normal((21_000, 16))
    vectors = unit(cloud.astype(np.float32))
    vocabulary = np.array(["tea", "cat", "rain", "stone", "road", "north", "blue", "lamp"])
    drafts = []
    for words, vector in zip(random.choice(vocabulary, (21_000, 3)), vectors, strict=True):
        text = " ".join(words)
        terms, passages = indexing.index_texts([text])
        drafts.append(Draft(text, "turn", Indexed(vector[None], tuple(passages), terms, 0)))
    storage = SqliteStorage(":memory:")
    storage.add(Scope(user_id="ada"), drafts, "made", extract=False)
    yield storage
    storage.file.close()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [20, 200, 201, 500, 5_000])
def test_many_records_of_codes_are_those_of_vectors_and_few_are_read(
    crowd: SqliteStorage, limit: int
) -> None:
    reading = Reading("records", Reach.of_scope(Scope(user_id="ada")))
    coded, whole = View(reading, 16), View(reading, 16, many=1_000_000)
    asked = read("blue tea", (), utc_now())
    query = unit(np.random.default_rng(4).standard_normal((1, 16)).astype(np.float32))[0]
    probe = Probe(
        vector=query,
        keywords=KeywordQuery(asked.groups),
        rank=lambda candidates: ranking.rank(candidates, asked),
        limit=limit,
    )
    statements: list[str] = []
    with crowd.database.read() as connection:
        loader = SqliteLoader(connection)
        wanted = find(loader, followed(whole, loader), probe, NOW)
        followed(coded, loader)
        connection.set_trace_callback(statements.append)  # type: ignore[attr-defined]
        found = find(loader, coded, probe, NOW)
        connection.set_trace_callback(None)  # type: ignore[attr-defined]
    assert coded.vectors.codes is not None
    assert whole.vectors.codes is None
    scores = [hit.score for hit in found]
    np.testing.assert_allclose(scores, [hit.score for hit in wanted], atol=1e-6)
    # A statement reads two thousand vectors: eleven read all.
    assert sum("vectors FROM records" in one for one in statements) <= 3 + 3 * limit // 2_000


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
@pytest.mark.parametrize("offset", [0, 30])
def test_a_search_of_codes_is_a_search_of_vectors(mode: str, offset: int) -> None:
    random = np.random.default_rng(1)
    centres = random.standard_normal((40, 32))
    cloud = centres[random.integers(40, size=4_000)] + 0.2 * random.standard_normal((4_000, 32))
    vectors = unit(cloud.astype(np.float32))
    vocabulary = ["tea", "cat", "rain", "stone", "road", "north", "blue", "lamp"]
    words = [" ".join(random.choice(vocabulary, 3)) for _ in range(4_000)]
    asked = read("blue tea", (), utc_now())
    with stored(vectors, words) as storage:
        coded, whole = View(READING, 32, 100), View(READING, 32)
        with storage.database.read() as connection:
            loader = SqliteLoader(connection)
            followed(coded, loader)
        change(storage, vectors, words)
        with storage.database.read() as connection:
            loader = SqliteLoader(connection)
            for query in vectors[::400]:
                probe = Probe(
                    vector=query,
                    keywords=KeywordQuery() if mode == "vector" else KeywordQuery(asked.groups),
                    rank=ranking.documents[mode],
                    limit=20,
                    offset=offset,
                    tree=parse({"even": True}, own_fields=False),
                    score=ranking.document_scores[mode],
                )
                found, wanted = (
                    find(loader, followed(view, loader), probe, NOW) for view in (coded, whole)
                )
                assert coded.vectors.codes is not None
                assert whole.vectors.codes is None
                scores = [hit.score for hit in found]
                np.testing.assert_allclose(scores, [hit.score for hit in wanted], atol=1e-6)


@pytest.mark.slow
def test_a_large_collection_finds_what_counting_by_hand_finds() -> None:
    random = np.random.default_rng(2)
    vectors = unit(random.standard_normal((21_000, 16)).astype(np.float32))
    with_numbers = [
        Put(("a",), f"k{n}", {"even": n % 2 == 0}, vectors=[v]) for n, v in enumerate(vectors)
    ]
    collection = Collection(":memory:", ("c",), fingerprint="made")
    collection.put(with_numbers)
    for query in vectors[:3] + 0.1:
        found = collection.search(query, filters={"even": True}, limit=20)
        cosines = vectors[::2] @ unit(query[None])[0]
        best = 2 * np.argsort(-cosines)[:20]
        assert [hit.document.key for hit in found] == [f"k{number}" for number in best]
    collection.close()
