"""Forks: a memory that was used before goes on in parent and children, or says why it cannot."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from holdfast import Memory, StorageError
from holdfast.documents import Collection, Put
from holdfast.forking import Lock
from holdfast.storage.sqlite import pool
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.drivers import needs_encryption
from support.forking import child, in_child

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")]


def new(path: Path | str, **options: Any) -> Memory:
    return Memory(path, embedder=HashEmbedder(), **options)


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with new(path) as memory:
        memory.add("tea before", user_id="ada")
        memory.search("tea", user_id="ada")
        yield memory


def texts(memory: Memory) -> list[str]:
    return sorted(record.text for record in memory.list(user_id="ada", limit=10_000))


def sound(path: Path, **options: Any) -> int:
    """Return how many memories another process finds in a sound file."""
    with new(path, **options) as memory:
        assert memory.stats(check=True).problems == ()
        return len(texts(memory))


# -- nothing is lost ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"durability": "full"}, pytest.param({"key": "secret"}, marks=needs_encryption)],
    ids=["plain", "full", "encrypted"],
)
def test_what_a_child_writes_stays_when_its_parent_closes_the_file(
    path: Path, options: dict[str, Any]
) -> None:
    memory = new(path, **options)
    memory.add("before", user_id="ada")
    ready, go = os.pipe(), os.pipe()

    def write() -> int:
        memory.add("first", user_id="ada")
        os.write(ready[1], b".")
        os.read(go[0], 1)
        for number in range(5):
            memory.add(f"then {number}", user_id="ada")
        return len(texts(memory))

    with child(write) as result:
        os.read(ready[0], 1)
        memory.close()
        os.write(go[1], b".")
        assert result() == "7"
    assert sound(path, **options) == 7


def test_children_of_children_write(memory: Memory, path: Path) -> None:
    def deeper(left: int) -> object:
        memory.add(f"tea at {left}", user_id="ada")
        if left:
            assert in_child(lambda: deeper(left - 1)) == "None"
        memory.add(f"tea behind {left}", user_id="ada")
        return None

    assert in_child(lambda: deeper(3)) == "None"
    assert len(memory.search("tea", user_id="ada", limit=99)) == 9
    assert sound(path) == 9


def test_many_forks_in_a_row_lose_nothing(memory: Memory, path: Path) -> None:
    for number in range(20):
        with child(lambda number=number: memory.add(f"child {number}", user_id="ada")):
            memory.add(f"parent {number}", user_id="ada")
    assert sound(path) == 41


_shared: Memory


def _work(number: int) -> int:
    _shared.add(f"tea of {number}", user_id="ada")
    return len(_shared.search("tea", user_id="ada"))


def test_a_pool_of_processes_writes_while_its_parent_does(memory: Memory, path: Path) -> None:
    global _shared
    _shared = memory
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(4) as processes:
            done = processes.map_async(_work, range(40), chunksize=1)
            for number in range(40):
                memory.add(f"tea of the parent {number}", user_id="ada")
            assert all(done.get(timeout=60))
    assert sound(path) == 81


DAEMON = """
    import os, sys
    from holdfast import Memory
    from holdfast.testing import HashEmbedder

    memory = Memory(sys.argv[1], embedder=HashEmbedder())
    memory.add("before", user_id="ada")
    if os.fork():
        os._exit(0)  # the parent ends, and the daemon goes on
    for number in range(20):
        memory.add(f"first {number}", user_id="ada")
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(20):
        memory.add(f"then {number}", user_id="ada")
    print("done", flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize("driver", ["any", "sqlite3"])
def test_another_process_takes_nothing_from_a_daemon(path: Path, driver: str) -> None:
    blocked = "import sys\nsys.modules['sqlcipher3'] = None\n" if driver == "sqlite3" else ""
    daemon = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", blocked + textwrap.dedent(DAEMON), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == "ready\n"
    told = [sys.executable, "-m", "holdfast", "stats", "--db", str(path)]
    subprocess.run(told, check=True, capture_output=True, timeout=60)
    assert daemon.communicate("\n", timeout=60)[0] == "done\n"
    assert sound(path) == 41


def test_nothing_is_open_at_the_fork(memory: Memory, path: Path) -> None:
    def inherited() -> list[str]:
        links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
        return [name for link in links if os.path.islink(link) and (name := os.readlink(link))]

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no list of open files")
    memory.list(user_id="ada")
    assert str(path) in inherited()
    assert str(path) not in in_child(inherited)


def test_starting_a_program_closes_nothing(memory: Memory, path: Path) -> None:
    log = path.with_name(path.name + "-wal").stat().st_ino
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert path.with_name(path.name + "-wal").stat().st_ino == log


# -- threads at the fork --------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["search", "add", "list"])
def test_a_child_works_whatever_other_threads_do_at_the_fork(
    memory: Memory, path: Path, verb: str
) -> None:
    memory.add([f"tea {number}" for number in range(500)], user_id="ada")
    stop, begun = threading.Event(), threading.Semaphore(0)

    def busy(name: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            if verb == "add":
                memory.add(f"tea of thread {name}, {number}", user_id="ada")
            elif verb == "search":
                memory.search("tea", user_id="ada", limit=50)
            else:
                memory.list(user_id="ada")
            begun.release()

    threads = [threading.Thread(target=busy, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()

    def work() -> int:
        memory.add("tea of the child", user_id="ada")
        return len(memory.search("tea", user_id="ada", limit=5))

    try:
        for _ in range(8):
            for _ in range(5):
                begun.acquire()
            assert in_child(work) == "5"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert memory.stats(check=True).problems == ()
    assert texts(memory).count("tea of the child") == 8


def test_threads_may_fork_at_once(memory: Memory, path: Path) -> None:
    said: list[str] = []

    def fork(name: int) -> None:
        for number in range(4):
            memory.add(f"tea {name} {number}", user_id="ada")
            text = f"tea of child {name} {number}"
            said.append(in_child(lambda text=text: len(memory.add(text, user_id="ada"))))

    threads = [threading.Thread(target=fork, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["1"] * 16
    assert sound(path) == 33


def test_a_child_may_use_a_loop_of_its_own_where_its_parent_is_in_one(
    memory: Memory, path: Path
) -> None:
    async def tell(name: str) -> None:
        await asyncio.gather(*(memory.aadd(f"{name} {n}", user_id="ada") for n in range(20)))

    def work() -> int:
        asyncio.run(tell("child"))
        return len(memory.search("child", user_id="ada", limit=99))

    async def main() -> None:
        await tell("before")
        waiting = asyncio.ensure_future(tell("meanwhile"))
        await asyncio.sleep(0)
        assert in_child(work) not in ("", "0")
        await waiting
        await tell("behind")

    asyncio.run(main())
    assert sound(path) == 81


def test_a_view_with_codes_is_searched_in_a_child(path: Path) -> None:
    with closing(Collection(path, ("many",), fingerprint="random")) as many:
        generator = np.random.default_rng(1)
        vectors = generator.normal(size=(20_500, 8)).astype(np.float32)
        rows = enumerate(vectors.tolist())
        many.put([Put(("many",), str(number), {}, vectors=[vector]) for number, vector in rows])

        def nearest() -> list[str]:
            return [found.document.key for found in many.search(vectors[0].tolist(), limit=5)]

        assert in_child(nearest) == str(nearest())


def test_a_background_worker_begins_anew_where_a_child_queues_something(path: Path) -> None:
    done = threading.Event()

    class Asked(ScriptedLLM):
        def complete(self, messages: Any, *, tool: Any = None) -> Any:
            done.set()
            return super().complete(messages, tool=tool)

    facts: dict[str, list[str]] = {"facts": []}
    llm = Asked([facts] * 100)
    with new(path, llm=llm, background=True) as memory:

        def work() -> bool:
            memory.add("I live in Rome", user_id="ada", wait=False)
            return done.wait(30)

        assert in_child(work) == "True"


# -- a fork inside an operation -------------------------------------------------------------------

REFUSED = "the process was forked while an operation on"


def test_a_child_forked_inside_a_read_is_refused_and_its_parent_goes_on(
    memory: Memory, path: Path
) -> None:
    def refused() -> list[str]:
        said = []
        for call in (
            lambda: memory.add("x", user_id="ada"),
            lambda: memory.search("x", user_id="ada"),
            lambda: new(path),
            lambda: new(path.parent / "." / path.name),
        ):
            with pytest.raises(StorageError) as caught:
                call()
            said.append(REFUSED in str(caught.value))
        memory.close()
        with new(path.with_name("another.db")) as another:
            another.add("x", user_id="ada")
        return said

    with memory._storage.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1
        assert in_child(refused) == str([True] * 4)
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 1
    memory.add("tea behind", user_id="ada")
    assert in_child(lambda: len(texts(memory))) == "2"
    assert sound(path) == 2


def test_another_database_on_a_file_that_was_in_use_is_refused_in_the_child(
    memory: Memory, path: Path
) -> None:
    with new(path) as other:
        other.list(user_id="ada")
        with memory._storage.database.read():
            assert REFUSED in in_child(lambda: other.list(user_id="ada"))
        assert len(other.list(user_id="ada")) == 1


def test_a_write_that_is_forked_inside_is_the_parents_alone(memory: Memory, path: Path) -> None:
    def go_on(writing: Any, connection: Any) -> str:
        said = []
        for sql in ("INSERT INTO forked VALUES (randomblob(1000))", "COMMIT", "ROLLBACK"):
            with pytest.raises(Exception, match="not authorized"):
                connection.execute(sql)
            said.append("refused")
        with pytest.raises(StorageError, match="forked inside this operation"):
            writing.__exit__(None, None, None)
        return " ".join(said)

    memory._storage.database.migrate("forked", ("CREATE TABLE forked (data BLOB)",))
    writing = memory._storage.database.write()
    connection = writing.__enter__()
    # More than its cache holds: some of it stands in the log before it is committed.
    for _ in range(25):
        connection.execute("INSERT INTO forked VALUES (zeroblob(1000000))")
    assert in_child(lambda: go_on(writing, connection)) == "refused refused refused"
    connection.execute("INSERT INTO forked VALUES (zeroblob(1000000))")
    writing.__exit__(None, None, None)
    with memory._storage.database.read() as reading:
        rows = "SELECT count(*), sum(length(data)) FROM forked"
        assert tuple(reading.execute(rows).fetchone()) == (26, 26_000_000)
    assert sound(path) == 1


def test_a_child_is_refused_when_another_threads_operation_does_not_end(
    memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PATIENCE", 0.05)
    entered, leave = threading.Event(), threading.Event()

    def slow() -> None:
        with memory._storage.database.write() as connection:
            connection.execute("INSERT INTO properties VALUES ('slow', 1)")
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=slow)
    thread.start()
    entered.wait(30)
    assert REFUSED in in_child(lambda: memory.list(user_id="ada"))
    leave.set()
    thread.join()
    memory.add("tea behind", user_id="ada")
    assert in_child(lambda: len(texts(memory))) == "2"
    assert sound(path) == 2


def test_a_fork_waits_for_an_operation_that_ends(memory: Memory) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow() -> None:
        with memory._storage.database.write() as connection:
            connection.execute("INSERT INTO properties VALUES ('slow', 1)")
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=slow)
    thread.start()
    entered.wait(30)
    threading.Timer(0.05, leave.set).start()
    assert in_child(lambda: len(memory.list(user_id="ada"))) == "1"
    thread.join()


LEAVES = """
    import os, sys
    from holdfast import Memory
    from holdfast.testing import HashEmbedder

    memory = Memory(sys.argv[1], embedder=HashEmbedder())
    memory.add("before", user_id="ada")
    reading = memory._storage.database.read()
    reading.__enter__().execute("SELECT count(*) FROM records").fetchone()
    if os.fork() == 0:
        sys.exit(0)  # an ordinary end: the interpreter lets everything go
    os.wait()
    reading.__exit__(None, None, None)
    log = os.stat(sys.argv[1] + "-wal").st_ino
    memory.add("behind", user_id="ada")
    assert os.stat(sys.argv[1] + "-wal").st_ino == log
    os._exit(0)
"""


def test_a_child_that_ends_closes_nothing_of_its_parents(path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(LEAVES), str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sound(path) == 2


# -- in memory ------------------------------------------------------------------------------------


def test_a_memory_database_is_private_to_each_process_behind_a_fork() -> None:
    with new(":memory:") as memory:
        memory.add("tea before", user_id="ada")

        def work() -> list[str]:
            memory.add("tea of the child", user_id="ada")
            return texts(memory)

        with child(work) as result:
            memory.add("tea of the parent", user_id="ada")
            assert result() == str(["tea before", "tea of the child"])
        assert texts(memory) == ["tea before", "tea of the parent"]


# -- locks ----------------------------------------------------------------------------------------


def test_a_lock_that_another_thread_held_is_free_in_a_child() -> None:
    lock, entered, leave = Lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(30)

    def take() -> str:
        with lock:
            return "taken"

    assert in_child(take) == "taken"
    leave.set()
    thread.join()


def test_a_lock_that_the_forking_thread_holds_stays_its_own() -> None:
    lock = Lock()

    def let_go() -> str:
        lock.__exit__(None, None, None)
        with lock:
            return "taken"

    lock.__enter__()
    assert in_child(let_go) == "taken"
    lock.__exit__(None, None, None)
