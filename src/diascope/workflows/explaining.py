"""explaining: find what lies at a location as `predict` does, then explain it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diascope.engine.progress import Tell, silent
from diascope.stages.explain import explain
from diascope.stages.predict import incoming
from diascope.store.releases import open_release


def explain_location(
    release: Path, location: str, out: Path, setting: tuple[str, int], tell: Tell = silent, label: str | None = None
) -> dict[str, Any]:
    """Explain everything at a location.

    Args:
        release: Folder of the release.
        location: File, folder, DICOM series or study.
        out: Folder for the pictures.
        setting: Name of the explainer, seed of the randomised weights.
        tell: Told about progress.
        label: What is to be explained; None: of each case what is said most strongly.
    """
    opened = open_release(release)
    found = list(incoming(location, opened, tell))
    refused = [one for one in found if one.refused is not None]
    for one in refused:
        tell({"event": "warning", "message": f"{one.case.id}: {one.refused}"})
    if refused and len(refused) == len(found) and refused[0].refused is not None:
        raise refused[0].refused
    return explain(release, [(one.case, one.root) for one in found if one.refused is None], out, setting, label)
