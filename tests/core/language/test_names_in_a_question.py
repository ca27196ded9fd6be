from __future__ import annotations

import pytest
from holdfast.language.names import bare, named

KNOWN = {"paul", "paul smith", "university of oxford", "rita", "will", "weber", "lyon"}


def known(name: str) -> bool:
    return bare(name) in KNOWN


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("Where does Rita live?", ["Rita"]),
        ("did paul smith meet RITA", ["paul smith", "RITA"]),
        ("Whom does Paul know in Lyon?", ["Paul", "Lyon"]),
        ("What is Rita's brother called, and Paul’s?", ["Rita", "Paul"]),
        ("Who went to the University of Oxford?", ["the University of Oxford"]),
        ("What did Dr. Weber say?", ["Dr Weber"]),
        ("will it rain", []),
        ("Will it rain?", []),
        ("Where does Will live?", ["Will"]),
        ("nobody at all", []),
        ("", []),
        ("?!", []),
    ],
)
def test_a_question_names_what_is_known_by_its_longest_name(query: str, names: list[str]) -> None:
    assert named(query, known) == names


def test_beyond_so_many_words_nobody_is_named() -> None:
    assert named("so much " * 10_000 + "Rita", known) == []
