"""`HoldfastMemory`: AutoGen's `Memory` on a Holdfast file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from weakref import WeakKeyDictionary

from autogen_core import CancellationToken, Component
from autogen_core.memory import Memory, MemoryContent, MemoryQueryResult, UpdateContextResult
from autogen_core.model_context import ChatCompletionContext
from autogen_core.models import LLMMessage
from holdfast import InvalidInputError, Match
from pydantic import BaseModel, ConfigDict
from typing_extensions import Self

from holdfast_autogen.cancelling import cancellable
from holdfast_autogen.connections import Handle, Place
from holdfast_autogen.contents import content_of, message_of, shown
from holdfast_autogen.injection import DEFAULT_NAME, InjectAs, Injection, put, whole
from holdfast_autogen.longterm import LongTerm
from holdfast_autogen.message_ids import with_ids
from holdfast_autogen.scopes import Ids, Owner, Sessions
from holdfast_autogen.tool_actions import state
from holdfast_autogen.turns import conversation, live

# What `query` takes beside the query and the token, as `holdfast.Memory.search` does.
OPTIONS = frozenset({"limit", "filters", "kinds", "min_score", "as_of", "valid_at"})


class HoldfastMemoryConfig(BaseModel):
    """What finds a memory again: no text, no key, no model."""

    model_config = ConfigDict(extra="forbid")

    path: str
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None
    sessions: Sessions = "all"
    name: str = DEFAULT_NAME
    inject_as: InjectAs = "user"
    max_tokens: int = 1_000
    limit: int = 10
    remember: bool = True
    wait: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a context was read, for whom, and how far what it says is written down."""

    ids: Ids
    seen: str | None = None
    written: str | None = None


class HoldfastMemory(Memory, Component[HoldfastMemoryConfig]):
    """Long-term memory of an AutoGen agent, in one file.

    Before the model is asked, the agent's context gets one message with what matters now, in
    the place of the one before; and what was said since is written down. The last answer of a
    conversation is seen by no memory (AutoGen shows it at the next turn): where that matters,
    use `HoldfastModelContext`.

    Give each session its ``run_id``, fixed or by `serving`: without one, a conversation that
    begins with the same words as another is taken for the same one.

    Args:
        place: The file's path, or an open `holdfast.Memory`.
        user_id, agent_id, run_id, app_id: Whose memory; what is missing comes from `serving`.
        sessions: ``"all"``: recall what the owner said in any session; or ``"this"``.
        name: Of the memory message; two memories of one agent need two names.
        inject_as: ``"user"``, right before the last message, or ``"system"``, at the very top.
        max_tokens: Budget of the memory message.
        limit: Results of `query` at most. Scores compare within one query only, so none is
            a threshold for all.
        remember: Write down what is said in the context.
        wait: Derive facts from it before the model is asked; else they follow (`flush`).
        strict: Let a failing model or file fail the agent's run; else it is logged, and the
            agent goes on without memory. `query` and `add` always raise.
    """

    component_type = "memory"
    component_config_schema = HoldfastMemoryConfig
    component_provider_override = "holdfast_autogen.HoldfastMemory"

    def __init__(
        self,
        place: Place,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        sessions: Sessions = "all",
        name: str = DEFAULT_NAME,
        inject_as: InjectAs = "user",
        max_tokens: int = 1_000,
        limit: int = 10,
        remember: bool = True,
        wait: bool = False,
        strict: bool = False,
    ) -> None:
        self._handle = Handle.of(place)
        self._owner = Owner(user_id, agent_id, run_id, app_id, sessions)
        self._injection = Injection(name, inject_as)
        self._long_term = LongTerm(self._handle, max_tokens, wait, strict)
        self._limit = limit
        self._remember = remember
        self._progress: WeakKeyDictionary[ChatCompletionContext, _Progress] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """The name of its message."""
        return self._injection.name

    # -- in an agent's turn -----------------------------------------------------------------------

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """Put what matters now into a context, once; write down what was said in it.

        Returns:
            The memories that the context shows.

        Raises:
            ScopeError: It is not said whose memory.
            ProviderError, StorageError: With ``strict=True``, if a model or the file failed.
        """
        ids = self._owner.writing()
        messages = await whole(model_context)
        found = await self._long_term.recall(
            self._owner.reading(ids), live(messages, self._injection)
        )
        await put(model_context, self._injection, found.text, messages)
        if self._remember:
            await self._write_down(model_context, ids, messages)
        results = [shown(record) for record in found.records]
        return UpdateContextResult(memories=MemoryQueryResult(results=results))

    async def _write_down(
        self, context: ChatCompletionContext, ids: Ids, messages: list[LLMMessage]
    ) -> None:
        told = with_ids(conversation(messages, self._injection))
        if not told:
            return
        before = self._progress.get(context, _Progress(ids))
        # What was said to another, and could not be written, is not this one's to remember.
        last = before.written if before.ids == ids else before.seen
        links = [message.id for message in told]
        fresh = told[links.index(last) + 1 :] if last in links else told
        done = await self._long_term.remember(ids, fresh)
        self._progress[context] = _Progress(ids, links[-1], links[-1] if done else last)

    # -- by hand ----------------------------------------------------------------------------------

    async def add(
        self, content: MemoryContent, cancellation_token: CancellationToken | None = None
    ) -> None:
        """Store a content as a fact, without loss; one that is there already is not added again.

        Raises:
            ScopeError: It is not said whose memory.
            InvalidInputError: It is empty, or would not come back as it is.
            ProviderError: The embedder failed; nothing was stored.
        """
        ids = self._owner.writing()
        message = message_of(content)

        async def store() -> None:
            await state(await self._handle.memory(), ids, message)

        await cancellable(store(), cancellation_token)

    async def query(
        self,
        query: str | MemoryContent,
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """Find what is stored, best first; nothing for an empty query.

        Args:
            query: A question, or a content of text or JSON.
            cancellation_token: Cancels it.
            **kwargs: AutoGen's signature; what `holdfast.Memory.search` takes: ``limit``,
                ``filters``, ``kinds``, ``min_score``, ``as_of``, ``valid_at``.

        Raises:
            ScopeError: It is not said whose memory.
            InvalidInputError: The query holds no words, or an option is unknown.
            ProviderError: The embedder failed.
        """
        ids = self._owner.reading(self._owner.writing())
        options = {"limit": self._limit, **_options(kwargs)}
        asked = _question(query)

        async def search() -> list[Match]:
            memory = await self._handle.memory()
            return await memory.asearch(asked, **ids, **options)

        found = await cancellable(search(), cancellation_token) if asked.strip() else []
        results = [content_of(match.record, match.score) for match in found]
        return MemoryQueryResult(results=results)

    async def flush(self) -> None:
        """Derive facts from all that waits of what this memory recalls, in any of its sessions.

        Raises:
            ScopeError: It is not said whose memory.
            InvalidInputError: The file's memory has no LLM.
        """
        memory = await self._handle.memory()
        await memory.aflush(**self._owner.reading(self._owner.writing()))

    async def clear(self) -> None:
        """Erase everything this memory can recall, for good."""
        ids = self._owner.reading(self._owner.writing())
        memory = await self._handle.memory()
        await memory.adelete_all(**ids, filters={})  # records alone: histories stay
        self._progress.clear()

    async def close(self) -> None:
        """Let the file go; nothing is deleted, and a later use opens it again."""
        self._handle.close()

    # -- as a component ---------------------------------------------------------------------------

    def _to_config(self) -> HoldfastMemoryConfig:
        long_term = self._long_term
        return HoldfastMemoryConfig(
            path=self._handle.path,
            **asdict(self._owner),
            name=self._injection.name,
            inject_as=self._injection.inject_as,
            max_tokens=long_term.max_tokens,
            limit=self._limit,
            remember=self._remember,
            wait=long_term.wait,
            strict=long_term.strict,
        )

    @classmethod
    def _from_config(cls, config: HoldfastMemoryConfig) -> Self:
        fields = config.model_dump()
        return cls(fields.pop("path"), **fields)


def _options(given: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = sorted(given.keys() - OPTIONS)
    if unknown:
        raise InvalidInputError(f"query takes no {unknown}; it takes {sorted(OPTIONS)}")
    return given


def _question(query: str | MemoryContent) -> str:
    if isinstance(query, str):
        return query
    if not isinstance(query.content, str | dict):
        raise InvalidInputError("a query is made of words: give text or JSON, not bytes or images")
    return message_of(query).content if query.content else ""
