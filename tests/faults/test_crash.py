"""Quick part of kills, losses of power and failing writes; the whole one is `faults.whole`."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest
from faults import crash, failing, whole
from faults.disk import Disk, Event, Volatile
from faults.recording import record
from faults.stories import STORIES, variants
from faults.vfs import can_watch, watching
from faults.world import World
from holdfast import StorageError

pytestmark = pytest.mark.skipif(not can_watch(), reason="this SQLite's files cannot be watched")

RUNNABLE = [name for name, story in STORIES.items() if variants(story)]
LITTLE = 0.015  # of the whole part


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_kill_or_a_loss_of_power_at_any_point_leaves_a_whole_state(name: str) -> None:
    counts = crash.crash(STORIES[name], 1, LITTLE)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["kill points"] >= 20
    assert counts["power losses"] >= 20
    assert counts["acknowledged"] > counts["kill points"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_failing_write_is_a_clear_error_and_a_retry_ends_the_same(name: str) -> None:
    counts = failing.failing(STORIES[name], 1, LITTLE)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["failing writes"] >= 8


# -- the suite itself -----------------------------------------------------------------------------


def test_what_was_recorded_is_what_lies_on_the_disk(tmp_path: Path) -> None:
    recording, disk = record(STORIES["memory verbs"], tmp_path), Disk()
    for event in recording.events:
        disk.apply(event)
    assert sorted(disk.names) == sorted(path.name for path in tmp_path.iterdir())
    for name, number in disk.names.items():
        assert (tmp_path / name).read_bytes() == disk.files[number]


def test_a_write_lost_after_it_was_acknowledged_is_noticed(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "story").mkdir()
    recording = record(STORIES["memory verbs"], tmp_path / "story")
    judge = crash.Judge(recording, images)
    (*_, last) = judge.kills(30)
    assert judge.complaint(last) is None
    earlier = next(islice(judge.kills(30), 10, None))
    old = crash.Image(earlier.disk, last.at, last.states, last.exports, last.keys)
    assert "the state is that of commit" in str(judge.complaint(old))


def test_a_loss_of_power_keeps_what_was_synced_and_any_of_the_rest() -> None:
    disk = Volatile()
    for event in (
        Event("create", 1, "m.db"),
        Event("write", 1, at=0, data=b"a" * 600),
        Event("sync", 1),
        Event("write", 1, at=0, data=b"b" * 600),
    ):
        disk.apply(event)
    found = {
        bytes(disk.lost(how, Random(seed)).files[1])
        for how in ("nothing", "all", "prefix", "subset", "sectors")
        for seed in range(20)
    }
    old, new = b"a" * 600, b"b" * 600
    assert found == {old, new, new[:512] + old[512:], old[:512] + new[512:]}


def test_a_disk_that_fails_is_felt_and_files_are_left_as_they_were(tmp_path: Path) -> None:
    disk = failing.FailingDisk(tmp_path, failing.Fault(0, failing.FOR_EVER, failing.FULL))
    world = World(tmp_path)
    with watching(disk), pytest.raises(StorageError, match="the disk is full"):
        world.memory.add("green tea", user_id="ada")
    assert disk.failed > 0
    world.memory.add("green tea", user_id="ada", infer=False)  # nobody watches any more
    world.close()


def test_the_whole_suite_has_every_story_and_adds_up_its_counts() -> None:
    rows = [
        ("b", {"failures": 1, "kill points": 20}, 1.0),
        ("a", {"failures": 0, "kill points": 3_000, "acknowledged": 7}, 2.4),
    ]
    assert whole.table(rows)[2:] == [
        "| a | 3,000 kill points, 7 acknowledged | 0 | 2 |",
        "| b | 20 kill points | 1 | 1 |",
        "| all | 3,020 kill points, 7 acknowledged | 1 | 3 |",
    ]
    names = [f"{kind}: {name}" for kind in ("crash", "writes") for name in RUNNABLE]
    assert set(names) <= set(whole.parts())
