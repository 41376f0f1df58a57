"""Recordings as unseen cases: a file each, for a release that reads one signal and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from diascope.core.case import Case
from diascope.core.plan import Plan
from diascope.formats import format_of
from diascope.sources.folders.files import stem_of
from diascope.sources.signals.recordings import KIND, recordings, signal_ref
from diascope.sources.studies.unseen import Incoming
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease


def recorded(path: Path, opened: OpenRelease) -> Iterator[Incoming]:
    """The cases of a recording, or of all recordings below a folder; none where the release reads something else."""
    name = _only_signal(opened.plan)
    if name is None or not path.exists():
        return
    root = path if path.is_dir() else path.parent
    files = recordings(root) if path.is_dir() else [path.name] if format_of(path, KIND) else []
    for file in files:
        ref = signal_ref(root, file)
        ref = ref.model_copy(update={"digest": file_digest(root / one for one in ref.paths)})
        case = stem_of(file)
        yield Incoming(Case(id=case, patient=case, patient_known=False, inputs={name: ref}), root)


def _only_signal(plan: Plan) -> str | None:
    readings = plan["readings"]
    if plan["image_inputs"] or len(readings) != 1:
        return None
    return next((name for name, settings in readings.items() if settings["kind"] == KIND), None)
