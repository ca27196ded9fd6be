"""What may happen to a stored memory: updated, ended, undone; and the history it leaves.

An update of the words ends the old version's validity and adds the next; a change of anything
else retires the old version. Undo never rewrites: it retires what it takes back and adds the
version before as the newest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.errors import InvalidInputError, RecordNotFoundError, ScopeError, shown
from holdfast.language.wording import fingerprint, same_words
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract.exports import OPERATIONS, Operation
from holdfast.storage.contract.memories import Draft, Indexed
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite import log, namespaces, records, validity_ends
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within
from holdfast.types import Change, Event, Metadata, Record, Scope


def supersede(
    connection: Connection,
    scope: Scope,
    old: int,
    draft: Draft,
    valid_to: int,
    now: int,
    caused_by: Sequence[str] | None = None,
) -> int:
    """End a version at `valid_to` and add the next, under a scope; return its row id.

    `caused_by` are the turns that said so, the last of its sources: where a model merged its words
    out of more, the others stand before them.
    """
    new = records.add_version(connection, scope, old, draft, now)
    cause = draft.sources if caused_by is None else caused_by
    change = _log(connection, "UPDATE", old, new, now, draft.reason, cause)
    validity_ends.close(connection, old, valid_to, now, change)
    return new


def changeable(connection: Connection, reach: Reach, key: str, now: int) -> tuple[int, Record]:
    """Return the row id and the record to which a caller may give another version.

    Raises:
        RecordNotFoundError: The reach has no such record, or it has expired.
        ScopeError: Its newest version lies outside the reach.
    """
    found = records.current(connection, reach, key, now)
    newest = connection.execute(
        "SELECT id FROM records WHERE key = ? ORDER BY version DESC LIMIT 1", (key,)
    ).fetchone()
    _check_reach(connection, reach, key, newest)
    return found


def _check_reach(
    connection: Connection, reach: Reach, key: str, row_ids: Sequence[int | None]
) -> None:
    """Refuse to change a record unless all these rows of it, as far as given, lie in a reach."""
    for row_id in row_ids:
        if row_id is not None and not namespaces.holds(connection, reach, row_id):
            raise ScopeError(
                f"the newest version of {key} was said in another session, out of reach here: "
                "change it with ids, or through a handle, that reach all sessions of its user"
            )


def is_newest(connection: Connection, row_id: int) -> bool:
    """Return whether no later version took the place of this one."""
    later = connection.execute(
        "SELECT 1 FROM records r JOIN records v ON v.key = r.key AND v.version > r.version"
        " WHERE r.id = ? AND v.retired_at IS NULL",
        (row_id,),
    ).fetchone()
    return later is None


def amend(connection: Connection, old: int, columns: Metadata, now: int, reason: str) -> int:
    """Add a version with other columns (not another text), and retire the old one."""
    new = records.copy_version(connection, old, now, columns)
    change = _log(connection, "UPDATE", old, new, now, reason)
    records.retire(connection, [old], now, change)
    return new


def rewrite(
    connection: Connection,
    old: int,
    text: str,
    indexed: Indexed,
    columns: Metadata,
    now: int,
    reason: str,
) -> int:
    """End a version now and add a copy with another text (and other columns); return its row id.

    A version that had ended before keeps its end; the new words hold from now on all the same.
    What the old words said as relations is not known of the new ones, unless they are the same
    words but for case, punctuation and articles.
    """
    said, kind, until = connection.execute(
        "SELECT text, kind, valid_to FROM records WHERE id = ?", (old,)
    ).fetchone()
    written = records.text_columns(text, indexed) | {"valid_from": now}
    if kind == "fact":
        written["digest"] = fingerprint(text)
    if not (again := same_words(said, text)):
        written["relations"] = "[]"
    written |= columns
    if until is not None and until <= now:
        written |= {"valid_to": None, "closed_at": None, "closed_by": None}
    new = records.copy_version(connection, old, now, written)
    if not again:
        connection.execute("DELETE FROM slots WHERE record = ?", (new,))
    change = _log(connection, "UPDATE", old, new, now, reason)
    if until is None or until > now:
        validity_ends.close(connection, old, now, now, change)
    return new


def replace(connection: Connection, scope: Scope, old: int, draft: Draft, now: int) -> int:
    """Add the next version of what was not wrong, only older; return its row id."""
    new = records.add_version(connection, scope, old, draft, now)
    change = _log(connection, "UPDATE", old, new, now, draft.reason, draft.sources)
    records.retire(connection, [old], now, change)
    return new


def end(
    connection: Connection,
    namespace: int,
    old: int,
    valid_to: int,
    now: int,
    reason: str,
    sources: Sequence[str],
) -> None:
    """End a version with nothing in its place; `namespace` is where that was said."""
    change = _log(connection, "DELETE", old, None, now, reason, sources, namespace)
    validity_ends.close(connection, old, valid_to, now, change)


def confirm(
    connection: Connection, namespace: int, old: int, now: int, reason: str, sources: Sequence[str]
) -> None:
    """Note that something already known was said again; it rests on both from now on."""
    records.support(connection, old, sources)
    _log(connection, "NONE", old, old, now, reason, sources, namespace)


def _log(
    connection: Connection,
    operation: Operation,
    before: int | None,
    after: int | None,
    now: int,
    reason: str,
    sources: Sequence[str] = (),
    namespace: int | None = None,
) -> int:
    """Log a change with its key where it was caused, and without one where else views follow it.

    Returns:
        The change with its key (`log.change_of`).
    """
    touched = [row for row in (after, before) if row is not None]
    key = connection.execute("SELECT key FROM records WHERE id = ?", touched[:1]).fetchone()[0]
    home = touched[0] >> NAMESPACE_BITS if namespace is None else namespace
    entry = log.Entry(home, operation, now, before, after, key, reason or None, sources)
    entries: list[log.Entry] = []
    elsewhere = {row >> NAMESPACE_BITS for row in touched} - {home}
    entries += [log.Entry(other, operation, now, before, after) for other in sorted(elsewhere)]
    if before is not None and after is not None and before != after:
        entries += _expiring_otherwise(connection, key, before, after, now)
    return log.append(connection, [*entries, entry])


def _expiring_otherwise(
    connection: Connection, key: str, before: int, after: int, now: int
) -> list[log.Entry]:
    """Tell views of the versions whose expiry is another now: the newest decides for them."""
    rows = connection.execute(
        "SELECT r.id FROM records b JOIN records a JOIN records r ON r.key = ?"
        " WHERE b.id = ? AND a.id = ? AND b.expires_at IS NOT a.expires_at"
        " AND r.retired_at IS NULL AND r.id NOT IN (b.id, a.id)",
        (key, before, after),
    )
    return [log.Entry(row >> NAMESPACE_BITS, "UPDATE", now, row) for (row,) in rows.fetchall()]


def history(connection: Connection, reach: Reach, key: str) -> list[Change]:
    """Return what happened to a record, oldest first; of an erased one, only that it was.

    Raises:
        RecordNotFoundError: The reach never had it.
    """
    return [change for _, change in _past(connection, reach, key)]


def _past(connection: Connection, reach: Reach, key: str) -> list[tuple[int, Change]]:
    """Return `history`, each change with its number (`log.change_of`)."""
    rows = connection.execute(
        "SELECT l.namespace, l.position, l.operation, l.before, l.after, l.at, l.reason, l.sources"
        " FROM log l JOIN namespaces n ON n.no = l.namespace"
        f" WHERE l.key = ? AND {within(reach).condition} ORDER BY l.seq",
        (records.check_key(key), *within(reach).parameters),
    ).fetchall()
    if not rows:
        raise RecordNotFoundError(key)
    known = records.versions(connection, reach, key)
    return [(log.change_of(*row[:2]), _change(key, row[1:], known)) for row in rows]


def erased(connection: Connection, reach: Reach, key: str) -> Change:
    """Return the newest change that took a record away."""
    past = history(connection, reach, key)
    return next(change for change in reversed(past) if change.event == "DELETE")


def changes_since(connection: Connection, seq: int) -> list[Change]:
    """Return what this transaction has logged of records since entry `seq`, in order."""
    rows = connection.execute(
        "SELECT position, operation, before, after, at, reason, sources, key FROM log"
        " WHERE seq > ? AND key IS NOT NULL ORDER BY seq",
        (seq,),
    ).fetchall()
    touched = {row_id for row in rows for row_id in row[2:4] if row_id is not None}
    known = records.fetch(connection, list(touched))
    return [_change(row[7], row[:7], known) for row in rows]


def change(connection: Connection, reach: Reach, number: int) -> Change:
    """Return one entry of the log as a change."""
    key = _logged(connection, "key", number)[0]
    return next(item for known, item in _past(connection, reach, key) if known == number)


def _logged(connection: Connection, columns: str, number: int) -> tuple[Any, ...]:
    """Return columns of the entry of the log that a change is."""
    row: tuple[Any, ...] = connection.execute(
        f"SELECT {columns} FROM log WHERE namespace = ? AND position = ?",
        (number >> NAMESPACE_BITS, number & (1 << NAMESPACE_BITS) - 1),
    ).fetchone()
    return row


def _change(key: str, row: Sequence[Any], known: Mapping[int, Record]) -> Change:
    position, operation, before, after, at, reason, sources = row
    if operation not in OPERATIONS:
        raise damage.found(f"the history of record {key!r:.80}")
    event: Event = "DELETE" if operation == "ERASE" else operation
    return Change(
        event=event,
        id=key,
        before=known.get(before),
        after=known.get(after),
        reason=reason or ("erased" if operation == "ERASE" else ""),
        sources=tuple(codec.from_json(sources)) if sources else (),
        at=codec.from_micros(at),
        position=position,
    )


def undo(connection: Connection, reach: Reach, taken_back: Change, now: int) -> int:
    """Take back the newest change of a record; return the change that does.

    Raises:
        RecordNotFoundError: The record is not in the reach.
        ScopeError: This change, or a later one, touched another namespace than the reach's.
        InvalidInputError: A later change rests on this one, nothing was changed, or the
            record was erased.
    """
    if not isinstance(taken_back, Change):
        raise InvalidInputError(f"undo takes a Change, as history() lists, not {shown(taken_back)}")
    past = reversed(_past(connection, reach, taken_back.id))
    number, newest = next((one for one in past if one[1].event != "NONE"), (0, None))
    if newest is None or not _same(newest, taken_back):
        raise InvalidInputError(
            f"only the newest change of {taken_back.id} can be undone; history() lists them"
        )
    before, after = _logged(connection, "before, after", number)
    _check_reach(connection, reach, newest.id, [before, after, _last(connection, newest.id)])
    if newest.before is None and newest.after is None:
        raise InvalidInputError(f"{taken_back.id} was erased; what is erased cannot come back")
    # To a version that is gone, as an erasure or an import may leave it, there is no way back.
    before = None if newest.before is None else before
    after = None if newest.after is None else after
    undone = _take_back(connection, number, before, after, now)
    records.retire(connection, [row for row in (before, after) if row is not None], now, undone)
    return undone


def _same(one: Change, other: Change) -> bool:
    """Return whether two are one change: sessions count apart, so a position alone may repeat."""
    return (one.position, one.at, one.event) == (other.position, other.at, other.event)


def _take_back(
    connection: Connection, number: int, before: int | None, after: int | None, now: int
) -> int:
    """Let the version before a change be the newest again; return the change that does."""
    if before is None:
        return _log(connection, "DELETE", after, None, now, "undo")
    restored, ended = _restore(connection, before, number, now)
    if after is None and not ended:  # it had been taken away whole, and comes back so
        return _log(connection, "ADD", None, restored, now, "undo")
    # An entry without a key is no history; it tells views that this row changed as well.
    log.append(connection, [log.Entry(before >> NAMESPACE_BITS, "UPDATE", now, before)])
    return _log(connection, "UPDATE", after or before, restored, now, "undo")


def _last(connection: Connection, key: str) -> int:
    """Return the first row id of the namespace where a record was last changed."""
    row = connection.execute(
        "SELECT namespace FROM log WHERE key = ? AND operation <> 'NONE' ORDER BY seq DESC LIMIT 1",
        (key,),
    ).fetchone()
    return int(row[0]) << NAMESPACE_BITS


def _restore(connection: Connection, before: int, number: int, now: int) -> tuple[int, bool]:
    """Copy a version as it was before a change; return whether that change had ended it."""
    closed = connection.execute("SELECT closed_by FROM records WHERE id = ?", (before,)).fetchone()
    ended = closed[0] == number
    reopened = validity_ends.before(connection, before, number) if ended else {}
    return records.copy_version(connection, before, now, reopened), ended
