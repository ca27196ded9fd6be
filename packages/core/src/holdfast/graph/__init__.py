"""Graph memory: entities, relations and the paths between them, read from what facts state."""

from holdfast.graph.handle import Graph
from holdfast.graph.stating import Given
from holdfast.graph.values import Triple
from holdfast.storage.contract.graph import Entity, Hop, Neighbour, Path, Relation

__all__ = ["Entity", "Given", "Graph", "Hop", "Neighbour", "Path", "Relation", "Triple"]
