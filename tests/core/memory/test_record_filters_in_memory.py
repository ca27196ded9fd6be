"""What a search says of a filter from memory is what a listing says of it in SQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from holdfast import Memory
from holdfast.storage.contract.filters import parse
from holdfast.storage.index.fields import FIELDS, FieldIndex
from holdfast.storage.sqlite.file import File
from holdfast.storage.sqlite.loading import SqliteLoader
from holdfast.testing import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drivers import UNCOMPARED

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)

numbers = st.integers(-2, 2) | st.sampled_from(
    [0.5, 1.0, -0.0, 2**53 + 1, 2.0**53, 2**62, 2**63, -(2**63), 2**70, 1e300]
)
TEXTS = ["a", "b", "ab", "", "1", "ä", "\U0001f600", "a\x00b", NOW.isoformat()]
texts = st.sampled_from([text for text in TEXTS if not set(UNCOMPARED) & set(text)])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=1),
    max_leaves=4,
)
documents = st.dictionaries(
    st.sampled_from(["a", "b"]), values | st.fixed_dictionaries({"c": values}), max_size=2
)
wholes = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
signs = st.sampled_from(["gt", "gte", "lt", "lte"])
moments = st.integers(-2, 3).map(lambda day: NOW + timedelta(days=day))


def operations(single: Any, whole: Any, ordered: Any, part: Any) -> Any:
    return st.one_of(
        single,
        *(st.fixed_dictionaries({sign: whole}) for sign in ("eq", "ne")),
        *(st.fixed_dictionaries({sign: st.lists(whole, max_size=3)}) for sign in ("in", "nin")),
        st.fixed_dictionaries({"exists": st.booleans()}),
        st.builds(lambda sign, bound: {sign: bound}, signs, ordered),
        *([] if part is None else [st.fixed_dictionaries({"contains": part})]),
    )


def own(name: str, single: Any, part: Any = None) -> Any:
    maybe = st.none() | single
    return st.fixed_dictionaries({name: operations(maybe, maybe, single, part)})


words = st.sampled_from(["turn", "fact", "user", "assistant", "Ann", "Bob", "n", "", "z"])
fields = st.one_of(
    st.dictionaries(
        st.sampled_from(["a", "b", "a.c", "metadata.a", "none"]),
        operations(scalars, wholes, numbers | texts | moments, scalars),
        max_size=2,
    ),
    *(own(name, words, words) for name in ("kind", "role", "speaker", "text", "id")),
    *(own(name, moments) for name in ("occurred_at", "created_at", "expires_at")),
    own("importance", numbers | st.sampled_from([0.1, 0.3])),
    own("version", numbers),
)
filters = st.recursive(
    fields,
    lambda inner: (
        st.fixed_dictionaries({"NOT": inner})
        | st.fixed_dictionaries({"AND": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"OR": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=4,
)
records = st.fixed_dictionaries(
    {
        "metadata": documents,
        "role": st.sampled_from(["user", "assistant"]),
        "name": st.sampled_from([None, "Ann", "Bob"]),
        "occurred_at": moments,
        "importance": st.sampled_from([0.1, 0.3, 1.0]),
        "expires_at": st.none() | st.just(datetime(2100, 1, 1, tzinfo=timezone.utc)),
        "kind": st.sampled_from(["turn", "fact"]),
    }
)


def add(memory: Memory, number: int, one: dict[str, Any]) -> None:
    said = {"role": one["role"], "content": f"tea {number}", "name": one["name"]}
    rest = {name: one[name] for name in one if name not in ("role", "name")}
    memory.add(said, user_id="ada", wait=False, **rest)


def agree(memory: Memory, asked: list[dict[str, Any]]) -> None:
    for wanted in asked:
        listed = {record.id for record in memory.list(user_id="ada", filters=wanted, limit=50)}
        found = memory.search("tea", user_id="ada", filters=wanted, limit=50)
        assert {match.record.id for match in found} == listed


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    written=st.lists(records, min_size=1, max_size=6),
    later=st.lists(records, max_size=3),
    asked=st.lists(filters, min_size=1, max_size=4),
)
def test_memory_and_sql_agree(
    written: list[dict[str, Any]], later: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> None:
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        for number, one in enumerate(written):
            add(memory, number, one)
        agree(memory, asked)

        # Rows come, change and go; what was read of the others still holds.
        for number, one in enumerate(later, len(written)):
            add(memory, number, one)
        first, *_, last = memory.list(user_id="ada", limit=50).records * 2
        memory.update(first.id, user_id="ada", metadata={"a": 1, "b": ["a", None]})
        if last.id != first.id:
            memory.delete(last.id, user_id="ada")
        agree(memory, asked)


def test_a_new_version_that_stands_before_later_rows_keeps_its_values() -> None:
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        first = memory.add("tea 0", user_id="ada", metadata={"a": 0}).records[0]
        agree(memory, [{"a": 0}])
        memory.add("tea 1", user_id="ada", metadata={"a": 1})
        memory.update(first.id, user_id="ada", metadata={"a": 2})
        agree(memory, [{"a": 1}, {"a": 2}])


def view_of(memory: Memory) -> Any:
    file: File = memory._storage.file
    (reading,) = file.views.readings()
    return file.views.find(reading)


def test_a_view_that_is_not_filtered_holds_no_field() -> None:
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        memory.add("tea", user_id="ada", metadata={"a": 1})
        memory.search("tea", user_id="ada", kinds=["turn"])
        assert view_of(memory).fields.nbytes == 0
        memory.search("tea", user_id="ada", filters={"a": 1})
        assert view_of(memory).fields.nbytes > 0


def test_a_field_that_would_take_too_much_memory_is_not_kept() -> None:
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        memory.add([f"tea {n}" for n in range(50)], user_id="ada")
        fields = FieldIndex("records", largest=5_000)
        with memory._storage.database.read() as connection:
            rows = connection.execute("SELECT id FROM records ORDER BY id").fetchall()
            ids = np.array(rows, dtype=np.int64)[:, 0]
            few, many = parse({"kind": "turn"}), parse({"id": {"exists": True}})
            loader = SqliteLoader(connection)
            told = fields.through(loader, ids, few)
            assert told is not None
            assert told.all()
            for _ in range(2):
                assert fields.through(loader, ids, many) is None
        assert 0 < fields.nbytes < 5_000


@pytest.mark.parametrize("number", [FIELDS, FIELDS + 1])
def test_a_filter_may_name_any_number_of_fields(number: int) -> None:
    with Memory(":memory:", embedder=HashEmbedder(8)) as memory:
        names = {f"f{place}": place for place in range(number)}
        memory.add("tea", user_id="ada", metadata=names)
        memory.add("tea", user_id="ada", metadata={**names, "f0": 9})
        for _ in range(2):
            assert len(memory.search("tea", user_id="ada", filters=names)) == 1
