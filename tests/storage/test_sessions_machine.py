"""Whatever facts cross sessions, a live view equals one built anew, and shows its own region only.

Two memories on one file take turns; what either finds is what a file opened anew finds.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from holdfast import InvalidInputError, RecordNotFoundError, ScopeError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from support.sessions import anew, listener, ranked

pytestmark = pytest.mark.slow

SCOPES: list[dict[str, str]] = [
    {"user_id": "ada", "run_id": "monday"},
    {"user_id": "ada", "run_id": "friday"},
    {"user_id": "ada", "run_id": "friday", "agent_id": "bot"},
    {"user_id": "ada"},
    {"user_id": "bob", "run_id": "monday", "agent_id": "bot"},
    {"agent_id": "bot", "run_id": "monday"},
    {"agent_id": "bot"},
    {"run_id": "friday"},
]
REGIONS: list[dict[str, str]] = [*SCOPES, {"run_id": "monday"}]

who = st.booleans()
scope = st.sampled_from(SCOPES)
region = st.sampled_from(REGIONS)
place = st.sampled_from(["Paris", "Rome", "Oslo"])
pick = st.integers(0, 10**6)
speaker = st.sampled_from([None, "Ada", "Rosa"])


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "m.db"
        self.memories = [listener(self.path, graph=True), listener(self.path)]
        for memory in self.memories:  # views from the start, so that there is something to follow
            memory.add("Hello", user_id="ada", run_id="monday")
            for ids in REGIONS:
                ranked(memory, **ids)

    def teardown(self) -> None:
        try:
            for memory in self.memories:
                assert memory.stats(check=True).problems == ()
        finally:
            for memory in self.memories:
                memory.close()
            shutil.rmtree(self.folder)

    def known(self, which: bool) -> list[tuple[str, dict[str, str]]]:
        memory = self.memories[which]
        found = [record for ids in SCOPES for record in memory.list(limit=1000, **ids)]
        return sorted({(record.id, tuple(record.scope.ids().items())) for record in found})

    @rule(
        which=who, ids=scope, where=place, verb=st.sampled_from(["live in", "like"]), name=speaker
    )
    def say(self, which: bool, ids: Any, where: str, verb: str, name: str | None) -> None:
        said = {"role": "user", "content": f"I {verb} {where}", "name": name}
        changes = self.memories[which].scoped(**ids).add(said)
        seen = [record for one in changes for record in (one.before, one.after) if record]
        assert {record.scope.user_id for record in seen} <= {ids.get("user_id")}
        assert {record.scope.agent_id for record in seen} <= {ids.get("agent_id")}

    @rule(which=who, ids=scope, where=place)
    def state(self, which: bool, ids: Any, where: str) -> None:
        self.memories[which].add_relations([("user", "lives_in", where)], **ids)

    @rule(which=who, ids=scope, names=st.permutations(["Paris", "Rome", "Oslo"]), one=who)
    def unite(self, which: bool, ids: Any, names: Any, one: bool) -> None:
        graph = self.memories[which].graph(**ids)
        (graph.merge if one else graph.split)(*names[:2])

    @rule(which=who, ids=region, number=pick, where=place, words=who)
    def update(self, which: bool, ids: Any, number: int, where: str, words: bool) -> None:
        for key, _ in self.known(which)[number % 7 :: 7][:1]:
            with suppress(RecordNotFoundError, ScopeError):
                changed = {"text": f"I live in {where}"} if words else {"metadata": {"n": number}}
                self.memories[which].scoped(**ids).update(key, **changed)

    @rule(which=who, ids=region, number=pick)
    def undo(self, which: bool, ids: Any, number: int) -> None:
        handle = self.memories[which].scoped(**ids)
        for key, _ in self.known(which)[number % 7 :: 7][:1]:
            with suppress(RecordNotFoundError, ScopeError, InvalidInputError):
                handle.undo(handle.history(key)[-1])

    @rule(which=who, number=pick)
    def delete(self, which: bool, number: int) -> None:
        for key, ids in self.known(which)[number % 7 :: 7][:1]:
            self.memories[which].delete(key, **dict(ids))

    @rule(which=who, ids=region)
    def delete_all(self, which: bool, ids: Any) -> None:
        self.memories[which].delete_all(**ids)

    @rule(which=who, ids=region, graph=who)
    def search(self, which: bool, ids: Any, graph: bool) -> None:
        handle = self.memories[which].scoped(**ids)
        found = handle.search("Where does Rosa live?", limit=100, graph=graph)
        assert all(ids.items() <= match.record.scope.ids().items() for match in found)
        query = "Does Rosa live in Rome?"
        with anew(self.path) as fresh:
            told = ranked(fresh.scoped(**ids), query, graph=graph)
            assert ranked(handle, query, graph=graph) == told

    @rule(which=who, ids=region)
    def relations(self, which: bool, ids: Any) -> None:
        graph = self.memories[which].graph(**ids)
        with anew(self.path) as fresh:
            same = fresh.graph(**ids)
            assert graph.relations() == same.relations()
            assert graph.entities() == same.entities()
            assert graph.neighbours("user", 2) == same.neighbours("user", 2)

    @precondition(lambda self: self.known(False))
    @rule(which=who)
    def check(self, which: bool) -> None:
        assert self.memories[which].stats(check=True).problems == ()


Sessions.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestSessions = Sessions.TestCase
