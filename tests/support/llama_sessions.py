"""Two processes with one file: ``tell`` says something in every shape, ``ask`` asks for it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from holdfast_llamaindex import HoldfastChatStore, HoldfastMemory, HoldfastMemoryBlock, connect
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import Memory
from llama_index.core.workflow import Context, JsonSerializer
from support.llama_models import CountingEmbedder, OfflineLLM

TOLD, QUESTION = "My dog is called Rex.", "What is my dog called?"


def tell(shape: str, answer: object) -> None:
    """Write a line that the test reads."""
    sys.stdout.write(f"{shape}: {answer}\n")


async def run(step: str, path: Path) -> None:
    """Run one step."""
    words = TOLD if step == "tell" else QUESTION
    connect(path, embedder=CountingEmbedder())
    agent = FunctionAgent(llm=OfflineLLM(), tools=[])

    def memory(user: str) -> HoldfastMemory:
        return HoldfastMemory.from_defaults(path=path, user_id=user, session_id=f"{step} {user}")

    tell("memory", await agent.run(words, memory=memory("ada")))
    block = HoldfastMemoryBlock(path=str(path), user_id="bob")
    store = HoldfastChatStore(path)
    stock = Memory.from_defaults(session_id=step, memory_blocks=[block], chat_store=store)
    tell("block", await agent.run(words, memory=stock))
    engine = SimpleChatEngine.from_defaults(llm=OfflineLLM(), memory=memory("eve"))
    tell("engine", engine.chat(words))
    tell("context", await in_context(agent, step, path, words, memory("kim")))
    tell("stranger", await agent.run(QUESTION, memory=memory("lee")))


async def in_context(
    agent: FunctionAgent, step: str, path: Path, words: str, memory: HoldfastMemory
) -> str:
    """Run in a context that is saved by the first step and restored by the second."""
    file = path.with_suffix(".json")
    if step == "tell":
        context = Context(agent)
        answer = await agent.run(words, memory=memory, ctx=context)
        file.write_text(json.dumps(context.to_dict(serializer=JsonSerializer())))
        return str(answer)
    context = Context.from_dict(agent, json.loads(file.read_text()), serializer=JsonSerializer())
    return str(await agent.run(words, ctx=context))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2])))
