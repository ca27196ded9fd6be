"""`add`: what may be given, and what is stored of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from holdfast import InvalidInputError, Message, Scope, ScopeError
from support.faces import Face

MAY = datetime(2024, 5, 7, 9, 30, tzinfo=timezone.utc)


def only(face: Face, **ids: str) -> Any:
    """The one record of a scope."""
    (record,) = face.list(**ids)
    return record


def test_a_string_is_a_turn_of_the_user(face: Face) -> None:
    changes = face.add("I moved to Berlin", user_id="ada")
    assert [change.event for change in changes] == ["ADD"]
    record = only(face, user_id="ada")
    assert record == changes.records[0] == changes[0].after
    assert (record.text, record.kind, record.role) == ("I moved to Berlin", "turn", "user")
    assert record.scope == Scope(user_id="ada")
    assert record.version == 1
    assert record.importance == 0.5
    assert record.created_at == record.updated_at == changes[0].at


def test_a_mapping_brings_role_name_id_time_and_metadata(face: Face) -> None:
    said = {
        "role": "assistant",
        "content": "Noted",
        "name": "Eve",
        "id": "m1",
        "occurred_at": MAY,
        "metadata": {"topic": "moving"},
    }
    face.add(said, user_id="ada")
    record = only(face, user_id="ada")
    assert (record.role, record.speaker, record.message_id) == ("assistant", "Eve", "m1")
    assert record.occurred_at == MAY
    assert record.metadata == {"topic": "moving"}


def test_a_message_is_taken_as_it_is(face: Face) -> None:
    face.add(Message("Noted", role="tool", name="clock", id="m1", occurred_at=MAY), run_id="r")
    record = only(face, run_id="r")
    assert (record.role, record.speaker, record.message_id) == ("tool", "clock", "m1")
    assert record.occurred_at == MAY


def test_a_list_is_stored_in_its_order(face: Face) -> None:
    given = ["one", Message("two"), {"role": "assistant", "content": "three"}]
    changes = face.add(given, user_id="ada")
    assert [change.after.text for change in changes] == ["one", "two", "three"]
    assert [record.text for record in face.list(user_id="ada")] == ["one", "two", "three"]
    assert len({change.position for change in changes}) == 3


def test_of_content_parts_the_texts_count(face: Face) -> None:
    parts = [
        {"type": "text", "text": "look at"},
        {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
        {"type": "text", "text": "my garden"},
    ]
    face.add({"role": "user", "content": parts}, user_id="ada")
    assert only(face, user_id="ada").text == "look at\nmy garden"


def test_a_message_resent_with_its_id_is_stored_once(face: Face) -> None:
    face.add({"role": "user", "content": "hello", "id": "m1"}, user_id="ada", run_id="r1")
    again = face.add(
        [{"role": "user", "content": "hello", "id": "m1"}, {"role": "user", "content": "new"}],
        user_id="ada",
        run_id="r1",
    )
    assert [change.after.text for change in again] == ["new"]
    assert [record.text for record in face.list(user_id="ada")] == ["hello", "new"]


def test_a_message_twice_in_one_call_is_stored_once(face: Face) -> None:
    message = {"role": "user", "content": "hello", "id": "m1"}
    assert len(face.add([message, message], user_id="ada")) == 1


def test_a_message_id_counts_within_its_very_scope(face: Face) -> None:
    message = {"role": "user", "content": "hello", "id": "m1"}
    face.add(message, user_id="ada", run_id="r1")
    assert len(face.add(message, user_id="ada", run_id="r2")) == 1
    assert len(face.add(message, user_id="bob", run_id="r1")) == 1


def test_a_resent_message_stays_known_after_its_record_was_updated(face: Face) -> None:
    message = {"role": "user", "content": "hello", "id": "m1"}
    (change,) = face.add(message, user_id="ada")
    face.update(change.id, "hello there", user_id="ada")
    assert len(face.add(message, user_id="ada")) == 0


def test_equal_words_without_an_id_are_kept_each_time(face: Face) -> None:
    face.add("good morning", user_id="ada")
    face.add("good morning", user_id="ada")
    assert len(face.list(user_id="ada")) == 2


@pytest.mark.parametrize("sort", ["fact", "summary", "procedure"])
def test_a_kind_can_be_stated(face: Face, sort: Any) -> None:
    face.add("Ada lives in Berlin", user_id="ada", kind=sort)
    assert only(face, user_id="ada").kind == sort


def test_the_calls_time_and_metadata_fill_what_a_message_leaves_open(face: Face) -> None:
    own = Message("own", occurred_at=MAY, metadata={"topic": "own", "mood": "good"})
    later = MAY + timedelta(days=1)
    face.add([own, "bare"], user_id="ada", occurred_at=later, metadata={"topic": "call", "n": 1})
    first, second = face.list(user_id="ada")
    assert (first.occurred_at, second.occurred_at) == (MAY, later)
    assert first.metadata == {"topic": "own", "mood": "good", "n": 1}
    assert second.metadata == {"topic": "call", "n": 1}


def test_times_of_other_zones_are_kept_as_the_same_moment(face: Face) -> None:
    there = datetime(2024, 5, 7, 15, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    face.add("namaste", user_id="ada", occurred_at=there)
    assert only(face, user_id="ada").occurred_at == MAY


def test_metadata_comes_back_as_it_was(face: Face) -> None:
    metadata = {"a": [1, 2.5, None, True, {"b": "ü ☃ 漢"}], "": "empty", "z": {"y": []}}
    face.add("hello", user_id="ada", metadata=metadata)
    assert only(face, user_id="ada").metadata == metadata


def test_an_expired_record_is_found_by_no_read(face: Face) -> None:
    past = datetime.now(timezone.utc) - timedelta(seconds=1)
    (change,) = face.add("gone like smoke", user_id="ada", expires_at=past)
    assert face.search("smoke", user_id="ada") == []
    assert len(face.list(user_id="ada")) == 0
    with pytest.raises(KeyError):
        face.get(change.id, user_id="ada")


def test_a_record_yet_to_expire_is_found(face: Face) -> None:
    soon = datetime.now(timezone.utc) + timedelta(days=1)
    face.add("still here", user_id="ada", expires_at=soon)
    assert only(face, user_id="ada").expires_at == soon
    assert len(face.search("here", user_id="ada")) == 1


def test_all_four_ids_are_stored(face: Face) -> None:
    ids = {"user_id": "u", "agent_id": "a", "run_id": "r", "app_id": "p"}
    face.add("hello", **ids)
    assert only(face, **ids).scope == Scope(**ids)


def test_no_scope_is_an_error(face: Face) -> None:
    with pytest.raises(ScopeError, match="user_id, agent_id, run_id, app_id"):
        face.add("hello")


def test_no_messages_are_an_error(face: Face) -> None:
    with pytest.raises(InvalidInputError, match="no messages"):
        face.add([], user_id="ada")


def test_one_bad_message_keeps_all_out(face: Face) -> None:
    with pytest.raises(InvalidInputError):
        face.add(["good", ""], user_id="ada")
    assert len(face.list(user_id="ada")) == 0
