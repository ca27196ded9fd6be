"""What every chat history of every adapter has to do; see `support.chats`."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from holdfast import Memory, ScopeError
from holdfast.testing import HashEmbedder
from support.chats import CHATS, KEY, Chats
from support.drivers import needs_encryption

WORD = "QUINOAXYZ"
OWNED = [one for one in CHATS if one.owned]
STORED = [one for one in CHATS if one.stored]

# Ids that a careless key takes for one another: by case, blanks, forms of Unicode, separators,
# patterns, and values of other languages.
LOOK_ALIKES = (
    "ada",
    "Ada",
    "ada ",
    " ada",
    "ada/1",
    "ada:1",
    "ada|1",
    "ada,1",
    "ada%",
    "ad_",
    "*",
    "%",
    "ad\u0430",  # its last letter is Cyrillic
    "\uff41\uff44\uff41",  # full width
    "ad\u200ba",
    unicodedata.normalize("NFC", "ad\u00e1"),
    unicodedata.normalize("NFD", "ad\u00e1"),
    '["ada"]',
    '["ada", null, null, "1"]',
    '{"user_id": "ada"}',
    "user_id=ada",
    "null",
    "None",
    "1",
    "01",
    "1.0",
    "'; DROP TABLE llamaindex_messages; --",
    "a" * 255,
    "a" * 256,
)


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., Chats]]:
    made: list[Chats] = []

    def open_(kind: type[Chats], where: Path | str = path, key: bytes | None = None) -> Chats:
        made.append(kind(where, key))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def on_disk(path: Path, word: str) -> list[str]:
    """The files in the folder of a memory that hold a word."""
    files = sorted(path.parent.iterdir())
    return [file.name for file in files if file.is_file() and word.encode() in file.read_bytes()]


def every(chats: list[type[Chats]] | tuple[type[Chats], ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", chats, ids=lambda one: one.__name__)


# -- one conversation -----------------------------------------------------------------------------


@every(CHATS)
def test_messages_come_back_in_order(kind: type[Chats], opened: Callable[..., Chats]) -> None:
    chat = opened(kind).chat("s")
    chat.append("one")
    chat.append("two", "three", role="assistant")
    chat.append("one")
    assert chat.read() == ["one", "two", "three", "one"]


@every(CHATS)
def test_a_conversation_can_be_replaced(kind: type[Chats], opened: Callable[..., Chats]) -> None:
    chat = opened(kind).chat("s")
    chat.append("one", "two")
    chat.replace("three")
    chat.append("four")
    assert chat.read() == ["three", "four"]


@every(CHATS)
def test_a_cleared_conversation_is_empty_and_begins_anew(
    kind: type[Chats], opened: Callable[..., Chats]
) -> None:
    chat = opened(kind).chat("s")
    chat.append("one")
    chat.clear()
    assert chat.read() == []
    chat.append("one")
    assert chat.read() == ["one"]


@every(CHATS)
def test_conversations_survive_reopening(kind: type[Chats], opened: Callable[..., Chats]) -> None:
    chats = opened(kind)
    chats.chat("s").append("one", "two")
    chats.chat("t").append("three")
    chats.reopen()
    assert chats.chat("s").read() == ["one", "two"]
    chats.chat("s").append("four")
    chats.reopen()
    assert chats.chat("s").read() == ["one", "two", "four"]
    assert chats.chat("t").read() == ["three"]


@every(STORED)
def test_concurrent_writers_lose_nothing(kind: type[Chats], opened: Callable[..., Chats]) -> None:
    chats = opened(kind)

    def write(writer: int) -> None:
        chat = chats.chat("s", **({"user_id": "ada"} if kind.owned else {}))
        for number in range(8):
            chat.append(f"{writer}.{number}", role="system")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    said = chats.chat("s", user_id="ada").read()
    assert len(said) == 48
    for writer in range(6):
        assert [one for one in said if one.startswith(f"{writer}.")] == [
            f"{writer}.{number}" for number in range(8)
        ]


# -- whose conversation ---------------------------------------------------------------------------


@every(OWNED)
@pytest.mark.parametrize("name", ["user_id", "agent_id", "app_id"])
def test_one_session_id_of_two_owners_names_two_conversations(
    kind: type[Chats], name: str, opened: Callable[..., Chats]
) -> None:
    chats = opened(kind)
    ada, bob = chats.chat("1", **{name: "ada"}), chats.chat("1", **{name: "bob"})
    ada.append("of ada")
    assert bob.read() == []
    bob.append("of bob")
    bob.clear()
    assert ada.read() == ["of ada"]
    bob.replace("of bob again")
    assert ada.read() == ["of ada"]


@every(OWNED)
def test_an_id_that_is_not_given_is_none_and_not_any(
    kind: type[Chats], opened: Callable[..., Chats]
) -> None:
    chats = opened(kind)
    owners: list[dict[str, str]] = [
        {},
        {"user_id": "ada"},
        {"agent_id": "ada"},
        {"app_id": "ada"},
        {"user_id": "ada", "agent_id": "bot"},
        {"user_id": "ada", "app_id": "bot"},
        {"agent_id": "ada", "app_id": "bot"},
        {"user_id": "ada", "agent_id": "bot", "app_id": "shop"},
    ]
    for at, owner in enumerate(owners):
        chats.chat("1", **owner).append(f"said {at}")
    assert [chats.chat("1", **owner).read() for owner in owners] == [
        [f"said {at}"] for at in range(len(owners))
    ]


@every(CHATS)
def test_sessions_that_look_alike_are_apart(
    kind: type[Chats], opened: Callable[..., Chats]
) -> None:
    chats = opened(kind)
    for at, session in enumerate(LOOK_ALIKES):
        chats.chat(session).append(f"said {at}")
    chats.chat(LOOK_ALIKES[0]).clear()
    assert [chats.chat(session).read() for session in LOOK_ALIKES] == [
        [],
        *([f"said {at}"] for at in range(1, len(LOOK_ALIKES))),
    ]


@every(OWNED)
def test_owners_that_look_alike_are_apart(kind: type[Chats], opened: Callable[..., Chats]) -> None:
    chats = opened(kind)
    for at, user in enumerate(LOOK_ALIKES):
        chats.chat("1", user_id=user).append(f"said {at}")
    chats.chat("1", user_id=LOOK_ALIKES[0]).clear()
    assert [chats.chat("1", user_id=user).read() for user in LOOK_ALIKES] == [
        [],
        *([f"said {at}"] for at in range(1, len(LOOK_ALIKES))),
    ]


@every(OWNED)
def test_ids_that_are_one_text_when_they_are_joined_are_apart(
    kind: type[Chats], opened: Callable[..., Chats]
) -> None:
    chats = opened(kind)
    cuts = [("a", "b:c"), ("a:b", "c"), ("a", "b/c"), ("a/b", "c"), ("ab", "c"), ("a", "bc")]
    for at, (user, session) in enumerate(cuts):
        chats.chat(session, user_id=user).append(f"said {at}")
    found = [chats.chat(session, user_id=user).read() for user, session in cuts]
    assert found == [[f"said {at}"] for at in range(len(cuts))]


@every(OWNED)
@pytest.mark.parametrize("bad", ["", "ada\x1fbob", "ada\x00", "a" * 257])
def test_an_owner_that_cannot_be_one_is_refused(
    kind: type[Chats], bad: str, opened: Callable[..., Chats]
) -> None:
    with pytest.raises(ScopeError):
        opened(kind).chat("1", user_id=bad).append("said")


@every(CHATS)
def test_clearing_one_conversation_leaves_the_others(
    kind: type[Chats], opened: Callable[..., Chats]
) -> None:
    chats = opened(kind)
    for session in ("one", "two", "three"):
        chats.chat(session).append(f"in {session}", role="assistant")
    chats.chat("two").clear()
    assert [chats.chat(session).read() for session in ("one", "two", "three")] == [
        ["in one"],
        [],
        ["in three"],
    ]


# -- deleted means gone ---------------------------------------------------------------------------


@every(CHATS)
def test_a_cleared_conversation_leaves_no_byte(
    kind: type[Chats], opened: Callable[..., Chats], path: Path
) -> None:
    chats = opened(kind)
    chat = chats.chat("s")
    chat.append("before", role="system")
    chat.append(WORD, role="system")
    assert kind.__name__ == "AutoGenContext" or on_disk(path, WORD)
    chat.clear()
    assert on_disk(path, WORD) == []
    assert chats.memory.stats().erasure_pending is False


@every(CHATS)
def test_a_replaced_conversation_leaves_no_byte(
    kind: type[Chats], opened: Callable[..., Chats], path: Path
) -> None:
    chats = opened(kind)
    chat = chats.chat("s")
    chat.append(WORD, role="system")
    chat.replace("other words", role="system")
    assert on_disk(path, WORD) == []
    assert chat.read() == ["other words"]


@every([*STORED, *(one for one in CHATS if not one.owned)])
def test_a_reader_keeps_an_erasure_pending_until_it_leaves(
    kind: type[Chats], opened: Callable[..., Chats], path: Path
) -> None:
    chats = opened(kind)
    chat = chats.chat("s")
    chat.append(WORD, role="system")
    with Memory(path, embedder=HashEmbedder()) as other:
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            chat.clear()
            assert chats.memory.stats().erasure_pending is True
            assert chat.read() == []
            chats.memory.purge()
            assert chats.memory.stats().erasure_pending is True
        chats.memory.purge()
        assert chats.memory.stats().erasure_pending is False
        assert on_disk(path, WORD) == []


@every([*STORED, *(one for one in CHATS if not one.owned)])
def test_whoever_closes_the_file_finishes_an_erasure(
    kind: type[Chats], opened: Callable[..., Chats], path: Path
) -> None:
    with Memory(path, embedder=HashEmbedder()) as other:
        chats = opened(kind)
        chat = chats.chat("s")
        chat.append(WORD, role="system")
        with other._storage.database.read() as connection:
            connection.execute("SELECT count(*) FROM records").fetchone()
            chat.clear()
        assert on_disk(path, WORD)
        chats.close()
        assert other.stats().erasure_pending is False
        assert on_disk(path, WORD) == []


@needs_encryption
@every(CHATS)
def test_an_encrypted_file_erases_as_well(
    kind: type[Chats], opened: Callable[..., Chats], path: Path
) -> None:
    chats = opened(kind, path, KEY)
    chat = chats.chat("s")
    chat.append(WORD, role="system")
    chat.clear()
    assert (chat.read(), chats.memory.stats(check=True).erasure_pending) == ([], False)


@every(CHATS)
def test_a_file_in_memory_erases_as_well(kind: type[Chats], opened: Callable[..., Chats]) -> None:
    chats = opened(kind, ":memory:")
    chat = chats.chat("s")
    chat.append(WORD, role="system")
    chat.clear()
    assert (chat.read(), chats.memory.stats(check=True).erasure_pending) == ([], False)
