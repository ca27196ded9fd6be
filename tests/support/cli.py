"""Runs the command line in this process, on a file of the test's own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.cli.app import app
from typer.testing import CliRunner

_FRAME = re.compile(r"[│╭╮╰╯─\s]+")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """stderr on one line, without frames."""
        return _FRAME.sub(" ", self.err)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A user's terminal: a folder, and a file of memories in it."""

    folder: Path

    @property
    def db(self) -> Path:
        return self.folder / "memory.db"

    def run(self, *arguments: str, typed: str = "", **environment: str) -> Ran:
        """Run a command on the file; it may fail."""
        result = CliRunner().invoke(
            app, arguments, input=typed, env={"HOLDFAST_DB": str(self.db), **environment}
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def json(self, *arguments: str, **environment: str) -> Any:
        """Run a command that succeeds; return what `--json` prints."""
        ran = self.run(*arguments, "--json", **environment)
        assert ran.code == 0, ran.err
        return json.loads(ran.out)

    def add(self, text: str, user: str = "ada", *options: str) -> str:
        """Add a text; return its id."""
        changes = self.json("add", text, "--user-id", user, *options)["changes"]
        identifier: str = changes[0]["id"]
        return identifier
