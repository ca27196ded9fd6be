"""One of many processes on one file. Run as a script.

    python -m support.crowd FILE NAME COUNT [KEY]

Adds and searches COUNT times, says so, waits for a line, then says what it sees as JSON.
"""

from __future__ import annotations

import json
import sys

from holdfast import Memory
from holdfast.testing import HashEmbedder


def main(path: str, name: str, count: str, key: str = "") -> None:
    with Memory(path, embedder=HashEmbedder(), key=bytes.fromhex(key) or None) as memory:
        for number in range(int(count)):
            (change,) = memory.add(f"tea {name} {number}", user_id="ada", run_id=name)
            found = memory.search(f"tea {name} {number}", user_id="ada", limit=3)
            assert change.id in [match.record.id for match in found], found
        print("written", flush=True)  # noqa: T201
        sys.stdin.readline()
        seen = memory.search("tea", user_id="ada", limit=10_000)
        listed = memory.list(user_id="ada", limit=10_000)
        told = {
            "found": len({match.record.id for match in seen}),
            "listed": len(listed),
            "problems": memory.stats(check=True).problems,
        }
        print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
