"""What a search says of a filter from memory is what a listing says of it in SQL."""

from typing import Any

from holdfast.documents import Documents, Put
from holdfast.testing import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

PLACE = ("docs",)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.5, 1.0, 2**70, "a", "b", "1", "ä"])
)
documents = st.dictionaries(
    st.sampled_from(["a", "b"]),
    scalars | st.lists(scalars, max_size=2) | st.fixed_dictionaries({"c": scalars}),
)
ordered = st.integers(-2, 2) | st.sampled_from([0.5, "a", "1"])
signs = st.sampled_from(["gt", "gte", "lt", "lte"])
operations = (
    scalars
    | st.fixed_dictionaries({"ne": scalars})
    | st.fixed_dictionaries({"in": st.lists(scalars, max_size=2)})
    | st.fixed_dictionaries({"nin": st.lists(scalars, max_size=2)})
    | st.fixed_dictionaries({"exists": st.booleans()})
    | st.fixed_dictionaries({"contains": st.sampled_from(["a", 1, True])})
    | st.fixed_dictionaries({"eq": st.lists(scalars, max_size=1)})
    | st.builds(
        lambda sign, bound: {sign: bound}, st.sampled_from(["gt", "gte", "lt", "lte"]), ordered
    )
)
fields = st.dictionaries(st.sampled_from(["a", "b", "a.c", "none"]), operations, max_size=2)
filters = st.recursive(
    fields,
    lambda inner: (
        st.fixed_dictionaries({"NOT": inner})
        | st.fixed_dictionaries({"AND": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"OR": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=4,
)


def found(documents: Documents, query: str | None, wanted: dict[str, Any]) -> set[str]:
    matches = documents.search(PLACE, query, filters=wanted, limit=100)
    return {match.document.key for match in matches}


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(documents, min_size=1, max_size=8),
    later=st.lists(documents, max_size=3),
    asked=st.lists(filters, min_size=1, max_size=3),
)
def test_memory_and_sql_agree(
    values: list[Any], later: list[Any], asked: list[dict[str, Any]]
) -> None:
    documents = Documents.open(":memory:", embedder=HashEmbedder(8))
    documents.batch([Put(PLACE, str(n), value, ["x", "y"]) for n, value in enumerate(values)])
    for wanted in asked:
        assert found(documents, "x", wanted) == found(documents, None, wanted)

    # Rows come, change and go; what was read of the others still holds.
    documents.batch([Put(PLACE, str(n), value, ["x"]) for n, value in enumerate(later)])
    documents.delete(PLACE, str(len(values) - 1))
    for wanted in asked:
        assert found(documents, "x", wanted) == found(documents, None, wanted)
    documents.close()


def test_more_fields_than_are_kept_are_read_again() -> None:
    documents = Documents.open(":memory:", embedder=HashEmbedder(8))
    documents.put(PLACE, "1", {f"f{n}": n for n in range(20)}, texts=["x"])

    for _ in range(2):
        for number in range(20):
            assert found(documents, "x", {f"f{number}": number}) == {"1"}
            assert found(documents, "x", {f"f{number}": number + 1}) == set()
