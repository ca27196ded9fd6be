"""`holdfast add`, `search`, `list`, `history` and `delete`."""

from __future__ import annotations

import json
import re

import pytest
from support.cli import Terminal


def test_search_finds_what_was_added(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon", "ada", "--name", "Ada", "--occurred-at", "2025-03-02")

    ran = terminal.run("search", "Where does Ada live?", "--user-id", "ada")

    assert ran.code == 0
    assert "I moved to Lisbon" in ran.out
    assert "Ada" in ran.out
    assert "2 Mar 2025" in ran.out


def test_add_says_the_id_under_which_history_knows_the_memory(terminal: Terminal) -> None:
    ran = terminal.run("add", "I moved to Lisbon", "--user-id", "ada")
    event, identifier = ran.out.split()

    history = terminal.run("history", identifier, "--user-id", "ada")

    assert event == "ADD"
    assert "I moved to Lisbon" in history.out


def test_another_user_finds_nothing(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon", "ada")

    assert terminal.json("search", "Lisbon", "--user-id", "grace") == []
    assert "Nothing found" in terminal.run("search", "Lisbon", "--user-id", "grace").out


def test_explain_shows_the_parts_of_a_score(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon")
    question = ("search", "Who moved to Lisbon?", "--user-id", "ada")
    part = re.compile(r"\w+ [+-]\d\.\d\d")

    assert part.search(terminal.run(*question, "--explain").out)
    assert not part.search(terminal.run(*question).out)


def test_a_search_takes_filters_kinds_and_moments(terminal: Terminal) -> None:
    terminal.add("The rent is 640", "ada", "--metadata", '{"topic": "money"}')
    terminal.add("The rent is due on Fridays", "ada", "--kind", "fact")
    question = ("search", "rent", "--user-id", "ada")

    filtered = terminal.json(*question, "--filter", '{"topic": "money"}')
    facts = terminal.json(*question, "--kind", "fact")
    before = terminal.json(*question, "--as-of", "2020-01-01T00:00:00Z")

    assert [match["record"]["text"] for match in filtered] == ["The rent is 640"]
    assert [match["record"]["text"] for match in facts] == ["The rent is due on Fridays"]
    assert before == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('{"occurred_at": {"gte": "2024-01-01", "lt": "2025-01-01T00:00+01:00"}}', 1),
        ('{"NOT": {"occurred_at": {"lt": "2024-01-01"}}}', 1),
        ('{"OR": [{"occurred_at": {"in": ["2024-05-01"]}}, {"expires_at": null}]}', 1),
        ('{"occurred_at": {"lt": "2024-01-01"}}', 0),
    ],
)
def test_a_filter_may_ask_for_times(terminal: Terminal, asked: str, found: int) -> None:
    terminal.add("green tea", "ada", "--occurred-at", "2024-05-01")

    page = terminal.json("list", "--user-id", "ada", "--filter", asked)
    assert len(page["records"]) == found


def test_a_filter_with_a_time_that_is_none_says_so(terminal: Terminal) -> None:
    asked = '{"occurred_at": {"gt": "yesterday"}}'
    ran = terminal.run("list", "--user-id", "ada", "--filter", asked)

    assert ran.code == 2
    assert "'yesterday' is no ISO 8601 time" in ran.complaint


def test_json_has_every_field_of_a_match(terminal: Terminal) -> None:
    identifier = terminal.add("I moved to Lisbon", "ada", "--occurred-at", "2025-03-02T10:00+01:00")

    [match] = terminal.json("search", "Lisbon", "--user-id", "ada")

    assert set(match) == {"record", "score", "passage", "parts"}
    assert match["record"]["id"] == identifier
    assert match["record"]["occurred_at"] == "2025-03-02T09:00:00+00:00"
    assert match["record"]["scope"]["user_id"] == "ada"


def test_a_text_can_come_from_stdin(terminal: Terminal) -> None:
    terminal.run("add", "-", "--user-id", "ada", typed="I moved to Lisbon")

    assert terminal.json("list", "--user-id", "ada")["records"][0]["text"] == "I moved to Lisbon"


def test_a_message_with_a_known_id_is_not_stored_again(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon", "ada", "--message-id", "m1")

    ran = terminal.run("add", "I moved to Lisbon", "--user-id", "ada", "--message-id", "m1")

    assert ran.code == 0
    assert "Known already" in ran.out
    assert len(terminal.json("list", "--user-id", "ada")["records"]) == 1


def test_list_turns_its_pages(terminal: Terminal) -> None:
    for text in ("one", "two", "three"):
        terminal.add(text)

    first = terminal.json("list", "--user-id", "ada", "--limit", "2")
    second = terminal.json("list", "--user-id", "ada", "--limit", "2", "--cursor", first["cursor"])

    assert [record["text"] for record in first["records"]] == ["one", "two"]
    assert [record["text"] for record in second["records"]] == ["three"]
    assert second["cursor"] is None
    assert "--cursor" in terminal.run("list", "--user-id", "ada", "--limit", "2").out


def test_delete_erases_one_memory_and_its_history_keeps_no_word(terminal: Terminal) -> None:
    identifier = terminal.add("I moved to Lisbon")
    terminal.add("I like tea")

    assert terminal.run("delete", identifier, "--user-id", "ada").code == 0

    left = terminal.json("list", "--user-id", "ada")["records"]
    history = terminal.run("history", identifier, "--user-id", "ada")
    assert [record["text"] for record in left] == ["I like tea"]
    assert "Lisbon" not in history.out
    assert "erased" in history.out


def test_delete_erases_several_memories_or_none(terminal: Terminal) -> None:
    one, two = terminal.add("I moved to Lisbon"), terminal.add("I like tea")

    refused = terminal.run("delete", one, "nobody", two, "--user-id", "ada")

    assert refused.code == 1
    assert "no record 'nobody'" in refused.err
    gone = terminal.json("delete", one, two, "--user-id", "ada")["changes"]
    assert [change["id"] for change in gone] == [one, two]
    assert terminal.json("list", "--user-id", "ada")["records"] == []


def test_delete_all_asks_first(terminal: Terminal) -> None:
    terminal.add("I moved to Lisbon")

    refused = terminal.run("delete", "--all", "--user-id", "ada", typed="n\n")

    assert refused.code == 1
    assert "1 memory of user_id=ada" in refused.err
    assert terminal.json("delete", "--all", "--yes", "--user-id", "ada") == {"erased": 1}
    assert terminal.json("list", "--user-id", "ada")["records"] == []


def test_delete_takes_ids_or_all_but_not_both(terminal: Terminal) -> None:
    assert terminal.run("delete", "--user-id", "ada").code == 2
    assert terminal.run("delete", "x", "--all", "--user-id", "ada").code == 2


@pytest.mark.parametrize("command", ["list", "search"])
def test_what_is_stored_cannot_steer_the_terminal(terminal: Terminal, command: str) -> None:
    terminal.add("tea \x1b[2J\x1b]0;owned\x07 [bold]and[/nothing] milk", "ada", "--name", "[red]")

    ran = terminal.run(command, *(["tea"] if command == "search" else []), "--user-id", "ada")

    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "[bold]and[/nothing] milk" in ran.out


def test_a_long_memory_is_cut_in_a_table_and_whole_in_json(terminal: Terminal) -> None:
    terminal.add("tea " * 500)

    assert "…" in terminal.run("list", "--user-id", "ada").out
    assert len(terminal.json("list", "--user-id", "ada")["records"][0]["text"]) == 2000


def test_tables_fit_into_80_columns(terminal: Terminal) -> None:
    terminal.add("A rather long thing to remember about tea and its many kinds. " * 4)

    out = terminal.run("search", "tea", "--user-id", "ada", "--explain").out

    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("command", [("list",), ("search", "a"), ("history",)], ids=" ".join)
def test_json_steers_no_terminal_and_reads_back_as_it_was(
    terminal: Terminal, command: tuple[str, ...]
) -> None:
    hostile = "a \x9b31m b \u202e c \u2028 d \x1b[0m e \U000e0041 \u200d f é 李 \U0001f600"
    identifier = terminal.add(hostile)
    asked = (*command, identifier) if command == ("history",) else command

    ran = terminal.run(*asked, "--user-id", "ada", "--json")

    assert all(character.isprintable() or character == "\n" for character in ran.out)
    assert json.dumps(hostile) in json.dumps(json.loads(ran.out))
    assert "é 李 \U0001f600" in ran.out
