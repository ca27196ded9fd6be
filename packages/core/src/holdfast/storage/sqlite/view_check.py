"""Live views against views built anew: what followed the log must hold the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any, Final, TypeAlias

import numpy as np

from holdfast.storage.contract.arrays import Floats, Positions
from holdfast.storage.index.graphs import GraphView
from holdfast.storage.index.loading import Loader
from holdfast.storage.index.passage_table import ROW
from holdfast.storage.index.views import View

Held: TypeAlias = Sequence[Any]
"""What a view holds of one kind, as arrays and lists that can be compared one by one."""

# Numbers that a view gives as it comes to know what they stand for.
_OWN: Final = {"speaker", "session", "previous", "next"}


def view(loader: Loader, live: View) -> list[str]:
    """Compare a live view with one built anew; return the first difference."""
    if not len(live.rows) == len(live.vectors) == len(live.keywords):
        return [_said("has rows, vectors and words of different numbers", live)]
    fresh = View(live.reading, live.vectors.dimension)
    fresh.follow(loader)
    for held, wrong in _VIEW.items():
        if not _same(held(live), held(fresh)):
            return [_said(wrong, live)]
    return [] if _same_vectors(live, fresh) else [_said("holds other vectors than the file", live)]


def graph(loader: Loader, live: GraphView) -> list[str]:
    """Compare a live graph view with one built anew; return the first difference."""
    fresh = GraphView(live.reading)
    fresh.follow(loader)
    for root in live.asked():
        fresh.near(root)
    for held, wrong in _GRAPH.items():
        if held(live) != held(fresh):
            return [_said(wrong, live)]
    return []


def _said(wrong: str, live: View | GraphView) -> str:
    return f"a live view {wrong} ({live.reading.reach!r})"


def _same(one: Held, other: Held) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


# -- of searches --------------------------------------------------------------------------------


def _places(some: View) -> Positions:
    """Return the live positions by row and passage, an order that does not depend on the past."""
    table = some.rows.table
    places = np.flatnonzero(table["alive"])
    return places[np.lexsort((table["passage"][places], table["id"][places]))]


def _rows(some: View) -> Held:
    rows = some.rows.table[_places(some)]
    columns = [rows[name] for name in ROW.names or () if name not in _OWN]
    return [*columns, sorted(some.wordless), sorted(some.unembedded)]


def _speakers(some: View) -> Held:
    names = {number: name for name, number in some.rows.speakers.items()}
    numbers = some.rows.table["speaker"][_places(some)].tolist()
    return [sorted(names.values()), [names.get(number, "") for number in numbers]]


def _sessions(some: View) -> Held:
    """Return of each position the first one of its session, the one before it, the one behind."""
    places, table = _places(some), some.rows.table
    ranks = np.full(len(table) + 1, -1)  # the last one stands for none
    ranks[places] = np.arange(len(places))
    rows = table[places]
    _, first, which = np.unique(rows["session"], return_index=True, return_inverse=True)
    return [first[which], ranks[rows["previous"]], ranks[rows["next"]]]


def _words(some: View) -> Held:
    return some.keywords.held(_places(some))


_VIEW: Final[dict[Callable[[View], Held], str]] = {
    _rows: "shows other rows than the file",
    _speakers: "knows other speakers than the file",
    _sessions: "links other turns than the file",
    _words: "finds other words than the file",
}


def _same_vectors(live: View, fresh: View) -> bool:
    """Compare how both views answer: a probe of their own, row by row."""
    probe = np.linspace(-1.0, 1.0, live.vectors.dimension, dtype=np.float32)
    probe /= max(float(np.linalg.norm(probe)), 1.0)
    (low, high), (least, most) = _answers(live, probe), _answers(fresh, probe)
    return bool((low <= most + 1e-5).all() and (least <= high + 1e-5).all())


def _answers(some: View, probe: Floats) -> tuple[Floats, Floats]:
    """Return the bounds of the cosine of every live passage, by row and passage."""
    places, codes = _places(some), some.vectors.codes
    if codes is not None:
        return codes.bounds(probe, places)
    cosines = some.vectors.cosines(probe, places)[places]
    return cosines, cosines


# -- of graphs ----------------------------------------------------------------------------------


def _facts(some: GraphView) -> Any:
    return {row_id: [astuple(edge) for edge in some.stated(row_id)] for row_id in some.rows()}


def _classes(some: GraphView) -> Any:
    return {
        root: (set(some.members(root)), _rows_of(some.edges_at(root))) for root in some.classes()
    }


def _near(some: GraphView) -> Any:
    return {
        root: {other: _rows_of(edges) for other, edges in some.near(root).items()}
        for root in some.asked()
    }


def _rows_of(edges: Any) -> list[Any]:
    return sorted((edge.row_id, edge.label, edge.source, edge.target) for edge in edges)


_GRAPH: Final[dict[Callable[[GraphView], Any], str]] = {
    _facts: "holds other relations than the file",
    _classes: "unites other names than the file",
    _near: "knows other neighbours than the file",
}
