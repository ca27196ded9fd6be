"""`add(wait=False)`: stored by one write, found by words at once, by meaning after `flush`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from holdfast import EmbedderMismatchError, InvalidInputError, ProviderError
from holdfast.testing import HashEmbedder, ScriptedLLM
from support.faces import Face

ADA = {"user_id": "ada"}
SAID_AT = datetime(2024, 5, 1, tzinfo=timezone.utc)
Opened = Callable[..., Face]


class Counting(HashEmbedder):
    """Counts the texts it was given, and fails on demand.

    Attributes:
        texts: Of documents.
        refuses: It raises for a batch that holds this text; "": for every batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.refuses: str | None = None

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.refuses is not None and (self.refuses in texts or not self.refuses):
            raise ProviderError("out of order")
        self.texts += texts
        return super().embed(texts)

    def embed_query(self, text: str) -> Any:
        return HashEmbedder.embed(self, [text])[0]

    async def aembed_query(self, text: str) -> Any:
        return self.embed_query(text)


def asked(face: Face, query: str, **rest: Any) -> list[tuple[str, float]]:
    found = face.search(query, **{**ADA, **rest})
    return [(match.record.text, round(match.score, 5)) for match in found]


def first(face: Face, query: str) -> str:
    return asked(face, query)[0][0]


def test_nothing_is_embedded_before_it_returns(opened: Opened) -> None:
    embedder = Counting()
    face = opened(embedder=embedder)
    changes = face.add(["I keep bees", "I sail"], **ADA, wait=False)
    assert (len(changes), changes.unembedded, changes.pending) == (2, 2, 0)
    assert embedder.texts == []
    assert (face.stats().unembedded, face.stats().embedder) == (2, None)
    assert face.flush().unembedded == 0
    assert embedder.texts == ["I keep bees", "I sail"]
    assert (face.stats().unembedded, face.stats().embedder) == (0, "hash/64")
    face.flush()
    assert len(embedder.texts) == 2


def test_words_are_found_at_once(face: Face) -> None:
    face.add(["I keep bees", "I sail boats", "The weather was fine"], **ADA, wait=False)
    assert first(face, "boats") == "I sail boats"
    face.flush()
    face.add(["Boats need paint", "I grow tea"], **ADA, wait=False)
    assert first(face, "paint") == "Boats need paint"
    assert len(asked(face, "tea")) == 5


def test_what_is_embedded_later_ranks_as_if_it_had_been_at_once(opened: Opened) -> None:
    said = [f"On day {n} I saw {n % 7} bees and {n % 3} boats" for n in range(80)]
    now, later = opened("now.db"), opened("later.db")
    now.add(said, **ADA, occurred_at=SAID_AT)
    for start in range(0, 80, 20):
        later.add(said[start : start + 20], **ADA, occurred_at=SAID_AT, wait=False)
        asked(later, "bees")
    before = asked(later, "three bees and a boat", limit=80)
    assert later.flush().problems == ()
    after = asked(later, "three bees and a boat", limit=80)
    assert before != after == asked(now, "three bees and a boat", limit=80)
    assert later.stats(check=True).problems == ()


def test_a_vector_that_is_missing_is_no_reason_to_rank_well(opened: Opened) -> None:
    class Opposite(HashEmbedder):
        """Points away from every question."""

        def embed_query(self, text: str) -> Any:
            return [-value for value in HashEmbedder.embed(self, [text])[0]]

        async def aembed_query(self, text: str) -> Any:
            return self.embed_query(text)

    face = opened(embedder=Opposite())
    face.add(["red kites", "red tape"], **ADA)
    face.add("nothing of the kind", **ADA, wait=False)
    assert asked(face, "red kites and red tape")[-1][0] == "nothing of the kind"


def test_the_next_call_that_waits_embeds_what_its_scope_left(opened: Opened) -> None:
    embedder = Counting()
    face = opened(embedder=embedder)
    face.add("I keep bees", **ADA, wait=False)
    face.add("Bob sails", user_id="bob", wait=False)
    face.add("I grow tea", **ADA)
    assert embedder.texts == ["I grow tea", "I keep bees"]
    assert face.stats().unembedded == 1


def test_flush_of_a_scope_embeds_nobody_elses(opened: Opened) -> None:
    embedder = Counting()
    face = opened(embedder=embedder)
    face.add("I keep bees", **ADA, wait=False)
    face.add("Bob sails", user_id="bob", wait=False)
    assert face.flush(**ADA).unembedded == 0
    assert embedder.texts == ["I keep bees"]


def test_a_message_that_is_sent_again_is_left_out(face: Face) -> None:
    message = {"role": "user", "content": "I keep bees", "id": "m1"}
    assert len(face.add(message, **ADA, wait=False)) == 1
    again = face.add(
        [message, {"role": "user", "content": "I sail", "id": "m2"}], **ADA, wait=False
    )
    assert (len(again), again.unembedded) == (1, 1)


def test_a_failed_embedder_costs_nothing_that_was_said(opened: Opened) -> None:
    embedder = Counting()
    face = opened(embedder=embedder)
    face.add("I keep bees", **ADA, wait=False)
    embedder.refuses = ""
    changes = face.flush()
    assert (changes.unembedded, changes.problems) == (1, ("vectors: out of order",))
    assert (face.stats().unembedded, face.stats().error) == (1, "ProviderError: out of order")
    embedder.refuses = None
    assert face.flush().unembedded == 1  # not due yet
    assert face.flush(retry=True).unembedded == 0
    assert face.stats(check=True).problems == ()


def test_a_text_that_the_embedder_refuses_is_given_up_alone(opened: Opened) -> None:
    embedder = Counting()
    face = opened(embedder=embedder)
    face.add([f"text {n}" for n in range(9)], **ADA, wait=False)
    embedder.refuses = "text 4"
    for _ in range(12):
        face.flush()
        face.memory._storage.database  # noqa: B018
        hurry(face)
    assert (face.flush().unembedded, face.stats().parked) == (1, 1)
    assert sorted(embedder.texts) == [f"text {n}" for n in range(9) if n != 4]
    assert first(face, "4") == "text 4"
    assert face.stats(check=True).problems == ()


def hurry(face: Face) -> None:
    """Let the time of every next attempt come."""
    with face.memory._storage.database.write() as connection:
        connection.execute("UPDATE unembedded SET due_at = 0")


def test_changes_before_the_vectors_come_hold(face: Face) -> None:
    kept, reworded, ended, gone = face.add(
        ["I keep bees", "I sail", "I run", "I swim"], **ADA, wait=False
    )
    amended = face.update(kept.id, metadata={"topic": "animals"}, **ADA)
    face.update(reworded.id, "I sail no more", **ADA)
    face.undo(ended, **ADA)
    face.delete(gone.id, **ADA)
    assert face.flush().unembedded == 0
    assert {text for text, _ in asked(face, "I")} == {"I keep bees", "I sail no more"}
    face.undo(amended, **ADA)
    assert face.get(kept.id, **ADA).metadata == {}
    assert [change.event for change in face.history(kept.id, **ADA)] == ["ADD", "UPDATE", "UPDATE"]
    assert face.stats(check=True).problems == ()


def test_undo_of_a_change_to_an_unembedded_record_leaves_it_unembedded(face: Face) -> None:
    (added,) = face.add("I keep bees", **ADA, wait=False)
    amended = face.update(added.id, importance=0.9, **ADA)
    face.undo(amended, **ADA)
    assert first(face, "bees") == "I keep bees"
    assert face.flush().unembedded == 0
    assert face.stats(check=True).problems == ()


def test_expired_records_go_with_their_place_in_the_queue(face: Face) -> None:
    past = datetime(2024, 1, 1, tzinfo=timezone.utc)
    face.add("I keep bees", **ADA, expires_at=past, wait=False)
    face.purge()
    assert face.stats().unembedded == 0


def test_an_export_takes_along_what_is_not_embedded(opened: Opened, tmp_path: Path) -> None:
    one, other = opened("one.db"), opened("other.db")
    one.add("I keep bees", **ADA, wait=False)
    one.export(tmp_path / "early.jsonl")
    other.import_(tmp_path / "early.jsonl")
    assert first(other, "bees") == "I keep bees"
    assert (other.stats().unembedded, other.flush().unembedded) == (1, 0)
    one.flush()
    one.add("I grow tea", **ADA)
    one.export(tmp_path / "late.jsonl")
    assert other.import_(tmp_path / "late.jsonl") == 1
    assert one.import_(tmp_path / "early.jsonl") == 0
    assert asked(other, "bees") == asked(one, "bees")
    for face in (one, other):
        assert face.stats(check=True).problems == ()


def test_reembed_embeds_what_waits(opened: Opened) -> None:
    face = opened()
    face.add("I sail", **ADA)
    face.add("I keep bees", **ADA, wait=False)
    asked(face, "bees")
    assert face.reembed() == 2
    assert face.stats().unembedded == 0
    assert face.stats(check=True).problems == ()
    plain = opened("plain.db")
    plain.add("I sail", **ADA)
    plain.add("I keep bees", **ADA)
    assert asked(face, "bees I keep") == asked(plain, "bees I keep")


def test_another_embedders_file_takes_nothing(kind: str, opened: Opened) -> None:
    if kind == "in_memory":
        pytest.skip("a memory of its own")
    opened().add("I sail", **ADA)
    other = opened(embedder=HashEmbedder(name="other"))
    with pytest.raises(EmbedderMismatchError):
        other.add("I keep bees", **ADA, wait=False)
    with pytest.raises(EmbedderMismatchError):
        other.flush()


def test_flush_without_a_model_embeds_and_says_what_it_cannot_do(kind: str, opened: Opened) -> None:
    if kind == "in_memory":
        pytest.skip("a memory of its own")
    opened(llm=ScriptedLLM()).add("I keep bees", **ADA, wait=False)
    face = opened()
    with pytest.raises(InvalidInputError, match="no LLM"):
        face.flush()
    assert (face.stats().unembedded, face.stats().waiting) == (0, 1)
