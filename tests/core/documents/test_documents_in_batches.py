from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

import pytest
from holdfast import FilterError, InvalidInputError, ProviderError
from holdfast.documents import Documents, Get, Put, Search
from holdfast.providers.base import Embedder
from holdfast.testing import HashEmbedder

NOTES = ("notes", "ada")


class CountingEmbedder(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded += texts
        return super().embed(texts)

    def embed_query(self, text: str) -> Sequence[float]:
        self.asked.append(text)
        return super().embed([text])[0]


def opened(embedder: Embedder | None = None) -> Documents:
    return Documents.open(":memory:", embedder=embedder or HashEmbedder())


@pytest.fixture
def documents() -> Iterator[Documents]:
    made = opened()
    yield made
    made.close()


def keys(found: object) -> list[str]:
    assert isinstance(found, list)
    return [match.document.key for match in found]


def test_a_strict_batch_raises_and_writes_nothing(documents: Documents) -> None:
    bad = Search(NOTES, filters={"a": {"near": 1}})

    with pytest.raises(FilterError):
        documents.batch([Put(NOTES, "1", {}), bad], strict=True)

    assert documents.get(NOTES, "1") is None


def test_without_strict_a_bad_operation_spares_its_neighbours(documents: Documents) -> None:
    results = documents.batch([Put(NOTES, "1", {}), Put((), "2", {}), Put(NOTES, "3", {})])

    assert isinstance(results[1], InvalidInputError)
    assert documents.get(NOTES, "1") is not None
    assert documents.get(NOTES, "3") is not None


def test_a_text_that_cannot_be_stored_fails_only_its_put(documents: Documents) -> None:
    results = documents.batch([Put(NOTES, "1", {}, ["nul \x00"]), Put(NOTES, "2", {}, ["fine"])])

    assert isinstance(results[0], InvalidInputError)
    assert documents.get(NOTES, "2") is not None


def test_a_batch_embeds_a_text_and_a_query_once() -> None:
    embedder = CountingEmbedder()
    documents = opened(embedder)

    documents.batch([Put(NOTES, str(n), {}, ["green tea"]) for n in range(3)])
    found, again = documents.batch([Search(NOTES, "tea"), Search(NOTES, "tea", limit=1)])

    assert embedder.embedded == ["green tea"]
    assert embedder.asked == ["tea"]
    assert len(keys(found)) == 3
    assert len(keys(again)) == 1


def test_when_the_embedder_fails_nothing_of_the_batch_is_written() -> None:
    documents = opened(HashEmbedder(fail_at=2))

    with pytest.raises(ProviderError):
        documents.batch([Put(NOTES, "1", {}, ["one"]), Put(NOTES, "2", {}, ["two"])])

    assert documents.namespaces() == []


def test_several_gets_are_answered_in_order(documents: Documents) -> None:
    documents.put(NOTES, "a", {"n": 1})
    documents.put(NOTES, "b", {"n": 2})

    found = documents.batch([Get(NOTES, "b"), Get(NOTES, "none"), Get(NOTES, "a")])

    assert [getattr(document, "key", None) for document in found] == ["b", None, "a"]


def test_pages_of_a_ranking_make_up_the_whole(documents: Documents) -> None:
    words = ["oak", "elm", "ash", "yew", "fir", "box", "bay", "fig", "ivy", "sea"]
    for number in range(400):
        text = f"{words[number % 10]} {words[number // 10 % 10]} number {number}"
        documents.put(NOTES, str(number), {}, texts=[text, f"{text} again"])

    whole = keys(documents.search(NOTES, "oak elm", limit=400))
    pages = [
        key
        for offset in range(0, 400, 7)
        for key in keys(documents.search(NOTES, "oak elm", limit=7, offset=offset))
    ]

    assert pages == whole
    assert len(set(whole)) == 400


def test_a_hybrid_score_is_the_cosine_where_no_word_is_shared(documents: Documents) -> None:
    documents.put(NOTES, "1", {}, texts=["green tea"])

    plain = documents.search(NOTES, "black coffee", explain=True)[0]
    same = documents.search(NOTES, "green tea")[0]

    assert plain.score == pytest.approx(plain.parts["dense"])
    assert same.score == pytest.approx(1.0)


def test_unscored_documents_follow_the_ranked_ones_page_by_page(documents: Documents) -> None:
    for number in range(3):
        documents.put(NOTES, f"text{number}", {"even": number % 2 == 0}, texts=[f"tea {number}"])
        documents.put(NOTES, f"bare{number}", {"even": number % 2 == 0})

    pages = [
        documents.search(NOTES, "tea", limit=2, offset=offset, unscored=True)
        for offset in (0, 2, 4, 6)
    ]
    even = documents.search(NOTES, "tea", filters={"even": True}, unscored=True)

    assert [len(page) for page in pages] == [2, 2, 2, 0]
    scores = [match.score is None for page in pages for match in page]
    assert scores == [False] * 3 + [True] * 3
    assert keys(pages[1] + pages[2])[1:] == ["bare2", "bare1", "bare0"]
    assert sorted(keys(even)) == ["bare0", "bare2", "text0", "text2"]


def test_unscored_documents_are_found_before_anything_was_embedded(documents: Documents) -> None:
    documents.put(NOTES, "bare", {})

    assert keys(documents.search(NOTES, "tea", unscored=True)) == ["bare"]
    assert documents.search(NOTES, "tea") == []


def test_what_has_expired_is_read_on_request_until_it_is_swept(documents: Documents) -> None:
    short = timedelta(microseconds=1)
    documents.put(NOTES, "1", {"n": 1}, texts=["green tea"], lifetime=short)

    assert documents.get(NOTES, "1") is None
    assert documents.batch([Get(NOTES, "1", expired=True)])[0] is not None
    assert keys(documents.search(NOTES, expired=True)) == ["1"]
    assert keys(documents.search(NOTES, "tea", expired=True)) == ["1"]
    assert documents.search(NOTES, "tea") == []

    assert documents.sweep() == 1
    assert documents.batch([Get(NOTES, "1", expired=True)]) == [None]


def test_a_document_from_elsewhere_keeps_its_birthday(documents: Documents) -> None:
    born = datetime(2020, 2, 2, tzinfo=timezone.utc)

    documents.batch([Put(NOTES, "1", {}, created_at=born)])

    document = documents.get(NOTES, "1")
    assert document is not None
    assert document.created_at == born
    assert document.updated_at > born


def test_namespaces_are_sorted_label_by_label(documents: Documents) -> None:
    for namespace in [("a b",), ("a", "x"), ("a",)]:
        documents.put(namespace, "1", {})

    assert documents.namespaces() == [("a",), ("a", "x"), ("a b",)]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"tags": ["draft"]}, ["1"]),
        ({"tags": ["draft", "red"]}, ["2"]),
        ({"tags": ["red", "draft"]}, []),
        ({"tags": {"ne": ["draft"]}}, ["2", "3"]),
        ({"tags": {"in": [["draft"], "draft"]}}, ["1", "3"]),
        ({"tags": []}, []),
        ({"n": {"lt": 10**30}}, ["1", "2", "3"]),
        ({"n": 10**30}, []),
    ],
)
def test_filters_compare_lists_and_great_numbers(
    documents: Documents, filters: dict[str, object], found: list[str]
) -> None:
    documents.put(NOTES, "1", {"tags": ["draft"], "n": 1})
    documents.put(NOTES, "2", {"tags": ["draft", "red"], "n": 2})
    documents.put(NOTES, "3", {"tags": "draft", "n": 3.5})

    assert sorted(keys(documents.search(NOTES, filters=filters))) == found
