"""Equality of a field finds what holds it, however it is written, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast.documents import Documents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
)


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    documents = Documents.open(tmp_path / "documents.db")
    yield documents
    documents.close()


def found(documents: Documents, filters: dict[str, Any]) -> set[str]:
    return {match.document.key for match in documents.search(("n",), filters=filters, limit=100)}


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        (1, 1.0),
        (1.0, 1),
        (0, -0.0),
        (-0.0, 0),
        (1e15, 10**15),
        (10**16, 1e16),
        (-2.0, -2),
        ('say "ä\\n', None),
    ],
)
def test_a_number_is_found_however_it_is_written(
    documents: Documents, stored: Any, asked: Any
) -> None:
    documents.put(("n",), "a", {"deep": {"x": stored}})
    assert found(documents, {"deep.x": stored if asked is None else asked}) == {"a"}


def test_the_same_characters_elsewhere_are_no_match(documents: Documents) -> None:
    documents.put(("n",), "text", {"say": '"x":1', "x": 2})
    documents.put(("n",), "other", {"y": {"x": 1}})
    documents.put(("n",), "longer", {"x": 11})
    documents.put(("n",), "string", {"x": "1"})
    assert found(documents, {"x": 1}) == set()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(SCALARS, min_size=1, max_size=5), place=st.integers(0, 4))
def test_equality_agrees_with_python(documents: Documents, values: list[Any], place: int) -> None:
    for number in range(5):
        documents.delete(("n",), str(number))
    for number, value in enumerate(values):
        documents.put(("n",), str(number), {"x": value, "pad": ["x", {"x": None}]})
    asked = values[place % len(values)]
    same = {
        str(number)
        for number, value in enumerate(values)
        if value == asked and isinstance(value, bool) == isinstance(asked, bool)
    }
    assert found(documents, {"x": asked}) == same
