from __future__ import annotations

from itertools import pairwise

import pytest
from holdfast.language.passages import LONGEST_WHOLE, TARGET, split
from hypothesis import given, settings
from hypothesis import strategies as st

ANSWER = """Here is a plan for the move.

### Step 1: Pack
- Buy forty boxes and a lot of tape, and label each box by room and by owner.
- Wrap the glasses in old newspapers; the ones from Grandmother go in the car.

### Step 2: Drive
Rent a van for Saturday. It must have room for the piano. Ask Tom to help you carry it!

```python
for box in boxes:
    carry(box)
```

### Step 3: Celebrate
Order pizza for everybody who helped, and open the window: the paint is still fresh.
"""


def test_a_short_text_is_one_passage() -> None:
    assert split("I went to the zoo. It rained.") == [(0, 29)]


def test_blank_text_has_no_passage() -> None:
    assert split("") == []
    assert split(" \n ") == []


def test_a_long_answer_is_cut_between_sentences_and_lines() -> None:
    text = ANSWER * 4
    spans = split(text)
    assert len(spans) > 4
    for start, end in spans:
        assert text[start:end].strip() == text[start:end]
        assert text[end - 1] in ".!:;)`" or text[end : end + 1] == "\n"


def test_a_heading_begins_a_passage() -> None:
    text = ANSWER * 4
    begun = sum(text[start:end].startswith("###") for start, end in split(text))
    assert begun >= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "word " * 200_000,
        "x" * 1_000_000,
        "我喜欢喝茶" * 100_000,
        "我昨天去了公园。" * 60_000,
        "?" * 1_000_000,
        "a\n" * 300_000,
        "กาแฟ" * 100_000,
    ],
)
def test_huge_texts_are_cut_too(text: str) -> None:
    spans = split(text)
    assert max(end - start for start, end in spans) <= LONGEST_WHOLE
    assert sum(end - start for start, end in spans) > 0.7 * len(text.replace("\n", ""))


def test_scripts_without_spaces_get_shorter_passages() -> None:
    assert max(end - start for start, end in split("我喜欢喝茶" * 400)) <= TARGET / 3


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab .\n?我。é#", max_size=3000))
def test_passages_keep_every_character_but_white_space(text: str) -> None:
    spans = split(text)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(a < b for a, b in spans)
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="abcdef", min_size=1, max_size=12), min_size=200, max_size=400))
def test_no_word_is_cut(words: list[str]) -> None:
    text = " ".join(words)
    assert [word for a, b in split(text) for word in text[a:b].split()] == words


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 3 * TARGET), min_size=2, max_size=12))
def test_sentences_longer_than_a_passage_are_cut_where_they_stand(lengths: list[int]) -> None:
    text = " ".join("word " * (length // 5) + "end." for length in lengths)
    spans = split(text)
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))
    assert max(b - a for a, b in spans) <= LONGEST_WHOLE
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
