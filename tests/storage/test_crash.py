"""A process killed at any moment loses nothing acknowledged and tears nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("HOLDFAST_TEST_KILLS", "20"))
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # the script forks
TESTS = Path(__file__).parents[1]


@pytest.mark.timeout(60 + 5 * KILLS)
def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.killing", str(tmp_path / "m.db"), str(KILLS), "1"],
        cwd=TESTS,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["rounds"] == KILLS
    assert told["acknowledged"] > KILLS
