"""The checkpointer's tables as the storage sees them: whose threads are, how they go and travel."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast import InvalidInputError, Scope
from holdfast.tables import Connection, PackageTables, Row, scope_condition

from holdfast_langgraph.checkpoint import threads
from holdfast_langgraph.checkpoint.schema import STEPS, THREAD_BITS
from holdfast_langgraph.checkpoint.transfer import ThreadCheck, ThreadWriter, export_thread

# A thread once for each of its owners, with the ids of a scope: the thread's own id is the run.
_OWNED = (
    "(SELECT t.no, t.thread_id AS run_id, nullif(o.user_id, '') AS user_id,"
    " nullif(o.agent_id, '') AS agent_id, nullif(o.app_id, '') AS app_id"
    " FROM langgraph_threads t LEFT JOIN langgraph_owners o ON o.thread = t.no) n"
)


class LangGraphTables(PackageTables):
    """Threads of LangGraph.

    A thread belongs to everyone that a config of a put named. It is erased with any of them, for
    what they said cannot be told apart, and exported with a scope only if it has no other owner.
    """

    name = "holdfast-langgraph"
    steps = STEPS

    def erase(self, connection: Connection, scope: Scope) -> bool:
        """Delete the threads of a scope."""
        condition, values = scope_condition(scope)
        found = connection.execute(
            f"SELECT DISTINCT n.no FROM {_OWNED} WHERE {condition}", values
        ).fetchall()
        for (no,) in found:
            threads.delete_thread(connection, no)
        return bool(found)

    def export(self, connection: Connection, scope: Scope | None) -> Iterator[Row]:
        """Yield the rows of the threads that belong to this scope alone; None: of all."""
        condition, values = ("TRUE", ()) if scope is None else scope_condition(scope)
        found = connection.execute(
            f"SELECT n.no FROM {_OWNED} GROUP BY n.no HAVING min(iif({condition}, 1, 0)) = 1",
            values,
        ).fetchall()
        for (no,) in found:
            yield from export_thread(connection, no)

    def row_check(self) -> ThreadCheck:
        """Return a check for the rows of one export."""
        return ThreadCheck()

    def row_writer(self, connection: Connection) -> ThreadWriter:
        """Return a writer for the rows of one checked export."""
        return ThreadWriter(connection)

    def check(self, connection: Connection) -> Iterator[str]:
        """Yield what is wrong: rows that cannot be read, or name what is not there."""
        for table in threads.TABLES:
            (count,) = connection.execute(
                f"SELECT count(*) FROM {table} WHERE thread NOT IN"
                " (SELECT no FROM langgraph_threads)"
            ).fetchone()
            if count:
                yield f"{count} rows of {table} are of no thread"
        (count,) = connection.execute(
            f"SELECT count(*) FROM langgraph_blobs WHERE id >> {THREAD_BITS} NOT IN"
            " (SELECT no FROM langgraph_threads)"
        ).fetchone()
        if count:
            yield f"{count} blobs are of no thread"
        check = ThreadCheck()
        for row in self.export(connection, None):
            try:
                check.take(row)
            except InvalidInputError as error:
                yield f"{row['kind']} of thread {row.get('thread', row.get('no'))}: {error}"

    def unowned(self, connection: Connection) -> Iterator[str]:
        """Yield the threads that belong to no user."""
        for (thread_id,) in connection.execute(
            "SELECT thread_id FROM langgraph_threads WHERE no NOT IN"
            " (SELECT thread FROM langgraph_owners WHERE user_id <> '') ORDER BY thread_id"
        ):
            yield f"thread {thread_id!r:.80}"


TABLES = LangGraphTables()
