"""`holdfast`: the command line, in the extra ``cli``.

Exit codes: 0 done; 1 it could not be done, and stderr says why; 2 the command line is wrong.
The environment is read here and nowhere else: ``HOLDFAST_DB``, ``HOLDFAST_KEY`` and
``HOLDFAST_MODEL``.
"""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line, or say which extra it needs."""
    try:
        # Here, because typer and rich are an extra that may be missing.
        from holdfast.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "typer"):
            raise
        sys.exit(f"the command line needs {error.name}: pip install 'holdfast[cli]'")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack the letters of a memory
        sys.stdout.reconfigure(errors="replace")
    app()
