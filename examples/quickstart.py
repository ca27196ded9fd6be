"""Remember, find, correct, take back, forget: one file, offline."""

from __future__ import annotations

import tempfile
from datetime import datetime, timezone
from pathlib import Path

from holdfast import Memory


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.db") as memory:
        # A handle that reaches Ada's memory only.
        ada = memory.scoped(user_id="ada")

        # What was said, by whom and when; a session is a run_id.
        ada.add(
            [
                {"role": "user", "name": "Ada", "content": "I moved to Lisbon last week."},
                {"role": "assistant", "content": "Congratulations! What will you do there?"},
                {"role": "user", "name": "Ada", "content": "Night shifts at the observatory."},
            ],
            run_id="spring",
            occurred_at=datetime(2025, 3, 2, tzinfo=timezone.utc),
        )

        # A session later. Without a run_id, a search reaches all of Ada's sessions.
        for match in ada.search("Where does Ada live?", limit=2, explain=True):
            record = match.record
            who, when = record.speaker or record.role, f"{record.occurred_at:%Y-%m-%d}"
            print(f"{match.score:.2f}  {who}, {when}: {match.text}")

        # No other user sees any of it.
        print("Grace finds", memory.search("Where does Ada live?", user_id="grace"))

        # A correction is a new version; the old one stays in the history, and can come back.
        first = ada.list()[0]
        change = ada.update(first.id, "I moved to Porto last week.")
        ada.undo(change)
        print("history:", [step.event for step in ada.history(first.id)])

        # Forgetting is for good: text, vectors, index and history.
        ada.delete(first.id)
        print("left:", ada.count())


if __name__ == "__main__":
    main()
