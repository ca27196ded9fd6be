"""A small story that leaves something in every table; and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import repeat
from pathlib import Path
from typing import Any

from holdfast import Memory, RecordNotFoundError
from holdfast.testing import HashEmbedder, ScriptedLLM

USERS = ("ada", "bob")
LABELS = ("docs", "x")
KEYS = ("k", "wordless", "brief")


def _answer(messages: Any, tool: Any) -> dict[str, Any]:
    asked = str(messages[-1]["content"])
    place = "Paris" if "Paris" in asked and "Rome" not in asked else "Rome"
    relation = {"subject": "user", "relation": "lives_in", "object": place, "single_valued": True}
    fact = {"text": f"The user lives in {place}", "about": "user", "turns": [1]}
    return {"facts": [{**fact, "importance": 0.6, "relations": [relation]}]}


def written(path: Path | str) -> Memory:
    """Return an open memory that holds the story."""
    memory = Memory(path, embedder=HashEmbedder(), llm=ScriptedLLM(repeat(_answer)))
    later = datetime.now(timezone.utc) + timedelta(days=400)
    memory.add("I live in Paris", user_id="ada", run_id="monday")
    memory.add("I live in Rome now", user_id="ada", run_id="friday")
    first, second, third = memory.add(
        [
            {"role": "user", "content": "The rent is 640 a month", "name": "Ada", "id": "m1"},
            {"role": "assistant", "content": "Noted. " + "Much is to be said of rents. " * 40},
            "the safe opens with 4711",
        ],
        user_id="ada",
        run_id="monday",
        metadata={"topic": "home", "n": [1, 2.5, None]},
        expires_at=later,
        infer=False,
    ).records
    memory.update(first.id, "The rent is 650 a month", user_id="ada")
    memory.undo(memory.update(second.id, importance=0.9, user_id="ada"), user_id="ada")
    memory.delete(third.id, user_id="ada")
    memory.add("Bob likes coffee", user_id="bob", infer=False)
    memory.add("Bob met Carol", user_id="bob", wait=False)
    memory.documents.put(LABELS, "k", {"n": [1, None]}, texts=["a text", "another"])
    memory.documents.put(LABELS, "wordless", {"n": 2})
    memory.documents.put(LABELS, "brief", {"n": 3}, texts=["brief"], lifetime=timedelta(days=400))
    memory.documents.put(("docs",), "gone", {"n": 1})
    memory.documents.delete(("docs",), "gone")
    return memory


def questions(keys: dict[str, list[str]]) -> dict[str, Callable[[Memory], Any]]:
    """Return what can be asked, by name; `keys` are the ids of each user's records."""
    asked: dict[str, Callable[[Memory], Any]] = {}
    for user in USERS:
        asked |= {
            f"list {user}": lambda m, u=user: m.list(user_id=u, limit=100).records,
            f"filter {user}": lambda m, u=user: (
                m.list(user_id=u, filters={"topic": "home"}).records
            ),
            f"search {user}": lambda m, u=user: _scores(m.search("rent coffee", user_id=u)),
            f"found {user}": lambda m, u=user: _scores(
                m.search("rent", user_id=u, filters={"topic": "home"})
            ),
            f"lift {user}": lambda m, u=user: _scores(m.search("Rome", user_id=u, graph=True)),
            f"context {user}": lambda m, u=user: m.context("the rent", user_id=u).text,
            f"graph {user}": lambda m, u=user: m.scoped(user_id=u).graph().relations(),
        }
        for key in keys[user]:
            asked[f"get {key}"] = lambda m, u=user, k=key: _unless_gone(lambda: m.get(k, user_id=u))
            asked[f"history {key}"] = lambda m, u=user, k=key: m.history(k, user_id=u)
    asked |= {f"item {key}": lambda m, k=key: m.documents.get(LABELS, k) for key in KEYS}
    asked["documents"] = lambda m: [
        (one.document, None if one.score is None else round(one.score, 5))
        for one in m.documents.search(("docs",), "a text", unscored=True)
    ]
    asked["page"] = lambda m: [one.document for one in m.documents.search(("docs",))]
    asked["labels"] = lambda m: m.documents.namespaces()
    asked["counts"] = lambda m: {
        name: getattr(m.stats(), name) for name in ("records", "documents", "characters", "waiting")
    }
    return asked


def _scores(matches: Any) -> list[Any]:
    return [(match.record, round(match.score, 5)) for match in matches]


def _unless_gone(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except RecordNotFoundError:
        return "not found"


def keys_of(memory: Memory) -> dict[str, list[str]]:
    """Return the ids of each user's records, ended ones included."""
    found: dict[str, list[str]] = {}
    for user in USERS:
        found[user] = [record.id for record in memory.list(user_id=user, limit=100)]
    return found
