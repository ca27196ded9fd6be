"""Values come back exactly as LangGraph's own serializer would have brought them back."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import ormsgpack
import pytest
from holdfast_langgraph import HoldfastSaver
from holdfast_langgraph.checkpoint.chunking import head_length, split_values
from holdfast_langgraph.checkpoint.compression import compress_blob, decompress_blob
from holdfast_langgraph.checkpoint.recent import fingerprint
from holdfast_langgraph.checkpoint.stored import (
    Blobs,
    pack_writes,
    previous_list,
    resolve,
    unpack_writes,
)
from holdfast_langgraph.checkpoint.values import Codec
from hypothesis import given, settings
from hypothesis import strategies as some
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel
from support.checkpoints import encrypted, put, thread, values_of

SALT = b"s" * 16
STOCK = JsonPlusSerializer()

scalars = (
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**64 - 1)
    | some.floats(allow_nan=False)
    | some.text(max_size=300)
    | some.binary(max_size=300)
)
values = some.recursive(
    scalars,
    lambda inner: (
        some.lists(inner, max_size=40)
        | some.dictionaries(some.text(max_size=40), inner, max_size=20)
        | some.dictionaries(some.integers(-(2**63), 2**63 - 1), inner, max_size=4)
        | some.tuples(inner, inner)
        | some.builds(HumanMessage, some.text(max_size=300), id=some.uuids().map(str))
    ),
    max_leaves=60,
)


def round_trip(codec: Codec, value: object) -> Any:
    """Encode, store in a dict instead of a file, and decode."""
    blobs: Blobs = {}
    draft = codec.encode(value, SALT, blobs)
    numbers = {digest: at for at, digest in enumerate(blobs, 1)}
    [(_, _, stored)] = unpack_writes(pack_writes([(0, "", resolve(draft, numbers))]))
    return codec.decode(stored, {numbers[digest]: codec.seal(*blobs[digest]) for digest in blobs})


def exact(value: Any) -> bytes:
    return pickle.dumps(STOCK.dumps_typed(value))


@settings(max_examples=150, deadline=None)
@given(values)
def test_any_value_reads_back_as_the_stock_serializer_reads_it(value: object) -> None:
    wanted = STOCK.loads_typed(STOCK.dumps_typed(value))
    for codec in (Codec(STOCK), Codec(encrypted(), b"k" * 32)):
        assert exact(round_trip(codec, value)) == exact(wanted)


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(some.integers(0, 60), some.integers(0, 3), some.integers(0, 9))))
def test_a_list_edited_anywhere_reads_back_after_every_edit(edits: list[tuple[int, ...]]) -> None:
    """The beginning known from before is taken as it is only where it is the same."""
    codec, numbers, files, previous = Codec(STOCK), {}, {}, None
    said: list[object] = [HumanMessage(f"first {at}", id=str(at)) for at in range(40)]
    for place, drop, add in edits:
        said[place : place + drop] = [f"edit {place} {drop} {one} " * 3 for one in range(add)]
        blobs: Blobs = {}
        draft = codec.encode(said, SALT, blobs, previous)
        for digest, blob in blobs.items():
            numbers.setdefault(digest, len(numbers))
            files[numbers[digest]] = codec.seal(*blob)
        stored = resolve(draft, numbers)
        previous = previous_list(draft, stored)
        assert codec.decode(stored, files) == said


@settings(max_examples=60, deadline=None)
@given(
    some.lists(some.tuples(some.integers(0, 60), some.integers(0, 3), some.integers(0, 9))),
    some.booleans(),
)
def test_a_conversation_edited_anywhere_reads_back_after_every_edit(
    edits: list[tuple[int, ...]], hidden: bool
) -> None:
    codec = Codec(encrypted(), b"k" * 32) if hidden else Codec(STOCK)
    numbers, files, previous = {}, {}, None
    said: list[Any] = [HumanMessage(f"first {at}", id=str(at)) for at in range(40)]
    for place, drop, add in edits:
        said[place : place + drop] = [AIMessage(f"edit {place} {one} " * 3) for one in range(add)]
        if said and not add:
            said[place % len(said)].content += "!"  # a message is changed where it stands
        blobs: Blobs = {}
        draft = codec.encode(said, SALT, blobs, previous)
        for digest, blob in blobs.items():
            numbers.setdefault(digest, len(numbers))
            files[numbers[digest]] = codec.seal(*blob)
        stored = resolve(draft, numbers)
        previous = previous_list(draft, stored)
        assert codec.decode(stored, files) == said


@pytest.mark.parametrize(
    "change",
    [
        lambda message: message.response_metadata.update(count=True),
        lambda message: message.response_metadata.update(count=1.0),
        lambda message: message.additional_kwargs.update(seen=[1]),
        lambda message: message.tool_calls[0]["args"].update(q="coffee"),
        lambda message: setattr(message, "name", "Ada"),
        lambda message: message.content[0].update(text="other"),
        lambda message: setattr(message, "mood", "extra fields are allowed"),
    ],
)
def test_a_message_changed_in_place_is_stored_as_it_is_now(change: Any, tmp_path: Path) -> None:
    call = {"name": "find", "args": {"q": "tea"}, "id": "c1", "type": "tool_call"}
    content: list[Any] = [{"type": "text", "text": "words enough for a blob of their own " * 3}]
    said = AIMessage(content, id="1", tool_calls=[call], response_metadata={"count": 1})
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver, {"messages": [said, said]})
        before = said.model_copy(deep=True)
        change(said)
        second = put(saver, {"messages": [said, said]}, first, version=2)
        for config, wanted in ((first, before), (second, said)):
            found = values_of(saver, config)["messages"][0]
            assert exact(found) == exact(wanted)


def test_a_message_that_holds_an_object_is_stored_whole(tmp_path: Path) -> None:
    class Chart(BaseModel):
        points: list[int]

    tool = ToolMessage("drawn", tool_call_id="c1", id="3", artifact={"at": datetime(2026, 1, 2)})
    said = [HumanMessage("draw " * 30, id="1"), tool]
    assert fingerprint([HumanMessage("a")]) is not None
    assert fingerprint(said) is None
    assert fingerprint([HumanMessage("a"), "b"]) is None
    assert fingerprint([HumanMessage("a", additional_kwargs={"seen": np.zeros(2)})]) is None
    assert fingerprint([Chart(points=[1])]) is None
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver, {"messages": said})
        put(saver, {"messages": [*said, HumanMessage("more")]}, first, version=2)
        assert values_of(saver, thread())["messages"][:2] == said


def test_what_a_list_began_with_before_is_not_chunked_again() -> None:
    codec = Codec(STOCK)
    said = [f"message {at} " * 9 for at in range(300)]
    first: Blobs = {}
    draft = codec.encode(said, SALT, first)
    stored = resolve(draft, {digest: at for at, digest in enumerate(first)})
    more: Blobs = {}
    codec.encode([*said, "one more " * 9], SALT, more, previous_list(draft, stored))
    assert len(first) > 20
    assert len(more) <= 65


@pytest.mark.parametrize("size", [10, 5000])
def test_a_type_that_looks_compressed_reads_back(size: int) -> None:
    class Sly(PickleSerde):
        def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
            return "zstd:pickle", os.urandom(size) + pickle.dumps(obj)

        def loads_typed(self, data: tuple[str, bytes]) -> Any:
            assert data[0] == "zstd:pickle"
            return pickle.loads(data[1][size:])

    value = os.urandom(100)
    assert round_trip(Codec(Sly()), value) == value


@pytest.mark.parametrize("length", [100, 300, 9_000, 200_000])
def test_a_compressed_blob_reads_back_and_is_never_larger(length: int) -> None:
    data = STOCK.dumps_typed(HumanMessage("tea and cake " * (length // 13), id="1"))[1]
    noise = os.urandom(length)
    for blob in (data, noise):
        kind, small = compress_blob("msgpack", blob)
        assert decompress_blob(kind, small) == ("msgpack", blob)
        assert len(small) <= len(blob)


@settings(max_examples=100, deadline=None)
@given(some.lists(values, max_size=70))
def test_an_array_splits_into_its_elements(elements: list[object]) -> None:
    data = STOCK.dumps_typed(elements)[1]
    parts = split_values(data, head_length(data))
    assert parts == [STOCK.dumps_typed([element])[1][1:] for element in elements]


@pytest.mark.parametrize("count", [15, 16, 17, 300, 70_000])
def test_long_arrays_and_maps_keep_their_heads(count: int) -> None:
    long = ["x" * 40] * count
    assert round_trip(Codec(STOCK), long) == long
    wide = {str(key): "y" * 300 for key in range(min(count, 64))}
    assert list(round_trip(Codec(STOCK), wide).items()) == list(wide.items())


def test_every_kind_of_msgpack_value_can_be_skipped() -> None:
    sizes = [0, 1, 31, 32, 255, 256, 65_535, 65_536]
    elements: list[Any] = [2**power for power in range(64)] + [-(2**power) for power in range(63)]
    elements += ["s" * size for size in sizes] + [b"b" * size for size in sizes]
    elements += [ormsgpack.Ext(5, b"e" * size) for size in [*sizes, 2, 4, 8, 16]]
    elements += [[0] * size for size in sizes] + [dict.fromkeys(range(99), 0), 1.5, None, True]
    elements.append(dict.fromkeys(range(70_000), 0))
    option = ormsgpack.OPT_NON_STR_KEYS
    packed = ormsgpack.packb(elements, option=option)
    assert split_values(packed, head_length(packed)) == [
        ormsgpack.packb(element, option=option) for element in elements
    ]


def test_messages_of_every_kind_read_back(tmp_path: Path) -> None:
    call = {"name": "find", "args": {"q": "tea"}, "id": "c1", "type": "tool_call"}
    said = [
        HumanMessage("hello ☕", id="1", name="Ada"),
        AIMessage([{"type": "text", "text": "hm"}], id="2", tool_calls=[call]),
        ToolMessage("green", tool_call_id="c1", id="3", artifact={"raw": b"\x00\xff"}),
    ] * 20
    with HoldfastSaver(tmp_path / "c.db") as saver:
        put(saver, {"messages": said})
        assert values_of(saver, thread()) == {"messages": said}


@dataclass
class Odd:
    """Something msgpack cannot write: only pickle can."""

    value: complex


class PickleSerde:
    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return "pickle", pickle.dumps(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return pickle.loads(data[1])


class JsonSerde:
    """The old, untyped protocol."""

    def dumps(self, obj: Any) -> bytes:
        return json.dumps(obj).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class RandomSerde(PickleSerde):
    """Other bytes each time, in a way nobody can see through."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return "random", os.urandom(8) + pickle.dumps(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return pickle.loads(data[1][8:])


@pytest.mark.parametrize(
    "serde",
    [PickleSerde(), JsonSerde(), RandomSerde(), JsonPlusSerializer(pickle_fallback=True)],
    ids=lambda serde: type(serde).__name__,
)
def test_any_serializer_gets_its_own_bytes_back(serde: Any, tmp_path: Path) -> None:
    said = [{"text": "long enough to be cut up " * 9, "at": at} for at in range(50)]
    state = {"messages": said, "files": {"a": "b" * 900}, "n": None}
    with HoldfastSaver(tmp_path / "c.db", serde=serde) as saver:
        for version in range(3):
            put(saver, state, version=version)
        saver.put_writes(thread(checkpoint_id=put(saver)["configurable"]["checkpoint_id"]), [], "")
        found = [one.checkpoint["channel_values"] for one in saver.list(thread())]
    assert found == [{}, state, state, state]


def test_what_msgpack_cannot_write_falls_back_to_pickle_whole() -> None:
    same = Odd(1j)
    codec = Codec(JsonPlusSerializer(pickle_fallback=True, allowed_msgpack_modules=None))
    complexes = [1j, "x" * 100, 1j]
    assert round_trip(codec, complexes) == complexes
    assert round_trip(codec, {"odd": [2j, "y" * 300]}) == {"odd": [2j, "y" * 300]}
    assert same.value == 1j


def test_a_bytearray_in_a_list_becomes_what_the_stock_serializer_makes_of_it() -> None:
    value = [bytearray(b"abc" * 40), b"def" * 40]
    stock = STOCK.loads_typed(STOCK.dumps_typed(value))
    assert [type(one) for one in round_trip(Codec(STOCK), value)] == [type(one) for one in stock]


def test_plain_checkpoints_stay_readable_once_a_cipher_is_set(tmp_path: Path) -> None:
    said = [HumanMessage("before " * 30, id="1")]
    with HoldfastSaver(tmp_path / "c.db") as saver:
        first = put(saver, {"messages": said})
        saver.serde = encrypted()
        more = [*said, HumanMessage("after " * 30, id="2")]
        second = put(saver, {"messages": more}, first, version=2)
        assert values_of(saver, first) == {"messages": said}
        assert values_of(saver, second) == {"messages": more}


def test_sealed_checkpoints_cannot_be_read_without_the_cipher(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db", serde=encrypted()) as saver:
        put(saver, {"messages": [HumanMessage("secret " * 30, id="1")]})
        saver.serde = JsonPlusSerializer()
        with pytest.raises(NotImplementedError, match="aes"):
            saver.get_tuple(thread())


def test_another_cipher_key_is_refused(tmp_path: Path) -> None:
    with HoldfastSaver(tmp_path / "c.db", serde=encrypted()) as saver:
        put(saver, {"a": 1})
    other = EncryptedSerializer.from_pycryptodome_aes(key=b"another key, 16b")
    with (
        HoldfastSaver(tmp_path / "c.db", serde=other) as saver,
        pytest.raises(ValueError, match="MAC"),
    ):
        saver.get_tuple(thread())
