"""An agent learns in one thread and knows it in another: other processes, faces and users."""

import asyncio
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from blockbuster import blockbuster_ctx
from holdfast_langgraph import (
    HoldfastSaver,
    HoldfastStore,
    create_manage_memory_tool,
    create_search_memory_tool,
)
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from support.langgraph_models import ObedientModel
from support.langgraph_workers import ask_in_another_thread, opened

PLACE = ("memories", "{user_id}")


def agent(store: HoldfastStore, saver: Any = None) -> Any:
    tools = [create_manage_memory_tool(PLACE), create_search_memory_tool(PLACE)]
    return create_agent(ObedientModel(), tools, store=store, checkpointer=saver)


def run(thread: str, user: str) -> Any:
    return {"configurable": {"thread_id": thread, "user_id": user}}


def tell(made: Any, text: str, thread: str, user: str) -> str:
    return str(
        made.invoke({"messages": [HumanMessage(text)]}, run(thread, user))["messages"][-1].text
    )


def test_what_is_learned_in_one_thread_is_used_in_another(tmp_path: Path) -> None:
    with (
        HoldfastStore(tmp_path / "a.db") as store,
        HoldfastSaver.from_conn_string(str(tmp_path / "a.db")) as saver,
    ):
        made = agent(store, saver)
        tell(made, "remember I love green tea", "1", "ada")

        assert "green tea" in tell(made, "find tea", "2", "ada")
        assert "green tea" not in tell(made, "find tea", "3", "bob")
        assert len(made.get_state(run("2", "ada")).values["messages"]) == 4


def test_another_process_knows_it_too(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    with opened(path) as store:
        tell(agent(store), "remember I love green tea", "1", "ann@example.com")

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        asked = [(path, "find tea", "ann@example.com"), (path, "find tea", "bob")]
        ann, bob = pool.starmap(ask_in_another_thread, asked)

    assert "green tea" in ann
    assert "green tea" not in bob


def test_the_async_face_knows_it_and_never_blocks(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with opened(str(tmp_path / "a.db")) as store:
            made = agent(store)
            with blockbuster_ctx():
                asked = ["remember I love green tea", "find tea"]
                return [
                    (await made.ainvoke({"messages": [HumanMessage(text)]}, run(text, "ada")))[
                        "messages"
                    ][-1].text
                    for text in asked
                ]

    assert "green tea" in asyncio.run(scenario())[1]


def test_a_replayed_step_finds_what_is_known_by_now(tmp_path: Path) -> None:
    with (
        opened(str(tmp_path / "a.db")) as store,
        HoldfastSaver.from_conn_string(str(tmp_path / "a.db")) as saver,
    ):
        made = agent(store, saver)
        assert "green tea" not in tell(made, "find tea", "1", "ada")
        tell(made, "remember I love green tea", "2", "ada")

        before = [step for step in made.get_state_history(run("1", "ada")) if "tools" in step.next]
        place = before[-1].config["configurable"] | {"user_id": "ada"}
        replayed = made.invoke(None, {"configurable": place})

    assert "green tea" in replayed["messages"][-1].text


def test_twenty_threads_share_one_agent(tmp_path: Path) -> None:
    with opened(str(tmp_path / "a.db")) as store:
        made = agent(store)

        def talk(number: int) -> tuple[str, str]:
            user = f"user{number}"
            tell(made, f"remember secret{number} is mine", f"learn {number}", user)
            return f"secret{number} ", tell(made, "find what is mine", f"ask {number}", user)

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(talk, range(20)))

    for own, answer in answers:
        assert own in answer
        assert answer.count("secret") == 1


def test_importing_the_package_imports_neither_langchain_nor_langgraph() -> None:
    code = (
        "import sys, holdfast_langgraph\n"
        "assert not {'langchain', 'langchain_core', 'langgraph', 'numpy'} & set(sys.modules)\n"
        "from holdfast_langgraph import HoldfastStore\n"
        "assert 'langchain' not in sys.modules\n"
        "assert 'langgraph.pregel' not in sys.modules\n"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_example_tells_the_story() -> None:
    example = Path(__file__).parents[3] / "examples" / "langgraph_agent.py"

    told = subprocess.run([sys.executable, example], capture_output=True, text=True, check=True)

    _, ann, bob = told.stdout.splitlines()
    assert "I drink green tea" in ann
    assert bob.endswith("[]")
