"""Four sessions, a fact in each: what a graph must join."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from holdfast import Memory

USER = "ann"


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def triple(subject: str, relation: str, object_: str, types: str = "person person") -> Any:
    first, second = types.split()
    return {
        "subject": subject,
        "subject_type": first,
        "relation": relation,
        "object": object_,
        "object_type": second,
        "single_valued": False,
    }


TOLD = (
    (
        "2024-01-10",
        "Paul works with Quinn at the mill.",
        "",
        [triple("Paul", "works_with", "Quinn")],
    ),
    (
        "2024-03-02",
        "Quinn's sister Rita moved to Lyon.",
        "2024-02",
        [triple("Quinn", "sister", "Rita"), triple("Rita", "moved to", "Lyon", "person city")],
    ),
    (
        "2024-06-20",
        "Rita left Lyon for Oslo.",
        "2024-06-01",
        [triple("Rita", "lives_in", "Oslo", "person city")],
    ),
    ("2024-06-25", "Paul visits Rita in July.", "2024-07", [triple("Paul", "visits", "Rita")]),
)


def answers() -> Iterator[Any]:
    """Yield what a model would say: the facts of a session; then, that a fact stands alone."""
    facts = [
        {
            "facts": [
                {"text": text, "turns": [1], "when": when, "importance": 0.6, "relations": said}
            ]
        }
        for _, text, when, said in TOLD
    ]
    told = iter(facts)
    while True:
        yield (
            lambda messages, tool: next(told) if tool.name == "record_facts" else {"decisions": []}
        )


def tell(memory: Memory, user: str = USER) -> list[str]:
    """Tell the story, a session each; return the ids of the turns."""
    turns = []
    for number, (when, text, _, _) in enumerate(TOLD, start=1):
        changes = memory.add(text, user_id=user, run_id=f"s{number}", occurred_at=day(when))
        turns.append(changes[0].id)
    return turns
