"""The smallest memory that can be wrapped: turns in a list, recalled by the words they share."""

from collections.abc import Mapping, Sequence

from holdfast.context.compiling import Overview, build
from holdfast.context.redundancy import words
from holdfast.context.tokens import counter
from holdfast.runtime import run
from holdfast.types import Context, Match, Message
from support.memories import record


class Notebook:
    """Keeps messages of one scope; `fail_at` names the verbs that raise."""

    def __init__(self, *fail_at: str) -> None:
        self.fail_at = fail_at
        self.turns: list[Message] = []
        self.calls: list[tuple[str, dict]] = []

    scope = "notebook"

    async def overview(self) -> Overview:
        return Overview(change=len(self.turns))

    async def search(self, query: str, limit: int) -> Sequence[Match]:
        asked = set(words(query))
        found = [
            Match(record(turn.content, at, speaker=None, role=turn.role), shared, turn.content)
            for at, turn in enumerate(self.turns)
            if (shared := len(asked & set(words(turn.content))))
        ]
        return sorted(found, key=lambda one: -one.score)[:limit]

    def context(
        self,
        query: str | None = None,
        *,
        messages: Sequence[Message | Mapping[str, object]] | None = None,
        max_tokens: int = 1_000,
        model: str | None = None,
        **scope: str,
    ) -> Context:
        self._called("context", scope)
        count = counter(model)
        return run(build(self, query, messages or (), max_tokens=max_tokens, count=count))

    async def acontext(self, query: str | None = None, **given: object) -> Context:
        return self.context(query, **given)

    def add(
        self, messages: Sequence[Message], *, infer: bool = True, wait: bool = True, **scope: str
    ) -> None:
        self._called("add", scope | {"wait": wait, "infer": infer})
        known = {turn.id for turn in self.turns}
        self.turns += [message for message in messages if message.id not in known]

    async def aadd(self, messages: Sequence[Message], **given: object) -> None:
        self.add(messages, **given)

    def _called(self, verb: str, scope: dict) -> None:
        self.calls.append((verb, scope))
        if verb in self.fail_at:
            raise RuntimeError(f"{verb} failed")

    @property
    def said(self) -> list[tuple[str, str]]:
        """Return role and words of each turn."""
        return [(turn.role, turn.content) for turn in self.turns]
