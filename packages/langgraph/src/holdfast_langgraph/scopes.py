"""Whose memory: namespaces and scopes of the run at hand, from its context or its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from holdfast import InvalidInputError
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import get_runtime

from holdfast_langgraph.labels import escape_label

_FIELD = re.compile(r"\{(\w+)\}")
_ABSENT = (None, "")


def known(name: str, context: object, config: Mapping[str, Any]) -> str | None:
    """Return a value of the run by name: of its context, else of ``config["configurable"]``."""
    of_context = context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)
    value = of_context if of_context not in _ABSENT else config.get("configurable", {}).get(name)
    return None if value in _ABSENT else str(value)


def current_config() -> RunnableConfig:
    """Return the configuration of the run at hand; an empty one outside of any."""
    try:
        return get_config()
    except RuntimeError:
        return {}


def current_context() -> object:
    """Return the context of the run at hand; None outside of any."""
    try:
        return getattr(get_runtime(), "context", None)  # a tool by itself has a config, no run
    except (RuntimeError, KeyError):
        return None


class NamespaceTemplate:
    """A namespace with names to be filled in: ``("memories", "{user_id}")``.

    Values are escaped, so that an e-mail address may name a user.
    """

    def __init__(self, template: tuple[str, ...] | str) -> None:
        self.labels = (template,) if isinstance(template, str) else tuple(template)

    def filled(self) -> tuple[str, ...]:
        """Return the namespace of the run at hand.

        Raises:
            InvalidInputError: Neither its context nor its configuration has a name's value.
        """
        if not any(_FIELD.search(label) for label in self.labels):
            return self.labels
        context, config = current_context(), current_config()
        return tuple(
            _FIELD.sub(lambda found: _value(found.group(1), context, config), label)
            for label in self.labels
        )


def _value(name: str, context: object, config: Mapping[str, Any]) -> str:
    value = known(name, context, config)
    if value is None:
        raise InvalidInputError(
            f"the namespace needs {name!r}; give it as config={{'configurable': {{{name!r}: ...}}}}"
            " or as a field of the run's context"
        )
    return escape_label(value)
