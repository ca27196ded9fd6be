"""What derives facts in the background goes on in a forked child."""

from __future__ import annotations

import os

import pytest
from holdfast import Changes
from holdfast_crewai.deriving import Deriving
from support.forking import in_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")


def test_facts_are_derived_in_a_child_as_well() -> None:
    flushed: list[int] = []

    def flush() -> Changes:
        flushed.append(os.getpid())
        return Changes()

    def derive() -> bool:
        deriving.begin(lambda _: None)
        deriving.wait()
        return flushed[-1] == os.getpid()

    deriving = Deriving(flush)
    assert derive()
    assert in_child(derive) == "True"
    deriving.close()
