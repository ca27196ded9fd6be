from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from holdfast.language.terms import analyse, term_hashes
from holdfast.storage.contract.search import KeywordQuery
from holdfast.storage.index.keywords import K1, NEIGHBOUR_WEIGHTS, PAIR, QUOTE, B, Keywords
from hypothesis import given, settings
from hypothesis import strategies as st

Texts = Sequence[Sequence[str]]


def built(texts: Texts, previous: Sequence[int]) -> Keywords:
    keywords = Keywords()
    extend(keywords, texts, previous)
    return keywords


def extend(keywords: Keywords, texts: Texts, previous: Sequence[int]) -> None:
    words = term_hashes([word for text in texts for word in text])
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    keywords.extend(words, lengths, np.array(previous, dtype=np.int32))


def looked_for(*words: str) -> KeywordQuery:
    return KeywordQuery(tuple((word,) for word in words))


def count(text: Sequence[str], phrase: Sequence[tuple[str, ...]]) -> int:
    starts = range(len(text) - len(phrase) + 1)
    return sum(all(text[at + n] in group for n, group in enumerate(phrase)) for at in starts)


def naive(
    texts: Texts, previous: Sequence[int], removed: set[int], query: KeywordQuery
) -> list[float]:
    """BM25F as its paper has it, one position and one word at a time."""
    live = [at for at in range(len(texts)) if at not in removed]
    average = sum(len(texts[at]) for at in live) / max(len(live), 1)
    wanted = [((group,), 1.0) for group in query.groups]
    wanted += [((query.groups[a], query.groups[b]), PAIR) for a, b in query.pairs]
    wanted += [(quote, QUOTE) for quote in query.quotes]

    def frequency(at: int, phrase: Sequence[tuple[str, ...]]) -> float:
        if at < 0 or at in removed:
            return 0.0
        return count(texts[at], phrase) / (1 - B + B * len(texts[at]) / max(average, 1.0))

    def score(at: int) -> float:
        before = previous[at]
        before_that = previous[before] if before >= 0 else -1
        after = max((n for n, link in enumerate(previous) if link == at), default=-1)
        total = 0.0
        for phrase, weight in wanted:
            documents = sum(count(texts[n], phrase) > 0 for n in live)
            idf = math.log1p((len(live) - documents + 0.5) / (documents + 0.5))
            lenders = zip(NEIGHBOUR_WEIGHTS, (at, before, before_that, after), strict=True)
            sum_ = sum(share * frequency(n, phrase) for share, n in lenders)
            total += weight * idf * sum_ * (K1 + 1) / (sum_ + K1)
        return total

    return [0.0 if at in removed else score(at) for at in range(len(texts))]


WORDS = st.sampled_from("abcdefg")
TEXTS = st.lists(st.lists(WORDS, max_size=8), min_size=1, max_size=12)


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[list[str]], list[int], set[int]]:
    texts = draw(TEXTS)
    previous: list[int] = []
    for at in range(len(texts)):  # no two turns follow the same one
        free = [-1, *(set(range(at)) - set(previous))]
        previous.append(draw(st.sampled_from(free)))
    removed = draw(st.sets(st.integers(0, len(texts) - 1), max_size=4))
    return texts, previous, removed


QUERIES = st.builds(
    KeywordQuery,
    groups=st.just((("a",), ("b", "g"), ("c",))),
    pairs=st.sampled_from([(), ((0, 1),), ((0, 1), (1, 2))]),
    quotes=st.sampled_from([(), ((("a",), ("b",), ("a",)),)]),
)


@settings(max_examples=80, deadline=None)
@given(stores(), QUERIES)
def test_scores_are_those_of_a_naive_bm25f(
    store: tuple[list[list[str]], list[int], set[int]], query: KeywordQuery
) -> None:
    texts, previous, removed = store
    keywords = built(texts, previous)
    for position in removed:
        keywords.remove(position)
    expected = naive(texts, previous, removed, query)
    np.testing.assert_allclose(keywords.scores(query), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(stores(), QUERIES)
def test_adding_one_by_one_is_adding_at_once(
    store: tuple[list[list[str]], list[int], set[int]], query: KeywordQuery
) -> None:
    texts, previous, _ = store
    one_by_one = Keywords()
    for text, link in zip(texts, previous, strict=True):
        extend(one_by_one, [text], [link])
    np.testing.assert_allclose(
        one_by_one.scores(query), built(texts, previous).scores(query), rtol=1e-5
    )


def test_words_folded_in_from_the_tail_are_found_like_the_others() -> None:
    texts = [[f"w{number % 97}", f"w{number % 89}", "common"] for number in range(6000)]
    links = list(range(-1, 5999))
    grown = Keywords()
    for start in range(0, 6000, 250):
        extend(grown, texts[start : start + 250], links[start : start + 250])
    query = KeywordQuery((("w5",), ("w60",)), pairs=((0, 1),))
    expected = built(texts, links).scores(query)
    assert np.count_nonzero(expected)
    np.testing.assert_allclose(grown.scores(query), expected, rtol=1e-5)


def test_an_empty_store_scores_nothing() -> None:
    assert Keywords().scores(looked_for("dog")).shape == (0,)
    assert built([[]], [-1]).scores(looked_for("dog")).tolist() == [0.0]
    assert built([["dog"]], [-1]).scores(KeywordQuery()).tolist() == [0.0]


def test_the_next_turn_finds_what_was_asked_before_it() -> None:
    texts = [analyse("What is your dog called?"), analyse("Rex."), analyse("Nice weather.")]
    scores = built(texts, [-1, 0, -1]).scores(looked_for("dog"))
    assert scores[0] > scores[1] > scores[2] == 0


def test_a_removed_turn_lends_nothing_and_leaves_the_statistics() -> None:
    texts = [["dog", "x"], ["cat"], ["bird"]]
    keywords = built(texts, [-1, 0, 1])
    keywords.remove(0)
    keywords.remove(0)
    assert keywords.scores(looked_for("dog")).tolist() == [0, 0, 0]
    rest = built([["cat"], ["bird"]], [-1, 0]).scores(looked_for("cat"))
    np.testing.assert_allclose(keywords.scores(looked_for("cat"))[1:], rest)


def test_a_phrase_never_spans_two_positions() -> None:
    keywords = built([["new"], ["york"], ["new", "york"]], [-1, -1, -1])
    quoted = KeywordQuery(quotes=((("new",), ("york",)),))
    assert np.flatnonzero(keywords.scores(quoted)).tolist() == [2]


def test_a_long_text_does_not_win_by_length() -> None:
    long = ["dog"] * 3 + [f"w{number}" for number in range(500)]
    scores = built([long, ["my", "dog"], ["a", "b"]], [-1, -1, -1]).scores(looked_for("dog"))
    assert scores[1] > scores[0] > 0
