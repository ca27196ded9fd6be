"""Holdfast for Microsoft Agent Framework: context and history that last, in one file.

    from holdfast_autogen.agent_framework import HoldfastContextProvider, HoldfastHistoryProvider

    agent = Agent(client, context_providers=[
        HoldfastHistoryProvider("memory.db"), HoldfastContextProvider("memory.db")])
    session = agent.create_session()
    session.state["user_id"] = "ada"

It needs the extra ``holdfast-autogen[agent-framework]`` and nothing of AutoGen.
"""

from __future__ import annotations

from holdfast_autogen.agent_framework.history import HoldfastHistoryProvider
from holdfast_autogen.agent_framework.llm import AgentFrameworkLLM
from holdfast_autogen.agent_framework.provider import HoldfastContextProvider
from holdfast_autogen.connections import connect
from holdfast_autogen.scopes import serving

__all__ = [
    "AgentFrameworkLLM",
    "HoldfastContextProvider",
    "HoldfastHistoryProvider",
    "connect",
    "serving",
]
