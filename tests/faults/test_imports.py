"""Quick part of importing edited exports; the whole one is `faults.imports.whole`."""

from pathlib import Path

from faults import imports
from faults.parts import Counts


def test_the_export_that_is_changed_imports_as_it_is(tmp_path: Path) -> None:
    counts, bench = Counts(), imports.bench(tmp_path)
    imports.try_one(bench, counts, "unchanged", bench.export)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["accepted"] == 1
    tables = {"record", "document", "log", "queue", "erasure", "namespace"}
    assert all(f'"table":"{name}"'.encode() in bench.export for name in tables)


def test_an_edited_export_is_refused_whole_or_all_of_it_works() -> None:
    counts = imports.fuzz(1, 80)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["refused"] > 15
    assert counts["accepted"] > 5
