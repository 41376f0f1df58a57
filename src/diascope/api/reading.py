"""Functions that use a release: evaluate, predict, synthesize, explain, compare, open_release."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from diascope.api.places import WORKSPACE, folder_of
from diascope.asked import DataOptions, Location, request
from diascope.core.finding import Findings
from diascope.engine.progress import Tell, silent
from diascope.store.releases import OpenRelease
from diascope.store.releases import open_release as verified
from diascope.store.workspace import Workspace
from diascope.workflows.external import Validated


class Opened:
    """A release whose bytes were verified.

    Args:
        opened: From `store/releases.py`.
    """

    def __init__(self, opened: OpenRelease) -> None:
        self.folder, self.release = opened.folder, opened.release
        self.plan, self.evaluation = opened.plan, opened.evaluation

    def predict(
        self,
        location: Location,
        out: Location,
        backend: str | None = None,
        memory: float | None = None,
        tell: Tell = silent,
    ) -> list[Findings]:
        """Read studies; see `predict`."""
        from diascope.stages.predict import predict as run

        return run(self.folder, str(location), Path(out), backend, memory, tell)

    def explain(
        self,
        location: Location,
        out: Location,
        explainer: str = "grad_cam",
        label: str | None = None,
        seed: int = 0,
        tell: Tell = silent,
    ) -> dict[str, Any]:
        """Show what in the image led to the answer, or to what is said of one label; see `explain`."""
        from diascope.workflows.explaining import explain_location as run

        found: dict[str, Any] = run(self.folder, str(location), Path(out), (explainer, seed), tell, label)
        return found


def evaluate(
    release: Location,
    location: Location,
    workspace: Location = WORKSPACE,
    tell: Tell = silent,
    lang: str = "en",
    **options: Unpack[DataOptions],
) -> Validated:
    """External validation: measure a release on other labelled data.

    Args:
        release: Name or folder of a release.
        location: Other labelled data.
        workspace: Where the name is looked up, and the evaluation and its report are written.
        tell: Told about progress.
        lang: Language of the report: `en` or `zh-CN`.
        **options: See `DataOptions`.

    Returns:
        The evaluation, and where it and its report are.
    """
    from diascope.workflows.external import evaluate_release

    return evaluate_release(Workspace(Path(workspace)), str(release), request(location, options), tell, lang)


def predict(
    release: Location,
    location: Location,
    out: Location,
    workspace: Location = WORKSPACE,
    backend: str | None = None,
    memory: float | None = None,
    tell: Tell = silent,
) -> list[Findings]:
    """Read new studies: findings, masks, pictures, DICOM SEG.

    Args:
        release: Name or folder of a release.
        location: File, folder, DICOM series or study.
        out: Folder for the answers, one folder a case.
        workspace: Where the name is looked up.
        backend: A name of `diascope list backends`; it must reproduce the release's decisions first.
        memory: Peak memory, GB.
        tell: Told about progress.
    """
    return open_release(release, workspace).predict(location, out, backend, memory, tell)


def synthesize(
    release: Location,
    out: Location,
    workspace: Location = WORKSPACE,
    count: int = 16,
    label: str | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> dict[str, Any]:
    """Make images of nobody, marked as synthetic, with a manifest that `fit` reads.

    Args:
        release: Name or folder of a release that was trained to make images.
        out: New folder for the images and their manifest.
        workspace: Where the name is looked up.
        count: Images of each class.
        label: Name of the one class to make; None is every class.
        seed: Of the noise.
        tell: Told about progress.
    """
    from diascope.stages.synthesize import Wanted
    from diascope.stages.synthesize import synthesize as run

    return run(folder_of(release, workspace), Path(out), Wanted(count, label, seed), tell)


def explain(
    release: Location,
    location: Location,
    out: Location,
    workspace: Location = WORKSPACE,
    explainer: str = "grad_cam",
    seed: int = 0,
    tell: Tell = silent,
) -> dict[str, Any]:
    """Show what in the image led to the answer (only where the sanity check passes).

    Args:
        release: Name or folder of a release.
        location: File, folder, DICOM series or study.
        out: Folder for the maps.
        workspace: Where the name is looked up.
        explainer: A name of `diascope list explainers`.
        seed: Of the randomised weights of the sanity check.
        tell: Told about progress.
    """
    from diascope.workflows.explaining import explain_location

    folder, setting = folder_of(release, workspace), (explainer, seed)
    found: dict[str, Any] = explain_location(folder, str(location), Path(out), setting, tell)
    return found


def compare(
    releases: tuple[Location, Location],
    location: Location,
    workspace: Location = WORKSPACE,
    tell: Tell = silent,
    **options: Unpack[DataOptions],
) -> dict[str, Any]:
    """Compare two releases on the same cases, with paired intervals.

    Args:
        releases: Names or folders of two releases of the same task.
        location: Labelled data that neither was trained on.
        workspace: Where names are looked up.
        tell: Told about progress.
        **options: See `DataOptions`.
    """
    from diascope.workflows.external import compare_releases

    place, (one, other) = Workspace(Path(workspace)), releases
    return compare_releases(place, (str(one), str(other)), request(location, options), tell)


def open_release(release: Location, workspace: Location = WORKSPACE) -> Opened:
    """Verify the bytes of a release and open it; runs no pickle.

    Args:
        release: Name or folder of a release.
        workspace: Where the name is looked up; not touched where a folder is given.

    Raises:
        Tampered: When a file is missing, added or changed.
    """
    return Opened(verified(folder_of(release, workspace)))
