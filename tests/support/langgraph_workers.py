"""What other processes do in the tests of the LangGraph package."""

from __future__ import annotations

from holdfast_langgraph import HoldfastStore
from support.word_embeddings import WordEmbeddings


def opened(path: str) -> HoldfastStore:
    """Open the store that all processes share."""
    return HoldfastStore(
        path,
        index={"embed": WordEmbeddings(), "fields": ["text"]},
        ttl={"default_ttl": 10, "refresh_on_read": True},
    )


def write_and_read(path: str, process: int) -> int:
    """Put fifty notes, read them and search them; return how many were there."""
    with opened(path) as store:
        for number in range(50):
            text = f"note {number} of process {process}"
            store.put(("notes", str(process)), str(number), {"text": text})
        read = [store.get(("notes", str(process)), str(number)) for number in range(50)]
        found = store.search(("notes", str(process)), query="note", limit=100)
        return min(len(found), sum(item is not None for item in read))


def ask_in_another_thread(path: str, question: str, user: str) -> str:
    """Ask an agent that another process taught something; return its answer."""
    from holdfast_langgraph import create_search_memory_tool
    from langchain.agents import create_agent
    from support.langgraph_models import ObedientModel

    with opened(path) as store:
        tools = [create_search_memory_tool(("memories", "{user_id}"))]
        agent = create_agent(ObedientModel(), tools, store=store)
        asked = {"messages": [("user", question)]}
        answered = agent.invoke(asked, {"configurable": {"user_id": user}})
        return str(answered["messages"][-1].text)
