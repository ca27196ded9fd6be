"""Verbs of the graph."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.graph import Graph, stating
from holdfast.memory.handle import Handle
from holdfast.runtime import Runtime, run
from holdfast.types import Changes


class Relating(Handle):
    """`add_relations` and `graph`."""

    def add_relations(
        self,
        relations: Sequence[stating.Given],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """State relations yourself, as facts: without a model, in one transaction.

        A new object of a single-valued relation (``lives_in``) ends the old one; what is known
        already is confirmed.

        Args:
            relations: `holdfast.graph.Triple`, (subject, relation, object), or mappings with the
                fields of a triple.
            user_id, agent_id, run_id, app_id: Stored under exactly the ids given.

        Raises:
            ScopeError: No scope, or a malformed id.
            InvalidInputError: One cannot be stored; none of them was.
            RecordNotFoundError: The scope has no record of an id in ``sources``.
            EmbedderMismatchError, ProviderError: As in `add`.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id)
        triples = stating.read(relations, self._redact)
        return self._shown(run(stating.add(self._stating(self._sync), scope, triples)))

    async def aadd_relations(
        self,
        relations: Sequence[stating.Given],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Changes:
        """Async twin of `add_relations`."""
        scope = self._scope(user_id, agent_id, run_id, app_id)
        triples = stating.read(relations, self._redact)
        return self._shown(await stating.add(self._stating(self._async), scope, triples))

    def _stating(self, runtime: Runtime) -> stating.Stating:
        self._need_graph()
        return stating.Stating(runtime, self._storage, self._embedder, bool(self._graph))

    def graph(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
    ) -> Graph:
        """Return the graph of a scope: entities, relations, neighbours, paths, exports.

        Args:
            user_id, agent_id, run_id, app_id: Every id given must match; others are open.

        Raises:
            InvalidInputError: This memory has ``graph=False``.
        """
        self._need_graph()
        scope = self._scope(user_id, agent_id, run_id, app_id)
        return Graph(self._storage, self._embedder, self._async, scope, self._bound)
