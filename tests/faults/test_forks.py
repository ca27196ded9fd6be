"""Quick part of forks; the whole one is `faults.forks.whole`."""

import os

import pytest
from faults import forks
from faults.parts import Counts

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.mark.parametrize("scene", list(forks.SCENES))
def test_what_is_acknowledged_on_either_side_of_a_fork_is_kept_and_nothing_hangs(
    scene: str,
) -> None:
    counts = Counts()
    forks.one(scene, 1, counts)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["acknowledged"] > 0
