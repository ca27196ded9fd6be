"""The Python blocks of docs/langgraph.md do what they say."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "langgraph.md").read_text(encoding="utf-8")
BLOCKS = [
    pytest.param(found[1], line, id=f"line-{line}")
    for found in re.finditer(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if (line := PAGE[: found.start(1)].count("\n") + 1)
]


@pytest.mark.parametrize(("code", "line"), BLOCKS)
def test_a_block_of_the_page_runs(
    code: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    # Blank lines before it, so that an error names the line of the page.
    exec(compile("\n" * line + code, "docs/langgraph.md", "exec"), {"__name__": "page"})
