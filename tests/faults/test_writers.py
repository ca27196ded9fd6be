"""Quick part of facts across sessions in two processes; the whole one is `faults.writers.whole`."""

from faults import writers


def test_two_processes_with_facts_over_sessions_answer_as_one_that_opens_the_file_anew() -> None:
    counts = writers.run(1, 3.0)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["operations"] > 50
    assert counts["answers compared"] > 200
