"""What erasing, expiry and edits of turns do to what was derived from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from holdfast import Memory
from holdfast.testing import ScriptedLLM
from support.flows import decision, decisions, fact, facts, lives_in, of, only, opened, texts

NOW = datetime.now(timezone.utc)
REX = "Rex is a dog of the user"
PARIS = facts(fact("User lives in Paris", relations=[lives_in("Paris")]))
BERLIN = facts(fact("User lives in Berlin", relations=[lives_in("Berlin")]))


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_fact_goes_with_the_only_turn_it_rests_on(
    scripted: Callable[..., Memory], tmp_path: Path
) -> None:
    with scripted(facts("User hides a quokka")) as memory:
        turn, derived = memory.add("I hide a quokka", user_id="ada")
        memory.delete(turn.id, user_id="ada")
        assert texts(memory) == texts(memory, "turn") == []
        assert "quokka" not in repr(memory.history(derived.id, user_id="ada"))
        assert memory.stats(check=True).problems == ()
    assert b"quokka" not in bytes_of(tmp_path)


def test_a_fact_told_twice_outlives_one_of_its_turns(scripted: Callable[..., Memory]) -> None:
    with scripted(facts(REX), facts(REX)) as memory:
        first = memory.add("I have a dog called Rex", user_id="ada", run_id="r1")
        second = memory.add("Rex is my dog", user_id="ada", run_id="r2")
        memory.delete(first[0].id, user_id="ada")
        assert only(memory).sources == (second[0].id,)
        memory.delete(second[0].id, user_id="ada")
        assert texts(memory) == []


def test_a_fact_told_twice_in_one_batch_outlives_one_of_its_turns(
    scripted: Callable[..., Memory],
) -> None:
    with scripted(facts(fact("User has the cat", 1), fact("User has a cat", 2))) as memory:
        first, _, *_ = memory.add(["I have the cat", "I have a cat"], user_id="ada")
        memory.delete(first.id, user_id="ada")
        assert texts(memory) == ["User has the cat"]


def test_what_an_erased_turn_superseded_holds_again(scripted: Callable[..., Memory]) -> None:
    with scripted(PARIS, BERLIN) as memory:
        memory.add(
            "I live in Paris", user_id="ada", run_id="r1", occurred_at=NOW - timedelta(hours=1)
        )
        later = NOW - timedelta(minutes=1)
        moved = memory.add("Berlin now", user_id="ada", run_id="r2", occurred_at=later)
        assert texts(memory) == ["User lives in Berlin"]
        memory.delete(moved[0].id, user_id="ada")
        assert texts(memory) == ["User lives in Paris"]
        assert "Berlin" not in repr(memory.history(only(memory).id, user_id="ada"))
        assert memory.search("lives in Paris", user_id="ada", kinds=["fact"])
        assert memory.stats(check=True).problems == ()


def test_what_an_erased_turn_ended_holds_again(scripted: Callable[..., Memory]) -> None:
    answers = facts(REX), facts("Rex the dog of the user died"), decisions(decision("DELETE", 1))
    with scripted(*answers) as memory:
        memory.add("I have a dog called Rex", user_id="ada", run_id="r1")
        died = memory.add("Rex, my dog, died", user_id="ada", run_id="r2")
        assert texts(memory) == []
        memory.search("Rex", user_id="ada")
        memory.delete(died[0].id, user_id="ada")
        assert texts(memory) == [REX]
        assert memory.search("Rex", user_id="ada", kinds=["fact"])
        assert "because" not in repr(memory.history(only(memory).id, user_id="ada"))
        assert memory.stats(check=True).problems == ()


def test_what_a_caller_undid_stays_undone_when_the_turn_is_erased(
    scripted: Callable[..., Memory],
) -> None:
    answers = facts(REX), facts("Rex the dog of the user died"), decisions(decision("DELETE", 1))
    with scripted(*answers) as memory:
        memory.add("I have a dog called Rex", user_id="ada")
        died = memory.add("Rex, my dog, died", user_id="ada")
        memory.undo(of(died)[0], user_id="ada")
        memory.delete(died[0].id, user_id="ada")
        assert texts(memory) == [REX]
        assert memory.stats(check=True).problems == ()


def test_a_fact_expires_with_its_turns(scripted: Callable[..., Memory]) -> None:
    soon = NOW + timedelta(days=1)
    with scripted(facts("User is at the airport"), facts("User is at the airport")) as memory:
        memory.add("I am at the airport", user_id="ada", expires_at=soon)
        assert only(memory).expires_at == soon


def test_an_expired_turn_is_shown_to_no_model(scripted: Callable[..., Memory]) -> None:
    with scripted() as memory:
        past = NOW - timedelta(days=1)
        memory.add("I was at the airport", user_id="ada", expires_at=past, wait=False)
        assert memory.flush().problems == ()
        assert memory.stats().waiting == 0


def test_a_turn_undone_before_extraction_is_shown_to_no_model(
    scripted: Callable[..., Memory],
) -> None:
    with scripted() as memory:
        (added,) = memory.add("I never said this", user_id="ada", wait=False)
        memory.undo(added, user_id="ada")
        assert memory.flush().pending == 0


def test_a_turn_corrected_before_extraction_is_read_in_its_new_words(tmp_path: Path) -> None:
    llm = ScriptedLLM([facts("User lives in Bergen")])
    with opened(tmp_path, llm) as memory:
        (added,) = memory.add("I live in Oslo", user_id="ada", wait=False)
        memory.update(added.id, "I live in Bergen", user_id="ada")
        (derived,) = of(memory.flush())
        assert derived.sources == (added.id,)
    assert "Oslo" not in llm.calls[0].messages[1]["content"]
    assert "Bergen" in llm.calls[0].messages[1]["content"]


def test_a_turn_erased_while_a_model_reads_it_leaves_no_fact(tmp_path: Path) -> None:
    def answer(messages: object, tool: object) -> dict[str, object]:
        memory.delete(gone.id, user_id="ada")
        return facts(fact("User hides a quokka", 1), fact("User likes tea", 2))

    with opened(tmp_path, ScriptedLLM([answer, facts("User likes tea")])) as memory:
        gone, _ = memory.add(["I hide a quokka", "I like tea"], user_id="ada", wait=False)
        changes = memory.flush()
        assert texts(memory) == ["User likes tea"]
        assert "1 wait again" in changes.problems[0]
        assert changes.pending == 0
    assert b"quokka" not in bytes_of(tmp_path)


def test_corrected_words_lose_the_relations_of_the_old_ones(
    scripted: Callable[..., Memory],
) -> None:
    paris_again = facts(fact("User lives in Paris", relations=[lives_in("Paris")]))
    answers = PARIS, paris_again, decisions(decision("UPDATE", 1))
    with scripted(*answers) as memory:
        (added,) = of(memory.add("I live in Paris", user_id="ada"))
        memory.update(added.id, "User lives in Rome", user_id="ada")
        changes = memory.add("I moved to Paris", user_id="ada")
        assert changes.usage.calls == 2  # no rule takes Rome for Paris
        assert texts(memory) == ["User lives in Paris"]


def test_a_summary_is_redone_without_the_erased_turn(tmp_path: Path) -> None:
    shown: list[str] = []

    def summarise(messages: list[dict[str, str]], tool: object) -> dict[str, object]:
        shown.append(messages[1]["content"])
        return {"summary": "They spoke of quokkas." if "quokka" in shown[-1] else "They spoke."}

    llm = ScriptedLLM(itertools.chain([facts()], itertools.repeat(summarise)))
    with opened(tmp_path, llm) as memory:
        said = [f"word {number} of it" for number in range(19)]
        added = memory.add(["a quokka", *said], user_id="ada", run_id="r")
        memory.flush()
        assert texts(memory, "summary") == ["They spoke of quokkas."]
        memory.delete(added[0].id, user_id="ada")
        assert texts(memory, "summary") == []
        memory.flush()
        assert texts(memory, "summary") == ["They spoke."]
        assert memory.stats(check=True).problems == ()
    assert b"quokka" not in bytes_of(tmp_path)


def test_a_procedure_goes_with_any_turn_it_may_quote(scripted: Callable[..., Memory]) -> None:
    told = {"title": "Quokka care", "goal": "Feed", "steps": [], "outcome": "fed"}
    steps = ["Fed the quokka: it ate"]
    told = {"title": "Quokka care", "goal": "Feed", "steps": steps, "outcome": "fed"}
    with scripted(facts(), told) as memory:
        added = memory.add(["Feed the quokka", "Done"], user_id="ada", run_id="r")
        memory.add_procedure("feeding", user_id="ada", run_id="r")
        assert len(texts(memory, "procedure")) == 1
        memory.delete(added[0].id, user_id="ada")
        assert texts(memory, "procedure") == []
        assert memory.stats(check=True).problems == ()
