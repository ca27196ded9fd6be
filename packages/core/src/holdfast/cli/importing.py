"""What `holdfast import` can read: exports, and conversations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import typer

from holdfast import HoldfastError, InvalidInputError
from holdfast.maintenance.conversations import Conversation, Said, read_conversations

if TYPE_CHECKING:
    from holdfast import Memory

Progress: TypeAlias = Callable[[int, int], None]
BATCH = 32
"""Messages stored at once: each batch is one transaction, and one step of the progress bar."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        format: ``export`` or ``conversations``.
        read: Lines of an export, or turns.
        new: Records and documents that were not there before.
        users: Under which user ids conversations were stored.
    """

    format: str
    read: int
    new: int
    users: tuple[str, ...] = ()


Source: TypeAlias = Callable[["Memory", Progress | None], Imported]


def open_source(path: Path, ids: Mapping[str, str]) -> Source:
    """Find out what a file is, and return what imports it.

    Args:
        path: The file.
        ids: Scope ids for conversations: ``user_id`` instead of their name, others beside it. Of an
            export, what it may hold.

    Raises:
        InvalidInputError: It is nothing that can be imported.
    """
    if _is_export(path):
        return lambda memory, progress: _export(memory, path, ids, progress)
    conversations = _conversations(path)
    if "user_id" in ids and len(conversations) > 1:
        raise typer.BadParameter(
            f"{path} holds {len(conversations)} conversations; each goes under its own name"
        )
    return lambda memory, progress: _store(memory, conversations, ids, progress)


def _is_export(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline(100_000))
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is no text file: {error}") from error
    except (RecursionError, ValueError):  # a document over several lines is no export
        return False
    return isinstance(first, dict) and first.get("format") == "holdfast-export"


def _export(
    memory: Memory, path: Path, ids: Mapping[str, str], progress: Progress | None
) -> Imported:
    new = memory.import_(path, progress=progress, **ids)
    with path.open("rb") as file:
        return Imported("export", sum(1 for _ in file), new)


def _conversations(path: Path) -> list[Conversation]:
    try:
        found = read_conversations(path)
    except HoldfastError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{path} is neither a Holdfast export nor conversations in JSON: {error!r}"
        ) from error
    if not any(conversation.turns for conversation in found):
        raise InvalidInputError(f"{path} holds no turns")
    names = [conversation.name for conversation in found if conversation.name]
    if len(names) > len(set(names)):
        raise InvalidInputError(
            f"{path} holds two conversations of one name; they would be one user's"
        )
    return found


def _store(
    memory: Memory,
    conversations: Sequence[Conversation],
    ids: Mapping[str, str],
    progress: Progress | None,
) -> Imported:
    total = sum(len(conversation.turns) for conversation in conversations)
    done = new = 0
    users = []
    for place, conversation in enumerate(conversations, 1):
        scope = {"user_id": conversation.name or f"conversation-{place}", **ids}
        users.append(scope["user_id"])
        for run, batch in _batches(conversation.turns):
            messages = [said.message for said in batch]
            new += len(memory.scoped(**scope).add(messages, run_id=run))
            done += len(batch)
            if progress is not None:
                progress(done, total)
    return Imported("conversations", total, new, tuple(users))


def _batches(turns: Sequence[Said]) -> Iterator[tuple[str, list[Said]]]:
    for run, said in groupby(turns, key=lambda turn: turn.run_id):
        while batch := list(islice(said, BATCH)):
            yield run, batch
