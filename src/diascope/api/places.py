"""Where the functions write, and find what they are given."""

from __future__ import annotations

from pathlib import Path

from diascope.asked import Location
from diascope.store.workspace import Workspace

WORKSPACE = Path("diascope-workspace")


def folder_of(release: Location, workspace: Location) -> Path:
    """Of a release, by its name in a workspace or as it is given."""
    folder = Path(release)
    return folder.resolve() if folder.is_dir() else Workspace(Path(workspace)).find("releases", str(release))
