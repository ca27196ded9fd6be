"""What is left when a session, or an author among several, is erased."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from holdfast import Memory
from support.flows import decision, decisions, fact, facts, lives_in, of, only, texts

PARIS = facts(fact("User lives in Paris", relations=[lives_in("Paris")]))
ROME = facts(fact("User lives in Rome", relations=[lives_in("Rome")]))
TEA = facts("User likes tea")
BOTH = decisions(decision("UPDATE", 1, text="User likes tea and quokkas"))


def told(memory: Memory, text: str, run: str) -> Any:
    return memory.add(text, user_id="ada", run_id=run)


def moved(memory: Memory) -> str:
    """Tell of Paris on monday, of Rome on friday; return the fact's id."""
    told(memory, "I live in Paris", "monday")
    (change,) = of(told(memory, "I live in Rome", "friday"))
    assert change.event == "UPDATE"
    return change.id


def sound(memory: Memory) -> bool:
    return memory.stats(check=True).problems == ()


def test_erasing_the_older_session_keeps_what_the_newer_one_said(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(PARIS, ROME) as memory:
        key = moved(memory)
        assert memory.delete_all(user_id="ada", run_id="monday") == 2
        assert texts(memory) == ["User lives in Rome"]
        assert "Paris" not in repr(memory.history(key, user_id="ada"))
        assert memory.stats().waiting == 0
        assert sound(memory)


def test_erasing_the_newer_session_gives_back_what_the_older_one_said(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(PARIS, ROME) as memory:
        key = moved(memory)
        memory.search("where", user_id="ada")
        assert memory.delete_all(user_id="ada", run_id="friday") == 2
        assert texts(memory) == ["User lives in Paris"]
        assert memory.search("lives in Paris", user_id="ada", kinds=["fact"])
        assert "Rome" not in repr(memory.history(key, user_id="ada"))
        assert sound(memory)


@pytest.mark.parametrize(("run", "left"), [("monday", "Rome"), ("friday", "Paris")])
def test_deleting_a_fact_within_a_session_takes_the_version_of_that_session(
    scripted: Callable[..., Memory], run: str, left: str
) -> None:
    with scripted(PARIS, ROME) as memory:
        key = moved(memory)
        (gone,) = memory.scoped(user_id="ada", run_id=run).delete(key)
        assert gone.event == "DELETE"
        assert texts(memory) == [f"User lives in {left}"]
        assert len(texts(memory, "turn")) == 2
        assert memory.stats().waiting == 0
        assert sound(memory)


def test_deleting_a_fact_of_the_whole_user_takes_all_its_versions(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(PARIS, ROME) as memory:
        memory.delete(moved(memory), user_id="ada")
        assert texts(memory) == []
        assert memory.stats().waiting == 0  # it does not come back by itself
        assert sound(memory)


def test_what_was_undone_stays_undone_when_the_other_session_is_erased(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(PARIS, ROME) as memory:
        key = moved(memory)
        memory.undo(memory.history(key, user_id="ada")[-1], user_id="ada")
        memory.delete_all(user_id="ada", run_id="monday")
        assert texts(memory) == []
        assert sound(memory)


def test_a_filter_erases_by_the_newest_version_that_a_session_has(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(PARIS, ROME) as memory:
        moved(memory)
        old = {"text": "User lives in Paris"}
        assert memory.delete_all(user_id="ada", filters=old) == 0
        assert memory.delete_all(user_id="ada", run_id="monday", filters=old) == 1
        assert texts(memory) == ["User lives in Rome"]


# -- words that a model merged ------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "kept"), [("r1", "quokkas"), ("r2", "tea")])
def test_merged_words_go_with_any_of_their_authors_and_the_other_is_read_again(
    scripted: Callable[..., Memory], tmp_path: Path, gone: str, kept: str
) -> None:
    answers = TEA, facts("User likes tea and feeds quokkas"), BOTH, facts(f"User likes {kept}")
    with scripted(*answers) as memory:
        first, _ = told(memory, "I like tea", "r1")
        second, merge = told(memory, "I like quokkas", "r2")
        assert only(memory).sources == (first.id, second.id)
        assert merge.sources == (second.id,)  # what caused it
        memory.delete_all(user_id="ada", run_id=gone)
        assert memory.stats().waiting == 1
        memory.flush()
        assert texts(memory) == [f"User likes {kept}"]
        assert sound(memory)


def test_a_paraphrase_goes_with_its_author_too(scripted: Callable[..., Memory]) -> None:
    merged = decisions(decision("UPDATE", 1, text="User likes a hot drink and quokkas"))
    with scripted(TEA, facts("User likes tea and feeds quokkas"), merged) as memory:
        told(memory, "I like tea", "r1")
        second, _ = told(memory, "I like quokkas", "r2")
        memory.delete_all(user_id="ada", run_id="r1")
        assert texts(memory) == []
        with memory._storage.database.read() as connection:
            queued = connection.execute(
                "SELECT r.key FROM queue q JOIN records r ON r.id = q.record"
            ).fetchall()
        assert queued == [(second.id,)]


def test_a_turn_of_which_the_caller_erased_a_fact_is_not_read_again(
    scripted: Callable[..., Memory],
) -> None:
    two = facts("User feeds a wombat", "User likes tea and feeds quokkas")
    with scripted(TEA, two, BOTH, decisions()) as memory:
        told(memory, "I like tea", "r1")
        changes = told(memory, "I like quokkas and feed a wombat", "r2")
        wombat = next(one.id for one in of(changes) if "wombat" in (one.after or one.before).text)
        memory.delete(wombat, user_id="ada")
        memory.delete_all(user_id="ada", run_id="r1")
        assert memory.stats().waiting == 0
        assert texts(memory) == []


# -- words that only erased turns said ----------------------------------------------------------


def test_a_fact_goes_with_words_of_a_turn_that_it_does_not_cite(
    scripted: Callable[..., Memory], tmp_path: Path
) -> None:
    with scripted(facts(fact("The boat Wibblewave needs an engine", 2))) as memory:
        boat, engine, *_ = memory.add(
            ["My boat is called Wibblewave", "It needs an engine"], user_id="ada"
        )
        assert only(memory).sources == (engine.id,)
        memory.delete(boat.id, user_id="ada")
        assert texts(memory) == []
        assert memory.stats().waiting == 1
        assert sound(memory)
    assert b"ibblewave" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_confirmed_fact_goes_with_what_only_the_first_turn_said(
    scripted: Callable[..., Memory],
) -> None:
    known = "User has a dog; the PIN of the user is 4711"
    answers = facts(known), facts("User has a dog"), decisions(decision("NONE", 1))
    with scripted(*answers) as memory:
        told(memory, "I have a dog, my PIN is 4711", "r1")
        told(memory, "I have a dog", "r2")
        memory.delete_all(user_id="ada", run_id="r1")
        assert texts(memory) == []
        assert memory.stats().waiting == 1


def test_a_reason_is_cleared_of_words_that_only_an_erased_turn_said(
    scripted: Callable[..., Memory], tmp_path: Path
) -> None:
    reason = {**decision("ADD"), "reason": "not the same as the Wibblewave"}
    with scripted(facts("User has a boat"), facts("User has a boat, too"), decisions(reason)) as m:
        told(m, "My boat is the Wibblewave", "r1")
        (added,) = of(told(m, "I have a boat, too", "r2"))
        assert "Wibblewave" in added.reason
        m.delete_all(user_id="ada", run_id="r1")
        assert texts(m) == ["User has a boat, too"]
        assert [change.reason for change in m.history(added.id, user_id="ada")] == [""]
    assert b"ibblewave" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_words_of_another_language_are_found_by_each_of_their_stems(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(facts(fact("The user eats Zwiebelkuchen", 2))) as memory:
        gone, *_ = memory.add(
            ["Das sind die Zwiebelkuchen von gestern", "I eat them"], user_id="ada"
        )
        memory.delete(gone.id, user_id="ada")
        assert texts(memory) == []


def test_words_that_another_turn_says_stay(scripted: Callable[..., Memory]) -> None:
    with scripted(facts(fact("The boat Wibblewave needs an engine", 2)), facts()) as memory:
        boat, *_ = memory.add(
            ["My boat is called Wibblewave", "It needs an engine"], user_id="ada", run_id="r1"
        )
        told(memory, "The Wibblewave is a boat", "r2")
        memory.delete(boat.id, user_id="ada")
        assert texts(memory) == ["The boat Wibblewave needs an engine"]


def test_what_another_user_was_told_stays(scripted: Callable[..., Memory]) -> None:
    with scripted(TEA, TEA) as memory:
        gone, *_ = memory.add("I like tea", user_id="bob")
        memory.add("Bob told me what he likes", user_id="ada")
        memory.delete(gone.id, user_id="bob")
        assert texts(memory) == ["User likes tea"]


def test_a_callers_own_words_stay(scripted: Callable[..., Memory]) -> None:
    with scripted(facts("User has a boat")) as memory:
        boat, *_ = memory.add("My boat is the Wibblewave", user_id="ada", run_id="r1")
        memory.add("The Wibblewave is for sale", kind="fact", user_id="ada", run_id="r2")
        memory.delete(boat.id, user_id="ada")
        assert texts(memory) == ["The Wibblewave is for sale"]


def test_taking_a_source_away_is_in_the_log(scripted: Callable[..., Memory]) -> None:
    with scripted(TEA, TEA) as memory:
        first, _ = told(memory, "I like tea", "r1")
        told(memory, "Tea is what I like", "r2")
        with memory._storage.database.read() as connection:
            (row,) = connection.execute("SELECT id FROM records WHERE kind = 'fact'").fetchone()
        memory.delete(first.id, user_id="ada")
        with memory._storage.database.read() as connection:
            (last,) = connection.execute(
                "SELECT operation FROM log WHERE before = ? ORDER BY seq DESC", (row,)
            ).fetchone()
        assert last == "UPDATE"
        assert len(only(memory).sources) == 1


def test_what_a_caller_stated_outlasts_the_turns_that_say_it_again(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(TEA) as memory:
        (stated,) = memory.add("User likes tea", user_id="ada", kind="fact", infer=False).records
        said = memory.add("I like tea", user_id="ada")
        assert [change.event for change in of(said)] == ["NONE"]
        memory.delete(said.records[0].id, user_id="ada")
        assert memory.get(stated.id, user_id="ada").text == "User likes tea"
        assert sound(memory)
