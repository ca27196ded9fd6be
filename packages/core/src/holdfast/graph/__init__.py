"""Graph memory: entities, relations and the paths between them, read from what facts state."""

from holdfast.graph.handle import Graph
from holdfast.graph.stating import Given
from holdfast.graph.values import Entity, Hop, Neighbour, Path, Relation, Triple

__all__ = ["Entity", "Given", "Graph", "Hop", "Neighbour", "Path", "Relation", "Triple"]
