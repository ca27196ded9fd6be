"""A graph for others: a networkx graph, GraphML, and one page that opens in any browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InvalidInputError, StorageError
from holdfast.storage.contract.graph import Entity, GraphSnapshot, Relation

if TYPE_CHECKING:
    from networkx import MultiDiGraph

_PAGE = Path(__file__).with_name("page")
# What XML 1.0 cannot hold, even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_networkx(whole: GraphSnapshot) -> MultiDiGraph[str]:
    """Return a multigraph: entities by name ("Bob (2)" for a second one), relations by fact id."""
    networkx = _networkx()
    graph: MultiDiGraph[str] = networkx.MultiDiGraph()
    labels: dict[int, str] = {}
    for number, entity in enumerate(whole.entities):
        label, copy = entity.name, 1
        while label in graph:
            copy += 1
            label = f"{entity.name} ({copy})"
        labels[number] = label
        graph.add_node(label, **_told(_node(entity)))
    for source, target, relation in whole.links:
        graph.add_edge(labels[source], labels[target], **_told(_link(relation)))
    return graph


def to_graphml(whole: GraphSnapshot, path: Path) -> None:
    """Write GraphML, which Gephi, yEd and Cytoscape open."""
    graph = _networkx().relabel_nodes(to_networkx(whole), _xml)
    with _writing(path):
        _networkx().write_graphml_xml(graph, path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def _networkx() -> Any:
    try:
        return import_module("networkx")
    except ModuleNotFoundError as error:
        raise InvalidInputError("this needs networkx: pip install 'holdfast[graph]'") from error


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is unknown, and make of text what GraphML can hold."""
    kept = {name: value for name, value in values.items() if value not in (None, "")}
    return {name: _xml(v) if isinstance(v, str) else v for name, v in kept.items()}


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _node(entity: Entity) -> dict[str, Any]:
    return {
        "type": entity.type,
        "aliases": ", ".join(entity.aliases),
        "first_seen": entity.first_seen.isoformat(),
        "last_seen": entity.last_seen.isoformat(),
        "user_id": entity.user_id,
    }


def _link(relation: Relation) -> dict[str, Any]:
    return {
        "label": relation.label,
        "id": relation.id,
        "text": relation.text,
        "sources": ", ".join(relation.sources),
        "occurred_at": relation.occurred_at.isoformat(),
        "valid_from": relation.valid_from and relation.valid_from.isoformat(),
        "valid_to": relation.valid_to and relation.valid_to.isoformat(),
        "confidence": relation.confidence,
    }


# -- the page -----------------------------------------------------------------------------------


def to_html(whole: GraphSnapshot, path: Path) -> None:
    """Write one page that holds all it needs; it fetches nothing and runs no stored word."""
    library, script = (_read(name) for name in ("cytoscape.min.js", "page.js"))
    filled = {
        "HASHES": f"{_allowed(library)} {_allowed(script)}",
        "DATA": _embedded(whole),
        "LIBRARY": library,
        "SCRIPT": script,
    }
    # One pass: a stored text that spells a placeholder must not be filled in turn.
    page = re.sub("@(HASHES|DATA|LIBRARY|SCRIPT)@", lambda at: filled[at[1]], _read("page.html"))
    with _writing(path):
        path.write_text(page, encoding="utf-8", newline="\n")


def _read(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _allowed(script: str) -> str:
    """Return a script's hash for the content security policy: no other one runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _embedded(whole: GraphSnapshot) -> str:
    """Return JSON that no HTML parser takes for markup."""
    data = {
        "total": whole.total,
        "nodes": [
            {
                "id": f"n{number}",
                "name": entity.name,
                "type": entity.type,
                "aliases": entity.aliases,
                "degree": entity.relations,
                "first": _millis(entity.first_seen),
                "last": _millis(entity.last_seen),
            }
            for number, entity in enumerate(whole.entities)
        ],
        "edges": [
            {
                "id": f"e{number}",
                "source": f"n{source}",
                "target": f"n{target}",
                "label": relation.label,
                "text": relation.text,
                "from": _millis(relation.valid_from or relation.occurred_at),
                "to": None if relation.valid_to is None else _millis(relation.valid_to),
                "turns": len(relation.sources),
            }
            for number, (source, target, relation) in enumerate(whole.links)
        ],
    }
    return json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _millis(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
