"""Every contract runs once a face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.drivers import needs_encryption
from support.faces import FACES, Face


def _param(kind: str) -> Any:
    slow = [pytest.mark.slow] if kind in ("scoped", "in_memory", "encrypted") else []  # as `sync`
    return pytest.param(kind, marks=[needs_encryption, *slow] if kind == "encrypted" else slow)


@pytest.fixture(params=map(_param, FACES))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def opened(kind: str, tmp_path: Path) -> Iterator[Callable[..., Face]]:
    """Open any number of memories by the same face; each gets a file of its own by name."""
    made: list[Face] = []

    def open_(name: str = "memory.db", **options: Any) -> Face:
        made.append(Face(kind, tmp_path / name, **options))
        return made[-1]

    yield open_
    for face in made:
        face.close()


@pytest.fixture
def face(opened: Callable[..., Face]) -> Face:
    return opened()
