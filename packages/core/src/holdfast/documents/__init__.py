"""Documents by namespace and key: what frameworks' stores and vector stores stand on."""

from holdfast.documents.collection import Collection, Entry, Scored
from holdfast.documents.handle import (
    Get,
    Item,
    ItemMatch,
    Items,
    Labels,
    ListNamespaces,
    Mode,
    Operation,
    Put,
    Result,
    Search,
)

__all__ = [
    "Collection",
    "Entry",
    "Get",
    "Item",
    "ItemMatch",
    "Items",
    "Labels",
    "ListNamespaces",
    "Mode",
    "Operation",
    "Put",
    "Result",
    "Scored",
    "Search",
]
