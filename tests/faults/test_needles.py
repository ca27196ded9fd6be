"""Quick part of byte search after erasure; the whole one is `faults.needles.whole`."""

import pytest
from faults import needles
from support.drivers import needs_encryption


@pytest.mark.parametrize(
    ("key", "durability"),
    [
        (None, "normal"),
        (None, "full"),
        pytest.param(needles.KEY, "normal", marks=needs_encryption),
    ],
)
def test_what_was_erased_is_nowhere_and_its_neighbours_are(
    key: bytes | None, durability: str
) -> None:
    counts = needles.one_round(1, key, durability)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["needles"] > 500
    assert counts["kept"] > 10
