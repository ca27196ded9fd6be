"""The command line as a program: its entry point, exit codes, signals, pipes and encodings."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from holdfast.cli import main
from holdfast.testing import HashEmbedder

PROGRAM = Path(sys.executable).with_name("holdfast")
ADA = ("--user-id", "ada")
TEA = "green tea \U0001f375"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "memory.db"
    with Memory(path, embedder=HashEmbedder()) as memory:
        memory.add([TEA] * 300, user_id="ada")
    return path


def started(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([PROGRAM, *arguments], capture_output=True, check=False, **options)


@pytest.mark.slow
def test_the_program_says_with_its_exit_code_whether_it_was_done(db: Path) -> None:
    done = started("list", *ADA, "--db", str(db), "--json")
    missing = started("list", *ADA, "--db", str(db.with_name("none.db")))
    wrong = started("list", "--db", str(db))

    assert [ran.returncode for ran in (done, missing, wrong)] == [0, 1, 2]
    assert json.loads(done.stdout)["records"][0]["text"] == TEA
    assert (done.stderr, missing.stdout, wrong.stdout) == (b"", b"", b"")
    assert missing.stderr.startswith(b"holdfast: there is no file")


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(db: Path) -> None:
    listing = [PROGRAM, "list", *ADA, "--db", db, "--json", "--limit", "300"]
    with subprocess.Popen(listing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.read(1)
        program.stdout.close()
        assert program.stderr.read() == b""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_signal_at_a_question_ends_the_program_and_nothing_is_done(db: Path) -> None:
    deleting = [PROGRAM, "delete", "--all", *ADA, "--db", db]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(deleting, **pipes) as program:
        asked = b""
        while not asked.endswith(b"[y/N]: "):
            asked += program.stdout.read(1) or pytest.fail(f"it asked nothing: {asked!r}")
        os.kill(program.pid, signal.SIGINT)
        assert b"Aborted" in program.stdout.read()
    assert program.returncode == 1
    with Memory(db, embedder=HashEmbedder()) as memory:
        assert len(memory.list(user_id="ada", limit=300)) == 300


@pytest.mark.slow
def test_without_its_extra_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['typer'] = None; from holdfast.cli import main; main()"

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert ran.returncode == 1
    assert ran.stderr == "the command line needs typer: pip install 'holdfast[cli]'\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_a_terminal_without_the_letters_still_shows_the_rest(
    db: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, as_json: bool
) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding))
    options = ["--json"] if as_json else []
    monkeypatch.setattr(sys, "argv", ["holdfast", "list", *ADA, "--db", str(db), *options])
    with pytest.raises(SystemExit) as ended:
        main()
    sys.stdout.flush()

    assert ended.value.code in (0, None)
    shown = screen.getvalue().decode(encoding)
    assert "green tea" in shown
    assert not as_json or json.loads(shown)["records"][0]["text"] == TEA


@pytest.mark.slow
def test_a_program_of_a_terminal_without_the_letters_shows_the_rest(db: Path) -> None:
    ran = started("list", *ADA, "--db", str(db), env={**os.environ, "PYTHONIOENCODING": "ascii"})

    assert ran.returncode == 0
    assert b"green tea" in ran.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_long_import_shows_a_progress_bar_to_a_terminal(tmp_path: Path) -> None:
    turn = {"session": "one", "speaker": "user", "role": "user", "text": "Plan my week."}
    turns = [
        {**turn, "id": str(number), "when": "2024-03-15T00:00:00+00:00"} for number in range(70)
    ]
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"name": "long", "turns": turns}), encoding="utf-8")

    code, screen = watched("import", str(path), "--db", str(tmp_path / "memory.db"))

    assert code == 0
    assert "Importing" in screen
    assert "70/70" in screen


def watched(*arguments: str) -> tuple[int, str]:
    """Run the command line in a pseudo terminal; return its exit code and all it drew."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "holdfast", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        drawn = b""
        # The end of a pseudo terminal is an error on Linux and empty on macOS.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 4096):
                drawn += chunk
    os.close(ours)
    return process.returncode, drawn.decode()
