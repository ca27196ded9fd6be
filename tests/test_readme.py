"""Python blocks of README.md and of a user's pages, and files in examples/, do what they say."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.flows import fact, facts, lives_in
from support.openai_server import OpenAIServer, Reply, called

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["filters.md", "memory.md"]
"""Pages of docs/ that are one program each: a block goes on where the one before ended."""


def blocks(page: str) -> Iterator[tuple[str, int]]:
    """Yield the Python blocks of a page, and how many lines stand before each."""
    for match in re.finditer(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        yield match[1], page[: match.start(1)].count("\n")


BLOCKS = [pytest.param(code, line, id=f"line-{line + 1}") for code, line in blocks(README)]
OFFLINE = ["graph_paths.py", "quickstart.py"]
"""Examples that need the core alone; an adapter's are run by its own tests."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openai_server: OpenAIServer) -> None:
    """Run in an empty folder; what is said to OpenAI goes to a server on loopback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    openai_server.default = homes


def homes(body: dict[str, Any]) -> Reply:
    """Say what a model would of the two homes."""
    if "Berlin" in body["messages"][1]["content"].split("<new_messages>")[1]:
        told = fact("User lives in Berlin", when="2026-05", relations=[lives_in("Berlin")])
    else:
        told = fact("User lives in Paris", relations=[lives_in("Paris")])
    return called(facts(told))


@pytest.mark.parametrize(("code", "line"), BLOCKS)
def test_a_python_block_of_the_readme_runs(code: str, line: int) -> None:
    # Blank lines before it, so that an error names the line of README.md.
    exec(compile("\n" * line + code, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("name", PAGES)
def test_the_python_blocks_of_a_page_run_in_order(name: str) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "page"}
    for code, line in blocks(page):
        exec(compile("\n" * line + code, name, "exec"), names)


def test_the_quick_start_finds_what_ada_said(capsys: pytest.CaptureFixture[str]) -> None:
    exec(BLOCKS[0].values[0], {})  # type: ignore[arg-type]

    assert "Ada" in capsys.readouterr().out


@pytest.mark.parametrize("name", OFFLINE)
def test_an_example_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")

    assert capsys.readouterr().out
