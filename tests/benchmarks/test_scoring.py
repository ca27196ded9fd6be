"""F1 and BLEU-1 by LoCoMo's rules."""

from __future__ import annotations

import math

import pytest


@pytest.mark.parametrize(
    ("answer", "key", "category", "expected"),
    [
        ("The clocks", "a clock", "single-hop", 1.0),
        ("May 8, 2023", "8 May 2023", "temporal", 1.0),
        ("Lyon in France", "Lyon", "single-hop", 0.5),
        ("", "Lyon", "single-hop", 0.0),
        ("yes", "yes; she said so", "open-domain", 1.0),
        ("bread, clocks", "clocks, bread, cats", "multi-hop", 2 / 3),
        ("Not mentioned.", "The conversation does not say.", "adversarial", 1.0),
        ("cats", "The conversation does not say.", "adversarial", 0.0),
    ],
)
def test_f1_follows_the_category(answer: str, key: str, category: str, expected: float) -> None:
    from scoring import f1

    assert f1(answer, key, category) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "key", "expected"),
    [
        ("Lyon", "Lyon", 1.0),
        ("Lyon Lyon", "Lyon", 0.5),
        ("Lyon", "Lyon in France", math.exp(-2)),
        ("", "Lyon", 0.0),
    ],
)
def test_bleu1_clips_and_punishes_brevity(answer: str, key: str, expected: float) -> None:
    from scoring import bleu1

    assert bleu1(answer, key, "single-hop") == pytest.approx(expected)
