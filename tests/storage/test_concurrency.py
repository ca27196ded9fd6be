"""Many processes, many threads, many tasks: one file, every write, no error."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from holdfast import Memory
from holdfast.testing import HashEmbedder
from support.drivers import needs_encryption

pytestmark = pytest.mark.slow

PROCESSES = int(os.environ.get("HOLDFAST_TEST_PROCESSES", "4"))
WRITES = int(os.environ.get("HOLDFAST_TEST_WRITES", "25"))
THREADS = 32
KEY = bytes(range(32)).hex()
TESTS = Path(__file__).parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def crowd(path: Path, processes: int, writes: int, *key: str) -> list[dict[str, Any]]:
    """Let processes write side by side, from the making of the file on; return what each saw."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "support.crowd", str(path), f"p{n}", str(writes), *key],
            cwd=TESTS,
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        if process.stdout.readline() != "written\n":
            _, error = process.communicate()
            raise AssertionError(error)
    told = [process.communicate("go\n") for process in started]
    assert [process.returncode for process in started] == [0] * processes, told
    return [json.loads(said) for said, _ in told]


@pytest.mark.timeout(120 + PROCESSES * WRITES)
def test_every_process_sees_every_write(tmp_path: Path) -> None:
    total = PROCESSES * WRITES
    told = crowd(tmp_path / "m.db", PROCESSES, WRITES)
    assert told == [{"found": total, "listed": total, "problems": []}] * PROCESSES


@needs_encryption
def test_processes_make_one_encrypted_file_together(tmp_path: Path) -> None:
    told = crowd(tmp_path / "m.db", 3, 3, KEY)
    assert told == [{"found": 9, "listed": 9, "problems": []}] * 3


@pytest.mark.parametrize("where", ["file", "memory"])
def test_threads_share_one_memory(tmp_path: Path, where: str) -> None:
    path = ":memory:" if where == "memory" else tmp_path / "m.db"
    with Memory(path, embedder=HashEmbedder()) as memory:

        def work(name: int) -> None:
            for number in range(8):
                said = f"tea {name} {number}"
                (change,) = memory.add(said, user_id="ada", run_id=f"r{name % 5}")
                found = memory.search(said, user_id="ada", limit=3)
                assert change.id in [match.record.id for match in found]
                if number == 3:
                    memory.update(change.id, f"{said} anew", user_id="ada")
                elif number == 5:
                    memory.delete(change.id, user_id="ada")
                memory.documents.put(("n", str(name)), str(number), number, texts=[said])

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
        assert len(memory.list(user_id="ada", limit=1000)) == THREADS * 7
        assert len(memory.search("tea", user_id="ada", limit=1000)) == THREADS * 7
        assert len(memory.documents.search(("n",), "tea", limit=1000)) == THREADS * 8
        assert memory.stats(check=True).problems == ()


def test_threads_that_resend_one_message_store_it_once(tmp_path: Path) -> None:
    message = {"role": "user", "content": "hello", "id": "m1"}
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        with ThreadPoolExecutor(8) as pool:
            made = pool.map(lambda _: len(memory.add(message, user_id="ada")), range(24))
            assert sum(made) == 1
        assert len(memory.list(user_id="ada")) == 1


def test_threads_that_update_one_record_leave_one_version_open(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
        (change,) = memory.add("tea", user_id="ada")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: memory.update(change.id, f"t{n}", user_id="ada"), range(24)))
        assert memory.get(change.id, user_id="ada").version == 25
        assert len(memory.list(user_id="ada")) == len(memory.search("t", user_id="ada")) == 1
        assert memory.stats(check=True).problems == ()


def test_a_hundred_tasks_never_hold_the_event_loop(tmp_path: Path) -> None:
    async def flow() -> None:
        async with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
            await memory.asearch("tea", user_id="ada")  # loads what is loaded on first use
            await memory.aadd("warm up last week", user_id="bob")

            async def work(number: int) -> None:
                (change,) = await memory.aadd(f"tea {number}", user_id="ada")
                await memory.asearch(f"tea {number} last week", user_id="ada")
                await memory.aupdate(change.id, f"tea {number} anew", user_id="ada")
                await memory.alist(user_id="ada")
                await memory.ahistory(change.id, user_id="ada")
                await memory.documents.aput(("n",), str(number), number, texts=["tea"])
                await memory.documents.asearch((), "tea")
                await memory.adelete(change.id, user_id="ada")
                await memory.aadd(f"coffee {number}", user_id="ada")

            with blockbuster_ctx():
                await asyncio.gather(*(work(number) for number in range(100)))
                assert len(await memory.alist(user_id="ada", limit=1000)) == 100
                assert (await memory.astats(check=True)).problems == ()
                await memory.aexport(tmp_path / "e.jsonl")
                await memory.apurge()
                await memory.areembed()

    asyncio.run(flow())


def test_a_cancelled_task_leaves_a_whole_write_or_none(tmp_path: Path) -> None:
    async def flow() -> None:
        async with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
            for steps in range(12):
                batch = [f"{steps} tea {number}" for number in range(5)]
                task = asyncio.create_task(memory.aadd(batch, user_id=f"u{steps}"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            for steps in range(12):
                assert len(await memory.alist(user_id=f"u{steps}")) in (0, 5)
            assert (await memory.astats(check=True)).problems == ()

    asyncio.run(flow())


def test_the_sync_face_works_inside_a_running_loop(tmp_path: Path) -> None:
    async def flow() -> None:
        with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:
            memory.add("green tea", user_id="ada")
            assert len(memory.search("tea", user_id="ada")) == 1
            assert len(await memory.asearch("tea", user_id="ada")) == 1

    asyncio.run(flow())


def test_one_memory_serves_several_event_loops(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", embedder=HashEmbedder()) as memory:

        async def work(name: int) -> None:
            await asyncio.gather(*(memory.aadd(f"{name} {n}", user_id="ada") for n in range(5)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: asyncio.run(work(name)), range(8)))
        assert len(memory.list(user_id="ada")) == 40


FORKS = """
    import asyncio, os, sys
    from holdfast import Memory
    from holdfast.testing import HashEmbedder

    memory = Memory(sys.argv[1], embedder=HashEmbedder(), key=bytes.fromhex(sys.argv[2]) or None)
    memory.add("tea of the parent", user_id="ada")
    memory.search("tea", user_id="ada")
    asyncio.run(memory.aadd("more tea of the parent", user_id="ada"))
    children = []
    for n in range(3):
        child = os.fork()
        if child == 0:
            asyncio.run(memory.aadd(f"tea of child {n}", user_id="ada"))
            memory.add(f"more tea of child {n}", user_id="ada")
            assert len(memory.search("tea", user_id="ada", limit=99)) >= 4
            assert memory.stats(check=True).problems == ()
            memory.close()
            os._exit(0)
        children.append(child)
        memory.add(f"tea after child {n}", user_id="ada")
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert codes == [0, 0, 0], codes
    assert len(memory.search("tea", user_id="ada", limit=99)) == 11
    assert memory.stats(check=True).problems == ()
    memory.close()
"""


@pytest.mark.parametrize(
    "key", ["", pytest.param(KEY, marks=needs_encryption)], ids=["plain", "encrypted"]
)
def test_a_forked_child_goes_on_with_the_memory_it_inherits(tmp_path: Path, key: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKS), tmp_path / "m.db", key],
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
