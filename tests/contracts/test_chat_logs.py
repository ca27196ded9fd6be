"""`Memory.chat_log`: the messages of a session, in order, word for word."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, Memory, Scope, ScopeError
from holdfast.chatlog import ChatLog
from holdfast.testing import HashEmbedder
from support.faces import twin

WORD = "QUINOAXYZ"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with Memory(path, embedder=HashEmbedder()) as memory:
        yield memory


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Call a verb of a log by one of its faces."""

    def called(log: ChatLog, verb: str, *args: Any, **options: Any) -> Any:
        done = twin(log, verb) if request.param == "async" else getattr(log, verb)
        return done(*args, **options)

    return called


@pytest.fixture
def log(memory: Memory) -> ChatLog:
    return memory.chat_log(user_id="ada", run_id="monday")


def values(found: Any) -> list[Any]:
    return [message.value for message in found]


def on_disk(path: Path, word: str) -> list[str]:
    return [one.name for one in sorted(path.parent.iterdir()) if word.encode() in one.read_bytes()]


def test_messages_come_back_in_order_and_as_they_were(log: ChatLog, call: Any) -> None:
    said = [{"role": "user", "content": "\x00 \ud800 öß 海鸥"}, ["a", 1.5, None], "text", {}]
    written = call(log, "append", said[:2])
    written += call(log, "append", said[2:])

    assert values(call(log, "messages")) == said
    assert [one.position for one in written] == sorted({one.position for one in written})
    assert call(log, "count") == 4


def test_a_log_belongs_to_exactly_its_ids_and_its_name(memory: Memory) -> None:
    owners: list[dict[str, str]] = [
        {"run_id": "1"},
        {"user_id": "ada", "run_id": "1"},
        {"user_id": "ada"},
        {"agent_id": "ada", "run_id": "1"},
        {"user_id": "ada", "agent_id": "bot", "run_id": "1"},
    ]
    for number, owner in enumerate(owners):
        memory.chat_log(**owner).append([number])
    memory.chat_log("audit", **owners[0]).append(["audit"])

    assert [values(memory.chat_log(**owner).messages()) for owner in owners] == [
        [number] for number in range(len(owners))
    ]


def test_a_bound_handle_reaches_its_own_logs_alone(memory: Memory) -> None:
    ada = memory.scoped(user_id="ada")
    ada.chat_log(run_id="monday").append(["hers"])
    memory.chat_log(user_id="bob", run_id="monday").append(["his"])

    assert ada.chat_logs() == [Scope(user_id="ada", run_id="monday")]
    with pytest.raises(ScopeError):
        ada.chat_log(user_id="bob", run_id="monday")


def test_sessions_are_listed_by_name_and_scope(memory: Memory) -> None:
    memory.chat_log(user_id="ada", run_id="1").append(["x"])
    memory.chat_log(user_id="ada", run_id="2").append(["x"], archived=True)
    memory.chat_log(user_id="bob", run_id="1").append(["x"])
    memory.chat_log("audit", user_id="ada", run_id="3").append(["x"])

    assert {scope.run_id for scope in memory.chat_logs(user_id="ada")} == {"1", "2"}
    assert len(memory.chat_logs()) == 3
    assert asyncio.run(memory.achat_logs("audit")) == [Scope(user_id="ada", run_id="3")]


def test_the_latest_messages_are_read_page_by_page(log: ChatLog, call: Any) -> None:
    call(log, "append", list(range(10)))
    last = call(log, "messages", 3, latest=True)
    earlier = call(log, "messages", 4, latest=True, before=last[0].position)

    assert (values(last), values(earlier)) == ([7, 8, 9], [3, 4, 5, 6])
    assert values(call(log, "messages", 2, offset=1)) == [1, 2]


def test_archived_messages_leave_the_window_and_stay_readable(log: ChatLog, call: Any) -> None:
    first, second, third = call(log, "append", ["a", "b", "c"], ids=["x", "y", "x"])

    assert values(call(log, "archive", [second.position, 7])) == ["b"]
    assert values(call(log, "archive", oldest=1)) == ["a"]
    assert values(call(log, "messages")) == ["c"]
    assert values(call(log, "messages", archived=True)) == ["a", "b"]
    everything = call(log, "messages", archived=None)
    assert [(one.value, one.id, one.archived) for one in everything] == [
        ("a", "x", True),
        ("b", "y", True),
        ("c", "x", False),
    ]
    assert [one.position for one in everything] == [one.position for one in (first, second, third)]
    assert [call(log, "count", archived=part) for part in (False, True, None)] == [1, 2, 3]


def test_an_id_that_is_said_again_is_counted(log: ChatLog, call: Any) -> None:
    call(log, "append", ["yes", "no"], ids=["y", "n"])
    call(log, "archive", oldest=2)
    again = call(log, "append", ["yes", "yes", "other"], ids=["y", "y", "yy"])

    assert [one.earlier for one in again] == [1, 2, 0]


def test_what_is_appended_can_be_chosen_by_what_is_there(log: ChatLog, call: Any) -> None:
    ids = ["1", "2"]
    call(log, "append", ["a", "b"], ids=ids)
    seen: list[Any] = []

    def new(known: Any) -> list[int]:
        seen.append(list(known))
        return [2]

    written = call(log, "append", ["a", "b", "c"], ids=["1", "2", "3"], choose=new)

    assert (values(written), seen) == (["c"], [["1", "2"]])
    assert values(call(log, "messages")) == ["a", "b", "c"]


def test_one_message_or_all_are_replaced(log: ChatLog, call: Any) -> None:
    _, second = call(log, "append", ["a", "b"])
    call(log, "archive", oldest=1)
    assert call(log, "update", second.position, "B")
    assert not call(log, "update", 7, "x")
    assert values(call(log, "messages", archived=None)) == ["a", "B"]
    call(log, "append", ["c"])
    assert values(call(log, "messages", archived=None)) == ["a", "B", "c"]

    call(log, "replace", ["new"])
    assert values(call(log, "messages", archived=None)) == ["new"]


def test_messages_are_deleted_by_position_or_the_oldest(log: ChatLog, call: Any) -> None:
    written = call(log, "append", ["a", "b", "c", "d"])

    assert values(call(log, "delete", [written[1].position, written[1].position])) == ["b"]
    assert call(log, "delete", [written[1].position]) == []
    assert values(call(log, "delete", oldest=1)) == ["a"]
    assert call(log, "clear", archived=True) == 0
    assert call(log, "clear") == 2
    assert call(log, "messages", archived=None) == []


def test_a_position_is_never_given_twice(log: ChatLog) -> None:
    (old,) = log.append(["a"])
    log.clear()
    log.append(["b"])

    assert log.delete([old.position]) == []


@pytest.mark.parametrize("verb", ["delete", "replace", "update", "clear"])
def test_what_is_taken_away_leaves_no_byte(
    log: ChatLog, call: Any, path: Path, memory: Memory, verb: str
) -> None:
    (said,) = call(log, "append", [WORD])
    assert on_disk(path, WORD)
    arguments = {"delete": [[said.position]], "replace": [["x"]], "update": [said.position, "x"]}

    call(log, verb, *arguments.get(verb, []))

    assert on_disk(path, WORD) == []
    assert memory.stats().erasure_pending is False


def test_what_a_reader_keeps_is_pending_until_a_purge(
    log: ChatLog, path: Path, memory: Memory
) -> None:
    log.append([WORD])
    with Memory(path, embedder=HashEmbedder()) as other:
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            log.clear()
            assert memory.stats().erasure_pending is True
        memory.purge()

    assert on_disk(path, WORD) == []


@pytest.mark.parametrize("bad", ["text", 7, None])
def test_what_is_no_list_of_messages_is_refused(log: ChatLog, bad: Any) -> None:
    with pytest.raises(InvalidInputError):
        log.append(bad)


def test_what_is_no_json_is_refused_and_nothing_is_written(log: ChatLog) -> None:
    with pytest.raises(InvalidInputError):
        log.append(["fine", object()])
    with pytest.raises(InvalidInputError):
        log.append(["one"], ids=["1", "2"])
    with pytest.raises(ScopeError):
        log.append(["one"], ids=[""])

    assert log.messages() == []


def test_threads_lose_nothing_and_keep_one_order(log: ChatLog) -> None:
    def write(writer: int) -> list[int]:
        return [log.append([[writer, n]])[0].position for n in range(10)]

    with ThreadPoolExecutor(6) as pool:
        positions = [one for some in pool.map(write, range(6)) for one in some]

    found = log.messages()
    assert [one.position for one in found] == sorted(set(positions))
    for writer in range(6):
        assert [one.value[1] for one in found if one.value[0] == writer] == list(range(10))


APPENDING = """
import sys
from holdfast import Memory
from holdfast.testing import HashEmbedder
with Memory(sys.argv[1], embedder=HashEmbedder()) as memory:
    for number in range(10):
        memory.chat_log(user_id="ada", run_id="monday").append([[int(sys.argv[2]), number]])
"""


def test_processes_lose_nothing_and_keep_one_order(log: ChatLog, path: Path) -> None:
    commands = [[sys.executable, "-c", APPENDING, str(path), str(writer)] for writer in range(2)]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait() for worker in workers] == [0, 0]

    found = log.messages()
    assert len({one.position for one in found}) == 20
    for writer in range(2):
        assert [one.value[1] for one in found if one.value[0] == writer] == list(range(10))


def test_a_log_survives_reopening(path: Path) -> None:
    for number in range(2):
        with Memory(path, embedder=HashEmbedder()) as memory:
            memory.chat_log(user_id="ada").append([number])
    with Memory(path, embedder=HashEmbedder()) as memory:
        assert values(memory.chat_log(user_id="ada").messages()) == [0, 1]
        assert memory.stats(check=True).problems == ()
