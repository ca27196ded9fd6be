"""Runs the command line in this process, on a file of the test's own."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from holdfast.cli.app import app
from typer.testing import CliRunner

_COMMAND = typer.main.get_command(app)  # once: to put it together takes longer than most commands
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
        environment = {"HOLDFAST_DB": str(self.db), **environment}
        with CliRunner().isolation(typed, environment) as (out, err, _):
            code = 0
            try:
                _COMMAND.main(arguments, prog_name="holdfast")
            except SystemExit as end:
                code = int(end.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
            return Ran(code, out.getvalue().decode(), err.getvalue().decode())

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
