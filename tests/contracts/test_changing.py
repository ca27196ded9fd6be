"""`update`, `history` and `undo`."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from holdfast import InvalidInputError, RecordNotFoundError
from support.faces import Face


def texts(matches: Any) -> list[str]:
    return [match.record.text for match in matches]


def test_update_gives_a_record_other_words(face: Face) -> None:
    (added,) = face.add("I live in Berlin", user_id="ada", metadata={"topic": "home"})
    change = face.update(added.id, "I live in Paris", user_id="ada")
    assert (change.event, change.id) == ("UPDATE", added.id)
    assert (change.before.text, change.after.text) == ("I live in Berlin", "I live in Paris")
    after = face.get(added.id, user_id="ada")
    assert after == change.after
    assert (after.version, after.metadata) == (2, {"topic": "home"})
    assert after.created_at == added.after.created_at < after.updated_at == change.at
    assert texts(face.search("live in Berlin", user_id="ada")) == ["I live in Paris"]


def test_update_of_metadata_importance_and_expiry_keeps_the_words(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada", metadata={"a": 1})
    soon = datetime.now(timezone.utc) + timedelta(days=1)
    face.update(added.id, metadata={"b": 2}, importance=1, expires_at=soon, user_id="ada")
    record = face.get(added.id, user_id="ada")
    assert (record.text, record.metadata, record.importance) == ("tea", {"b": 2}, 1.0)
    assert record.expires_at == soon
    assert record.valid_from is None
    assert texts(face.search("tea", user_id="ada")) == ["tea"]


def test_update_of_words_and_the_rest_is_one_change(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada")
    face.update(added.id, "green tea", metadata={"b": 2}, importance=0, user_id="ada")
    record = face.get(added.id, user_id="ada")
    assert (record.text, record.metadata, record.importance) == ("green tea", {"b": 2}, 0.0)
    assert len(face.history(added.id, user_id="ada")) == 2


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"text": ""},
        {"text": "\x00"},
        {"importance": 1.5},
        {"importance": "high"},
        {"importance": float("nan")},
        {"importance": True},
        {"metadata": {"x": float("nan")}},
        {"metadata": [1]},
        {"expires_at": datetime(2030, 1, 1)},
    ],
)
def test_an_update_that_makes_no_sense_changes_nothing(face: Face, edit: dict[str, Any]) -> None:
    (added,) = face.add("tea", user_id="ada")
    with pytest.raises(InvalidInputError):
        face.update(added.id, user_id="ada", **edit)
    assert face.get(added.id, user_id="ada") == added.after


@pytest.mark.parametrize("given", ["no such", "\ud800"])
def test_update_of_an_unknown_id_says_so(face: Face, given: str) -> None:
    face.add("tea", user_id="ada")
    with pytest.raises(RecordNotFoundError):
        face.update(given, "x", user_id="ada")
    with pytest.raises(RecordNotFoundError):
        face.update(given, importance=0.1, user_id="ada")


def test_history_tells_everything_oldest_first(face: Face) -> None:
    (added,) = face.add("one", user_id="ada")
    face.update(added.id, "two", user_id="ada")
    face.update(added.id, importance=0.9, user_id="ada")
    past = face.history(added.id, user_id="ada")
    assert [change.event for change in past] == ["ADD", "UPDATE", "UPDATE"]
    assert [change.before and change.before.text for change in past] == [None, "one", "two"]
    assert [change.after.version for change in past] == [1, 2, 3]
    assert [change.position for change in past] == sorted(change.position for change in past)
    assert all(earlier.at < later.at for earlier, later in itertools.pairwise(past))


def test_history_of_an_unknown_id_says_so(face: Face) -> None:
    face.add("tea", user_id="ada")
    for unknown in ("no such", "\ud800"):
        with pytest.raises(RecordNotFoundError):
            face.history(unknown, user_id="ada")


def test_undo_of_an_update_restores_the_words(face: Face) -> None:
    (added,) = face.add("I live in Berlin", user_id="ada")
    change = face.update(added.id, "I live in Paris", user_id="ada")
    undone = face.undo(change, user_id="ada")
    assert (undone.event, undone.reason) == ("UPDATE", "undo")
    record = face.get(added.id, user_id="ada")
    assert (record.text, record.version) == ("I live in Berlin", 3)
    assert (record.valid_to, record.retired_at) == (None, None)
    assert texts(face.search("where do I live", user_id="ada")) == ["I live in Berlin"]


def test_undo_of_an_add_takes_the_record_away(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada")
    undone = face.undo(added, user_id="ada")
    assert (undone.event, undone.after) == ("DELETE", None)
    assert face.search("tea", user_id="ada") == []
    assert len(face.list(user_id="ada")) == 0
    with pytest.raises(RecordNotFoundError):
        face.get(added.id, user_id="ada")


def test_undo_can_itself_be_undone(face: Face) -> None:
    (added,) = face.add("one", user_id="ada")
    undone = face.undo(face.update(added.id, "two", user_id="ada"), user_id="ada")
    face.undo(undone, user_id="ada")
    assert face.get(added.id, user_id="ada").text == "two"
    gone = face.undo(
        face.undo(face.history(added.id, user_id="ada")[-1], user_id="ada"), user_id="ada"
    )
    assert gone.after is not None
    assert texts(face.search("two", user_id="ada")) == ["two"]
    assert face.stats(check=True).problems == ()


def test_undo_of_an_undone_add_brings_the_record_back(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada")
    face.undo(face.undo(added, user_id="ada"), user_id="ada")
    assert face.get(added.id, user_id="ada").text == "tea"
    assert texts(face.search("tea", user_id="ada")) == ["tea"]


def test_undo_twice_is_an_error(face: Face) -> None:
    (added,) = face.add("one", user_id="ada")
    change = face.update(added.id, "two", user_id="ada")
    face.undo(change, user_id="ada")
    with pytest.raises(InvalidInputError, match="only the newest change"):
        face.undo(change, user_id="ada")
    assert face.get(added.id, user_id="ada").text == "one"


def test_only_the_newest_change_can_be_undone(face: Face) -> None:
    (added,) = face.add("one", user_id="ada")
    face.update(added.id, "two", user_id="ada")
    with pytest.raises(InvalidInputError, match="only the newest change"):
        face.undo(added, user_id="ada")


def test_undo_of_an_expiry_brings_the_record_back(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada")
    change = face.update(added.id, expires_at=datetime.now(timezone.utc), user_id="ada")
    assert face.search("tea", user_id="ada") == []
    face.undo(change, user_id="ada")
    assert texts(face.search("tea", user_id="ada")) == ["tea"]


def test_what_was_erased_cannot_be_undone(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada")
    (gone,) = face.delete(added.id, user_id="ada")
    with pytest.raises(InvalidInputError, match="erased"):
        face.undo(gone, user_id="ada")
    with pytest.raises(InvalidInputError):
        face.undo(added, user_id="ada")


def test_undo_of_a_change_of_another_record_is_refused(face: Face) -> None:
    first, second = face.add(["one", "two"], user_id="ada")
    with pytest.raises(InvalidInputError):
        face.undo(dataclasses.replace(first, position=second.position), user_id="ada")
    with pytest.raises(InvalidInputError):
        face.undo(dataclasses.replace(first, id=second.id), user_id="ada")


@pytest.mark.parametrize("given", [None, "its id"])
def test_undo_of_what_is_no_change_says_what_it_takes(face: Face, given: Any) -> None:
    with pytest.raises(InvalidInputError, match="undo takes a Change"):
        face.undo(given, user_id="ada")


@pytest.mark.parametrize("given", [None, 5])
def test_an_id_that_is_no_string_is_no_records(face: Face, given: Any) -> None:
    face.add("tea", user_id="ada")
    for verb in (face.get, face.delete, face.history):
        with pytest.raises(RecordNotFoundError, match=f"no record {given}"):
            verb(given, user_id="ada")
    with pytest.raises(RecordNotFoundError):
        face.update(given, "coffee", user_id="ada")


def test_record_time_shows_one_version_at_every_moment(face: Face) -> None:
    (added,) = face.add("zero", user_id="ada")
    moments = [added.at]
    for n, edit in enumerate(["text", "importance", "undo", "undo", "text", "undo"]):
        if edit == "text":
            change = face.update(added.id, f"words {n}", user_id="ada")
        elif edit == "importance":
            change = face.update(added.id, importance=n / 10, user_id="ada")
        else:
            change = face.undo(face.history(added.id, user_id="ada")[-1], user_id="ada")
        moments.append(change.at)
    past = face.history(added.id, user_id="ada")
    for moment, change in zip(moments, past, strict=True):
        (found,) = face.search("zero words", user_id="ada", as_of=moment)
        assert (found.record.version, found.record.text) == (
            change.after.version,
            change.after.text,
        )


def test_after_an_undo_valid_at_finds_each_record_once(face: Face) -> None:
    (added,) = face.add("I live in Berlin", user_id="ada", kind="fact")
    face.search("live", user_id="ada")  # a view is held from here on
    change = face.update(added.id, "I live in Paris", user_id="ada")
    face.search("live", user_id="ada")
    face.undo(change, user_id="ada")
    found = face.search("live", user_id="ada", valid_at=added.at)
    assert texts(found) == ["I live in Berlin"]
    assert face.stats(check=True).problems == ()


def test_an_expired_new_version_does_not_bring_the_old_one_back(face: Face) -> None:
    (added,) = face.add("I live in Berlin", user_id="ada")
    past = datetime.now(timezone.utc)
    face.update(added.id, "I live in Paris", expires_at=past, user_id="ada")
    with pytest.raises(RecordNotFoundError):
        face.get(added.id, user_id="ada")
    assert face.search("live", user_id="ada") == []
    assert len(face.list(user_id="ada")) == 0


def test_what_expired_is_not_found_by_the_time_when_its_old_words_held(face: Face) -> None:
    (added,) = face.add("I live in Berlin", user_id="ada")
    (before,) = face.list(user_id="ada")
    face.search("live", user_id="ada")
    past = datetime.now(timezone.utc)
    face.update(added.id, "I live in Paris", user_id="ada")
    face.update(added.id, "I live in Rome", expires_at=past, user_id="ada")
    held = before.occurred_at
    assert face.search("live", user_id="ada", valid_at=held) == []
    assert face.search("live", user_id="ada", as_of=before.created_at) == []
    assert face.stats(check=True).problems == ()


def test_an_expiry_added_later_reaches_the_words_before_it(face: Face) -> None:
    (added,) = face.add("I live in Berlin", user_id="ada")
    (before,) = face.list(user_id="ada")
    face.update(added.id, "I live in Paris", user_id="ada")
    held = before.occurred_at
    assert texts(face.search("live", user_id="ada", valid_at=held)) == ["I live in Berlin"]
    change = face.update(added.id, expires_at=datetime.now(timezone.utc), user_id="ada")
    assert face.search("live", user_id="ada", valid_at=held) == []
    face.undo(change, user_id="ada")
    assert texts(face.search("live", user_id="ada", valid_at=held)) == ["I live in Berlin"]
    assert face.stats(check=True).problems == ()
