"""`HoldfastMemory`: CrewAI's memory, through Holdfast's pipeline, fenced and private."""

from __future__ import annotations

import asyncio
import copy
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from crewai.events.event_bus import crewai_event_bus
from crewai.events.types.memory_events import (
    MemoryQueryCompletedEvent,
    MemoryQueryFailedEvent,
    MemorySaveFailedEvent,
)
from crewai.memory.memory_scope import MemoryScope, MemorySlice
from crewai.memory.types import MemoryRecord
from crewai.memory.unified_memory import Memory as CrewMemory
from holdfast import Answer, EmbedderMismatchError, Memory, ScopeError
from holdfast.testing import HashEmbedder, ScriptedLLM
from holdfast_crewai import ExtractionWarning, HoldfastMemory, NoLLMWarning
from support.crewai_doubles import FakeLLM, extracting


def memory_at(path: str, **options: Any) -> HoldfastMemory:
    options.setdefault("embedder", HashEmbedder())
    return HoldfastMemory(storage=path, **options)


@pytest.fixture
def memory(path: str) -> Iterator[HoldfastMemory]:
    memory = memory_at(path)
    yield memory
    memory.close()


def contents(matches: list[Any]) -> list[str]:
    return [match.record.content for match in matches]


# -- remembering and recalling --------------------------------------------------------------------


def test_it_is_crewais_memory(memory: HoldfastMemory) -> None:
    assert isinstance(memory, CrewMemory)


def test_what_is_remembered_is_recalled(memory: HoldfastMemory) -> None:
    saved = memory.remember(
        "Bob lives in Porto",
        scope="/people",
        categories=["home"],
        metadata={"n": 1},
        importance=0.9,
    )
    assert saved is not None
    (match,) = memory.recall("Where does Bob live?", limit=1)
    assert match.record == saved.model_copy(update={"last_accessed": match.record.last_accessed})
    assert 0 < match.score <= 1


def test_the_same_words_in_one_place_are_stored_once(memory: HoldfastMemory) -> None:
    first = memory.remember("Bob lives in Porto")
    second = memory.remember("Bob lives in Porto")
    elsewhere = memory.remember("Bob lives in Porto", scope="/other")
    assert first is not None
    assert second == first
    assert elsewhere is not None
    assert elsewhere.id != first.id
    assert memory.info().record_count == 2


def test_what_was_changed_may_be_remembered_as_it_was(memory: HoldfastMemory) -> None:
    first = memory.remember("the code is 7")
    assert first is not None
    memory.update(first.id, content="the code is 8")
    again = memory.remember("the code is 7")
    assert again is not None
    assert again.id != first.id
    assert {record.content for record in memory.list_records()} == {
        "the code is 7",
        "the code is 8",
    }


def test_records_at_the_very_scope_are_recalled_beside_those_below(memory: HoldfastMemory) -> None:
    memory.remember("apples at the scope itself", scope="/shop")
    memory.remember("apples below it", scope="/shop/fruit")
    assert len(memory.recall("apples", scope="/shop", depth="deep")) == 2


def test_the_last_of_many_scopes_is_searched(memory: HoldfastMemory) -> None:
    for number in range(25):
        memory.remember(f"note of user {number:02}", scope=f"/user/{number:02}")
    memory.remember("the vault opens at noon", scope="/user/zz")
    assert contents(memory.recall("when does the vault open", scope="/user", limit=1)) == [
        "the vault opens at noon"
    ]


def test_importance_weighs(memory: HoldfastMemory) -> None:
    memory.remember("red door", importance=0.1)
    memory.remember("red gate", importance=1.0)
    assert contents(memory.recall("red"))[0] == "red gate"


def test_categories_are_settled_before_the_limit(memory: HoldfastMemory) -> None:
    for number in range(30):
        memory.remember(f"plain apple {number}")
    memory.remember("something quite different", categories=["rare"])
    assert contents(memory.recall("apple", categories=["rare"], limit=1)) == [
        "something quite different"
    ]


def test_a_blank_query_recalls_nothing(memory: HoldfastMemory) -> None:
    memory.remember("x")
    assert memory.recall("  ") == []


def test_as_many_are_recalled_as_asked_for(memory: HoldfastMemory) -> None:
    memory.take([MemoryRecord(content=f"apple {number}") for number in range(30)])
    assert len(memory.recall("apple", limit=7)) == 7
    assert len(memory.recall("apple", limit=9_999)) == 30
    assert memory.recall("apple", limit=0) == []


def test_recalling_notes_the_access_and_read_only_does_not(memory: HoldfastMemory) -> None:
    memory.remember("alpha")
    before = memory.list_records()[0].last_accessed
    memory.read_only = True
    memory.recall("alpha")
    assert memory.list_records()[0].last_accessed == before
    memory.read_only = False
    memory.recall("alpha")
    assert memory.list_records()[0].last_accessed > before


def test_records_from_elsewhere_keep_their_times(memory: HoldfastMemory) -> None:
    moment = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    memory.take([MemoryRecord(content="long ago", created_at=moment)])
    (match,) = memory.recall("long ago")
    assert match.record.created_at == datetime(2024, 1, 1, 10)


def test_the_history_of_a_record_is_kept(memory: HoldfastMemory) -> None:
    record = memory.remember("Bob lives in Porto")
    assert record is not None
    memory.update(record.id, content="Bob lives in Faro")
    changes = memory.file.history(record.id, app_id="/")
    assert [change.event for change in changes] == ["ADD", "UPDATE"]


def test_queries_make_crewais_events(memory: HoldfastMemory) -> None:
    seen: list[Any] = []
    done = threading.Event()
    with crewai_event_bus.scoped_handlers():

        @crewai_event_bus.on(MemoryQueryCompletedEvent)
        def completed(source: Any, event: Any) -> None:
            seen.append(event)
            done.set()

        memory.recall("anything")
        assert done.wait(5)
    assert seen[0].query == "anything"


# -- models ---------------------------------------------------------------------------------------


def test_without_a_model_a_note_says_what_is_missing(path: str) -> None:
    with pytest.warns(NoLLMWarning, match="no facts are derived"):
        memory_at(path)


def test_without_a_model_what_is_learnt_is_kept_word_for_word(memory: HoldfastMemory) -> None:
    said = "Task: x\nResult: Bob lives in Porto"
    assert memory.extract_memories(said) == [said]
    memory.remember_many(memory.extract_memories(said))
    assert contents(memory.recall("Where does Bob live?")) == [said]


def test_crewais_model_derives_facts_and_the_turn_gives_way(path: str) -> None:
    llm = extracting("Bob lives in Porto.")
    memory = memory_at(path, llm=llm)
    memory.remember_many(memory.extract_memories("Result: Bob told me he lives in Porto"))
    memory.drain_writes()
    assert contents(memory.recall("Where does Bob live?")) == ["Bob lives in Porto."]
    assert {record.content for record in memory.list_records()} == {
        "Bob lives in Porto.",
        "Result: Bob told me he lives in Porto",
    }


def test_holdfasts_model_derives_facts_too(path: str) -> None:
    answer = {"facts": [{"text": "Bob lives in Porto.", "turns": [1], "category": "place"}]}
    memory = memory_at(path, llm=ScriptedLLM([answer]))
    memory.remember("Bob told me he lives in Porto")
    memory.drain_writes()
    assert memory.recall("Where does Bob live?")[0].record.content == "Bob lives in Porto."


def test_what_is_stated_in_full_asks_no_model(path: str) -> None:
    llm = FakeLLM(model="fake")
    memory = memory_at(path, llm=llm)
    memory.remember("Bob lives in Porto", scope="/p", categories=[], importance=0.5)
    memory.drain_writes()
    assert llm.prompts == []


def test_recalling_does_not_wait_for_a_model(path: str) -> None:
    release = threading.Event()

    def slow(messages: Any, tool: Any) -> Answer:
        assert release.wait(30)
        return Answer("", {"facts": []})

    memory = memory_at(path, llm=ScriptedLLM([slow]))
    memory.remember("Bob lives in Porto")
    try:
        assert contents(memory.recall("Bob")) == ["Bob lives in Porto"]
    finally:
        release.set()
    memory.drain_writes()


def test_a_failing_model_loses_nothing_and_is_told_of(path: str) -> None:
    def fail(prompt: str) -> str:
        raise RuntimeError("quota exceeded")

    failures: list[Any] = []
    told = threading.Event()
    memory = memory_at(path, llm=FakeLLM.that(fail))
    with crewai_event_bus.scoped_handlers():

        @crewai_event_bus.on(MemorySaveFailedEvent)
        def failed(source: Any, event: Any) -> None:
            failures.append(event)
            told.set()

        saved = memory.remember("Bob lives in Porto")
        with pytest.warns(ExtractionWarning, match="fake failed with RuntimeError"):
            memory.drain_writes()
        assert told.wait(5)
    assert saved is not None
    assert contents(memory.recall("Bob")) == ["Bob lives in Porto"]
    assert memory.file.stats().waiting == 1


def test_facts_are_derived_from_nobody_elses_turns(path: str) -> None:
    with Memory(path, embedder=HashEmbedder(), llm=ScriptedLLM([])) as core:
        core.add("bob's own", user_id="bob", app_id="/", wait=False)
        core.add("the other crew's", user_id="ada", app_id="/crew/other", wait=False)
    llm = extracting("Ada likes tea")
    memory = memory_at(path, user_id="ada", root_scope="/crew/office", llm=llm)
    memory.remember("I like tea")
    memory.drain_writes()
    assert llm.prompts
    assert not any("bob's own" in p or "the other crew's" in p for p in llm.prompts)
    assert memory.file.stats().waiting == 2
    memory.close()


def test_a_memory_of_holdfast_is_taken_as_it_is(path: str) -> None:
    with Memory(path, embedder=HashEmbedder()) as core:
        memory = HoldfastMemory(storage=core, user_id="ada")
        memory.remember("Bob lives in Porto")
        memory.close()
        assert core.search("Bob", user_id="ada")[0].record.text == "Bob lives in Porto"


@pytest.mark.parametrize("depth", ["shallow", "deep"])
def test_another_embedder_is_refused_at_any_depth(path: str, depth: Any) -> None:
    first = memory_at(path)
    first.remember("x")
    first.close()
    other = memory_at(path, embedder=HashEmbedder(32, name="other"))
    failed = threading.Event()
    with crewai_event_bus.scoped_handlers():
        crewai_event_bus.on(MemoryQueryFailedEvent)(lambda source, event: failed.set())
        with pytest.raises(EmbedderMismatchError):
            other.recall("x", depth=depth)
        assert failed.wait(5)


# -- the fence ------------------------------------------------------------------------------------


@pytest.fixture
def two(path: str) -> Iterator[tuple[HoldfastMemory, HoldfastMemory]]:
    """Two crews on one file, one name the beginning of the other."""
    sales = memory_at(path, root_scope="/crew/sales")
    europe = memory_at(path, root_scope="/crew/sales-eu")
    europe.remember("our price is ten")
    sales.remember("our price is nine")
    yield sales, europe
    sales.close()
    europe.close()


Two = tuple[HoldfastMemory, HoldfastMemory]


@pytest.mark.parametrize("depth", ["shallow", "deep"])
def test_a_crew_does_not_recall_its_namesakes_memories(two: Two, depth: Any) -> None:
    assert contents(two[0].recall("price", depth=depth)) == ["our price is nine"]


def test_resetting_a_crew_leaves_the_other(two: Two) -> None:
    two[0].reset_all()
    assert two[0].recall("price") == []
    assert contents(two[1].recall("price")) == ["our price is ten"]


def test_a_record_beyond_the_root_can_neither_be_changed_nor_forgotten(two: Two) -> None:
    (theirs,) = two[1].list_records()
    with pytest.raises(ValueError, match="not found"):
        two[0].update(theirs.id, content="free")
    assert two[0].forget(record_ids=[theirs.id]) == 0
    assert contents(two[1].recall("price")) == ["our price is ten"]


@pytest.mark.parametrize("root", ["/", "/crew", "/crew/sales-eu", "/other"])
def test_no_call_writes_beyond_the_root(two: Two, root: str) -> None:
    with pytest.raises(ScopeError):
        two[0].remember("smuggled", root_scope=root)
    assert "smuggled" not in {record.content for record in two[1].list_records()}


def test_a_call_may_write_below_the_root(two: Two) -> None:
    record = two[0].remember("by an agent", root_scope="/crew/sales/agent/clerk")
    assert record is not None
    assert record.scope == "/crew/sales/agent/clerk"


def test_a_moved_record_stays_below_the_root(two: Two) -> None:
    (mine,) = two[0].list_records()
    assert two[0].update(mine.id, scope="/archive").scope == "/crew/sales/archive"
    assert [record.scope for record in two[0].list_records()] == ["/crew/sales/archive"]


def test_scopes_and_slices_stay_below_the_root(two: Two) -> None:
    scope = MemoryScope(memory=two[0], root_path="/notes")
    scope.remember("a scoped note on price")
    assert scope.recall("price")[0].record.scope == "/crew/sales/notes"
    found = MemorySlice(memory=two[0], scopes=["/notes", "/"]).recall("price", limit=5)
    assert {match.record.content for match in found} == {
        "a scoped note on price",
        "our price is nine",
    }


def test_another_tenant_sees_and_resets_nothing(path: str) -> None:
    ada, bob = memory_at(path, user_id="ada"), memory_at(path, user_id="bob")
    record = ada.remember("Ada's secret")
    assert record is not None
    assert bob.recall("secret", include_private=True) == []
    assert bob.list_records() == []
    assert bob.info().record_count == 0
    assert bob.forget(record_ids=[record.id]) == 0
    bob.reset()
    bob.reset_all()
    with pytest.raises(ValueError, match="not found"):
        bob.update(record.id, content="free")
    assert contents(ada.recall("secret")) == ["Ada's secret"]


# -- what was stored without a path ---------------------------------------------------------------


def test_what_the_tenant_stored_without_a_path_lies_at_the_root(path: str) -> None:
    with Memory(path, embedder=HashEmbedder()) as core:
        core.add("told elsewhere", user_id="ada", run_id="r1")
        core.add("another's", user_id="bob")
    ada = memory_at(path, user_id="ada")
    (found,) = ada.list_records()
    assert (found.content, found.scope) == ("told elsewhere", "/")
    assert contents(ada.recall("told")) == ["told elsewhere"]
    assert ada.list_scopes() == []
    ada.close()


def test_no_root_below_reaches_what_has_no_path(path: str) -> None:
    with Memory(path, embedder=HashEmbedder()) as core:
        core.add("told elsewhere", user_id="ada")
    crew = memory_at(path, user_id="ada", root_scope="/crew/office")
    assert crew.recall("told") == []
    crew.reset_all()
    assert [found.content for found in memory_at(path, user_id="ada").list_records()] == [
        "told elsewhere"
    ]


def test_a_memory_without_a_tenant_reads_nobodys_unfiled_records(path: str) -> None:
    with Memory(path, embedder=HashEmbedder()) as core:
        core.add("told elsewhere", user_id="ada")
        core.add("of another app", app_id="helpdesk")
    nobody = memory_at(path)
    assert nobody.list_records() == []
    assert nobody.recall("told") == []


def test_a_record_without_a_path_is_changed_where_it_lies(path: str) -> None:
    with Memory(path, embedder=HashEmbedder()) as core:
        told = core.add("the code is 7", user_id="ada", run_id="r1").records[0]
    ada = memory_at(path, user_id="ada")
    ada.update(told.id, content="the code is 8")
    after = ada.file.get(told.id, user_id="ada", run_id="r1")
    assert (after.text, after.version, after.scope.app_id) == ("the code is 8", 2, None)
    ada.close()


def test_tenants_in_the_specification_and_beside_it_must_agree(path: str) -> None:
    assert memory_at(f"holdfast:{path}?user_id=ada").user_id == "ada"
    with pytest.raises(ValueError, match="'bob' here, 'ada' in storage"):
        memory_at(f"holdfast:{path}?user_id=ada", user_id="bob")


# -- privacy --------------------------------------------------------------------------------------


def test_private_records_do_not_crowd_out_public_ones(memory: HoldfastMemory) -> None:
    for number in range(40):
        memory.remember(f"price of apples {number}", private=True, source="ada")
    memory.remember("apples are cheap today")
    assert contents(memory.recall("price of apples", limit=3)) == ["apples are cheap today"]


def test_a_private_record_is_seen_by_its_source_alone(memory: HoldfastMemory) -> None:
    memory.remember("the key is under the mat", private=True, source="ada")
    assert memory.recall("key") == []
    assert memory.recall("key", source="bob") == []
    assert len(memory.recall("key", source="ada")) == 1
    assert len(memory.recall("key", include_private=True)) == 1


def test_a_private_record_without_a_source_is_seen_by_nobody(memory: HoldfastMemory) -> None:
    memory.remember("the key is under the mat", private=True)
    assert memory.recall("key") == []
    assert len(memory.recall("key", include_private=True)) == 1


def test_no_model_is_shown_what_is_private(path: str) -> None:
    llm = extracting("The mat is red.")
    memory = memory_at(path, llm=llm)
    memory.remember("the key is under the mat", private=True, source="ada")
    memory.remember("the mat is red")
    memory.drain_writes()
    assert llm.prompts
    assert not any("key" in prompt for prompt in llm.prompts)


def test_changing_a_private_record_keeps_it_private(memory: HoldfastMemory) -> None:
    record = memory.remember("the key is here", private=True, source="ada")
    assert record is not None
    memory.update(record.id, content="the key is there")
    assert memory.recall("key") == []
    (match,) = memory.recall("key", source="ada")
    assert (match.record.content, match.record.private) == ("the key is there", True)


# -- async, copies --------------------------------------------------------------------------------


def test_recalling_leaves_the_event_loop_free(path: str) -> None:
    class Waiting(HashEmbedder):
        async def aembed_query(self, text: str) -> Any:
            waiting.set()
            await go.wait()
            return self.embed([text])[0]

    async def flow() -> list[str]:
        nonlocal go, waiting
        go, waiting = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(memory.arecall("Bob"))
        await waiting.wait()  # the loop runs while the embedder is awaited
        go.set()
        return contents(await task)

    go = waiting = asyncio.Event()
    memory = memory_at(path, embedder=Waiting())
    memory.remember("Bob lives in Porto")
    assert asyncio.run(flow()) == ["Bob lives in Porto"]


def test_remembering_has_async_twins(memory: HoldfastMemory) -> None:
    async def flow() -> int:
        await memory.aremember("one")
        await memory.aremember_many(["two", "three"])
        return len(await memory.arecall("one two three"))

    assert asyncio.run(flow()) == 3


def test_many_threads_may_share_a_memory(memory: HoldfastMemory) -> None:
    def work(number: int) -> None:
        memory.remember(f"note {number}")
        memory.recall("note")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.info().record_count == 8


def test_a_copy_shares_the_file(memory: HoldfastMemory) -> None:
    memory.remember("x")
    assert copy.deepcopy(memory).info().record_count == 1


def test_a_late_save_after_closing_still_succeeds(memory: HoldfastMemory) -> None:
    memory.close()
    memory.remember("late")
    assert contents(memory.recall("late")) == ["late"]


def test_the_tree_counts_what_lies_below(memory: HoldfastMemory) -> None:
    memory.remember("a", scope="/x/y", categories=["c"])
    memory.remember("b", scope="/x")
    assert memory.list_scopes() == ["/x"]
    assert memory.list_categories("/x") == {"c": 1}
    assert memory.tree() == "/ (2 records)\n  /x (2 records)\n    /x/y (1 records)"


def test_the_note_can_be_silenced(path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", NoLLMWarning)
        memory_at(path)
