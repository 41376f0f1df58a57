"""The program that verbs belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

app = typer.Typer(
    name="diascope",
    help="An open second reader for medical images: from a folder of studies to a model you can believe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    epilog="Start with: diascope fit FOLDER. Not a medical device.",
)

Here = Path("diascope-workspace")
"""Where a workspace lies unless another place is named."""


def workspace_of(root: Path) -> Any:
    """The workspace of a folder."""
    from diascope.store.workspace import Workspace

    return Workspace(root)
