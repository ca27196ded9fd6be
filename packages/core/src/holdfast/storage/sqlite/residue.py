"""Words that only erased turns said, wherever a model has put them.

A model that reads some turns is shown others beside them, a summary, and stored facts; it merges
statements and gives reasons. So what it writes may hold words of a turn that it does not cite. What
rests on an erased turn is found by its sources; the rest is found here, by its words: a term that
only erased turns and statements held may stand in nothing that a model wrote for the same user.

A row's index terms are stored as hashes, so most rows are not read again. Function words are left
out, because every text has them. Two common words that only stood together in an erased turn, and a
paraphrase or a translation of it, are not found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from holdfast.language.terms import analyse, forms, term_hash
from holdfast.storage.contract import codec
from holdfast.storage.contract.reach import NAMESPACE_BITS, Reach
from holdfast.storage.sqlite.database import Connection
from holdfast.storage.sqlite.namespaces import within
from holdfast.storage.sqlite.schema import ROWS
from holdfast.types import Scope

# A caller gave a row ``r`` its words, with an ADD or with an update: it may still rest on turns.
_WORDED = (
    "EXISTS (SELECT 1 FROM log l JOIN records w ON w.id = l.after"
    " LEFT JOIN records b ON b.id = l.before WHERE l.key = r.key AND l.reason = 'caller'"
    " AND w.text = r.text AND (l.before IS NULL OR b.text IS NOT w.text))"
)
STATED = f"(r.sources = '[]' OR {_WORDED})"
"""The words of a row ``r`` are those of a turn or of the caller, not a model's."""

_LISTED = "(SELECT value FROM json_each(?))"
_DERIVED = (
    "SELECT r.id, r.terms, r.speaker, r.relations FROM records r WHERE r.id IN"
    f" (SELECT s.record FROM namespaces n CROSS JOIN sources s ON s.record >= n.no << "
    f"{NAMESPACE_BITS} AND s.record < (n.no + 1) << {NAMESPACE_BITS} WHERE {{}})"
)
_REASONS = (
    "SELECT l.seq, l.reason FROM namespaces n CROSS JOIN log l ON l.namespace = n.no"
    " AND l.sources IS NOT NULL WHERE {} AND l.reason LIKE 'model:%'"
)
_SURVIVORS = (
    f"SELECT r.terms, r.speaker FROM namespaces n CROSS JOIN records r ON {ROWS}"
    f" WHERE {{}} AND {STATED}"
)


class Said:
    """The words of turns and statements that are being erased, by where facts may repeat them."""

    def __init__(self) -> None:
        self._texts: defaultdict[Reach, list[str]] = defaultdict(list)

    def note(self, connection: Connection, row_id: int, text: str, speaker: str | None) -> None:
        """Note what a row says before it is dropped."""
        reach = neighbours(connection, row_id >> NAMESPACE_BITS)
        self._texts[reach] += [text] if speaker is None else [text, speaker]

    def left(self, connection: Connection) -> list[int]:
        """Return the rows that hold what only these said, and clear the reasons that do.

        What was noted is settled then.
        """
        texts, self._texts = self._texts, defaultdict(list)
        return [
            row_id for reach, some in texts.items() for row_id in _left(connection, reach, some)
        ]


@dataclass(frozen=True, slots=True)
class _Held:
    """Which of the terms looked for a row, or a reason, holds."""

    id: int
    terms: Set[int]


def neighbours(connection: Connection, namespace: int) -> Reach:
    """Return where facts of a namespace may repeat its words: where consolidation compares them."""
    ids = connection.execute(
        "SELECT user_id, agent_id, run_id, app_id FROM namespaces WHERE no = ?", (namespace,)
    ).fetchone()
    return _neighbours(*ids)


@lru_cache(maxsize=4096)
def _neighbours(*ids: str | None) -> Reach:
    return Reach.of_neighbours(Scope(*ids))


def _left(connection: Connection, reach: Reach, texts: Iterable[str]) -> list[int]:
    where, values = within(reach)
    derived = connection.execute(_DERIVED.format(where), values).fetchall()
    reasons = connection.execute(_REASONS.format(where), values).fetchall()
    if not derived and not reasons:
        return []
    said = {term_hash(form) for text in set(texts) for form in forms(text)}
    rows = [held for row in derived if (held := _Held(row[0], said & _terms(*row[1:]))).terms]
    told = [held for seq, text in reasons if (held := _Held(seq, said & _words(text))).terms]
    only = {term for held in (*rows, *told) for term in held.terms}
    for terms in _survivors(connection, reach) if only else ():
        only -= terms
        if not only:
            return []
    _clear_reasons(connection, [held.id for held in told if held.terms & only])
    return _written_by_models(connection, [held.id for held in rows if held.terms & only])


def _terms(terms: bytes, speaker: str | None, relations: str | None) -> set[int]:
    """Return the terms of a row: of its text as stored, and of the names beside it."""
    held = set(memoryview(terms).cast("Q"))
    if speaker is not None:
        held |= _words(speaker)
    if relations not in (None, "[]"):
        stated: list[dict[str, Any]] = codec.from_json(str(relations))
        names = (name for one in stated for name in one.values() if isinstance(name, str))
        held |= _words(" ".join(names))
    return held


def _words(text: str) -> set[int]:
    return set(map(term_hash, analyse(text)))


def _survivors(connection: Connection, reach: Reach) -> Iterator[set[int]]:
    """Yield the terms of what turns and callers still say there."""
    speakers: set[str] = set()
    for terms, speaker in connection.execute(
        _SURVIVORS.format(within(reach).condition), within(reach).parameters
    ):
        yield set(memoryview(terms).cast("Q"))
        if speaker is not None and speaker not in speakers:
            speakers.add(speaker)
            yield _words(speaker)


def _clear_reasons(connection: Connection, entries: list[int]) -> None:
    connection.executemany("UPDATE log SET reason = NULL WHERE seq = ?", [(no,) for no in entries])


def _written_by_models(connection: Connection, row_ids: list[int]) -> list[int]:
    rows = connection.execute(
        f"SELECT r.id FROM records r WHERE r.id IN {_LISTED} AND NOT {STATED}",
        (codec.to_json(row_ids),),
    ).fetchall()
    return [row[0] for row in rows]
