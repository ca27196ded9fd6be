"""Holdfast for CrewAI: memory, storage, tools and flow persistence in one file.

from holdfast_crewai import HoldfastMemory

crew = Crew(agents=[...], tasks=[...], memory=HoldfastMemory(storage="memory.db"))
"""

from __future__ import annotations

from holdfast_crewai.embedders import CrewEmbedder
from holdfast_crewai.llms import CrewLLM
from holdfast_crewai.memory import ExtractionWarning, HoldfastMemory, NoLLMWarning
from holdfast_crewai.storage import HoldfastStorage

__all__ = [
    "CrewEmbedder",
    "CrewLLM",
    "ExtractionWarning",
    "HoldfastMemory",
    "HoldfastStorage",
    "NoLLMWarning",
]
