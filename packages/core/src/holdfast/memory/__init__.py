"""`Memory`: every operation and its `a` twin. Each only opens its arguments and starts a flow."""

from __future__ import annotations

from holdfast.memory.add import AddVerbs
from holdfast.memory.administration import FileVerbs
from holdfast.memory.chats import ChatVerbs
from holdfast.memory.records import RecordVerbs
from holdfast.memory.search import SearchVerbs

__all__ = ["Memory"]


class Memory(AddVerbs, SearchVerbs, RecordVerbs, ChatVerbs, FileVerbs):
    """Long-term memory in one file.

        memory = Memory("memory.db")
        ada = memory.scoped(user_id="ada")  # a handle that reaches no other user
        ada.add("I moved to Berlin", run_id="monday")
        ada.search("Where does Ada live?")

    Every verb that reads or writes memories needs a scope: at least one of ``user_id``,
    ``agent_id``, ``run_id`` (a session) and ``app_id``, given with each call or once to `scoped`.
    Every verb but `rekey` and `chat_log` has an async twin with an ``a`` before its name. Safe for
    many threads, many event loops and many processes on one file. docs/memory.md describes each.

    Args:
        path: The file, made when missing, or ``":memory:"``.
        embedder: Turns texts into vectors; by default a local one that needs no network.
        llm: Derives facts from what is said; without one, search works on the turns themselves.
        reranker: Puts the fifty best matches of every search in its own order.
        key: Encrypts the whole file: a passphrase, or 32 raw bytes.
        durability: ``"normal"``: an acknowledged write survives the death of the process;
            ``"full"``: also of the machine.
        indexed: Metadata fields to index, for filters on large scopes.
        view_budget: Bytes of memory for search views.
        guidance: What the LLM is to remember, what never, and the categories of facts.
        redact: Applied to every text before it is stored or sent anywhere.
        background: Embed, and with an LLM extract, what waits in the file in a thread of its own:
            what ``add(..., wait=False)`` queues here, and what other processes left, of every
            scope. A forked child has such a thread from the first turn on that it queues.
        graph: None: relations come with facts and can be read as a graph. True: the names in
            them are embedded and compared with those known, too, and without an LLM names and
            dates are read from what is said. False: no relations, no graph; see docs/graph.md.

    Raises:
        StorageError: The file cannot be opened; `WrongKeyError`, `SchemaVersionError`.
        ProviderError: No embedder was given and the local one's weights are missing.
    """
