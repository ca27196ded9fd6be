"""The packages fit together, and nothing is named that must not be."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import holdfast
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parent.parent
PROJECTS = sorted((ROOT / "packages").glob("*/pyproject.toml"))
# Written so that this file does not name what it looks for.
REGISTRIES = re.compile(r"py[p]i\.org|python[h]osted\.org|anaconda\.[o]rg|conda-[f]orge\.org")
PRIVATE = re.compile(r"(?<![\w.-])/wo[r]k/|farm-[a-z]+|issue[s] show")


def project(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return table


def tracked() -> list[Path]:
    """Return the files of the repository, or skip where there is none."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    # What is new counts as well, unless it is ignored.
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = filter(None, listed.stdout.decode().split("\0"))
    return [path for name in names if (path := ROOT / name).is_file()]


def mentions(pattern: re.Pattern[str], but: str = "") -> list[str]:
    """Return the lines of text files that match."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked()
        if path.name != but
        for number, line in enumerate(path.read_text("utf-8", "ignore").splitlines(), 1)
        if pattern.search(line)
    ]


def test_all_packages_have_one_version() -> None:
    assert {project(path)["version"] for path in PROJECTS} == {holdfast.__version__}
    assert f"{holdfast.__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_an_adapter_asks_for_the_core_of_its_own_version() -> None:
    for path in PROJECTS:
        named = project(path)
        if named["name"] != "holdfast":
            cores = [need for need in named["dependencies"] if re.match(r"holdfast\b(?!-)", need)]
            assert len(cores) == 1
            assert cores[0].endswith(f"=={named['version']}")


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.parent.name)
def test_a_package_is_typed_and_listed_in_the_readme(path: Path) -> None:
    name = project(path)["name"]

    assert (path.parent / "src" / name.replace("-", "_") / "py.typed").is_file()
    assert f"`{name}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_packages_support_the_same_pythons_under_the_same_licence() -> None:
    assert {project(path)["requires-python"] for path in PROJECTS} == {">=3.10,<3.14"}
    assert {project(path)["license"] for path in PROJECTS} == {"Apache-2.0"}


def test_agents_md_stays_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_every_room_of_the_core_is_in_agents_md() -> None:
    rooms = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    core = ROOT / "packages" / "core" / "src" / "holdfast"
    names = [f"{path.name}/" for path in core.iterdir() if (path / "__init__.py").exists()]
    names += [path.name for path in core.glob("*.py") if path.name != "__main__.py"]

    assert [name for name in names if name not in rooms] == []


def test_no_file_but_the_lock_names_a_registry() -> None:
    assert mentions(REGISTRIES, but="uv.lock") == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    assert mentions(PRIVATE) == []


def test_links_of_the_pages_lead_to_files() -> None:
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    for page in [*pages, *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_importing_holdfast_loads_nothing_heavy() -> None:
    code = "import sys, holdfast; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"faiss", "numpy", "onnx", "onnxruntime", "openai", "regex", "sqlcipher3", "typer"}
    assert heavy & set(ran.stdout.split()) == set()
