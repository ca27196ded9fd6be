"""What a type checker sees of the store's index: docs/langgraph.md's own, and LangGraph's."""

from holdfast.testing import HashEmbedder
from holdfast_langgraph import HoldfastStore
from langgraph.store.base import BaseStore, IndexConfig


def check(config: IndexConfig) -> BaseStore:
    HoldfastStore("agent.db", index=config)
    return HoldfastStore("agent.db", index={"embed": HashEmbedder(), "fields": ["text"]})
