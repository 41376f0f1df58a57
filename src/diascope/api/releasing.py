"""Functions that end the work on a release: sign it, write it for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diascope.api.places import WORKSPACE
from diascope.asked import Location
from diascope.core.evaluation import Release
from diascope.store.workspace import Workspace


def release(candidate: Location, by: str, workspace: Location = WORKSPACE, licence: str | None = None) -> Release:
    """Sign a candidate with your name, so that it may be served.

    Args:
        candidate: Name or folder of a candidate release.
        by: Who signs it.
        workspace: Where the name is looked up.
        licence: Of the weights; None is what the source of the data states.
    """
    from diascope.stages.release import sign

    return sign(Workspace(Path(workspace)), str(candidate), by, licence)


def export(release: Location, to: str, out: Location | None = None, workspace: Location = WORKSPACE) -> dict[str, Any]:
    """Write a release's network for other programs, after it gave the same answers.

    Args:
        release: Name or folder of a release.
        to: `onnx` or `openvino`.
        out: Folder; `exports/` in the workspace by default.
        workspace: Where the name is looked up.
    """
    from diascope.stages.export import export as run

    place = Workspace(Path(workspace))
    folder = None if out is None else Path(out)
    found: dict[str, Any] = run(place, place.find("releases", str(release)), to, folder)
    return found
