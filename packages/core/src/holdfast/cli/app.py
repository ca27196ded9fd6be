"""The commands together, and what becomes of an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeVar, cast

import typer

import holdfast
from holdfast.cli import demo, drawing, files, reading, writing
from holdfast.cli.showing import visible
from holdfast.errors import HoldfastError

Command = TypeVar("Command", bound=Callable[..., None])

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _reporting(command: Command) -> Command:
    """Turn an error of ours into a line on stderr and exit code 1; a bug keeps its traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # `holdfast list | head`: typer ends that quietly
            raise
        except (HoldfastError, OSError) as error:
            typer.echo(f"holdfast: {visible(str(error))}", err=True)
            raise typer.Exit(1) from error

    return cast("Command", run)


app.command()(_reporting(demo.demo))
app.command(hidden=True)(_reporting(demo.demo_read))
app.command()(_reporting(writing.add))
app.command()(_reporting(reading.search))
app.command("list")(_reporting(reading.list_))
app.command()(_reporting(reading.history))
app.command()(_reporting(writing.delete))
app.command()(_reporting(files.export))
app.command("import")(_reporting(files.import_))
app.command()(_reporting(drawing.graph))
app.command()(_reporting(files.stats))
app.command()(_reporting(files.vacuum))


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"holdfast {holdfast.__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """Long-term memory for LLM agents, in one file. Begin with `holdfast demo`."""
