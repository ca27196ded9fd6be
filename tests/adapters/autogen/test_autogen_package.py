"""The package as it is used: imports that stay apart, examples that run, pages that are true."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import holdfast_autogen
import pytest
from holdfast import InvalidInputError, Memory, ScopeError
from holdfast.testing import HashEmbedder
from holdfast_autogen import HoldfastMemory, connect

ROOT = Path(__file__).parents[3]


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        ("holdfast_autogen", ("autogen_", "agent_framework", "faiss", "numpy")),
        ("holdfast_autogen.agent_framework", ("autogen_", "faiss", "numpy")),
        ("holdfast_autogen.memory", ("agent_framework", "autogen_agentchat", "faiss", "numpy")),
        ("holdfast_autogen.workbench", ("agent_framework", "autogen_agentchat", "faiss")),
    ],
)
def test_importing_one_framework_never_imports_the_other(
    imported: str, unwanted: tuple[str, ...]
) -> None:
    code = f"import sys, {imported}; print([m for m in sys.modules if m.startswith({unwanted!r})])"

    assert run("-c", code).strip() == "[]"


def test_everything_public_can_be_imported() -> None:
    assert all(getattr(holdfast_autogen, name) for name in holdfast_autogen.__all__)
    assert dir(holdfast_autogen) == holdfast_autogen.__all__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        holdfast_autogen.Nothing  # noqa: B018


@pytest.mark.parametrize("name", ["autogen_agent.py", "agent_framework_agent.py"])
def test_an_example_remembers_from_one_process_to_another(name: str) -> None:
    printed = run(str(ROOT / "examples" / name))

    assert "Your dog is Rex." in printed.split("second process:")[1]


TEAM = """
import asyncio, sys
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from holdfast import Memory
from holdfast.testing import HashEmbedder
from holdfast_autogen import HoldfastMemory
from support.autogen_agents import Witness, agent

path, session, words = sys.argv[1:]
with Memory(path, embedder=HashEmbedder()) as memory:
    client = Witness({"called Rex": "The dog is Rex."})
    agents = [
        agent(client, name, memory=[HoldfastMemory(memory, user_id="ada", run_id=session)])
        for name in ("left", "right")
    ]
    team = RoundRobinGroupChat(agents, termination_condition=MaxMessageTermination(3))
    result = asyncio.run(team.run(task=words))
    print([message.to_text() for message in result.messages if message.source == "right"][-1])
"""


def test_a_team_told_in_one_process_knows_in_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    run("-c", TEAM, str(path), "monday", "My dog is called Rex.")

    assert run("-c", TEAM, str(path), "friday", "And my dog?").strip() == "The dog is Rex."


PAGES = [
    pytest.param(page, code, id=f"{page.name}-{number}")
    for page in (ROOT / "docs" / "autogen.md", ROOT / "docs" / "agent-framework.md")
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    )
]


@pytest.mark.parametrize(("page", "code"), PAGES)
def test_a_block_of_the_pages_runs(
    page: Path, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    connect("memory.db", embedder=HashEmbedder())
    from support import autogen_agents, framework_agents

    client = autogen_agents if page.name == "autogen.md" else framework_agents
    flow = "async def flow():\n" + "".join(f"    {line}\n" for line in code.splitlines())
    names: dict[str, object] = {"client": client.Witness()}
    exec(compile(flow, str(page), "exec"), names)
    asyncio.run(names["flow"]())  # type: ignore[operator]
    connect("memory.db").close()


def test_a_file_is_opened_once_in_a_process(path: Path) -> None:
    memory = connect(path, embedder=HashEmbedder())

    assert connect(path) is memory
    assert connect(path, embedder=HashEmbedder()) is memory
    with pytest.raises(InvalidInputError, match="open in this process with another embedder"):
        connect(path, embedder=HashEmbedder(32))
    memory.close()
    with connect(path, embedder=HashEmbedder()) as again:
        assert again is not memory


def test_an_open_memory_is_found_by_its_path(memory: Memory, path: Path) -> None:
    HoldfastMemory(memory, user_id="ada")

    assert connect(path) is memory


def test_a_handle_bound_to_a_scope_is_refused(memory: Memory) -> None:
    with pytest.raises(ScopeError, match="whole file"):
        HoldfastMemory(memory.scoped(user_id="ada"))
