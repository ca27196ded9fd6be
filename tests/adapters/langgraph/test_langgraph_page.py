"""The Python blocks of LangGraph's pages do what they say."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {
    name: (DOCS / name).read_text("utf-8") for name in ("langgraph.md", "langgraph-checkpointer.md")
}
BLOCKS = [
    pytest.param(name, found[1], line, id=f"{name}-{line}")
    for name, page in PAGES.items()
    for found in re.finditer(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    if (line := page[: found.start(1)].count("\n") + 1)
]


def run(name: str, code: str, line: int) -> dict[str, Any]:
    """Run a block; blank lines before it let an error name the line of the page."""
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile("\n" * line + code, f"docs/{name}", "exec"), names)
    return names


@pytest.mark.parametrize(("name", "code", "line"), BLOCKS)
def test_a_block_of_the_page_runs(
    name: str, code: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(name, code, line)


def test_the_servers_factories_give_a_store_and_a_saver_of_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = next(block.values[1] for block in BLOCKS if "# app.py" in str(block.values[1]))
    app = run("langgraph.md", str(code), 0)

    async def serve() -> None:
        async with app["checkpointer"]() as saver:
            assert await saver.aget_tuple({"configurable": {"thread_id": "1"}}) is None
        await app["store"].aput(("memories",), "1", {"text": "tea"})

    asyncio.run(serve())
    app["store"].close()
    assert [file.name for file in tmp_path.glob("*.db")] == ["agent.db"]
