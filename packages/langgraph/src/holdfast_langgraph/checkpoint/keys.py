"""The key of the digests under an encrypting serializer."""

from __future__ import annotations

import os
from typing import cast

from holdfast import Database
from langgraph.checkpoint.serde.base import SerializerProtocol

from holdfast_langgraph.checkpoint.encoding import seals

KEY_BYTES = 32


def digest_key(database: Database, serde: SerializerProtocol) -> bytes:
    """Return the file's key for a serializer's cipher, made at its first use.

    It lies in the file encrypted by that cipher, so digests of short or guessable messages tell
    nothing to a reader of the file. A serializer that does not encrypt needs none.
    """
    if not seals(serde):
        return b""
    type_, data = serde.dumps_typed(os.urandom(KEY_BYTES))
    select = "SELECT data FROM langgraph_keys WHERE type = ?"
    with database.read() as connection:
        row = connection.execute(select, (type_,)).fetchone()
    if row is None:
        with database.write() as connection:
            connection.execute("INSERT OR IGNORE INTO langgraph_keys VALUES (?, ?)", (type_, data))
            row = connection.execute(select, (type_,)).fetchone()
    return cast(bytes, serde.loads_typed((type_, row[0])))
