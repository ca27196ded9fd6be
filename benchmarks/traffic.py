"""All that is said to a model and by it, kept in a file, so that a run can be done again offline.

Each line is ``{"asked": hash, "messages", "tool", "text", "data", "usage", "seconds"}``. A prompt
that was sent several times is answered in the order of the answers; after the last one, by it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast import LLM, Answer, ProviderError, Tool, Usage

Messages = Sequence[Mapping[str, str]]


class Recorded(LLM):
    """Asks another model and writes down both sides."""

    def __init__(self, inner: LLM, path: Path) -> None:
        self._inner = inner
        self._path = path
        self._lock = threading.Lock()

    def complete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Ask and write down."""
        begun = time.perf_counter()
        answer = self._inner.complete(messages, tool=tool)
        self._write(messages, tool, answer, time.perf_counter() - begun)
        return answer

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Async twin of `complete`."""
        begun = time.perf_counter()
        answer = await self._inner.acomplete(messages, tool=tool)
        self._write(messages, tool, answer, time.perf_counter() - begun)
        return answer

    def _write(self, messages: Messages, tool: Tool | None, answer: Answer, took: float) -> None:
        usage = answer.usage
        line = {
            "asked": asked(messages, tool),
            "messages": [dict(message) for message in messages],
            "tool": tool.name if tool else None,
            "text": answer.text,
            "data": answer.data,
            "usage": [usage.calls, usage.prompt_tokens, usage.completion_tokens],
            "seconds": took,
        }
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


class Replayed(LLM):
    """Answers from a recording; asks nobody.

    Raises:
        ProviderError: What is asked was not recorded.
    """

    def __init__(self, path: Path) -> None:
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._lock = threading.Lock()
        with path.open(encoding="utf-8") as file:
            for line in map(json.loads, file):
                answer = Answer(line["text"], line["data"], Usage(*line["usage"]))
                self._answers[line["asked"]].append(answer)

    def complete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Answer as then."""
        with self._lock:
            answers = self._answers.get(asked(messages, tool))
            if not answers:
                raise ProviderError("the recording has no answer to this prompt")
            return answers.popleft() if len(answers) > 1 else answers[0]

    async def acomplete(self, messages: Messages, *, tool: Tool | None = None) -> Answer:
        """Async twin of `complete`."""
        return self.complete(messages, tool=tool)


def asked(messages: Messages, tool: Tool | None) -> str:
    """Return the hash of a prompt."""
    parts: list[Any] = [[message["role"], message["content"]] for message in messages]
    shape = None if tool is None else [tool.name, tool.description, tool.parameters]
    text = json.dumps([parts, shape], sort_keys=True)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
