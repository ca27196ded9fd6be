"""A terminal for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli import Terminal


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("HOLDFAST_DB", "HOLDFAST_KEY", "HOLDFAST_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return Terminal(tmp_path)
