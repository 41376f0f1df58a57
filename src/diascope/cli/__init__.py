"""The command line: verb to function, no logic.

Heavy imports happen inside the verbs, so that `diascope --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import typer

from diascope.cli import learning, measuring, reading, releasing, serving
from diascope.cli.program import app
from diascope.console import exit_code

__all__ = ["app", "learning", "main", "measuring", "reading", "releasing", "run", "serving"]


def main() -> None:
    """The program `diascope`: errors become one message and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code (0 done, 1 failed, 2 bad usage, 3 the data was refused)."""
    command: Callable[..., Any] = typer.main.get_command(app)
    return exit_code(partial(command, arguments, prog_name="diascope", standalone_mode=False), "--json" in arguments)
