"""The values of a field in memory, as they come in a few at a time."""

from __future__ import annotations

import json
import operator
from typing import Any

import numpy as np
from holdfast.storage.contract.filters import Comparison, Operator
from holdfast.storage.index.fields import DictionaryColumn
from holdfast.storage.index.predicates import predicate
from hypothesis import given, settings
from hypothesis import strategies as st

ORDERS: dict[Operator, Any] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
rows = st.integers(-200, 200) | st.text('abz\x00"é\U0001f600', max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    first=st.lists(rows, max_size=150),
    later=st.lists(st.lists(rows, min_size=1, max_size=2), max_size=6),
    bound=st.integers(-200, 200) | st.text("abz", max_size=2),
    sign=st.sampled_from(sorted(ORDERS)),
)
def test_an_order_takes_in_what_comes_later(
    first: list[Any], later: list[list[Any]], bound: Any, sign: Operator
) -> None:
    values, known = DictionaryColumn(), []
    for some in (first, *later):
        values.extend([("json", json.dumps(value)) for value in some])
        known += some
        told = values.where(predicate(Comparison(("metadata", "a"), sign, bound)))
        wanted = [type(one) is type(bound) and ORDERS[sign](one, bound) for one in known]
        np.testing.assert_array_equal(told, wanted)


def test_members_of_lists_that_come_later_are_found() -> None:
    values = DictionaryColumn()
    holds = Comparison(("metadata", "a"), "contains", 1)
    for count in range(1, 4):
        values.extend([("json", "[1,true]"), ("json", f"[{count}.0,[1]]"), ("json", "true")])
        later = [True, False, False] * (count - 1)
        assert values.where(predicate(holds)).tolist() == [True, True, False, *later]
