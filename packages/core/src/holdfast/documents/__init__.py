"""Documents by namespace and key: what frameworks' stores and vector stores stand on."""

from holdfast.documents.checks import (
    DocumentMatch,
    Get,
    Labels,
    ListNamespaces,
    Mode,
    Operation,
    Put,
    Result,
    Search,
)
from holdfast.documents.collection import Collection
from holdfast.documents.handle import Documents
from holdfast.storage.contract.documents import Document

__all__ = [
    "Collection",
    "Document",
    "DocumentMatch",
    "Documents",
    "Get",
    "Labels",
    "ListNamespaces",
    "Mode",
    "Operation",
    "Put",
    "Result",
    "Search",
]
