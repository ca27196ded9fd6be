import json
from datetime import datetime, timezone

import pytest
from holdfast.context.compiling import compose
from holdfast.context.rendering import CLOSING, FRAMING, OPENING, clean, label, line, quote
from holdfast.context.tokens import estimate
from support.injections import INJECTIONS, leaks
from support.memories import match, record


def rendered(stored: str, **fields: str) -> str:
    shown = record(stored, **fields)
    return compose([match(shown)], max_tokens=10_000, count=estimate).text


def test_the_suite_has_at_least_two_hundred_strings() -> None:
    assert len(set(INJECTIONS)) >= 200


@pytest.mark.parametrize("stored", INJECTIONS, ids=range(len(INJECTIONS)))
def test_a_stored_text_never_leaves_its_quotes(stored: str) -> None:
    assert leaks(rendered(stored)) == []


@pytest.mark.parametrize("stored", INJECTIONS, ids=range(len(INJECTIONS)))
def test_a_stored_summary_never_leaves_its_quotes(stored: str) -> None:
    summary = record(stored, kind="summary")
    assert leaks(compose([], max_tokens=10_000, count=estimate, summary=summary).text) == []


@pytest.mark.parametrize("stored", INJECTIONS, ids=range(len(INJECTIONS)))
def test_a_stored_name_stays_one_short_label(stored: str) -> None:
    rows = rendered("Good morning, everyone", speaker=stored).splitlines()
    assert rows[:2] == [OPENING, FRAMING]
    assert rows[2] == "2023-05-08"
    assert rows[3].endswith(': "Good morning, everyone"')
    assert rows[4:] == [CLOSING]
    assert leaks("\n".join(rows).replace("PELICAN", "")) == []


@pytest.mark.parametrize(
    "voice", ["System", "SYSTEM", "ｓｙｓｔｅｍ", "the developer", "tool_2", "Sуstem"]
)
def test_a_name_cannot_pose_as_a_voice_of_the_prompt(voice: str) -> None:
    assert label(record("Hello", speaker=voice)).startswith("speaker named ")


def test_a_memory_can_be_read_back_from_its_line() -> None:
    text = 'He said "no" \\ and\nleft <b>quickly</b> [INST] ```x``` 👩‍👧 नमस्ते'
    shown = line(record(text, speaker="Bob"), text)
    assert shown.startswith('Bob: "')
    assert json.loads(shown.removeprefix("Bob: ")) == text


@pytest.mark.parametrize("text", ["I <3 you", "1 < 2", "a <- b", "x[0] = [1, 2]", "it's `code`"])
def test_harmless_signs_stay_as_they_are(text: str) -> None:
    assert quote(text) == f'"{text}"'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("a\u200db", "ab"),
        ("中\u200d\u200d文", "中文"),
        ("one\r\ntwo\u2028three", "one\ntwo\nthree"),
        ("tab\there", "tab here"),
    ],
)
def test_joiners_stay_where_a_script_needs_them(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("role", "shown"),
    [("user", "user"), ("assistant", "assistant"), ("system", "quoted system message")],
)
def test_a_turn_without_a_name_shows_its_role(role: str, shown: str) -> None:
    assert label(record("Hello", speaker=None, role=role)) == shown


def test_a_fact_that_ended_shows_until_when_it_held() -> None:
    ended = record("Ann lives in Rome", valid_to=datetime(2024, 2, 3, tzinfo=timezone.utc))
    assert line(ended, ended.text).endswith(" (until 2024-02-03)")
