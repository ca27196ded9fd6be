"""Quick part of flipped bits; the whole one is `faults.damage.whole`."""

from faults import damage


def test_a_flipped_bit_is_told_or_harms_nothing() -> None:
    counts = damage.flip(5, 400)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["told"] > 10
