"""A change of embedder: new vectors gather beside the old ones and take their place at once.

It can be interrupted and taken up again; until it finishes, the old embedder's searches work.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.errors import InvalidInputError
from holdfast.storage.contract import codec, damage
from holdfast.storage.contract import reach as reaches
from holdfast.storage.contract.arrays import Floats
from holdfast.storage.contract.pipeline import EmbeddingJob
from holdfast.storage.contract.reach import NAMESPACE_BITS
from holdfast.storage.sqlite import document_rows, layout, log
from holdfast.storage.sqlite.database import Connection

JOB = "reembedding"
_PAGE = 500


def check_own(connection: Connection, fingerprint: str) -> None:
    """Refuse another embedder while a collection holds vectors: only its caller can make new ones.

    Raises:
        InvalidInputError: One does; it is named.
    """
    if fingerprint == _embedder(connection):
        return
    row = connection.execute(  # a document with vectors and without texts: nothing to embed anew
        f"SELECT n.path FROM documents r JOIN namespaces n ON n.no = r.id >> {NAMESPACE_BITS}"
        " WHERE r.texts = '[]' AND length(r.vectors) > 0 LIMIT 1"
    ).fetchone()
    if row is not None:
        raise InvalidInputError(
            f"the collection at {reaches.document_labels(row[0])} holds vectors that its caller "
            f"made, and {fingerprint!r} cannot make them anew: delete what it holds, reembed, and "
            "put it again with vectors of the new embedder"
        )


def _embedder(connection: Connection) -> str | None:
    row = connection.execute("SELECT value FROM properties WHERE name = 'embedder'").fetchone()
    return None if row is None else str(row[0])


def left(connection: Connection, fingerprint: str, limit: int) -> tuple[list[EmbeddingJob], int]:
    """Return the next rows to embed, and how many are left; start over for another embedder."""
    known = connection.execute("SELECT value FROM properties WHERE name = ?", (JOB,)).fetchone()
    if known is None or known[0] != fingerprint:
        connection.execute("DELETE FROM reembedding")
        connection.execute("REPLACE INTO properties VALUES (?, ?)", (JOB, fingerprint))
    rows = connection.execute(
        "SELECT id, kind, text, speaker, passages FROM records"
        " WHERE id NOT IN (SELECT id FROM reembedding) LIMIT ?",
        (limit,),
    ).fetchall()
    jobs = [EmbeddingJob(row[0], row[1], row[2], row[3], spans(row[4])) for row in rows]
    if len(jobs) < limit:
        documents = connection.execute(
            "SELECT id, texts FROM documents WHERE texts <> '[]'"
            " AND id NOT IN (SELECT id FROM reembedding) LIMIT ?",
            (limit - len(jobs),),
        ).fetchall()
        jobs += [
            EmbeddingJob(row_id, "document", "", None, (), tuple(codec.from_json(texts)))
            for row_id, texts in documents
        ]
    return jobs, _missing(connection)


def spans(blob: bytes) -> tuple[tuple[int, int], ...]:
    """Return the bounds of packed passages."""
    return tuple((int(start), int(end)) for start, end, _ in codec.from_passages(blob))


def _missing(connection: Connection) -> int:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM records WHERE id NOT IN (SELECT id FROM reembedding))"
        " + (SELECT count(*) FROM documents WHERE texts <> '[]'"
        " AND id NOT IN (SELECT id FROM reembedding))"
    ).fetchone()
    return int(row[0])


def save(connection: Connection, done: Sequence[tuple[int, Floats]]) -> None:
    """Keep new vectors, shape (passages, dimension) each."""
    connection.executemany(
        "REPLACE INTO reembedding VALUES (?, ?)",
        [(row_id, vectors.astype(np.float32).tobytes()) for row_id, vectors in done],
    )


def finish(connection: Connection, fingerprint: str, now: int) -> bool:
    """Swap all vectors; False while rows are missing."""
    if _missing(connection):
        return False
    known = _embedder(connection)
    _swap(connection, "records", tuple(layout.COLUMNS), layout.LAYOUT)
    _swap(connection, "documents", document_rows.COLUMNS, document_rows.LAYOUT)
    sample = (
        connection.execute(
            "SELECT length(e.vectors) / (4 * (length(r.passages) / 12))"
            " FROM reembedding e JOIN records r USING (id) LIMIT 1"
        ).fetchone()
        or connection.execute(
            "SELECT length(e.vectors) / (4 * json_array_length(r.texts))"
            " FROM reembedding e JOIN documents r USING (id) LIMIT 1"
        ).fetchone()
    )
    connection.execute("REPLACE INTO properties VALUES ('embedder', ?)", (fingerprint,))
    if sample is None and known != fingerprint:
        connection.execute("DELETE FROM properties WHERE name IN ('embedder', 'dimension')")
    elif sample is not None:
        connection.execute("REPLACE INTO properties VALUES ('dimension', ?)", (sample[0],))
    connection.execute("DELETE FROM reembedding")
    new = connection.execute("DELETE FROM unembedded RETURNING record").fetchall()
    log.embedded(connection, [row_id for (row_id,) in new], now)
    connection.execute("DELETE FROM entities")  # embedded again as facts state them
    connection.execute("DELETE FROM properties WHERE name = ?", (JOB,))
    return True


def _swap(
    connection: Connection, table: str, columns: tuple[str, ...], layout: damage.Layout
) -> None:
    """Give rows their new vectors, and the digest that goes with them, some hundred at a time."""
    told = ", ".join("e.vectors" if name == "vectors" else f"r.{name}" for name in columns)
    last = -1
    while rows := connection.execute(
        f"SELECT {told}, r.vectors, r.content FROM {table} r JOIN reembedding e USING (id)"
        f" WHERE id > ? ORDER BY id LIMIT {_PAGE}",
        (last,),
    ).fetchall():
        new = []
        for *row, vectors, content in rows:
            old = [*row]
            old[columns.index("vectors")] = vectors
            if not layout.fits(old, content):  # with a new digest it would look sound
                raise damage.found(f"{table[:-1]} {row[1]!r:.80}")
            new.append((row[columns.index("vectors")], layout.digest(row), row[0]))
        connection.executemany(f"UPDATE {table} SET vectors = ?, content = ? WHERE id = ?", new)
        last = rows[-1][0]
