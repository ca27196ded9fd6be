"""CrewAI without telemetry, tracing or network, and the warnings of its own making."""

from __future__ import annotations

import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read while CrewAI is imported: it would write to the home folder and ask its servers.
_home = tempfile.mkdtemp(prefix="crewai-")
os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_STORAGE_DIR": _home,
    "CREWAI_TESTING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "XDG_CONFIG_HOME": _home,
    "XDG_DATA_HOME": _home,
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing CrewAI warns of its own dependencies
    import crewai  # noqa: F401
    import holdfast_crewai

FOREIGN = (
    # CrewAI calls its own deprecated arguments, and datetime.utcnow().
    "ignore::DeprecationWarning:crewai",
    "ignore::DeprecationWarning:pydantic",
    "ignore:function_calling_llm is deprecated:DeprecationWarning",
    # Its Agent carries our doubles in fields that pydantic expects to be its own models.
    "ignore:Pydantic serializer warnings:UserWarning",
    # Its event bus leaves its loop to the interpreter.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    # Ours, and tested by name where it matters.
    "ignore::holdfast_crewai.NoLLMWarning",
)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for line in FOREIGN:
                item.add_marker(pytest.mark.filterwarnings(line))


class Refused(Exception):
    """Something asked for the network."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise Refused(f"a test asked for {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    yield
    holdfast_crewai.uninstall()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "memory.db")
