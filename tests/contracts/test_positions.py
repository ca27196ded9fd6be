"""Positions: each namespace counts its changes in the order in which they are committed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from support.faces import Face


def positions(face: Face, *keys: str, **ids: str) -> list[int]:
    past = (change for key in keys for change in face.history(key, **ids))
    return sorted(change.position for change in past)


def test_changes_of_a_scope_are_counted_without_gaps(face: Face) -> None:
    first = face.add("tea", user_id="ada")[0]
    face.update(first.id, "green tea", user_id="ada")
    second = face.add("coffee", user_id="ada")[0]
    face.delete(first.id, user_id="ada")
    counted = positions(face, first.id, second.id, user_id="ada")
    assert counted == [1, 2, 3, 4]


def test_scopes_are_counted_apart(face: Face) -> None:
    ada, bob = (face.add("tea", user_id=user)[0] for user in ("ada", "bob"))
    one, other = positions(face, ada.id, user_id="ada"), positions(face, bob.id, user_id="bob")
    assert one == other == [1]


def test_threads_that_write_to_one_scope_share_its_count(face: Face) -> None:
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda n: face.add(f"tea {n}", user_id="ada")[0], range(40)))
    counted = positions(face, *(change.id for change in added), user_id="ada")
    assert counted == list(range(1, 41))
