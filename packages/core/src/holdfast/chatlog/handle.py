"""`ChatLog`: the messages of one session, in order, word for word."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from holdfast.chatlog.operations import Choose, Draft, LoggedMessage, Operations, labels
from holdfast.documents import checks
from holdfast.errors import InvalidInputError, shown
from holdfast.runtime import SYNC, AsyncRuntime, Runtime, run
from holdfast.storage.contract.edits import Rows
from holdfast.storage.contract.storage import Storage
from holdfast.types import Scope, check_id

T = TypeVar("T")


class ChatLog:
    """The messages of one session as they were said. Get it from `Memory.chat_log`.

        log = memory.chat_log(user_id="ada", run_id="monday")
        log.append([{"role": "user", "content": "Hello"}])
        log.messages(limit=20)

    A message is any JSON. It is no memory: no search finds it, and no model reads it; `Memory.add`
    stores what is to be remembered. Every verb is one transaction; appends of any number of
    threads and processes keep one order. Whatever erases the scope (`Memory.delete_all`) erases
    its logs, and exports hold them.

    Args:
        storage: The file.
        runtime: Runs the async twins.
        scope: Whose session: exactly these ids.
        name: Keeps several logs of a session apart.
    """

    def __init__(self, storage: Storage, runtime: AsyncRuntime, scope: Scope, name: str) -> None:
        self._storage = storage
        self._async = runtime
        self._scope = scope
        self._operations = Operations(checks.check_key(name))

    # -- writing --------------------------------------------------------------------------------

    def append(
        self,
        messages: Sequence[Any],
        *,
        ids: Sequence[str] | None = None,
        archived: bool = False,
        choose: Choose | None = None,
    ) -> list[LoggedMessage]:
        """Add messages behind all that are there, all or none.

        Args:
            messages: JSON each.
            ids: An id for each message; messages may share one.
            archived: Add them to what has left the window.
            choose: Chooses in the transaction which of them to add, by what is there.

        Returns:
            What was added, each with its position.

        Raises:
            InvalidInputError: A message is no JSON, or there is not one id for each.
            ScopeError: An id is no string of 1 to 256 printable characters.
        """
        drafts = _drafts(messages, ids)
        work = partial(self._operations.append, drafts=drafts, archived=archived, choose=choose)
        return run(self._edit(SYNC, work))

    async def aappend(
        self,
        messages: Sequence[Any],
        *,
        ids: Sequence[str] | None = None,
        archived: bool = False,
        choose: Choose | None = None,
    ) -> list[LoggedMessage]:
        """Async twin of `append`."""
        drafts = _drafts(messages, ids)
        work = partial(self._operations.append, drafts=drafts, archived=archived, choose=choose)
        return await self._edit(self._async, work)

    def replace(
        self, messages: Sequence[Any], *, ids: Sequence[str] | None = None, archived: bool = False
    ) -> list[LoggedMessage]:
        """Put messages in the place of all that are there, archived ones too; see `append`."""
        drafts = _drafts(messages, ids)
        work = partial(self._operations.replace, drafts=drafts, archived=archived)
        return run(self._edit(SYNC, work, erases=True))

    async def areplace(
        self, messages: Sequence[Any], *, ids: Sequence[str] | None = None, archived: bool = False
    ) -> list[LoggedMessage]:
        """Async twin of `replace`."""
        drafts = _drafts(messages, ids)
        work = partial(self._operations.replace, drafts=drafts, archived=archived)
        return await self._edit(self._async, work, erases=True)

    def update(self, position: int, message: Any) -> bool:
        """Put another message in the place of one; say whether it was there."""
        work = partial(self._operations.update, position=position, text=_json(message))
        return run(self._edit(SYNC, work, erases=True))

    async def aupdate(self, position: int, message: Any) -> bool:
        """Async twin of `update`."""
        work = partial(self._operations.update, position=position, text=_json(message))
        return await self._edit(self._async, work, erases=True)

    def archive(
        self, positions: Sequence[int] | None = None, *, oldest: int | None = None
    ) -> list[LoggedMessage]:
        """Let live messages leave the window, by position or the oldest; return those that did."""
        work = partial(self._operations.archive, positions=positions, oldest=oldest)
        return run(self._edit(SYNC, work))

    async def aarchive(
        self, positions: Sequence[int] | None = None, *, oldest: int | None = None
    ) -> list[LoggedMessage]:
        """Async twin of `archive`."""
        work = partial(self._operations.archive, positions=positions, oldest=oldest)
        return await self._edit(self._async, work)

    def delete(
        self,
        positions: Sequence[int] | None = None,
        *,
        oldest: int | None = None,
        erase: bool = True,
    ) -> list[LoggedMessage]:
        """Delete messages by position, or the oldest live ones; return those that were there.

        With `erase`, their bytes leave the write-ahead log at once, else with a later write.
        """
        work = partial(self._operations.delete, positions=positions, oldest=oldest)
        return run(self._edit(SYNC, work, erases=erase))

    async def adelete(
        self,
        positions: Sequence[int] | None = None,
        *,
        oldest: int | None = None,
        erase: bool = True,
    ) -> list[LoggedMessage]:
        """Async twin of `delete`."""
        work = partial(self._operations.delete, positions=positions, oldest=oldest)
        return await self._edit(self._async, work, erases=erase)

    def clear(self, *, archived: bool | None = None) -> int:
        """Erase all messages, or only archived or only live ones; return how many."""
        return run(
            self._edit(SYNC, partial(self._operations.clear, archived=archived), erases=True)
        )

    async def aclear(self, *, archived: bool | None = None) -> int:
        """Async twin of `clear`."""
        work = partial(self._operations.clear, archived=archived)
        return await self._edit(self._async, work, erases=True)

    # -- reading --------------------------------------------------------------------------------

    def messages(
        self,
        limit: int | None = None,
        *,
        offset: int = 0,
        latest: bool = False,
        before: int | None = None,
        archived: bool | None = False,
    ) -> list[LoggedMessage]:
        """Return messages, oldest first.

        Args:
            limit: How many at most; None: all.
            offset: How many to leave out.
            latest: Count both from the newest message; the order stays.
            before: Only messages before this position.
            archived: False: the live window; True: what has left it; None: both.
        """
        return run(self._read(SYNC, self._page(limit, offset, latest, before, archived)))

    async def amessages(
        self,
        limit: int | None = None,
        *,
        offset: int = 0,
        latest: bool = False,
        before: int | None = None,
        archived: bool | None = False,
    ) -> list[LoggedMessage]:
        """Async twin of `messages`."""
        return await self._read(self._async, self._page(limit, offset, latest, before, archived))

    def count(self, *, archived: bool | None = False) -> int:
        """Count messages; see `messages`."""
        return run(self._read(SYNC, partial(self._operations.count, archived=archived)))

    async def acount(self, *, archived: bool | None = False) -> int:
        """Async twin of `count`."""
        work = partial(self._operations.count, archived=archived)
        return await self._read(self._async, work)

    def _page(
        self,
        limit: int | None,
        offset: int,
        latest: bool,
        before: int | None,
        archived: bool | None,
    ) -> Callable[[Rows], list[LoggedMessage]]:
        checks.check_bounds(0 if limit is None else limit, offset, None)
        return partial(
            self._operations.messages,
            archived=archived,
            before=before,
            limit=limit,
            offset=offset,
            newest=latest,
        )

    # -- transactions ---------------------------------------------------------------------------

    async def _read(self, runtime: Runtime, work: Callable[[Rows], T]) -> T:
        return await runtime.read(self._storage.read_documents, self._scope, work)

    async def _edit(
        self, runtime: Runtime, work: Callable[[Rows], T], *, erases: bool = False
    ) -> T:
        return await runtime.write(self._storage.edit_documents, self._scope, work, erases=erases)


def sessions(storage: Storage, name: str, covering: Scope | None) -> list[Scope]:
    """Return the scopes whose logs of a name hold messages, of those that a scope covers."""
    parts = (labels(checks.check_key(name), part) for part in (False, True))
    found = (scope for part in parts for scope in storage.document_owners(part, covering))
    return list(dict.fromkeys(found))


def _drafts(messages: Sequence[Any], ids: Sequence[str] | None) -> list[Draft]:
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        raise InvalidInputError(f"messages must be a list, not {shown(messages)}")
    if ids is None:
        return [Draft("", _json(message)) for message in messages]
    if len(ids) != len(messages):
        raise InvalidInputError(f"{len(ids)} ids were given for {len(messages)} messages")
    return [
        Draft(check_id("ids", id), _json(message))
        for id, message in zip(ids, messages, strict=True)
    ]


def _json(message: Any) -> str:
    try:
        return json.dumps(message)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"a message must be JSON: {error}") from error
