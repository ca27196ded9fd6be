"""F1 and BLEU-1 of an answer against the key, as LoCoMo defines them.

The rules are those of `task_eval/evaluation.py` in snap-research/locomo: words without
punctuation, case and articles, stemmed (Porter); a multi-hop answer is a list, of which each part
counts; of an open-domain answer counts what stands before the semicolon; an adversarial question
is answered by saying that there is no answer.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

import Stemmer

ABSTAINED = ("no information available", "not mentioned")

_stem = Stemmer.Stemmer("porter").stemWord
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def f1(answer: str, key: str, category: str) -> float:
    """Return the F1 of one answer by the rule of its category, 0 to 1."""
    if category == "adversarial":
        return float(abstains(answer))
    if category == "multi-hop":
        return _parts_f1(answer, key)
    return _f1(words(answer), words(wanted(key, category)))


def bleu1(answer: str, key: str, category: str) -> float:
    """Return BLEU-1 (Papineni 2002): clipped unigram precision times the brevity penalty."""
    if category == "adversarial":
        return float(abstains(answer))
    said, meant = words(answer), words(wanted(key, category))
    if not said or not meant:
        return float(said == meant)
    precision = (Counter(said) & Counter(meant)).total() / len(said)
    return precision * math.exp(min(0.0, 1 - len(meant) / len(said)))


def abstains(answer: str) -> bool:
    """Say whether an answer says that there is none."""
    return any(phrase in answer.lower() for phrase in ABSTAINED)


def wanted(key: str, category: str) -> str:
    """Return what of a key is asked for."""
    return key.split(";")[0].strip() if category == "open-domain" else key


def words(text: str) -> list[str]:
    """Return the words that count, stemmed."""
    bare = text.lower().replace(",", "").translate(_PUNCTUATION)
    return [_stem(word) for word in re.sub(r"\b(a|an|the|and)\b", " ", bare).split()]


def _parts_f1(answer: str, key: str) -> float:
    """Return the mean, over the parts of the key, of the best part of the answer."""
    said = [words(part) for part in answer.split(",")]
    meant = [words(part) for part in key.split(",")]
    return sum(max(_f1(mine, part) for mine in said) for part in meant) / len(meant)


def _f1(said: Sequence[str], meant: Sequence[str]) -> float:
    shared = (Counter(said) & Counter(meant)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(meant)
    return 2 * precision * recall / (precision + recall)
