from __future__ import annotations

import numpy as np
import pytest
from holdfast.language.terms import analyse, fold, language_of, term_hash, term_hashes, words
from hypothesis import given, settings
from hypothesis import strategies as st


def asked(query: str) -> set[str]:
    return {term for word in words(query) for group in word.groups for term in group}


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("She adopted two dogs last year", "dog"),
        ("I went to the zoo", "Where did she go?"),
        ("My children bought apples", "child"),
        ("Ich habe die alten Häuser gesehen", "Haus"),
        ("Wir spielten gestern im Garten", "Wer spielt?"),
        ("Compré manzanas en el mercado", "¿Quién compra una manzana?"),
        ("Nous avons acheté des chevaux", "cheval"),
        ("Вчера мы купили большие книги", "книга"),
        ("ذهبت إلى المدرسة أمس", "مدرسة"),
        ("Πήγα στις θάλασσες", "θάλασσα"),
        ("我昨天在公园里喝茶", "公园"),
        ("我昨天在公园里喝茶", "谁喜欢茶？"),
        ("昨日、猫を飼い始めました", "猫の名前は何ですか"),
        ("新しい図書館で勉強した", "図書館はどこ?"),
        ("ผมชอบดื่มกาแฟตอนเช้า", "กาแฟ"),
        ("어제 학교에서 공부했다", "학교"),
        ("Wir trafen uns im 東京タワー cafe", "東京"),
        ("it cost $3,000 in total", "3000"),
        ("STRASSE", "straße"),
        ("see `flask_login` in v1.2", "login"),
    ],
)
def test_an_inflected_or_short_word_is_found(text: str, query: str) -> None:
    assert asked(query) & set(analyse(text))


def test_documents_keep_function_words_and_order() -> None:
    assert analyse("To be, or not to be") == ["to", "be", "or", "not", "to", "be"]


def test_queries_mark_function_words() -> None:
    kept = [word.text for word in words("What is the name of the dog?") if not word.stop]
    assert kept == ["name", "dog"]


@pytest.mark.parametrize("text", ["", "   \n", "🎉👨‍👩‍👧", "?!…", "\u0301", "\ud800"])
def test_a_text_without_words_has_no_terms(text: str) -> None:
    assert analyse(text) == []


def test_the_language_is_that_of_the_function_words() -> None:
    assert language_of(["wo", "ist", "der", "hund"]) == "german"
    assert language_of(["dónde", "está", "el", "perro"]) == "spanish"
    assert language_of(["where", "is", "the", "dog"]) == "english"
    assert language_of(["quokka"]) is None


@pytest.mark.slow
def test_a_megabyte_is_analysed() -> None:
    assert len(analyse("word " * 200_000)) == 200_000
    assert len(analyse("喝茶" * 150_000)) == 599_999


def test_folding_ignores_case_and_accents() -> None:
    assert fold("MÜLLER") == fold("Muller")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_every_text_has_terms_that_can_be_stored(text: str) -> None:
    terms = analyse(text)
    hashes = term_hashes(terms)
    assert hashes.dtype == np.uint64
    assert [int(value) for value in hashes] == [term_hash(term) for term in terms]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abcdeß é12,.'- 茶喝猫をท์กาแฟ", max_size=40))
def test_a_query_finds_the_text_it_repeats(text: str) -> None:
    found = {term for word in words(text, whole=True) for group in word.groups for term in group}
    assert set(analyse(text)) <= found
