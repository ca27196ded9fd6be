"""Holdfast for CrewAI: memory, storage, tools and flow persistence in one file.

from holdfast_crewai import HoldfastMemory

crew = Crew(agents=[...], tasks=[...], memory=HoldfastMemory(storage="memory.db"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast_crewai.checkpoints import rebind
from holdfast_crewai.deriving import ExtractionWarning
from holdfast_crewai.embedders import CrewEmbedder
from holdfast_crewai.flows import HoldfastFlowPersistence
from holdfast_crewai.llms import CrewLLM
from holdfast_crewai.memory import HoldfastMemory, NoLLMWarning
from holdfast_crewai.setup import (
    LegacyArgumentWarning,
    NoEmbedderWarning,
    install,
    uninstall,
)
from holdfast_crewai.storage import HoldfastStorage
from holdfast_crewai.tools import RecallTool, RememberTool

if TYPE_CHECKING:
    from holdfast_crewai.lancedb import import_lancedb

__version__ = "0.1.0"

__all__ = [
    "CrewEmbedder",
    "CrewLLM",
    "ExtractionWarning",
    "HoldfastFlowPersistence",
    "HoldfastMemory",
    "HoldfastStorage",
    "LegacyArgumentWarning",
    "NoEmbedderWarning",
    "NoLLMWarning",
    "RecallTool",
    "RememberTool",
    "import_lancedb",
    "install",
    "rebind",
    "uninstall",
]


def __getattr__(name: str) -> Any:
    """Load the importer on first use: it alone needs LanceDB."""
    if name != "import_lancedb":
        raise AttributeError(f"module 'holdfast_crewai' has no attribute {name!r}")
    from holdfast_crewai.lancedb import import_lancedb

    return import_lancedb
