"""How results look in a terminal: 80 columns are enough, and colour only adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from holdfast import Change, Changes, Match, Page, Record
from holdfast.cli.importing import Imported

if TYPE_CHECKING:
    from holdfast import Stats

LONGEST = 400
"""Characters of a text that are shown; ``--json`` has them all."""


def console() -> Console:
    """Return the console of stdout as it is now."""
    return Console(highlight=False, soft_wrap=False)


def say(line: str, style: str = "") -> None:
    """Print one line."""
    console().print(Text(visible(line)), style=style, soft_wrap=True)


def visible(text: str) -> str:
    """Return a text without control characters: what is stored must not steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def shortened(text: str) -> str:
    """Return the beginning of a long text, on one line."""
    line = " ".join(visible(text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def day(moment: datetime) -> str:
    """Return a date in an unambiguous form."""
    return f"{moment.day} {moment:%b %Y}"


def plural(count: int, one: str, many: str) -> str:
    """Return a number and its noun."""
    return f"{count:,} {one if count == 1 else many}"


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on stderr while the block runs; nothing where stderr is no terminal."""
    screen = Console(stderr=True)
    if quiet or not screen.is_terminal:
        yield None
        return
    columns = (TextColumn(title), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# -- records ------------------------------------------------------------------------------------


def matches(found: Sequence[Match], *, ids: bool = True, nothing: str = "Nothing found.") -> None:
    """Print matches as a table, best first."""
    if not found:
        say(nothing)
        return
    table = _table("score", "who, when", "memory")
    for match in found:
        body = Text(shortened(match.passage))
        if match.parts:
            body.append("\n" + parts(match.parts), "dim")
        if ids:
            body.append(f"\nid {match.record.id}", "dim")
        table.add_row(f"{match.score:.2f}", _who_and_when(match.record), body)
    console().print(table)


def parts(given: Mapping[str, float]) -> str:
    """Return the parts of a score in one line, those that added nothing left out."""
    shown = (f"{name} {value:+.2f}" for name, value in given.items() if abs(value) >= 0.005)
    return "  ".join(shown)


def page(given: Page) -> None:
    """Print a page of records, and how to turn it."""
    if not given.records:
        say("Nothing there.")
        return
    table = _table("kind", "who, when", "memory")
    for record in given:
        body = Text(shortened(record.text)).append(f"\nid {record.id}", "dim")
        table.add_row(record.kind, _who_and_when(record), body)
    console().print(table)
    if given.cursor is not None:
        say(f"There is more: add --cursor {given.cursor}")


def changes(given: Sequence[Change]) -> None:
    """Print the history of a record, oldest first."""
    table = _table("event", "recorded", "became")
    for change in given:
        table.add_row(change.event, _moment(change.at), _became(change))
    console().print(table)


def added(given: Changes) -> None:
    """Print what an add did."""
    if not given:
        say("Known already: a message with this id is stored.")
    for change in given:
        say(f"{change.event} {change.id}")


def _became(change: Change) -> Text:
    if change.after is None:
        body = Text("(gone)", "dim")
    else:
        body = Text(shortened(change.after.text))
        body.append(f"\nversion {change.after.version}", "dim")
    return body.append(f"  {change.reason}" if change.reason else "", "dim")


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(headings[0], no_wrap=True)
    table.add_column(headings[1], width=12)
    table.add_column(headings[2], ratio=1)
    return table


def _who_and_when(record: Record) -> Text:
    who = Text(visible(record.speaker or record.role or record.kind), "bold")
    return who.append("\n" + day(record.occurred_at), "not bold")


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{day(moment)}\n{moment:%H:%M} UTC"


# -- files --------------------------------------------------------------------------------------


def imported(done: Imported, db: Path, seconds: float) -> None:
    """Print what an import did."""
    if done.format == "export":
        lines = plural(done.read, "line", "lines")
        say(f"Read {lines}: {done.new:,} new records and documents in {db}.")
        return
    known = f", {done.read - done.new:,} known already" if done.new < done.read else ""
    whose = ", ".join(done.users[:8]) + (" …" if len(done.users) > 8 else "")
    say(f"Stored {plural(done.new, 'turn', 'turns')}{known}, in {seconds:.1f} s.")
    say(f"file      {db}")
    say(f"user ids  {whose}")


def stats(counted: Stats, *, checked: bool) -> None:
    """Print the counts, and the problems a check found."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _counts(counted).items():
        table.add_row(name, value)
    console().print(table)
    for problem in counted.problems:
        say(f"problem: {problem}", "bold red")
    for name, number in counted.unowned.items():
        say(f"of no user: {name} ({number:,})")
    if checked and not counted.problems:
        say("sound: rows, vectors, terms, history and views agree", "green")


def _counts(counted: Stats) -> dict[str, str]:
    kinds = Counter(counted.records)
    shown = {f"{kind}s": f"{count:,}" for kind, count in sorted(kinds.items())} or {"records": "0"}
    shown |= {
        "documents": f"{counted.documents:,}",
        "namespaces": f"{counted.namespaces:,}",
        "characters": f"{counted.characters:,}",
        "file": f"{counted.bytes / 1e6:,.1f} MB",
        "embedder": counted.embedder or "none yet",
    }
    waiting = {"to extract": counted.waiting, "to embed": counted.unembedded}
    waiting["given up for now"] = counted.parked
    shown |= {name: f"{count:,}" for name, count in waiting.items() if count}
    if counted.error:
        shown["last error"] = shortened(counted.error)
    if counted.erasure_pending:
        shown["erasure"] = "pending: a reader still holds the write-ahead log"
    return shown
