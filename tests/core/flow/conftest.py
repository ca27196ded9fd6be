"""Fixtures of the pipeline's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from holdfast import Memory
from holdfast.testing import ScriptedLLM
from support.flows import opened


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Memory]:
    """Open a memory whose model gives these answers, one after the other."""
    return lambda *answers, **options: opened(tmp_path, ScriptedLLM(answers), **options)
