"""Remember, find, correct, take back, forget: one file, offline."""

from __future__ import annotations

import tempfile
from datetime import datetime, timezone
from pathlib import Path

from holdfast import Memory


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.db") as memory:
        # What was said, by whom and when; a session is a run_id.
        memory.add(
            [
                {"role": "user", "name": "Ada", "content": "I moved to Lisbon last week."},
                {"role": "assistant", "content": "Congratulations! What will you do there?"},
                {"role": "user", "name": "Ada", "content": "Night shifts at the observatory."},
            ],
            user_id="ada",
            run_id="spring",
            occurred_at=datetime(2025, 3, 2, tzinfo=timezone.utc),
        )

        # A session later. Searching under user_id alone reaches all of Ada's sessions.
        for match in memory.search("Where does Ada live?", user_id="ada", limit=2, explain=True):
            record = match.record
            who, when = record.speaker or record.role, f"{record.occurred_at:%Y-%m-%d}"
            print(f"{match.score:.2f}  {who}, {when}: {record.text}")

        # Nobody else sees any of it.
        print("Grace finds", memory.search("Where does Ada live?", user_id="grace"))

        # A correction is a new version; the old one stays in the history, and can come back.
        first = memory.list(user_id="ada").records[0]
        change = memory.update(first.id, "I moved to Porto last week.", user_id="ada")
        memory.undo(change, user_id="ada")
        print("history:", [step.event for step in memory.history(first.id, user_id="ada")])

        # Forgetting is for good: text, vectors, index and history.
        memory.delete(first.id, user_id="ada")
        print("left:", memory.stats().records)


if __name__ == "__main__":
    main()
