"""What the command line says when something is wrong, and with which exit code."""

from __future__ import annotations

import pytest
from support.cli import Terminal
from support.drivers import needs_encryption

SEARCH = ("search", "tea", "--user-id", "ada")


def test_help_names_every_command(terminal: Terminal) -> None:
    out = terminal.run("--help").out

    for command in [
        "demo",
        "add",
        "search",
        "list",
        "history",
        "delete",
        "export",
        "import",
        "stats",
    ]:
        assert f" {command} " in out
    assert "demo-read" not in out


def test_version_is_the_packages(terminal: Terminal) -> None:
    assert terminal.run("--version").out == "holdfast 0.1.0\n"


@pytest.mark.parametrize(
    "command", [("add", "x"), ("search", "x"), ("list",), ("history", "x"), ("delete", "x")]
)
def test_no_scope_is_a_usage_error(terminal: Terminal, command: tuple[str, ...]) -> None:
    ran = terminal.run(*command)

    assert ran.code == 2
    assert "--user-id" in ran.complaint
    assert not terminal.db.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("search",),
        ("no-such-command",),
        ("add", "x", "--user-id", "ada", "--occurred-at", "yesterday"),
        ("add", "x", "--user-id", "ada", "--metadata", "[1]"),
        ("add", "x", "--user-id", "ada", "--metadata", "{"),
        (*SEARCH, "--limit", "0"),
        (*SEARCH, "--limit", "many"),
        ("import", "no-such-file.json"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    terminal: Terminal, arguments: tuple[str, ...]
) -> None:
    assert terminal.run(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("history", "nobody", "--user-id", "ada"), "no record 'nobody'"),
        (("delete", "nobody", "--user-id", "ada"), "no record 'nobody'"),
        (("add", "  ", "--user-id", "ada"), "non-empty"),
        (("add", "x", "--user-id", ""), "user_id"),
        (("add", "x", "--user-id", "ada", "--role", "king"), "unknown role 'king'"),
        (("add", "x", "--user-id", "ada", "--kind", "rumour"), "unknown kind 'rumour'"),
        ((*SEARCH, "--filter", '{"topic": {"like": 1}}'), "unknown operator 'like'"),
        ((*SEARCH, "--kind", "rumour"), "kinds must be"),
        (("list", "--user-id", "ada", "--order", "size"), "unknown order 'size'"),
        (("list", "--user-id", "ada", "--cursor", "x"), "cursor"),
        (("export", "no/such/folder/x.jsonl"), "no/such/folder"),
    ],
)
def test_an_error_is_one_line_on_stderr(
    terminal: Terminal, arguments: tuple[str, ...], said: str
) -> None:
    terminal.add("I like tea")

    ran = terminal.run(*arguments)

    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("holdfast: ")
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "command", [SEARCH, ("list", "--user-id", "ada"), ("stats",), ("export", "out.jsonl")]
)
def test_reading_a_missing_file_makes_none(terminal: Terminal, command: tuple[str, ...]) -> None:
    ran = terminal.run(*command)

    assert ran.code == 1
    assert "holdfast add" in ran.err
    assert not terminal.db.exists()


def test_a_foreign_file_is_refused(terminal: Terminal) -> None:
    terminal.db.write_text("a diary, not a database\n" * 50)

    ran = terminal.run("stats")

    assert ran.code == 1
    assert "no SQLite file" in ran.err


def test_commands_that_embed_nothing_need_no_model(terminal: Terminal) -> None:
    identifier = terminal.add("I like tea")
    nowhere = {"HOLDFAST_MODEL": str(terminal.folder / "nowhere")}

    for command in (
        ("list", "--user-id", "ada"),
        ("history", identifier, "--user-id", "ada"),
        ("stats", "--check"),
        ("export", str(terminal.folder / "out.jsonl")),
        ("delete", identifier, "--user-id", "ada"),
    ):
        assert terminal.run(*command, **nowhere).code == 0


def test_a_model_folder_without_a_model_is_named(terminal: Terminal) -> None:
    nowhere = str(terminal.folder / "nowhere")

    ran = terminal.run("add", "I like tea", "--user-id", "ada", "--model", nowhere)

    assert ran.code == 1
    assert "nowhere" in ran.err


@needs_encryption
def test_the_key_comes_from_the_environment(terminal: Terminal) -> None:
    terminal.run("add", "I like gooseberries", "--user-id", "ada", HOLDFAST_KEY="a secret")

    # A short word would stand in random bytes by chance.
    assert b"gooseberries" not in terminal.db.read_bytes()
    assert terminal.json("stats", HOLDFAST_KEY="a secret")["records"] == {"turn": 1}


@needs_encryption
def test_a_missing_or_wrong_key_is_an_error(terminal: Terminal) -> None:
    terminal.run("add", "I like tea", "--user-id", "ada", HOLDFAST_KEY="a secret")

    missing, wrong = terminal.run("stats"), terminal.run("stats", HOLDFAST_KEY="a guess")

    assert (missing.code, wrong.code) == (1, 1)
    assert "looks encrypted; give the key it was written with" in missing.err
    assert "cannot be read with this key" in wrong.err


@needs_encryption
def test_the_key_can_be_typed_and_is_asked_twice_for_a_new_file(terminal: Terminal) -> None:
    add = ("add", "I like tea", "--user-id", "ada", "--key")

    made = terminal.run(*add, typed="a secret\na secret\n")
    read = terminal.run("stats", "--key", "--json", typed="a secret\n")

    assert made.code == 0, made.err
    assert read.code == 0, read.err
    assert "a secret" not in made.out + made.err + read.out + read.err
