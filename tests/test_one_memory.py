"""One file, many faces: what an AutoGen agent was told is recalled under every framework here.

Each adapter of this workspace must be installed; none is skipped in silence.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.testing import HashEmbedder

# CrewAI calls datetime.utcnow(), which Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:crewai")

ROOT = Path(__file__).parent.parent
TOLD = "My dog is called Rex."
ASKED = "What is my dog called?"


def autogen_tells(memory: Memory, user: str, words: str) -> None:
    from holdfast_autogen import HoldfastModelContext
    from support.autogen_agents import Witness, agent

    context = HoldfastModelContext(memory, user_id=user, run_id="told-in-autogen")
    asyncio.run(agent(Witness(), model_context=context).run(task=words))


def llamaindex_tells(memory: Memory, user: str, words: str) -> None:
    from holdfast_llamaindex import HoldfastMemory, share
    from llama_index.core.llms import ChatMessage

    path = str(share(memory).path)
    notes = HoldfastMemory.from_defaults(path=path, user_id=user, session_id="told")
    notes.put(ChatMessage(content=words))


def core_tells(memory: Memory, user: str, words: str) -> None:
    memory.add(words, user_id=user)


def autogen(memory: Memory, user: str) -> str:
    from holdfast_autogen import HoldfastMemory
    from support.autogen_agents import Witness, agent, texts

    client = Witness()
    notes = HoldfastMemory(memory, user_id=user, run_id="asked", remember=False)
    asyncio.run(agent(client, memory=[notes]).run(task=ASKED))
    return "\n".join(texts(client.prompts[0]))


def agent_framework(memory: Memory, user: str) -> str:
    from holdfast_autogen.agent_framework import HoldfastContextProvider
    from support.framework_agents import Witness, agent, session_of

    client = Witness()
    helper = agent(client, HoldfastContextProvider(memory))
    asyncio.run(helper.run(ASKED, session=session_of(user)))
    return "\n".join(message.text for message in client.prompts[0])


def langgraph(memory: Memory, user: str) -> str:
    from holdfast_langgraph import HoldfastStore

    store = HoldfastStore.from_memory(memory)
    return "\n".join(str(item.value) for item in store.search(("holdfast", user), query=ASKED))


def crewai(memory: Memory, user: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing CrewAI warns of its own dependencies
        from holdfast_crewai import HoldfastMemory

    notes = HoldfastMemory(storage=memory, user_id=user)
    found = notes.recall(ASKED)
    notes.close()
    return "\n".join(match.record.content for match in found)


def llamaindex(memory: Memory, user: str) -> str:
    from holdfast_llamaindex import HoldfastMemory, share

    path = str(share(memory).path)
    notes = HoldfastMemory.from_defaults(path=path, user_id=user, session_id="asked")
    return "\n".join(str(message.content) for message in notes.get(input=ASKED))


Face = Callable[[Memory, str], str]

# Package of the workspace, and how a face recalls.
FACES: list[tuple[str, Face]] = [
    ("autogen", autogen),
    ("autogen", agent_framework),
    ("langgraph", langgraph),
    ("crewai", crewai),
    ("llamaindex", llamaindex),
]

HERE = {face.__name__: face for package, face in FACES if find_spec(f"holdfast_{package}")}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep CrewAI, which reads this while it is imported, from its servers and the home folder."""
    for name in ("TELEMETRY", "TRACKING", "VERSION_CHECK"):
        monkeypatch.setenv(f"CREWAI_DISABLE_{name}", "true")
    monkeypatch.setenv("CREWAI_TRACING_ENABLED", "false")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    for name in ("CREWAI_STORAGE_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "crewai"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        autogen_tells(memory, "ada", TOLD)
        autogen_tells(memory, "bo", "My dog is called Fido.")
        yield memory


def test_every_adapter_of_the_workspace_is_installed() -> None:
    packages = {path.parent.name for path in (ROOT / "packages").glob("*/pyproject.toml")}

    missing = [name for name in packages - {"core"} if find_spec(f"holdfast_{name}") is None]

    assert not missing, f"run with --all-packages: {missing} would not be tested"
    assert packages - {"core"} <= {package for package, _ in FACES}


@pytest.mark.parametrize("face", HERE.values(), ids=HERE)
def test_what_autogen_was_told_is_recalled(memory: Memory, face: Face) -> None:
    assert "called Rex" in face(memory, "ada")


@pytest.mark.parametrize("face", HERE.values(), ids=HERE)
def test_no_face_recalls_what_another_user_told(memory: Memory, face: Face) -> None:
    shown = face(memory, "bo")

    assert "called Fido" in shown
    assert "Rex" not in shown


@pytest.mark.parametrize("tells", [llamaindex_tells, core_tells], ids=["llamaindex", "core"])
@pytest.mark.parametrize("face", HERE.values(), ids=HERE)
def test_what_another_face_was_told_is_recalled(
    memory: Memory, face: Face, tells: Callable[[Memory, str, str], None]
) -> None:
    tells(memory, "eve", "My dog is called Hasso.")

    assert "called Hasso" in face(memory, "eve")
    assert "Hasso" not in face(memory, "ada")


def test_adapters_that_name_one_path_share_one_open_memory(tmp_path: Path) -> None:
    from holdfast_autogen.connections import Handle
    from holdfast_autogen.connections import connect as autogens
    from holdfast_llamaindex import connect as llamaindexs

    with autogens(tmp_path / "one.db", embedder=HashEmbedder()) as opened:
        assert llamaindexs(tmp_path / "one.db") is opened
    handle = Handle(tmp_path / "two.db")
    with llamaindexs(tmp_path / "two.db", embedder=HashEmbedder()) as opened:
        assert handle.open() is opened
        handle.close()  # whoever connected closes it
        assert opened.stats().documents == 0


def test_a_fact_corrected_under_one_face_is_corrected_under_the_others(memory: Memory) -> None:
    (told,) = memory.list(user_id="ada", filters={"role": "user"})
    memory.update(told.id, "My dog is called Rexona.", user_id="ada")

    shown = {name: face(memory, "ada") for name, face in HERE.items()}

    assert [name for name, text in shown.items() if "called Rexona" not in text] == []


def test_what_is_forgotten_under_one_face_is_forgotten_under_the_others(memory: Memory) -> None:
    from holdfast_autogen import HoldfastMemory

    asyncio.run(HoldfastMemory(memory, user_id="ada").clear())

    shown = {name: face(memory, "ada") for name, face in HERE.items()}

    assert [name for name, text in shown.items() if "Rex" in text] == []
