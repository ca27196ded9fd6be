"""CrewAI's chat models as Holdfast's."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from crewai.hooks.dispatch import HookAborted
from crewai.llm import LLM as NamedLLM
from crewai.llms.base_llm import BaseLLM
from holdfast import LLM, Answer, Tool, Usage
from holdfast.adapters.models import read_answer, spell_out
from holdfast.providers.failures import failures_of


class CrewLLM(LLM):
    """A model that CrewAI holds, asked in plain words: every `BaseLLM` understands them.

    Args:
        llm: A `BaseLLM`, or the name of a model as CrewAI knows it, built on first use. It is
            copied and does not stream: the agent's own settings and listeners are left alone.
    """

    def __init__(self, llm: BaseLLM | str) -> None:
        self._given = llm
        self._llm: Any = None

    def complete(
        self, messages: Sequence[Mapping[str, str]], *, tool: Tool | None = None
    ) -> Answer:
        """Answer a conversation; the shape of the answer is spelled out in it.

        Raises:
            ProviderError: The model failed.
            HookAborted: A hook of the user's forbade the call.
        """
        with failures_of(f"CrewAI's model {self._name}", but=(HookAborted,)):
            llm = self._ready()
            before = _usage(llm)
            said = str(llm.call(spell_out(messages, tool)))
            return read_answer(said, tool, _spent(llm, before))

    @property
    def _name(self) -> str:
        return self._given if isinstance(self._given, str) else str(self._given.model)

    def _ready(self) -> Any:
        if self._llm is None:
            given = self._given
            self._llm = NamedLLM(model=given) if isinstance(given, str) else copy.copy(given)
            self._llm.stream = False
        return self._llm


def as_llm(given: LLM | BaseLLM | str | None) -> LLM | None:
    """Return a model for whatever a user hands over; None stays None: no model is called."""
    if given is None or isinstance(given, LLM):
        return given
    return CrewLLM(given)


def _usage(llm: Any) -> tuple[int, int]:
    summary = llm.get_token_usage_summary()
    return summary.prompt_tokens, summary.completion_tokens


def _spent(llm: Any, before: tuple[int, int]) -> Usage:
    prompt, completion = _usage(llm)
    return Usage(1, max(0, prompt - before[0]), max(0, completion - before[1]))
