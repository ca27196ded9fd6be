"""The queue: wait=False, flush, the background worker, parking, leases, cancellation."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from holdfast import (
    LLM,
    Answer,
    Changes,
    ExtractionError,
    InvalidInputError,
    Memory,
    ProviderError,
    ScopeError,
    Tool,
)
from holdfast.pipeline import conductor
from holdfast.pipeline.worker import Worker
from holdfast.runtime import SYNC, run
from holdfast.storage.sqlite.storage import SqliteStorage
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.flows import echo, facts, model, of, opened, texts
from support.openai_server import OpenAIServer, Reply, called

UNREADABLE = Answer("I would rather not.")


def asked_to(llm: ScriptedLLM) -> list[str]:
    return [call.tool.name for call in llm.calls if call.tool]


def echoing() -> ScriptedLLM:
    return ScriptedLLM(itertools.repeat(echo))


class Signalling(LLM):
    """Echoes, and says when it has been asked so often."""

    def __init__(self, expected: int) -> None:
        self.done = threading.Event()
        self._left = expected
        self._lock = threading.Lock()

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                self.done.set()
        return Answer(data=echo(messages, tool))


def test_an_add_that_does_not_wait_asks_no_model(tmp_path: Path) -> None:
    llm = echoing()
    with opened(tmp_path, llm) as memory:
        changes = memory.add("I sail", user_id="ada", wait=False)
        assert (len(changes), changes.pending, changes.usage.calls) == (1, 1, 0)
        assert memory.search("sail", user_id="ada")[0].record.text == "I sail"
        assert llm.calls == []
        assert memory.stats().waiting == 1
        (derived,) = memory.flush()
        assert derived.sources == (changes[0].id,)
        assert memory.stats().waiting == 0


def test_flush_reads_many_turns_of_a_run_with_one_call(tmp_path: Path) -> None:
    llm, seen = echoing(), []
    with opened(tmp_path, llm) as memory:
        for number in range(12):
            memory.add(f"line {number}", user_id="ada", run_id="r", wait=False)
        changes = memory.flush(progress=lambda done, every: seen.append((done, every)))
        assert (len(changes), changes.usage.calls, seen) == (12, 1, [(12, 12)])


def test_queued_turns_survive_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedLLM()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
    with opened(tmp_path, echoing()) as memory:
        memory.flush()
        assert texts(memory) == ["Noted: I sail"]


def test_turns_queued_without_a_model_at_hand_wait_for_one(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedLLM()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
    with opened(tmp_path, None) as memory:
        assert memory.stats().waiting == 1
        with pytest.raises(InvalidInputError, match="no LLM"):
            memory.flush()


# -- the background worker ----------------------------------------------------------------------


def test_a_background_worker_extracts_what_is_queued(tmp_path: Path) -> None:
    llm = Signalling(1)
    with opened(tmp_path, llm, background=True) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        assert llm.done.wait(30)
    with opened(tmp_path, None) as memory:
        assert texts(memory) == ["Noted: I sail"]


def test_a_background_worker_takes_what_a_process_before_it_left(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedLLM()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
    llm = Signalling(1)
    with opened(tmp_path, llm, background=True):
        assert llm.done.wait(30)


def test_closing_stops_the_worker_after_the_batch_at_hand(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(messages: Any, tool: Any) -> dict[str, Any]:
        begun.set()
        go_on.wait(30)
        return echo(messages, tool)

    llm = ScriptedLLM(itertools.repeat(slow))
    memory = opened(tmp_path, llm, background=True)
    for user in ("ada", "bob", "cyd"):
        memory.add("I sail", user_id=user, wait=False)
    assert begun.wait(30)
    closing = threading.Thread(target=memory.close)
    closing.start()
    worker = memory._worker
    assert worker is not None
    assert worker._stopped.wait(30)
    go_on.set()
    closing.join(30)
    assert not closing.is_alive()
    with opened(tmp_path, None) as memory:
        stats = memory.stats()
        assert (stats.records["fact"], stats.waiting) == (1, 2)
    assert not [one for one in threading.enumerate() if one.name == "holdfast-worker"]


def test_a_worker_that_meets_an_odd_error_says_so_and_lives_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    met, lived = threading.Event(), threading.Event()

    def drain(stopped: Any) -> Changes:
        if not met.is_set():
            met.set()
            raise KeyError("odd")
        lived.set()
        return Changes(problems=("fact 1: dropped",))

    worker = Worker(drain, lambda: None)
    assert met.wait(30)
    worker.wake()
    assert lived.wait(30)
    worker.stop()
    assert "extraction in the background failed" in caplog.text
    assert "extraction in the background: fact 1: dropped" in caplog.text


def test_a_foreign_error_is_kept_by_its_name_alone_and_raised(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedLLM([KeyError("I sail")])) as memory:
        with pytest.raises(KeyError):
            memory.add("I sail", user_id="ada")
        assert (memory.stats().waiting, memory.stats().error) == (1, "KeyError")


class Told(HashEmbedder):
    """Says when it has embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.done.set()
        return super().embed(texts)


def test_a_background_worker_without_a_model_embeds(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedLLM()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
    embedder = Told()
    with Memory(tmp_path / "memory.db", embedder=embedder, background=True) as memory:
        assert embedder.done.wait(30)
        embedder.done.clear()
        memory.add("I row", user_id="ada", wait=False)
        assert embedder.done.wait(30)
    with opened(tmp_path, None) as memory:
        assert (memory.stats().unembedded, memory.stats().waiting) == (0, 1)


class AsyncOnly(LLM):
    """A client whose sync face is not there."""

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        raise NotImplementedError

    async def acomplete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        return Answer(data=echo(messages, tool))


def test_an_async_only_model_works_with_the_async_verbs(tmp_path: Path) -> None:
    async def flow() -> None:
        async with opened(tmp_path, AsyncOnly()) as memory:
            assert len(await memory.aadd("I sail", user_id="ada")) == 2
            await memory.aadd("I row", user_id="ada", wait=False)
            assert len(await memory.aflush()) == 1

    asyncio.run(flow())


def test_an_async_only_model_is_named_where_a_sync_verb_needs_it(tmp_path: Path) -> None:
    with opened(tmp_path, AsyncOnly()) as memory:
        with pytest.raises(ProviderError, match="AsyncOnly is async only: await aadd"):
            memory.add("I sail", user_id="ada")
        (problem,) = memory.flush(retry=True).problems
        assert "AsyncOnly is async only" in problem
        assert "AsyncOnly is async only" in str(memory.stats().error)
        assert memory.stats().waiting == 1


# -- failing, parking, retrying -----------------------------------------------------------------


def test_a_failed_batch_waits_and_is_tried_again(tmp_path: Path) -> None:
    llm = ScriptedLLM([ProviderError("the model is out"), echo])
    with opened(tmp_path, llm) as memory:
        with pytest.raises(ProviderError, match="out"):
            memory.add("I sail", user_id="ada")
        stats = memory.stats()
        assert (stats.waiting, stats.error) == (1, "ProviderError: the model is out")
        assert len(memory.flush()) == 0  # not due yet
        assert len(memory.flush(retry=True)) == 1
        assert memory.stats().error is None


def test_unreadable_answers_park_a_turn_with_its_reason(tmp_path: Path) -> None:
    llm = ScriptedLLM(itertools.repeat(UNREADABLE))
    storage = SqliteStorage(tmp_path / "memory.db")
    with opened(tmp_path, llm) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        for _ in range(5):
            pipeline = conductor.Pipeline(SYNC, storage, HashEmbedder(), llm)
            _make_due(storage)
            run(conductor.drain(pipeline))
        stats = memory.stats()
        assert (stats.waiting, stats.parked) == (0, 1)
        assert str(stats.error).startswith("ExtractionError: ")
        assert memory.search("sail", user_id="ada")
        assert len(llm.calls) == 10
    with opened(tmp_path, echoing()) as memory:
        assert len(memory.flush()) == 0
        assert len(memory.flush(retry=True)) == 1
    storage.file.close()


def test_one_bad_turn_does_not_park_the_others_of_its_batch(tmp_path: Path) -> None:
    def picky(messages: Any, tool: Any) -> Any:
        new = messages[1]["content"].split("<new_messages>")[-1]
        return UNREADABLE if "poison" in new else echo(messages, tool)

    llm = ScriptedLLM(itertools.repeat(picky))
    storage = SqliteStorage(tmp_path / "memory.db")
    with opened(tmp_path, llm) as memory:
        said = ["one", "two", "poison", "three"]
        memory.add(said, user_id="ada", wait=False)
        for _ in range(5):
            _make_due(storage)
            run(conductor.drain(conductor.Pipeline(SYNC, storage, HashEmbedder(), llm)))
        assert memory.stats().parked == 1
        assert sorted(texts(memory)) == ["Noted: one", "Noted: three", "Noted: two"]
    storage.file.close()


def test_a_model_that_is_out_for_long_parks_nothing(tmp_path: Path) -> None:
    llm = ScriptedLLM(itertools.repeat(ProviderError("no connection")))
    storage = SqliteStorage(tmp_path / "memory.db")
    with opened(tmp_path, llm) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        for _ in range(8):
            _make_due(storage)
            run(conductor.drain(conductor.Pipeline(SYNC, storage, HashEmbedder(), llm)))
        assert (memory.stats().waiting, memory.stats().parked) == (1, 0)
    storage.file.close()


def _make_due(storage: SqliteStorage) -> None:
    """Let the time of the next attempt come."""
    with storage.database.write() as connection:
        connection.execute("UPDATE queue SET due_at = 0")


def test_a_long_add_that_fails_halfway_keeps_what_was_extracted(tmp_path: Path) -> None:
    llm = ScriptedLLM(
        itertools.chain([echo, ProviderError("the model is out")], itertools.repeat(echo))
    )
    with opened(tmp_path, llm) as memory:
        with pytest.raises(ProviderError):
            memory.add([f"line {number}" for number in range(60)], user_id="ada")
        stats = memory.stats()
        assert (stats.records, stats.waiting) == ({"turn": 60, "fact": 20}, 40)
        memory.flush(retry=True)
        assert memory.stats().records == {"turn": 60, "fact": 60, "summary": 1}


# -- leases and cancellation --------------------------------------------------------------------


def test_a_held_turn_is_taken_by_nobody_else(tmp_path: Path) -> None:
    def other_flushes(messages: Any, tool: Any) -> dict[str, Any]:
        with opened(tmp_path, ScriptedLLM()) as other:
            assert len(other.flush()) == 0
            assert other.stats().waiting == 1
        return echo(messages, tool)

    with opened(tmp_path, ScriptedLLM([other_flushes])) as memory:
        assert len(memory.add("I sail", user_id="ada")) == 2


def test_when_a_lease_has_run_out_another_worker_takes_over_and_the_first_writes_nothing(
    tmp_path: Path,
) -> None:
    def other_flushes(messages: Any, tool: Any) -> dict[str, Any]:
        with opened(tmp_path, echoing()) as other:
            assert len(other.flush()) == 1
        return facts("User was told of too late")

    with opened(tmp_path, ScriptedLLM()) as memory:
        memory.add("I sail", user_id="ada", wait=False)
        late = SqliteStorage(tmp_path / "memory.db", lease=0.0)
        llm = ScriptedLLM([other_flushes])
        changes = run(conductor.drain(conductor.Pipeline(SYNC, late, HashEmbedder(), llm)))
        assert len(changes) == 0
        assert "taken over" in changes.problems[0]
        assert texts(memory) == ["Noted: I sail"]
        late.file.close()


def test_a_cancelled_add_leaves_its_turn_queued(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    asked = threading.Event()

    def never(body: dict[str, Any]) -> Reply:
        asked.set()
        return called(facts("too late"), delay=30)

    openai_server.default = never

    async def flow() -> None:
        async with opened(tmp_path, model(openai_server, timeout=60.0)) as memory:
            adding = asyncio.create_task(memory.aadd("I sail", user_id="ada"))
            await asyncio.to_thread(asked.wait, 30)
            adding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await adding
            openai_server.default = called(facts("User sails"))
            assert len(of(await memory.aflush())) == 1  # due at once: nobody failed
            assert (await memory.astats()).waiting == 0

    asyncio.run(flow())


def test_other_runs_are_drained_while_one_is_held(tmp_path: Path) -> None:
    def other_flushes(messages: Any, tool: Any) -> dict[str, Any]:
        with opened(tmp_path, echoing()) as other:
            assert [change.after.scope.user_id for change in other.flush()] == ["bob"]
        return echo(messages, tool)

    with opened(
        tmp_path, ScriptedLLM(itertools.chain([other_flushes], itertools.repeat(echo)))
    ) as memory:
        memory.add("I row", user_id="bob", wait=False)
        memory.add("I dive", user_id="ada", wait=False)
        memory.add("I sail", user_id="ada")
        assert len(memory.flush()) == 1


# -- whose turns -------------------------------------------------------------------------------


def queued(memory: Memory) -> None:
    memory.add("I row", user_id="bob", wait=False)
    memory.add("I sail", user_id="ada", run_id="r1", wait=False)
    memory.add("I dive", user_id="ada", run_id="r2", wait=False)


def users(changes: Changes) -> list[str | None]:
    return [change.after.scope.user_id for change in changes if change.after]


def test_a_flush_of_a_scope_leaves_other_scopes_turns_alone(tmp_path: Path) -> None:
    with opened(tmp_path, echoing()) as memory:
        queued(memory)
        changes = memory.flush(user_id="ada", run_id="r1")
        assert (users(changes), changes.pending) == (["ada"], 0)
        assert memory.stats().waiting == 2
        assert users(memory.flush(user_id="ada")) == ["ada"]
        assert users(memory.flush()) == ["bob"]  # the whole file


def test_a_bound_handle_flushes_its_own_scope(tmp_path: Path) -> None:
    with opened(tmp_path, echoing()) as memory:
        queued(memory)
        ada = memory.scoped(user_id="ada")
        assert users(ada.flush()) == ["ada", "ada"]
        assert (ada.stats().waiting, memory.stats().waiting) == (0, 1)
        with pytest.raises(ScopeError):
            ada.flush(user_id="bob")


def test_the_async_twin_flushes_a_scope_too(tmp_path: Path) -> None:
    async def flow() -> None:
        async with opened(tmp_path, echoing()) as memory:
            queued(memory)
            assert users(await memory.aflush(user_id="bob")) == ["bob"]
            assert (await memory.astats()).waiting == 2

    asyncio.run(flow())


def test_a_retry_of_a_scope_leaves_other_scopes_waiting(tmp_path: Path) -> None:
    failing = ScriptedLLM([ProviderError("down")] * 2)
    with opened(tmp_path, failing) as memory:
        memory.add("I row", user_id="bob", wait=False)
        memory.add("I dive", user_id="ada", wait=False)
        assert len(memory.flush().problems) == 2
    with opened(tmp_path, echoing()) as memory:
        assert users(memory.flush(user_id="ada", retry=True)) == ["ada"]
        assert len(memory.flush()) == 0  # bob's is not due yet
        assert memory.stats().waiting == 1


def test_a_flush_of_a_scope_refreshes_no_other_scopes_summary(tmp_path: Path) -> None:
    with opened(tmp_path, echoing()) as memory:
        for user in ("ada", "bob"):
            talk = [f"line {number}" for number in range(conductor.SUMMARISE_AFTER)]
            memory.add(talk, user_id=user, run_id="r", wait=False)
        changes = memory.flush(user_id="ada")
        made = [change.after for change in changes if change.after]
        assert {record.scope.user_id for record in made} == {"ada"}
        assert memory.list(user_id="bob", kinds=["fact", "summary"]).records == ()


def test_extraction_error_is_what_a_waiting_caller_sees(tmp_path: Path) -> None:
    llm = ScriptedLLM([UNREADABLE, UNREADABLE])
    with opened(tmp_path, llm) as memory, pytest.raises(ExtractionError, match="JSON"):
        memory.add("I sail", user_id="ada")
    assert asked_to(llm) == ["record_facts"] * 2


def test_the_newest_error_is_the_one_shown(tmp_path: Path) -> None:
    llm = ScriptedLLM([ProviderError("zero"), ProviderError("a later one")])
    with opened(tmp_path, llm) as memory:
        for user in ("ada", "bob"):
            with pytest.raises(ProviderError):
                memory.add("I sail", user_id=user)
        assert memory.stats().error == "ProviderError: a later one"
        assert memory.scoped(user_id="ada").stats().error == "ProviderError: zero"
