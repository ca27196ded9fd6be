from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

import pytest
from holdfast import FilterError, InvalidInputError, ProviderError
from holdfast.documents import Get, Items, Put, Search
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


def opened(embedder: Embedder | None = None) -> Items:
    return Items.open(":memory:", embedder=embedder or HashEmbedder())


@pytest.fixture
def items() -> Iterator[Items]:
    made = opened()
    yield made
    made.close()


def keys(found: object) -> list[str]:
    assert isinstance(found, list)
    return [match.item.key for match in found]


def test_a_strict_batch_raises_and_writes_nothing(items: Items) -> None:
    bad = Search(NOTES, filters={"a": {"near": 1}})

    with pytest.raises(FilterError):
        items.batch([Put(NOTES, "1", {}), bad], strict=True)

    assert items.get(NOTES, "1") is None


def test_without_strict_a_bad_operation_spares_its_neighbours(items: Items) -> None:
    results = items.batch([Put(NOTES, "1", {}), Put((), "2", {}), Put(NOTES, "3", {})])

    assert isinstance(results[1], InvalidInputError)
    assert items.get(NOTES, "1") is not None
    assert items.get(NOTES, "3") is not None


def test_a_text_that_cannot_be_stored_fails_only_its_put(items: Items) -> None:
    results = items.batch([Put(NOTES, "1", {}, ["nul \x00"]), Put(NOTES, "2", {}, ["fine"])])

    assert isinstance(results[0], InvalidInputError)
    assert items.get(NOTES, "2") is not None


def test_a_batch_embeds_a_text_and_a_query_once() -> None:
    embedder = CountingEmbedder()
    items = opened(embedder)

    items.batch([Put(NOTES, str(n), {}, ["green tea"]) for n in range(3)])
    found, again = items.batch([Search(NOTES, "tea"), Search(NOTES, "tea", limit=1)])

    assert embedder.embedded == ["green tea"]
    assert embedder.asked == ["tea"]
    assert len(keys(found)) == 3
    assert len(keys(again)) == 1


def test_when_the_embedder_fails_nothing_of_the_batch_is_written() -> None:
    items = opened(HashEmbedder(fail_at=2))

    with pytest.raises(ProviderError):
        items.batch([Put(NOTES, "1", {}, ["one"]), Put(NOTES, "2", {}, ["two"])])

    assert items.namespaces() == []


def test_several_gets_are_answered_in_order(items: Items) -> None:
    items.put(NOTES, "a", {"n": 1})
    items.put(NOTES, "b", {"n": 2})

    found = items.batch([Get(NOTES, "b"), Get(NOTES, "none"), Get(NOTES, "a")])

    assert [getattr(item, "key", None) for item in found] == ["b", None, "a"]


def test_pages_of_a_ranking_make_up_the_whole(items: Items) -> None:
    words = ["oak", "elm", "ash", "yew", "fir", "box", "bay", "fig", "ivy", "sea"]
    for number in range(400):
        text = f"{words[number % 10]} {words[number // 10 % 10]} number {number}"
        items.put(NOTES, str(number), {}, texts=[text, f"{text} again"])

    whole = keys(items.search(Search(NOTES, "oak elm", limit=400)))
    pages = [
        key
        for offset in range(0, 400, 7)
        for key in keys(items.search(Search(NOTES, "oak elm", limit=7, offset=offset)))
    ]

    assert pages == whole
    assert len(set(whole)) == 400


def test_a_hybrid_score_is_the_cosine_where_no_word_is_shared(items: Items) -> None:
    items.put(NOTES, "1", {}, texts=["green tea"])

    plain = items.search(Search(NOTES, "black coffee", explain=True))[0]
    same = items.search(Search(NOTES, "green tea"))[0]

    assert plain.score == pytest.approx(plain.parts["dense"])
    assert same.score == pytest.approx(1.0)


def test_unscored_items_follow_the_ranked_ones_page_by_page(items: Items) -> None:
    for number in range(3):
        items.put(NOTES, f"text{number}", {"even": number % 2 == 0}, texts=[f"tea {number}"])
        items.put(NOTES, f"bare{number}", {"even": number % 2 == 0})

    pages = [
        items.search(Search(NOTES, "tea", limit=2, offset=offset, unscored=True))
        for offset in (0, 2, 4, 6)
    ]
    even = items.search(Search(NOTES, "tea", filters={"even": True}, unscored=True))

    assert [len(page) for page in pages] == [2, 2, 2, 0]
    scores = [match.score is None for page in pages for match in page]
    assert scores == [False] * 3 + [True] * 3
    assert keys(pages[1] + pages[2])[1:] == ["bare2", "bare1", "bare0"]
    assert sorted(keys(even)) == ["bare0", "bare2", "text0", "text2"]


def test_unscored_items_are_found_before_anything_was_embedded(items: Items) -> None:
    items.put(NOTES, "bare", {})

    assert keys(items.search(Search(NOTES, "tea", unscored=True))) == ["bare"]
    assert items.search(Search(NOTES, "tea")) == []


def test_what_has_expired_is_read_on_request_until_it_is_swept(items: Items) -> None:
    short = timedelta(microseconds=1)
    items.put(NOTES, "1", {"n": 1}, texts=["green tea"], lifetime=short)

    assert items.get(NOTES, "1") is None
    assert items.batch([Get(NOTES, "1", expired=True)])[0] is not None
    assert keys(items.search(Search(NOTES, expired=True))) == ["1"]
    assert keys(items.search(Search(NOTES, "tea", expired=True))) == ["1"]
    assert items.search(Search(NOTES, "tea")) == []

    assert items.sweep() == 1
    assert items.batch([Get(NOTES, "1", expired=True)]) == [None]


def test_an_item_from_elsewhere_keeps_its_birthday(items: Items) -> None:
    born = datetime(2020, 2, 2, tzinfo=timezone.utc)

    items.batch([Put(NOTES, "1", {}, created_at=born)])

    item = items.get(NOTES, "1")
    assert item is not None
    assert item.created_at == born
    assert item.updated_at > born


def test_namespaces_are_sorted_label_by_label(items: Items) -> None:
    for namespace in [("a b",), ("a", "x"), ("a",)]:
        items.put(namespace, "1", {})

    assert items.namespaces() == [("a",), ("a", "x"), ("a b",)]


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
    items: Items, filters: dict[str, object], found: list[str]
) -> None:
    items.put(NOTES, "1", {"tags": ["draft"], "n": 1})
    items.put(NOTES, "2", {"tags": ["draft", "red"], "n": 2})
    items.put(NOTES, "3", {"tags": "draft", "n": 3.5})

    assert sorted(keys(items.search(Search(NOTES, filters=filters)))) == found
