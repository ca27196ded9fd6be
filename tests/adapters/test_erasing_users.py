"""One file, every adapter: what `delete_all` of a user erases, and what an export carries."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder

# CrewAI calls datetime.utcnow(), which Python 3.12 deprecates; its LLM-less memory warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:crewai"),
    pytest.mark.filterwarnings("ignore:this HoldfastMemory has no LLM"),
]


@pytest.fixture(autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep CrewAI, which reads this while it is imported, from its servers and the home folder."""
    for name in ("TELEMETRY", "TRACKING", "VERSION_CHECK"):
        monkeypatch.setenv(f"CREWAI_DISABLE_{name}", "true")
    monkeypatch.setenv("CREWAI_TRACING_ENABLED", "false")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    for name in ("CREWAI_STORAGE_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("crewai")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing CrewAI warns of its own dependencies
        import holdfast_crewai  # noqa: F401


def open_file(path: Path) -> Memory:
    return Memory(path, embedder=HashEmbedder())


def path_of(memory: Memory) -> str:
    return memory.path


class LlamaMemory:
    """LlamaIndex's `HoldfastMemory`: its history, and what waits to be remembered."""

    @staticmethod
    def _memory(memory: Memory, user: str, session: str) -> Any:
        from holdfast_llamaindex import HoldfastMemory

        return HoldfastMemory.from_defaults(memory=memory, user_id=user, session_id=session)

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from llama_index.core.llms import ChatMessage

        chat = cls._memory(memory, user, "llama")
        for role in ("user", "assistant", "system"):
            chat.put(ChatMessage(role=role, content=f"{word} {role}"))

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        chat = cls._memory(memory, user, "llama")
        return [[one.content for one in chat.get_all()], cls._found(memory, user)]

    @classmethod
    def _found(cls, memory: Memory, user: str) -> list[str]:
        found = cls._memory(memory, user, "other").recall("assistant")
        return sorted(match.record.text for match in found)


class LlamaStore:
    """LlamaIndex's `HoldfastChatStore`."""

    @staticmethod
    def _store(memory: Memory, user: str) -> Any:
        from holdfast_llamaindex import HoldfastChatStore

        return HoldfastChatStore(memory=memory).owned_by(user_id=user)

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from llama_index.core.llms import ChatMessage

        messages = [ChatMessage(role="user", content=f"{word} {part}") for part in range(3)]
        asyncio.run(cls._store(memory, user).add_messages("store", messages))
        asyncio.run(cls._store(memory, user).archive_oldest_messages("store", 1))

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        store = cls._store(memory, user)
        window, everything = (
            [one.content for one in asyncio.run(store.get_messages("store", **status))]
            for status in ({}, {"status": None})
        )
        return [window, everything, asyncio.run(store.get_keys())]


class CrewMemory:
    """CrewAI's `HoldfastMemory`."""

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from holdfast_crewai import HoldfastMemory

        crew = HoldfastMemory(storage=memory, user_id=user)
        crew.remember(f"{word} learnt", scope="/crew")
        crew.recall(f"{word} learnt")
        crew.close()

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        from holdfast_crewai import HoldfastMemory

        crew = HoldfastMemory(storage=memory, user_id=user)
        found = [(one.content, one.last_accessed) for one in crew.list_records()]
        crew.close()
        return found


class CrewStorage:
    """CrewAI's own `Memory` on `HoldfastStorage`."""

    @staticmethod
    def _storage(memory: Memory, user: str) -> Any:
        from holdfast_crewai import HoldfastStorage

        storage = HoldfastStorage(path_of(memory), user_id=user)
        return storage, storage.embedding(HashEmbedder())

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from crewai.memory.types import MemoryRecord

        storage, embed = cls._storage(memory, user)
        content = f"{word} kept"
        storage.save([MemoryRecord(id=f"{user}-1", content=content, embedding=embed([content])[0])])
        storage.touch_records([f"{user}-1"])
        storage.close()

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        storage, embed = cls._storage(memory, user)
        listed = [(one.id, one.content, one.last_accessed) for one in storage.list_records()]
        found = [one.id for one, _ in storage.search(embed(["kept"])[0])]
        storage.close()
        return [listed, found]


class CrewFlow:
    """CrewAI's states of flows, and what waits for a human."""

    @staticmethod
    def _states(memory: Memory, user: str) -> Any:
        from holdfast_crewai import HoldfastFlowPersistence

        return HoldfastFlowPersistence(path=path_of(memory), user_id=user)

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from crewai.flow.async_feedback.types import PendingFeedbackContext

        asked = PendingFeedbackContext(
            flow_id="flow",
            flow_class="tests.Flow",
            method_name="review",
            method_output={"draft": f"{word} draft"},
            message=f"{word} good enough?",
        )
        states = cls._states(memory, user)
        states.save_state("flow", "one", {"said": f"{word} state"})
        states.save_pending_feedback("flow", asked, {"said": f"{word} waiting"})
        states.close()

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        states = cls._states(memory, user)
        waiting = states.load_pending_feedback("flow")
        found = states.load_state("flow"), waiting and (waiting[0], waiting[1].message)
        states.close()
        return list(found)


class AutoGen:
    """AutoGen's `HoldfastMemory` and `HoldfastModelContext`."""

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from autogen_core.memory import MemoryContent, MemoryMimeType
        from autogen_core.models import UserMessage
        from holdfast_autogen import HoldfastMemory, HoldfastModelContext

        window = HoldfastModelContext(memory, user_id=user, run_id="autogen")
        asyncio.run(window.add_message(UserMessage(content=f"{word} told", source="user")))
        stated = MemoryContent(content=f"{word} stated", mime_type=MemoryMimeType.TEXT)
        asyncio.run(HoldfastMemory(memory, user_id=user, run_id="autogen").add(stated))

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        from holdfast_autogen import HoldfastMemory

        found = asyncio.run(HoldfastMemory(memory, user_id=user, sessions="all").query("stated"))
        return sorted(str(one.content) for one in found.results)


class AgentFramework:
    """Agent Framework's history and context providers."""

    @classmethod
    def tell(cls, memory: Memory, user: str, word: str) -> None:
        from holdfast_autogen.agent_framework import (
            HoldfastContextProvider,
            HoldfastHistoryProvider,
        )
        from support.framework_agents import Witness, agent, session_of

        client = Witness({word: f"{word} answered"})
        helper = agent(client, HoldfastHistoryProvider(memory), HoldfastContextProvider(memory))
        asyncio.run(helper.run(f"{word} asked", session=session_of(user, "framework")))

    @classmethod
    def answers(cls, memory: Memory, user: str) -> Any:
        from holdfast_autogen.agent_framework import HoldfastHistoryProvider

        history = HoldfastHistoryProvider(memory, user_id=user)
        return [one.text for one in asyncio.run(history.get_messages("framework"))]


ADAPTERS = (LlamaMemory, LlamaStore, CrewMemory, CrewStorage, CrewFlow, AutoGen, AgentFramework)
EMPTY: dict[str, Any] = {
    "LlamaMemory": [[], []],
    "LlamaStore": [[], [], []],
    "CrewMemory": [],
    "CrewStorage": [[], []],
    "CrewFlow": [None, None],
    "AutoGen": [],
    "AgentFramework": [],
}


def answers(memory: Memory, user: str) -> dict[str, Any]:
    return {one.__name__: one.answers(memory, user) for one in ADAPTERS}


def word_of(user: str) -> str:
    return f"{user.upper()}QUINOA"


def on_disk(path: Path, user: str) -> list[str]:
    """The files in the folder of a memory that hold a word of a user."""
    files = sorted(path.parent.iterdir())
    return [file.name for file in files if word_of(user).encode() in file.read_bytes()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "m.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with open_file(path) as memory:
        for user in ("ada", "bob"):
            for adapter in ADAPTERS:
                adapter.tell(memory, user, word_of(user))
        yield memory


def test_nothing_of_an_erased_user_is_left_and_everything_of_the_others(
    memory: Memory, path: Path
) -> None:
    before = answers(memory, "bob")
    assert all(word_of("bob") in str(found) for found in before.values())

    memory.delete_all(user_id="ada")

    assert answers(memory, "ada") == EMPTY
    assert answers(memory, "bob") == before
    memory.purge()
    assert memory.stats(check=True).erasure_pending is False
    assert memory.stats(check=True).problems == ()
    assert on_disk(path, "ada") == []
    memory.close()
    assert on_disk(path, "ada") == []
    assert on_disk(path, "bob")


def test_what_readers_hold_is_pending_until_a_purge(memory: Memory, path: Path) -> None:
    with open_file(path) as other:
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            memory.delete_all(user_id="ada")
            assert memory.stats().erasure_pending is True
            assert answers(memory, "ada") == EMPTY
        memory.purge()
        assert memory.stats().erasure_pending is False
        assert on_disk(path, "ada") == []


def test_an_export_gives_every_adapter_the_same_answers(
    memory: Memory, path: Path, tmp_path: Path
) -> None:
    before = {user: answers(memory, user) for user in ("ada", "bob")}
    memory.export(tmp_path / "all.jsonl")
    (tmp_path / "there").mkdir()

    with open_file(tmp_path / "there" / "m.db") as other:
        other.import_(tmp_path / "all.jsonl")

        assert {user: answers(other, user) for user in ("ada", "bob")} == before
        assert other.stats(check=True).problems == ()


def test_an_export_of_one_user_carries_no_other(memory: Memory, path: Path, tmp_path: Path) -> None:
    before = answers(memory, "ada")
    memory.scoped(user_id="ada").export(tmp_path / "ada.jsonl")

    assert word_of("bob") not in (tmp_path / "ada.jsonl").read_text()
    (tmp_path / "there").mkdir()
    with open_file(tmp_path / "there" / "m.db") as other:
        other.import_(tmp_path / "ada.jsonl", user_id="ada")
        assert answers(other, "ada") == before


def test_what_names_no_user_is_counted_as_unowned(path: Path) -> None:
    from holdfast_autogen.agent_framework import HoldfastHistoryProvider
    from holdfast_crewai import HoldfastFlowPersistence
    from holdfast_llamaindex import HoldfastChatStore
    from llama_index.core.llms import ChatMessage
    from support.framework_agents import Witness, agent, session_of

    with open_file(path) as memory:
        message = ChatMessage(role="user", content="hello")
        asyncio.run(HoldfastChatStore(memory=memory).add_message("key", message))
        helper = agent(Witness(), HoldfastHistoryProvider(memory))
        asyncio.run(helper.run("hello", session=session_of(None, "session")))
        states = HoldfastFlowPersistence(path=path_of(memory))
        states.save_state("flow", "one", {"n": 1})
        states.close()

        assert memory.stats(check=True).unowned == {
            "documents: crewai/flow states": 1,
            "documents of runs: chats/llamaindex/messages/live": 1,
            "documents of runs: chats/agent_framework/holdfast_history/live": 2,
        }
        assert memory.delete_all(run_id="key") == 0
        assert asyncio.run(HoldfastChatStore(memory=memory).get_keys()) == []
