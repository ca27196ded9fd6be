"""Forks at any moment: what a child or a parent was told is kept, and nothing hangs.

Each scene runs in a process of its own (a script, so that pytest is not forked), and every process
of it has an alarm. Whatever `add` returned is noted in a ledger; at the end a process that was
never forked opens the file: all that is in the ledger is there, and the file is sound.

Watches the repair of forks: connections that outlived one, and locks held by threads that are not
there.

    python -W ignore -m faults.forks SCENE SEED FILE
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.parts import Counts, Report, quiet
from faults.talker import opened, talker
from holdfast import HoldfastError, Memory, StorageError

WHOLE = 25  # seeds of each scene
PATIENCE = 60  # seconds
_TESTS = Path(__file__).parents[1]


class Scene:
    """A file, a ledger of what was acknowledged, and processes that write to both."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.rng = random.Random(seed)
        self._ledger = os.open(f"{path}.ledger", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def note(self, line: str) -> None:
        os.write(self._ledger, f"{line}\n".encode())

    def add(self, memory: Memory, word: str) -> None:
        memory.add(f"{word} tea", user_id="ada", infer=False)
        self.note(f"kept {word}")

    def work(self, memory: Memory, name: str, count: int) -> None:
        """Add and search so many times; what was added is found at once."""
        for number in range(count):
            word = f"{name}n{number}"
            self.add(memory, word)
            if number % 4 == 0:
                found = memory.search(word, user_id="ada", limit=3)
                if word not in " ".join(match.record.text for match in found):
                    self.note(f"bad {word} is not found by who wrote it")

    def fork(self, run: Callable[[], Any], name: str) -> int:
        """Fork; the child runs with an alarm and says how it ended."""
        pid = os.fork()
        if pid:
            return pid
        signal.alarm(PATIENCE)
        code = 0
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - the child must end here
            self.note(f"bad {name} raised {error!r:.300}")
            code = 1
        os._exit(code)

    def wait(self, *pids: int) -> None:
        for pid in pids:
            status = os.waitpid(pid, 0)[1]
            if os.WIFSIGNALED(status):
                self.note(f"bad a process ended by signal {os.WTERMSIG(status)}: it hung")


# -- scenes ----------------------------------------------------------------------------------------


def together(scene: Scene) -> None:
    """Children and parent write at once; the parent closes while they go on."""
    memory = opened(scene.path)
    scene.work(memory, "before", 3)
    pids = [
        scene.fork(lambda n=n: scene.work(memory, f"child{n}", 15), f"child {n}")  # type: ignore[misc]
        for n in range(3)
    ]
    scene.work(memory, "parent", scene.rng.randrange(12))
    if scene.rng.random() < 0.7:
        memory.close()
    scene.wait(*pids)


def among_threads(scene: Scene) -> None:
    """Threads search and write while the process forks again and again."""
    memory = opened(scene.path)
    memory.add([f"tea {number}" for number in range(300)], user_id="ada")
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            memory.search("tea", user_id="ada", limit=20)
            memory.context("tea", user_id="ada")

    def write(name: str) -> None:
        number = 0
        while not stop.is_set():
            scene.add(memory, f"{name}n{number}")
            number += 1

    threads = [threading.Thread(target=search) for _ in range(2)]
    threads += [threading.Thread(target=write, args=(f"thread{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    pids = []
    for n in range(5):
        time.sleep(scene.rng.random() * 0.03)  # any moment of the threads' work
        pids.append(scene.fork(lambda n=n: scene.work(memory, f"child{n}", 6), f"child {n}"))  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join()
    scene.work(memory, "parent", 3)
    memory.close()
    scene.wait(*pids)


def inside(scene: Scene) -> None:
    """A fork within a transaction: the child is refused, the parent's write is whole."""
    memory = opened(scene.path)
    scene.work(memory, "before", 2)

    def child() -> None:
        begun = time.monotonic()
        for use in (
            lambda: memory.list(user_id="ada"),
            lambda: memory.add("no", user_id="ada"),
            lambda: opened(scene.path).list(user_id="ada"),
        ):
            try:
                use()
                scene.note("bad a child forked within a transaction was not refused")
            except StorageError as error:
                if "fork" not in str(error):
                    scene.note(f"bad the refusal does not name the fork: {error}")
        if time.monotonic() - begun > 20:
            scene.note("bad the refusal took longer than 20 s")

    lent = (
        memory._storage.database.write
        if scene.rng.random() < 0.7
        else memory._storage.database.read
    )
    with lent() as connection:
        connection.execute("SELECT count(*) FROM records").fetchall()
        pid = scene.fork(child, "child within a transaction")
        scene.wait(pid)
    scene.work(memory, "after", 3)
    scene.wait(scene.fork(lambda: scene.work(memory, "second", 3), "child of later"))
    memory.close()


def nested(scene: Scene) -> None:
    """Children fork children; all write, and close in any order."""
    memory = opened(scene.path)
    scene.work(memory, "root", 2)

    def below(depth: int, name: str) -> None:
        scene.work(memory, name, 3)
        pids = []
        if depth:
            pids = [
                scene.fork(lambda n=n: below(depth - 1, f"{name}x{n}"), name)  # type: ignore[misc]
                for n in range(2)
            ]
        scene.work(memory, f"{name}late", 2)
        if random.Random(name).random() < 0.5:
            memory.close()
        scene.wait(*pids)

    below(2, "leaf")
    if random.Random("leaf").random() >= 0.5:
        memory.close()


def daemon(scene: Scene) -> None:
    """A daemon that opened before it forked, and the command line beside it."""
    memory = opened(scene.path)
    scene.work(memory, "early", 3)
    ready, told = os.pipe()

    def detach() -> None:
        os.setsid()
        pid = os.fork()
        if pid:
            os._exit(0)
        signal.alarm(PATIENCE)
        scene.work(memory, "daemon", 10)
        os.write(told, b".")
        scene.work(memory, "daemonlate", 15)
        os.write(told, b".")
        os._exit(0)

    scene.wait(scene.fork(detach, "daemon"))
    memory.close()
    os.read(ready, 1)
    for arguments in (["stats"], ["list", "--user-id", "ada"]):
        command = [sys.executable, "-m", "holdfast", *arguments, "--db", str(scene.path)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            scene.note(f"bad holdfast {arguments[0]} failed: {ran.stderr[-300:]!r}")
    os.read(ready, 1)


def loops(scene: Scene) -> None:
    """A process whose event loop has run forks; each side runs loops of its own."""
    memory = opened(scene.path)

    async def some(name: str) -> None:
        words = [f"{name}n{number}" for number in range(12)]
        adding = [memory.aadd(f"{word} tea", user_id="ada", infer=False) for word in words]
        await asyncio.gather(*adding)
        for word in words:
            scene.note(f"kept {word}")
        await memory.asearch("tea", user_id="ada")

    asyncio.run(some("before"))
    pids = [scene.fork(lambda n=n: asyncio.run(some(f"child{n}")), f"child {n}") for n in range(2)]  # type: ignore[misc]
    asyncio.run(some("parent"))
    memory.close()
    scene.wait(*pids)


def pools(scene: Scene) -> None:
    """`multiprocessing` by fork, with the memory as a global of the parent."""
    memory = opened(scene.path)
    scene.work(memory, "before", 2)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=scene.work, args=(memory, f"worker{n}", 8)) for n in range(3)]
    for worker in workers:
        worker.start()
    scene.work(memory, "parent", 8)
    for worker in workers:
        worker.join(PATIENCE)
        if worker.exitcode != 0:
            scene.note(f"bad a worker of multiprocessing ended with {worker.exitcode}")
            worker.kill()
    memory.close()


def background(scene: Scene) -> None:
    """A memory with a thread that extracts facts forks: the child's turns get facts, too."""
    memory = opened(scene.path, talker(), background=True)
    memory.add("I like tea", user_id="ada", run_id="before", wait=False)

    def child() -> None:
        for n in range(4):
            memory.add(f"I like child{n}", user_id="ada", run_id="child", wait=False)
            scene.note(f"kept child{n}")
        memory.flush()

    pid = scene.fork(child, "child")
    for n in range(4):
        memory.add(f"I like parent{n}", user_id="ada", run_id="parent", wait=False)
        scene.note(f"kept parent{n}")
    memory.flush()
    scene.wait(pid)
    memory.close()


SCENES: dict[str, Callable[[Scene], None]] = {
    made.__name__: made
    for made in (together, among_threads, inside, nested, daemon, loops, pools, background)
}


def main(name: str, seed: str, path: str) -> None:
    """Play a scene."""
    signal.alarm(3 * PATIENCE)
    SCENES[name](Scene(Path(path), int(seed)))


# -- the part --------------------------------------------------------------------------------------


def one(name: str, seed: int, counts: Counts) -> None:
    """Play a scene in a process of its own, and look at what is there afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-forks-"))
    path, where = folder / "m.db", f"{name}, seed {seed}"
    command = [sys.executable, "-W", "ignore", "-m", "faults.forks", name, str(seed), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        counts["scenes"] += 1
        if ran.returncode:
            counts.fail(f"{where}: ended with {ran.returncode}: {ran.stderr[-500:]}")
        _examine(path, where, counts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _examine(path: Path, where: str, counts: Counts) -> None:
    lines = Path(f"{path}.ledger").read_text().splitlines()
    kept = {line[5:] for line in lines if line.startswith("kept ")}
    for line in lines:
        if line.startswith("bad "):
            counts.fail(f"{where}: {line[4:]}")
    counts["acknowledged"] += len(kept)
    try:
        with opened(path) as memory:
            there = {
                word for r in memory.list(user_id="ada", limit=10_000) for word in r.text.split()
            }
            problems = memory.stats(check=True).problems
    except HoldfastError as error:
        counts.fail(f"{where}: the file cannot be read: {error!r}")
        return
    if kept - there:
        counts.fail(f"{where}: {len(kept - there)} of {len(kept)} acknowledged writes are lost")
    if problems:
        counts.fail(f"{where}: check says {problems}")


def whole(seed: int, scale: float = 1.0, report: Report = quiet) -> Counts:
    """Play every scene with 25 seeds."""
    counts = Counts()
    for number in range(max(1, int(WHOLE * scale))):
        for name in SCENES:
            one(name, seed * 1_000 + number, counts)
        report(f"forks: round {number + 1}, {counts['failures']} failures")
    return counts


if __name__ == "__main__":
    main(*sys.argv[1:])
