"""`HoldfastMemory` by hand: add, query, clear, close, with every type of content."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from autogen_core import CancellationToken, Image
from autogen_core.memory import MemoryContent, MemoryMimeType
from holdfast import InvalidInputError, Memory, ProviderError, ScopeError
from holdfast.testing import HashEmbedder
from holdfast_autogen import HoldfastMemory, connect, serving
from PIL import Image as Pixels

pytestmark = pytest.mark.anyio

BERLIN = MemoryContent(content="Ada lives in Berlin", mime_type=MemoryMimeType.TEXT)


@pytest.fixture
def notes(memory: Memory) -> HoldfastMemory:
    return HoldfastMemory(memory, user_id="ada")


async def only(notes: HoldfastMemory, query: str) -> MemoryContent:
    (result,) = (await notes.query(query)).results
    return result


CONTENTS: list[MemoryContent] = [
    MemoryContent(content=content, mime_type=mime, metadata={"caption": "the gulls"})
    for content, mime in [
        ("the gulls, plainly", MemoryMimeType.TEXT),
        ("# the gulls\n\n* loud", MemoryMimeType.MARKDOWN),
        ({"Gulls": ["loud", 2, None, {"x": 1.5}], "ß": True}, MemoryMimeType.JSON),
        ("the gulls;loud", "text/csv"),
        (b"\x00\xff the gulls", MemoryMimeType.BINARY),
    ]
]


@pytest.mark.parametrize("given", CONTENTS, ids=lambda given: str(given.mime_type))
async def test_a_content_comes_back_as_it_was(notes: HoldfastMemory, given: MemoryContent) -> None:
    await notes.add(given)

    found = await only(notes, "the gulls")

    assert (found.content, found.mime_type) == (given.content, given.mime_type)
    assert (found.metadata or {})["caption"] == "the gulls"


async def test_an_image_comes_back_pixel_by_pixel(notes: HoldfastMemory) -> None:
    pixels = Pixels.new("RGB", (3, 2), (1, 2, 3))
    picture = Image.from_pil(pixels)
    described = {"description": "a gull over the harbour"}
    await notes.add(
        MemoryContent(content=picture, mime_type=MemoryMimeType.IMAGE, metadata=described)
    )

    found = await only(notes, "gull harbour")

    assert isinstance(found.content, Image)
    assert found.content.image.tobytes() == pixels.tobytes()
    assert found.mime_type == MemoryMimeType.IMAGE


@pytest.mark.parametrize("content", [{"pair": (1, 2)}, {"x": float("nan")}, {"x": {1, 2}}])
async def test_what_would_not_come_back_as_it_is_is_refused(
    notes: HoldfastMemory, content: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError, match="must be JSON"):
        await notes.add(MemoryContent(content=content, mime_type=MemoryMimeType.JSON))


async def test_an_empty_text_is_refused(notes: HoldfastMemory) -> None:
    with pytest.raises(InvalidInputError, match="non-empty"):
        await notes.add(MemoryContent(content=" ", mime_type=MemoryMimeType.TEXT))


async def test_metadata_keep_their_types_and_the_callers_are_not_touched(
    notes: HoldfastMemory,
) -> None:
    metadata = {"topic": "home", "weight": 0.5, "count": 2, "true": True, "tags": ["a", "b"]}
    given = MemoryContent(content="Ada lives in Berlin", mime_type="text/plain", metadata=metadata)
    before = dict(metadata)
    await notes.add(given)

    found = await only(notes, "Berlin")

    assert metadata == before
    assert {key: (found.metadata or {})[key] for key in metadata} == metadata


async def test_a_result_says_what_became_of_it(notes: HoldfastMemory) -> None:
    await notes.add(BERLIN)

    facts = (await only(notes, "Berlin")).metadata or {}

    assert {"id", "created_at", "occurred_at", "score", "kind"} <= facts.keys()
    assert isinstance(facts["score"], float)


async def test_equal_contents_are_stored_once(notes: HoldfastMemory) -> None:
    for _ in range(3):
        await notes.add(BERLIN)
    await notes.add(BERLIN.model_copy(update={"metadata": {"said": "twice"}}))

    assert len((await notes.query("Berlin")).results) == 2


async def test_what_was_cleared_can_be_added_again(notes: HoldfastMemory) -> None:
    await notes.add(BERLIN)
    await notes.clear()
    assert (await notes.query("Berlin")).results == []

    await notes.add(BERLIN)

    assert (await only(notes, "Berlin")).content == BERLIN.content


async def test_what_was_deleted_or_reworded_can_be_stated_again(
    memory: Memory, notes: HoldfastMemory
) -> None:
    await notes.add(BERLIN)
    (record,) = memory.list(user_id="ada")
    memory.delete(record.id, user_id="ada")
    await notes.add(BERLIN)
    (record,) = memory.list(user_id="ada")
    memory.update(record.id, "Ada lives in Rome", user_id="ada")

    for _ in range(2):
        await notes.add(BERLIN)

    assert sorted(one.text for one in memory.list(user_id="ada")) == [
        "Ada lives in Berlin",
        "Ada lives in Rome",
    ]


async def test_clear_leaves_others_memories_alone(memory: Memory, notes: HoldfastMemory) -> None:
    memory.add("Bo lives in Rome", user_id="bo")
    await notes.add(BERLIN)

    await notes.clear()

    assert [record.text for record in memory.list(user_id="bo")] == ["Bo lives in Rome"]
    assert not memory.list(user_id="ada").records


async def test_a_query_may_be_a_content(notes: HoldfastMemory) -> None:
    await notes.add(MemoryContent(content={"city": "Berlin"}, mime_type=MemoryMimeType.JSON))

    for query in (BERLIN, MemoryContent(content={"city": "Berlin"}, mime_type="application/json")):
        assert (await notes.query(query)).results


async def test_a_query_of_bytes_is_refused(notes: HoldfastMemory) -> None:
    with pytest.raises(InvalidInputError, match="made of words"):
        await notes.query(MemoryContent(content=b"x", mime_type=MemoryMimeType.BINARY))


@pytest.mark.parametrize("query", ["", "  \n", MemoryContent(content="", mime_type="text/plain")])
async def test_an_empty_query_finds_nothing(
    notes: HoldfastMemory, query: str | MemoryContent
) -> None:
    await notes.add(BERLIN)

    assert (await notes.query(query)).results == []


async def test_a_query_takes_the_options_of_search_and_no_others(notes: HoldfastMemory) -> None:
    await notes.add(BERLIN.model_copy(update={"metadata": {"topic": "home"}}))
    await notes.add(MemoryContent(content="Ada likes Berlin", mime_type="text/plain"))

    found = await notes.query("Berlin", filters={"topic": "home"}, limit=5)

    assert [result.content for result in found.results] == [BERLIN.content]
    with pytest.raises(InvalidInputError, match="top_k"):
        await notes.query("Berlin", top_k=5)


async def test_a_least_score_leaves_out_what_scores_less(notes: HoldfastMemory) -> None:
    await notes.add(BERLIN)
    await notes.add(MemoryContent(content="Pancakes need flour", mime_type="text/plain"))
    best, other = [
        float((result.metadata or {})["score"])
        for result in (await notes.query("Where does Ada live? In Berlin")).results
    ]

    found = await notes.query("Where does Ada live? In Berlin", min_score=(best + other) / 2)

    assert [result.content for result in found.results] == [BERLIN.content]


async def test_a_cancelled_call_does_nothing(memory: Memory, notes: HoldfastMemory) -> None:
    token = CancellationToken()
    token.cancel()

    for call in (notes.add(BERLIN, token), notes.query("Berlin", token)):
        with pytest.raises(asyncio.CancelledError):
            await call

    assert not memory.list(user_id="ada").records


async def test_a_token_that_is_not_cancelled_changes_nothing(notes: HoldfastMemory) -> None:
    await notes.add(BERLIN, CancellationToken())

    assert (await notes.query("Berlin", CancellationToken())).results


async def test_a_failing_model_is_never_taken_for_an_empty_memory(path: Path) -> None:
    with Memory(path, embedder=HashEmbedder(fail_at=2)) as memory:
        notes = HoldfastMemory(memory, user_id="ada")
        await notes.add(BERLIN)

        with pytest.raises(ProviderError):
            await notes.query("Berlin")


async def test_nobody_named_is_nobodys_memory(memory: Memory) -> None:
    notes = HoldfastMemory(memory)

    for call in (notes.add(BERLIN), notes.query("Berlin"), notes.clear()):
        with pytest.raises(ScopeError):
            await call


async def test_close_deletes_nothing_and_a_later_use_opens_the_file_again(path: Path) -> None:
    connect(path, embedder=HashEmbedder()).close()
    notes = HoldfastMemory(connect(path, embedder=HashEmbedder()), user_id="ada")
    await notes.add(BERLIN)

    await notes.close()

    assert (await only(notes, "Berlin")).content == BERLIN.content
    connect(path).close()
    with Memory(path, embedder=HashEmbedder()) as again:
        assert [record.text for record in again.list(user_id="ada")] == [BERLIN.content]


async def test_a_query_reaches_all_sessions_or_this_one(memory: Memory) -> None:
    everything = HoldfastMemory(memory, user_id="ada", run_id="monday")
    this = HoldfastMemory(memory, user_id="ada", run_id="tuesday", sessions="this")
    await everything.add(BERLIN)

    assert (await HoldfastMemory(memory, user_id="ada", run_id="friday").query("Berlin")).results
    assert not (await this.query("Berlin")).results


async def test_serving_says_whose_memory_it_is(memory: Memory) -> None:
    notes = HoldfastMemory(memory, app_id="desk")
    with serving(user_id="ada"):
        await notes.add(BERLIN)
    with serving(user_id="bo"):
        assert not (await notes.query("Berlin")).results

    assert memory.list(user_id="ada", app_id="desk").records
    with serving(user_id="bo"), pytest.raises(ScopeError, match="belongs to user_id='ada'"):
        await HoldfastMemory(memory, user_id="ada").query("Berlin")


async def test_a_session_of_nobody_reads_and_clears_no_session_of_that_name(
    memory: Memory,
) -> None:
    memory.add("Ada sails", user_id="ada", run_id="1")
    nobody = HoldfastMemory(memory, run_id="1")
    await nobody.add(MemoryContent(content="Somebody rows", mime_type="text/plain"))

    found = await nobody.query("who sails or rows?")
    assert [str(content.content) for content in found.results] == ["Somebody rows"]
    await nobody.clear()

    assert [record.text for record in memory.list(run_id="1")] == ["Ada sails"]
