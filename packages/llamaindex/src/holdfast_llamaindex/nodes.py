"""LlamaIndex's nodes as documents: their JSON, and their metadata where filters find it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.utils import metadata_dict_to_node

from holdfast_llamaindex.filters import field


def value_of(node: BaseNode) -> dict[str, Any]:
    """Return what is stored of a node, its vector apart.

    ``lower`` holds strings in lower case, ``lists`` lists as JSON, ``empty`` the names of what
    is an empty string or list: so every operator finds what it compares.
    """
    dumped = node.model_dump(mode="json", exclude={"embedding"})
    metadata = {field(key): value for key, value in dumped.get("metadata", {}).items()}
    return {
        "id": node.node_id,
        "doc": node.ref_doc_id,
        "type": node.class_name(),
        "node": json.dumps(dumped),
        "metadata": metadata,
        "lower": {key: value.lower() for key, value in metadata.items() if isinstance(value, str)},
        "lists": {
            key: json.dumps(value) for key, value in metadata.items() if isinstance(value, list)
        },
        "empty": [key for key, value in metadata.items() if value in ("", [])],
    }


def node_of(value: Mapping[str, Any]) -> BaseNode:
    """Return a node from what was stored of it."""
    return metadata_dict_to_node({"_node_content": value["node"], "_node_type": value["type"]})


def words_of(node: BaseNode) -> str:
    """Return the words of a node that keywords find."""
    text = node.get_content(metadata_mode=MetadataMode.NONE) or ""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
