"""A question is read with the names of everybody who has spoken, also since the last search."""

from __future__ import annotations

from pathlib import Path

import pytest
from holdfast import Match, Memory, Message
from holdfast.testing import HashEmbedder

ZOE = Message("I feed the ducks every morning.", name="Zoe")
BEN = Message("The ducks are on the pond again.", name="Ben")
ASKED = "What does Zoe feed?"


def spoke(matches: list[Match]) -> dict[str | None, float]:
    """Return what each speaker's turn gained because the question names the speaker."""
    return {match.record.speaker: match.parts.get("speaker", 0.0) for match in matches}


@pytest.mark.parametrize("graph", [False, True])
def test_who_spoke_in_another_handle_since_then_is_known_by_name(
    tmp_path: Path, graph: bool
) -> None:
    path, embedder = tmp_path / "memory.db", HashEmbedder()
    with Memory(path, embedder=embedder) as ours, Memory(path, embedder=embedder) as theirs:
        ours.add(BEN, user_id="ada")
        assert ours.search(ASKED, user_id="ada", explain=True, graph=graph)
        theirs.add(ZOE, user_id="ada")
        gained = spoke(ours.search(ASKED, user_id="ada", explain=True, graph=graph))
    assert gained["Zoe"] > 0
    assert gained["Ben"] == 0


@pytest.mark.anyio
async def test_the_async_face_knows_them_too(tmp_path: Path) -> None:
    async with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as memory:
        await memory.aadd(BEN, user_id="ada")
        await memory.asearch(ASKED, user_id="ada")
        await memory.aadd(ZOE, user_id="ada")
        gained = spoke(await memory.asearch(ASKED, user_id="ada", explain=True))
    assert gained["Zoe"] > 0


def test_the_embedder_sees_the_question_as_it_is_read_at_last(tmp_path: Path) -> None:
    asked: list[str] = []

    class Noting(HashEmbedder):
        def embed_query(self, text: str) -> list[float]:
            asked.append(text)
            return list(super().embed_query(text))

    with Memory(tmp_path / "memory.db", embedder=Noting()) as memory:
        memory.add(BEN, user_id="ada")
        memory.search(ASKED, user_id="ada")
        memory.add(ZOE, user_id="ada")
        memory.search(ASKED, user_id="ada")
    assert asked[0] == ASKED
    assert asked[-1] == "What does I feed?"
