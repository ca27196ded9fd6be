"""Kill a writing process at random moments and look what is left. Run as a script.

    python -m support.killing FILE ROUNDS SEED

Each round forks a writer, which says what it is about to do and, once that is acknowledged,
that it is done; kills it after a random number of acknowledgements and a random moment more; and
opens the file anew. What was acknowledged must be there, what was not may be there whole or not
at all, and the file must be sound. Prints one line of JSON; raises AssertionError at the first
round that is not so.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast import Memory
from holdfast.testing import HashEmbedder

SCOPE = {"user_id": "ada"}


def opened(path: Path) -> Memory:
    return Memory(path, embedder=HashEmbedder())


def write(path: Path, pipe: int, seed: int, known: list[str]) -> None:
    """Write until killed; tell the pipe before and after each operation."""

    def tell(**what: Any) -> None:
        os.write(pipe, (json.dumps(what) + "\n").encode())

    rng, number = random.Random(seed), 0
    with opened(path) as memory:
        tell(do="start")
        while True:
            number += 1
            word = f"s{seed}n{number}"
            choice = rng.random()
            if choice < 0.6 or len(known) < 5:
                texts = [f"{word}m{part} " + "tea " * rng.choice([1, 20, 900]) for part in range(3)]
                tell(do="add", texts=texts)
                known += [change.id for change in memory.add(texts, **SCOPE)]  # type: ignore[arg-type]
                tell(done=known[-3:])
                continue
            key = known.pop(rng.randrange(len(known)))
            if choice < 0.8:
                tell(do="update", key=key, text=f"{word} anew")
                memory.update(key, f"{word} anew", **SCOPE)  # type: ignore[arg-type]
                known.append(key)
            else:
                tell(do="delete", key=key)
                memory.delete(key, **SCOPE)  # type: ignore[arg-type]
            tell(done=[key])


@dataclass
class Ledger:
    """What is acknowledged: words by key; and what was begun when the writer died."""

    words: dict[str, str] = field(default_factory=dict)
    begun: dict[str, Any] | None = None
    acknowledged: int = 0

    def read(self, line: str) -> None:
        said = json.loads(line)
        if "done" in said:
            assert self.begun is not None
            self.apply(self.begun, said["done"])
            self.acknowledged += 1
            self.begun = None
        elif said["do"] != "start":
            self.begun = said

    def apply(self, done: dict[str, Any], keys: list[str]) -> None:
        match done["do"]:
            case "add":
                self.words |= dict(zip(keys, done["texts"], strict=True))
            case "update":
                self.words[done["key"]] = done["text"]
            case "delete":
                self.words.pop(done["key"])

    def settle(self, found: dict[str, str]) -> None:
        """Compare with what is there; what was begun may have been done, whole."""
        begun, self.begun = self.begun, None
        if found != self.words and begun is not None:
            fresh = sorted(found.keys() - self.words.keys(), key=lambda key: found[key])
            self.apply(begun, fresh if begun["do"] == "add" else [])
        assert found == self.words, "acknowledged and found differ"


def one_round(path: Path, ledger: Ledger, seed: int) -> None:
    rng = random.Random(seed)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        write(path, writer, seed, sorted(ledger.words))
        os._exit(1)
    os.close(writer)
    said = b""
    patience = rng.randrange(0, 25)
    while said.count(b'"done"') < patience:
        said += os.read(reader, 1 << 16)
    select.select([], [], [], rng.random() * 0.02)  # any moment of the operations that follow
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 1 << 16):
        said += more
    os.close(reader)
    for line in said.decode().split("\n")[:-1]:
        ledger.read(line)
    examine(path, ledger, rng)


def examine(path: Path, ledger: Ledger, rng: random.Random) -> None:
    with opened(path) as memory:
        page = memory.list(user_id="ada", limit=10_000)
        ledger.settle({record.id: record.text for record in page})
        for key in rng.sample(sorted(ledger.words), min(3, len(ledger.words))):
            word = ledger.words[key].split()[0]
            found = memory.search(word, user_id="ada", limit=10_000)
            assert key in {match.record.id for match in found}
        assert memory.stats(check=True).problems == ()


def main(path: str, rounds: str, seed: str) -> None:
    ledger = Ledger()
    for number in range(int(rounds)):
        one_round(Path(path), ledger, int(seed) * 10_000 + number)
    told = {"rounds": int(rounds), "acknowledged": ledger.acknowledged, "left": len(ledger.words)}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
