"""`benchmarks/speed.py` and `benchmarks/breakdown.py` from end to end, on very little."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

SYSTEMS = ["holdfast items", "bare SQLite", "InMemoryStore"]


def test_ours_a_bare_file_and_a_peer_are_measured_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import speed

    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    page.write_text("before\n<!-- speed: begin -->\nto be replaced\n<!-- speed: end -->\nafter\n")
    few = ["--sizes", "200", "--users", "one", "--rounds", "2", "--systems", *SYSTEMS]
    monkeypatch.setattr(sys, "argv", ["speed.py", *few, "--out", str(figures)])
    speed.main()
    found = {one["system"]: one for one in json.loads(figures.read_text())["results"]}
    assert list(found) == SYSTEMS
    ours = found["holdfast items"]
    assert ours["recall"]["filtered"] == {"mean": 1.0, "least": 1.0}
    assert ours["recall"]["add_search"]["least"] == 1.0
    assert ours["left out"] == {}
    assert ours["phases"]["delete_all"]["count"] == 1
    assert found["InMemoryStore"]["left out"] == {"reopen": "it keeps nothing"}
    assert found["bare SQLite"]["phases"]["add"]["p50"] > 0
    told = capsys.readouterr().out
    assert "| holdfast items |" in told
    assert "* bare SQLite: it only writes" in told

    again = ["speed.py", "--from", str(figures), "--write", str(page)]
    monkeypatch.setattr(sys, "argv", again)
    speed.main()
    written = page.read_text()
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "to be replaced" not in written
    assert "| holdfast items |" in written


def test_a_crowd_of_calls_is_set_beside_the_same_calls_one_by_one(tmp_path: Path) -> None:
    import aims
    import crowd
    import speed
    import speed_report

    ways = [crowd.SYNC, crowd.FROZEN, crowd.ASYNC]
    found = crowd.crowd(tmp_path, 5, 1, ways=ways, held=2)
    assert [(one["way"], one["calls"], one["errors"]) for one in found] == [
        (way, 10, 0) for way in ways
    ]
    run = {"machine": speed.machine(), "command": "speed.py", "results": [], "crowd": found}
    assert "| async, after `gc.freeze()` | 0 |" in speed_report.page(run)
    assert sum(aim.got is not None for aim in aims.every(run)) == 3


def test_one_add_and_one_search_are_taken_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import breakdown

    figures = tmp_path / "figures.json"
    few = ["--records", "50", "--repeats", "20", "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", ["breakdown.py", *few])
    breakdown.main()
    found = json.loads(figures.read_text())
    assert [one["name"].split(",")[0] for one in found] == [
        "Memory.search",
        "Documents.search",
        *["Memory.add", "Documents.put"] * 2,
    ]
    adding = found[2]
    assert any(sql.startswith("INSERT INTO records") for sql in adding["statements"])
    assert "times the same bytes" in adding["limits"][0]["what"]
    assert "## Memory.search, 50 records" in capsys.readouterr().out
