"""Quick part of texts of any kind in any place; the whole one is `faults.texts.whole`."""

import pytest
from faults import slots, texts
from faults.parts import Counts
from faults.patterns import FEW, patterns

# Where a text of full length is read closest.
CLOSELY = (
    "bound Memory.search(query|Memory.context(query|bound Memory.add(messages: text)"
    "|Documents.search(query"
)
# The others are the whole part's.
QUICK = FEW[:10:3] + FEW[10:12]


def test_every_parameter_of_every_public_callable_is_asked() -> None:
    assert slots.unfilled() == []
    assert len(texts.slots()) > 350
    assert len(patterns()) > 100


@pytest.mark.parametrize("pattern", QUICK)
def test_a_text_of_any_kind_in_any_place_is_taken_or_refused_by_an_error_of_ours(
    pattern: str,
) -> None:
    counts = Counts()
    texts.here([pattern], 1_500, 2.0, counts)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["calls"] > 350


@pytest.mark.parametrize("pattern", ["marks on a letter", "distinct days"])
def test_the_longest_text_takes_no_more_than_some_seconds(pattern: str) -> None:
    counts = Counts()
    texts.there(pattern, texts.LONG, counts, CLOSELY)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["calls"] - counts["refused"] > 4
