"""`delete`, `delete_all` and `purge`, as far as reads can tell; bytes are `test_erasure.py`'s."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from holdfast import RecordNotFoundError, ScopeError
from support.faces import Face

PAST = datetime(2024, 1, 1, tzinfo=timezone.utc)


def test_delete_takes_a_record_from_every_read(face: Face) -> None:
    (added,) = face.add("the password is quinoa", user_id="ada")
    face.search("quinoa", user_id="ada")
    (gone,) = face.delete(added.id, user_id="ada")
    assert (gone.event, gone.id, gone.before, gone.after) == ("DELETE", added.id, None, None)
    assert face.search("quinoa", user_id="ada") == []
    assert face.search("quinoa", user_id="ada", as_of=added.at) == []
    assert len(face.list(user_id="ada")) == 0
    with pytest.raises(RecordNotFoundError):
        face.get(added.id, user_id="ada")
    assert face.stats(check=True).problems == ()


def test_history_says_that_and_when_a_record_was_erased_and_none_of_its_words(face: Face) -> None:
    (added,) = face.add("the password is quinoa", user_id="ada")
    face.update(added.id, "the password is spelt", user_id="ada")
    (gone,) = face.delete(added.id, user_id="ada")
    past = face.history(added.id, user_id="ada")
    assert [change.event for change in past] == ["ADD", "UPDATE", "DELETE"]
    assert past[-1] == gone
    assert gone.at > past[1].at
    assert "quinoa" not in repr(past)
    assert "spelt" not in repr(past)


def test_delete_erases_several_at_once(face: Face) -> None:
    one, two, three = face.add(["one", "two", "three"], user_id="ada")
    gone = face.delete([three.id, one.id, three.id], user_id="ada")
    assert [(change.event, change.id) for change in gone] == [
        ("DELETE", three.id),
        ("DELETE", one.id),
        ("DELETE", three.id),
    ]
    assert [record.id for record in face.list(user_id="ada")] == [two.id]
    assert face.history(one.id, user_id="ada")[-1] == gone[1]
    assert len(face.delete([], user_id="ada")) == 0
    assert face.stats(check=True).problems == ()


def test_delete_of_several_erases_none_where_one_is_missing(face: Face) -> None:
    one, two = face.add(["one", "two"], user_id="ada")
    (elsewhere,) = face.add("three", user_id="bob")
    asked = [one.id, "no such", "\ud800", elsewhere.id, two.id]
    with pytest.raises(RecordNotFoundError, match="no records 'no such'") as caught:
        face.delete(asked, user_id="ada")
    assert caught.value.record_ids == ("no such", "\ud800", elsewhere.id)
    assert [record.text for record in face.list(user_id="ada")] == ["one", "two"]
    assert [record.text for record in face.list(user_id="bob")] == ["three"]


def test_delete_of_an_unknown_id_says_so(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada")
    face.delete(added.id, user_id="ada")
    for unknown in (added.id, "no such", "\ud800"):
        with pytest.raises(RecordNotFoundError):
            face.delete(unknown, user_id="ada")


def test_an_erased_message_stays_away_when_it_is_resent(face: Face) -> None:
    message = {"role": "user", "content": "the password is quinoa", "id": "m1"}
    (added,) = face.add(message, user_id="ada")
    face.delete(added.id, user_id="ada")
    assert len(face.add(message, user_id="ada")) == 0
    assert face.search("quinoa", user_id="ada") == []


def test_an_expired_record_can_be_erased(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada", expires_at=PAST)
    face.delete(added.id, user_id="ada")
    assert face.purge() == 0


def test_an_undone_add_can_be_erased(face: Face) -> None:
    (added,) = face.add("the password is quinoa", user_id="ada")
    face.undo(added, user_id="ada")
    face.delete(added.id, user_id="ada")
    assert "quinoa" not in repr(face.history(added.id, user_id="ada"))


def test_delete_all_empties_a_scope_and_no_other(face: Face) -> None:
    face.add(["one", "two"], user_id="ada", run_id="r1")
    face.add("three", user_id="ada", run_id="r2")
    face.add("four", user_id="bob", run_id="r1")
    assert face.delete_all(user_id="ada", run_id="r1") == 2
    assert [record.text for record in face.list(user_id="ada")] == ["three"]
    assert face.delete_all(user_id="ada") == 1
    assert face.search("three", user_id="ada") == []
    assert [record.text for record in face.list(user_id="bob")] == ["four"]
    assert face.delete_all(user_id="ada") == 0


def test_delete_all_needs_a_scope(face: Face) -> None:
    face.add("one", user_id="ada")
    with pytest.raises(ScopeError):
        face.delete_all()
    assert len(face.list(user_id="ada")) == 1


def test_a_scope_lives_again_after_delete_all(face: Face) -> None:
    face.add(["one tea", "two teas"], user_id="ada")
    face.search("tea", user_id="ada")
    face.delete_all(user_id="ada")
    face.add("three teas", user_id="ada")
    assert [match.record.text for match in face.search("tea", user_id="ada")] == ["three teas"]
    assert face.stats(check=True).problems == ()


def test_delete_all_frees_message_ids(face: Face) -> None:
    message = {"role": "user", "content": "hello", "id": "m1"}
    face.add(message, user_id="ada")
    face.delete_all(user_id="ada")
    assert len(face.add(message, user_id="ada")) == 1


def test_purge_erases_what_has_expired(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada", expires_at=PAST)
    face.add("coffee", user_id="ada")
    assert face.purge() == 1
    assert face.purge() == 0
    assert [change.event for change in face.history(added.id, user_id="ada")] == ["ADD", "DELETE"]
    assert [record.text for record in face.list(user_id="ada")] == ["coffee"]


def test_a_message_whose_copy_expired_and_was_purged_can_be_added_again(face: Face) -> None:
    message = {"role": "user", "content": "the password is quinoa", "id": "m1"}
    face.add(message, user_id="ada", expires_at=PAST)
    assert face.purge() == 1
    assert len(face.add(message, user_id="ada")) == 1
    assert [match.record.text for match in face.search("quinoa", user_id="ada")] == [
        "the password is quinoa"
    ]


def test_purge_spares_a_record_whose_expiry_was_put_off(face: Face) -> None:
    (added,) = face.add("tea", user_id="ada", expires_at=PAST + timedelta(days=36500))
    face.update(added.id, expires_at=PAST, user_id="ada")
    face.undo(face.history(added.id, user_id="ada")[-1], user_id="ada")
    assert face.purge() == 0
    assert face.get(added.id, user_id="ada").text == "tea"
