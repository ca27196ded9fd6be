"""Whatever happens in whatever order, a live view equals one built anew, and shows the truth.

Two memories on one file take turns, so each follows what the other wrote.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast.documents import Put
from holdfast.testing import HashEmbedder
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

pytestmark = pytest.mark.slow

BASE = datetime(2024, 1, 1, tzinfo=timezone.utc)
PAST = BASE - timedelta(days=1)
LONG = " ".join(f"Sentence {n} speaks of the weather and of the road." for n in range(60))

scope = st.fixed_dictionaries(
    {"user_id": st.sampled_from(["u", "u2"])}, optional={"run_id": st.sampled_from(["r", "r2"])}
)
region = scope | st.fixed_dictionaries({"run_id": st.sampled_from(["r", "r2"])})
said = st.sampled_from(["tea", "green tea", "a cat", "rain on stone", LONG, "日本語", "?!"])
pick = st.integers(0, 10**6)
who = st.booleans()


@dataclass
class Known:
    """What must be true of a record: its states, (words or None, has expired)."""

    scope: dict[str, str]
    states: list[tuple[str | None, bool]] = field(default_factory=list)

    @property
    def seen(self) -> str | None:
        words, expired = self.states[-1]
        return None if expired else words

    def within(self, ids: dict[str, str]) -> bool:
        return ids.items() <= self.scope.items()


class Views(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.memories = [
            Memory(self.folder / "m.db", embedder=HashEmbedder(8), view_budget=budget)
            for budget in (1 << 28, 20_000)
        ]
        self.known: dict[str, Known] = {}
        self.items: dict[tuple[tuple[str, ...], str], str] = {}

    def teardown(self) -> None:
        try:
            for which in (False, True):
                self.check(which)
        finally:
            self.close()

    def close(self) -> None:
        for memory in self.memories:
            memory.close()
        shutil.rmtree(self.folder)

    @initialize()
    def look(self) -> None:
        """Hold views from the start, so that there is something to bring up to date."""
        self.memories[0].add(["one", "two", "three"], user_id="u", run_id="r")
        self.memories[0].delete_all(user_id="u")
        for which in (False, True):
            for ids in ({"user_id": "u"}, {"run_id": "r"}, {"user_id": "u", "run_id": "r"}):
                self.search(which, ids)
            self.search_items(which, ())

    def one(self, number: int) -> tuple[str, Known]:
        return list(self.known.items())[number % len(self.known)]

    @rule(
        which=who,
        ids=scope,
        words=st.lists(said, min_size=1, max_size=3),
        kind=st.sampled_from(["turn", "turn", "fact"]),
        day=st.integers(0, 2),
        speaker=st.sampled_from([None, "Ada", "Bob"]),
        wait=st.booleans(),
    )
    def add(
        self, which: bool, ids: Any, words: Any, kind: Any, day: int, speaker: Any, wait: bool
    ) -> None:
        messages = [{"role": "user", "content": one, "name": speaker} for one in words]
        rest = {"kind": kind, "occurred_at": BASE + timedelta(days=day), "wait": wait, **ids}
        for change in self.memories[which].add(messages, **rest):
            assert change.after is not None
            self.known[change.id] = Known(ids, [(None, False), (change.after.text, False)])

    @rule(which=who)
    def embed(self, which: bool) -> None:
        assert self.memories[which].flush().unembedded == 0

    @precondition(lambda self: self.known)
    @rule(which=who, number=pick, words=said)
    def update_words(self, which: bool, number: int, words: str) -> None:
        key, known = self.one(number)
        if known.seen is not None:
            self.memories[which].update(key, words, **known.scope)
            known.states.append((words, False))

    @precondition(lambda self: self.known)
    @rule(which=who, number=pick)
    def update_metadata(self, which: bool, number: int) -> None:
        key, known = self.one(number)
        if known.seen is not None:
            self.memories[which].update(key, metadata={"n": number}, **known.scope)
            known.states.append(known.states[-1])

    @precondition(lambda self: self.known)
    @rule(which=who, number=pick)
    def expire(self, which: bool, number: int) -> None:
        key, known = self.one(number)
        if known.seen is not None:
            self.memories[which].update(key, expires_at=PAST, **known.scope)
            known.states.append((known.seen, True))

    @precondition(lambda self: self.known)
    @rule(which=who, number=pick)
    def undo(self, which: bool, number: int) -> None:
        key, known = self.one(number)
        newest = self.memories[which].history(key, **known.scope)[-1]
        self.memories[which].undo(newest, **known.scope)
        words, expired = known.states[-2]
        # The row of what is taken away stays the newest, and with it its expiry.
        known.states.append((words, known.states[-1][1] if words is None else expired))

    @precondition(lambda self: self.known)
    @rule(which=who, number=pick)
    def delete(self, which: bool, number: int) -> None:
        key, known = self.one(number)
        self.memories[which].delete(key, **known.scope)
        del self.known[key]

    @rule(which=who, ids=region)
    def delete_all(self, which: bool, ids: Any) -> None:
        gone = [key for key, known in self.known.items() if known.within(ids)]
        assert self.memories[which].delete_all(**ids) == len(gone)
        for key in gone:
            del self.known[key]

    @rule(which=who)
    def purge(self, which: bool) -> None:
        gone = [key for key, known in self.known.items() if known.states[-1][1]]
        assert self.memories[which].purge() == len(gone)
        for key in gone:
            del self.known[key]

    @rule(which=who, ids=region)
    def search(self, which: bool, ids: Any) -> None:
        wanted = sorted(
            known.seen for known in self.known.values() if known.within(ids) and known.seen
        )
        found = self.memories[which].search("tea and rain", limit=1000, **ids)
        listed = self.memories[which].list(limit=1000, **ids)
        assert sorted(match.record.text for match in found) == wanted
        assert sorted(record.text for record in listed) == wanted

    @rule(
        which=who,
        labels=st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2).map(tuple),
        key=st.sampled_from(["k", "l"]),
        words=said | st.none(),
    )
    def put(self, which: bool, labels: tuple[str, ...], key: str, words: str | None) -> None:
        value = None if words is None else {"words": words}
        texts = [words, words[::-1]] if words else []
        self.memories[which].documents.batch([Put(labels, key, value, texts)])
        if words is None:
            self.items.pop((labels, key), None)
        else:
            self.items[labels, key] = words

    @rule(which=who, prefix=st.sampled_from([(), ("a",), ("a", "b")]))
    def search_items(self, which: bool, prefix: tuple[str, ...]) -> None:
        wanted = {name for name in self.items if name[0][: len(prefix)] == prefix}
        found = self.memories[which].documents.search(prefix, "tea", limit=1000)
        assert {(match.document.namespace, match.document.key) for match in found} == wanted

    # No invariant: a check makes the views follow, and several writes between two looks are the
    # harder case.
    @rule(which=who)
    def check(self, which: bool) -> None:
        assert self.memories[which].stats(check=True).problems == ()


Views.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestViews = Views.TestCase
