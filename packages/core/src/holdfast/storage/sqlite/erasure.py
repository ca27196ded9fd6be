"""Delete means gone: rows, vectors, terms, queue entries, quotations in the log, and their bytes.

What goes is rows, which are versions: of a record that was told in one session and changed in
another, the version that lies in an erased reach goes and the other stays. Derived rows follow
their sources: what rested on erased turns alone goes with them, what was merged out of several goes
with any, and so does whatever holds words that only erased turns said (`residue`). The sources that
are left are queued, to be read again. Freed bytes are overwritten at once (``secure_delete``);
older copies in the write-ahead log go when that is emptied (`remains`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from holdfast.storage.contract import codec
from holdfast.storage.contract.documents import Choice
from holdfast.storage.contract.filters import Filter
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.index.loading import ALWAYS
from holdfast.storage.sqlite import document_rows, erasure_effects, log, queue, records, residue
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.erasure_effects import Row, Rows
from holdfast.storage.sqlite.filters import Condition
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import RECORDS, ROWS

REDO = 1 << 30  # turns since the last summary, when there is none any more

# So many are erased with the same statements: one by one they take three times as long.
_TOGETHER = 5_000

# What hangs on the rows of records, and by which column.
_HANGING = (
    ("records", "id"),
    ("queue", "record"),
    ("unembedded", "record"),
    ("reembedding", "id"),
    ("sources", "record"),
    ("slots", "record"),
    ("entities", "record"),
    ("ends", "record"),
)
_LISTED = "(SELECT value FROM json_each(?))"
# Reasons that are no constants of ours may quote anything.
_IN_WORDS = "reason NOT IN ('caller', 'undo') AND reason NOT LIKE 'rule:%'"
_UNQUOTED = (
    f"reason = iif({_IN_WORDS}, NULL, reason), sources = (SELECT nullif(json_group_array(s.value),"
    f" '[]') FROM json_each(sources) s WHERE s.value NOT IN {_LISTED})"
)
_QUOTES = f"EXISTS (SELECT 1 FROM json_each(sources) s WHERE s.value IN {_LISTED})"
_QUOTES_ONE = "instr(sources, ?)"


_SELECT = (
    "SELECT r.key, r.id, r.kind, r.text, r.speaker, r.message_id, r.sources, "
    f"{residue.STATED} FROM records r WHERE r.id IN {_LISTED} ORDER BY r.key, r.version"
)


def erase(
    connection: Connection,
    keys: Iterable[str],
    now: int,
    *,
    keep_away: bool,
    reach: Reach | None = None,
) -> list[str]:
    """Erase records and what rests on them; return the keys that are gone.

    A derived record that is named here is not derived again by itself: its turns are not queued.

    Args:
        connection: An open write.
        keys: Records.
        now: Record time.
        keep_away: Refuse the same message when a framework sends it again.
        reach: Only versions that lie in it go; None: all of them.
    """
    where, values = within(reach)
    rows = connection.execute(
        f"SELECT r.id FROM records r JOIN namespaces n ON n.no = r.id >> {NAMESPACE_BITS}"
        f" WHERE r.key IN {_LISTED} AND {where} ORDER BY r.id",
        (codec.to_json(list(keys)), *values),
    ).fetchall()
    return _Erasure(connection, now, keep_away).run([row[0] for row in rows], chosen=True)


class _Erasure:
    """One erasure: rows, then what followed from them, until nothing follows any more."""

    def __init__(self, connection: Connection, now: int, keep_away: bool) -> None:
        self._connection, self._now, self._keep_away = connection, now, keep_away
        self._said = residue.Said()
        self._again: set[str] = set()  # sources that lost what was read from them
        self._gone: list[str] = []

    def run(self, row_ids: Sequence[int], *, chosen: bool) -> list[str]:
        """Erase rows; return the keys of which nothing is left.

        Args:
            row_ids: What is to go.
            chosen: The caller means these very rows, derived ones too; not what was said.
        """
        for start in range(0, len(row_ids), _TOGETHER):
            follow = self._erase(row_ids[start : start + _TOGETHER], chosen)
            while follow:
                follow = self._erase(follow, False)
        while follow := self._said.left(self._connection):
            while follow:
                follow = self._erase(follow, False)
        self._read_again()
        if row_ids:
            log.expect_erasure(self._connection, self._now)
        return self._gone

    def _erase(self, row_ids: Sequence[int], chosen: bool) -> list[int]:
        """Erase some rows; return those that must follow."""
        listed = codec.to_json(list(row_ids))
        rows = [Row(*row) for row in self._connection.execute(_SELECT, (listed,))]
        if not rows:
            return []
        doomed: dict[str, list[int]] = {}
        for row in rows:
            doomed.setdefault(row.key, []).append(row.id)
        left = _with_other_versions(self._connection, doomed, listed)
        gone = [key for key in doomed if key not in left]
        self._note(rows, chosen)
        self._trace({row.key: row for row in rows if row.key not in left})
        follow = erasure_effects.summaries(
            self._connection, (row for row in rows if row.stated or chosen)
        )
        follow += erasure_effects.merged_from(self._connection, gone)
        revived = erasure_effects.ended_by(self._connection, gone, doomed)
        _drop(self._connection, doomed, left, self._now)
        if chosen:
            self._mark(rows, left)
        for key in left:
            erasure_effects.reopen(self._connection, key, "UPDATE", self._now)
        for key in revived:
            erasure_effects.reopen(self._connection, key, "DELETE", self._now)
        self._gone += gone
        return [*follow, *erasure_effects.bereaved(self._connection, gone, self._now)]

    def _note(self, rows: Iterable[Row], chosen: bool) -> None:
        """Note what was said, for the search for residue, and which sources to read again."""
        for row in rows:
            if row.stated:
                self._said.note(self._connection, row.id, row.text, row.speaker)
            elif row.kind == "fact" and not chosen:
                self._again.update(codec.from_json(row.sources))
            if row.kind == "summary" and not chosen:
                self._connection.execute(
                    "REPLACE INTO summaries (namespace, turns) VALUES (?, ?)",
                    (row.id >> NAMESPACE_BITS, REDO),
                )

    def _trace(self, newest: Mapping[str, Row]) -> None:
        keep = self._keep_away
        self._connection.executemany(
            "REPLACE INTO erasures VALUES (?, ?, ?, ?)",
            [
                (
                    key,
                    row.id >> NAMESPACE_BITS,
                    self._now,
                    records.message_digest(row.message_id) if keep and row.message_id else None,
                )
                for key, row in newest.items()
            ],
        )

    def _mark(self, rows: Iterable[Row], left: Iterable[str]) -> None:
        """Note on which turns a fact rested that the caller erased: `_read_again` spares them."""
        sources: dict[str, list[str]] = {}
        for row in rows:
            if not row.stated and row.kind == "fact" and row.key not in left:
                sources.setdefault(row.key, []).extend(codec.from_json(row.sources))
        self._connection.executemany(
            "UPDATE log SET sources = ? WHERE seq ="
            " (SELECT max(seq) FROM log WHERE key = ? AND operation = 'ERASE')",
            [(codec.to_json(sorted(set(of))), key) for key, of in sources.items()],
        )

    def _read_again(self) -> None:
        """Queue the turns that are left of those from which lost facts were read.

        Not those of which the caller has erased a fact: it would come back.
        """
        turns = self._connection.execute(
            f"SELECT min(id), key FROM records WHERE key IN {_LISTED} AND kind = 'turn'"
            " GROUP BY key ORDER BY 1",
            (codec.to_json(list(self._again)),),
        ).fetchall()
        spared = _spared(self._connection, [row_id for row_id, _ in turns])
        again = [row_id for row_id, key in turns if key not in spared]
        queue.put(self._connection, again, self._now, None)


def _spared(connection: Connection, row_ids: Iterable[int]) -> set[str]:
    """Return the turns, near these, from which the caller has erased a fact."""
    spaces = {row_id >> NAMESPACE_BITS for row_id in row_ids}
    spared: set[str] = set()
    for reach in {residue.neighbours(connection, number) for number in spaces}:
        rows = connection.execute(
            "SELECT s.value FROM namespaces n CROSS JOIN log l ON l.namespace = n.no"
            " AND l.sources IS NOT NULL JOIN json_each(l.sources) s"
            f" WHERE {within(reach).condition} AND l.operation = 'ERASE'",
            within(reach).parameters,
        )
        spared.update(row[0] for row in rows)
    return spared


def _with_other_versions(connection: Connection, doomed: Rows, listed: str) -> set[str]:
    rows = connection.execute(
        f"SELECT DISTINCT key FROM records WHERE key IN {_LISTED} AND id NOT IN {_LISTED}",
        (codec.to_json(list(doomed)), listed),
    )
    return {row[0] for row in rows}


def _drop(connection: Connection, doomed: Rows, left: Iterable[str], now: int) -> None:
    """Drop rows, what hangs on them, and what the log says of them and quotes from them.

    Args:
        connection: An open write.
        doomed: The rows, by key.
        left: The keys that keep another version.
        now: Record time.
    """
    listed = codec.to_json(sorted(row_id for row_ids in doomed.values() for row_id in row_ids))
    keys = {row_ids[0]: key for key, row_ids in doomed.items()}  # history names a key once
    log.append(
        connection,
        (
            log.Entry(row_id >> NAMESPACE_BITS, "ERASE", now, row_id, key=keys.get(row_id))
            for row_id in codec.from_json(listed)
        ),
    )
    for table, column in _HANGING:
        connection.execute(f"DELETE FROM {table} WHERE {column} IN {_LISTED}", (listed,))
    gone = [key for key in doomed if key not in set(left)]
    connection.execute(
        f"UPDATE log SET reason = NULL, sources = NULL WHERE key IN {_LISTED}"
        " AND (reason IS NOT NULL OR sources IS NOT NULL)",
        (codec.to_json(gone),),
    )
    connection.execute(  # why a version came may quote the one before
        f"UPDATE log SET reason = iif({_IN_WORDS}, NULL, reason), sources ="
        f" iif(after IN {_LISTED}, NULL, sources) WHERE key IN {_LISTED}"
        f" AND (before IN {_LISTED} OR after IN {_LISTED})",
        (listed, codec.to_json(list(left)), listed, listed),
    )
    _unquote(connection, doomed, gone)


def _unquote(connection: Connection, doomed: Rows, gone: Sequence[str]) -> None:
    """Clear from the log what erased turns did to others, in a model's words."""
    wanted = set(gone)
    for namespace, keys in erasure_effects.by_namespace(doomed).items():
        some = [key for key in keys if key in wanted]
        one = len(some) == 1  # and so most often: then a look at the text takes a tenth
        if some:
            listed = codec.to_json(some)
            connection.execute(
                f"UPDATE log SET {_UNQUOTED} WHERE namespace = ? AND sources IS NOT NULL"
                f" AND {_QUOTES_ONE if one else _QUOTES}",
                (listed, namespace, some[0] if one else listed),
            )


def erase_reach(connection: Connection, reach: Reach, now: int, tree: Filter | None = None) -> int:
    """Erase what lies in a reach, and emptied namespaces with the ids in their names.

    With a filter, no documents, and only records whose newest version there it lets through. Of a
    fact that another session changed, or told first, the version of that session stays.

    Returns:
        How many records lost what lay in the reach, or went with it.
    """
    where, values = ("TRUE", ()) if tree is None else _let_through(reach, tree)
    rows = connection.execute(
        f"SELECT r.id, r.key FROM namespaces n JOIN records r ON {RECORDS}"
        f" WHERE {within(reach).condition} AND {where} ORDER BY r.id",
        (*within(reach).parameters, *values),
    ).fetchall()
    erasing = _Erasure(connection, now, keep_away=False)
    gone = erasing.run([row[0] for row in rows], chosen=tree is not None)
    if tree is None:
        owned = document_rows.chosen(connection, Choice(reach, expired=True), ALWAYS)
        document_rows.drop(connection, owned, now)
    _drop_emptied(connection, reach, now)
    return len({row[1] for row in rows}.union(gone))


def _let_through(reach: Reach, tree: Filter) -> tuple[str, tuple[object, ...]]:
    """Return SQL: the newest version of the record of a row ``r`` there fits; and its values."""
    condition = Condition("r.metadata")
    fits = condition.sql(tree)
    where, values = within(reach)
    newest = (
        f"SELECT r.key FROM namespaces n JOIN records r ON {RECORDS}"
        f" WHERE {where} AND {fits} AND NOT EXISTS (SELECT 1"
        f" FROM records v JOIN namespaces n ON n.no = v.id >> {NAMESPACE_BITS}"
        f" WHERE v.key = r.key AND v.version > r.version AND {where})"
    )
    return f"r.key IN ({newest})", (*values, *condition.values, *values)


def _drop_emptied(connection: Connection, reach: Reach, now: int) -> None:
    """Drop the namespaces of a reach that hold nothing any more: their paths name ids."""
    numbers = connection.execute(
        f"DELETE FROM namespaces AS n WHERE {within(reach).condition}"
        f" AND NOT EXISTS (SELECT 1 FROM records r WHERE {ROWS})"
        f" AND NOT EXISTS (SELECT 1 FROM documents r WHERE {ROWS}) RETURNING no",
        within(reach).parameters,
    ).fetchall()
    if numbers:
        connection.executemany("DELETE FROM summaries WHERE namespace = ?", numbers)
        log.expect_erasure(connection, now)


def purge_expired(connection: Connection, now: int, most: int | None = None) -> list[str]:
    """Erase records whose newest version has expired, at most so many; return their keys."""
    rows = connection.execute(
        "SELECT key FROM records r WHERE expires_at <= ?"
        " AND version = (SELECT max(version) FROM records v WHERE v.key = r.key)"
        " ORDER BY expires_at LIMIT ?",
        (now, -1 if most is None else most),
    ).fetchall()
    return erase(connection, [row[0] for row in rows], now, keep_away=False)
