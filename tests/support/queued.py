"""Calls that all wait for the writer of a file at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from holdfast import StorageError
from holdfast.adapters import Runner
from holdfast.tables import Database

FACES = ["loop", "threads"]


def outcomes(face: str, database: Database, *works: Callable[[], Any]) -> list[Any]:
    """Have calls wait for the writer, in this order; return what each returned or raised.

    Args:
        face: ``"loop"``: of one event loop; ``"threads"``: each of a thread of its own.
        database: The file; with threads, calls share a commit only with full durability.
        works: Calls that write.
    """
    return (
        asyncio.run(_of_loop(database, works)) if face == "loop" else _of_threads(database, works)
    )


async def _of_loop(database: Database, works: tuple[Callable[[], Any], ...]) -> list[Any]:
    runner, let_go = Runner(database.writes), threading.Event()
    held = asyncio.ensure_future(runner.write(let_go.wait))
    given = [asyncio.ensure_future(runner.write(work)) for work in works]
    await asyncio.sleep(0)
    let_go.set()
    return (await asyncio.gather(held, *given, return_exceptions=True))[1:]


def _of_threads(database: Database, works: tuple[Callable[[], Any], ...]) -> list[Any]:
    found: list[Any] = [None] * len(works)
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        let_go.wait(60)

    def run(number: int) -> None:
        try:
            found[number] = database.run(works[number])
        except (StorageError, ValueError) as error:
            found[number] = error

    threads = [threading.Thread(target=database.writes.wait, args=(hold,))]
    threads[0].start()
    begun.wait(60)
    with database.write():  # so that `run` finds the writer busy
        for number in range(len(works)):
            threads.append(threading.Thread(target=run, args=(number,)))
            threads[-1].start()
            while len(database.writes._waiting) <= number:
                threading.Event().wait(0.001)
    let_go.set()
    for thread in threads:
        thread.join()
    return found
