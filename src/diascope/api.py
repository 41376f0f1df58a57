"""The verbs as typed functions: what the command line does, without its printing.

Each takes a workspace (a folder, `diascope-workspace` by default) in which everything is written, and returns the
records that it made. Errors are those of `core/errors.py`. What may be said about the data and the work is the same
everywhere, so it is written down once, in `DataOptions` and `FitOptions`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from diascope.asked import DataOptions, FitOptions, Location, budget, request
from diascope.core.evaluation import Release
from diascope.core.finding import Findings
from diascope.core.plan import Plan
from diascope.core.run import Encoder
from diascope.engine.progress import Tell, silent
from diascope.stages.check import Checked
from diascope.stages.search import Found
from diascope.store.releases import OpenRelease
from diascope.store.releases import open_release as verified
from diascope.store.workspace import Workspace
from diascope.workflows.external import Validated
from diascope.workflows.fit import Fitted

WORKSPACE = Path("diascope-workspace")


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


def check(
    location: Location,
    workspace: Location = WORKSPACE,
    tell: Tell = silent,
    lang: str = "en",
    **options: Unpack[DataOptions],
) -> Checked:
    """Audit a data set: what is wrong with it, before anything is trained.

    Args:
        location: Folder, file or address of the data.
        workspace: Where the report goes.
        tell: Told about progress.
        lang: Language of the report: `en` or `zh-CN`.
        **options: See `DataOptions`.
    """
    from diascope.stages.check import check as run

    return run(Workspace(Path(workspace)), request(location, options), tell, lang)


def fit(
    location: Location,
    workspace: Location = WORKSPACE,
    tell: Tell = silent,
    lang: str = "en",
    **options: Unpack[FitOptions],
) -> Fitted:
    """The main job: check, plan, train, evaluate, and pack a candidate release with its report.

    Args:
        location: Folder, file or address of the data.
        workspace: Everything is written there; held for this process while it works.
        tell: Told about progress.
        lang: Language of the report: `en` or `zh-CN`.
        **options: See `FitOptions`.

    Returns:
        The evaluation, the release and where everything is.

    Raises:
        DataRefused: When the data must not be trained on.
        DoesNotFit: When nothing fits the time or memory.
    """
    from diascope.workflows.fit import fit as run

    place = Workspace(Path(workspace))
    with place.locked():
        settings, start = options.get("settings", {}), _start(options.get("start"))
        return run(place, request(location, options), budget(options), settings, tell, lang, start)


def pretrain(
    location: Location, workspace: Location = WORKSPACE, tell: Tell = silent, **options: Unpack[FitOptions]
) -> tuple[Encoder, Path]:
    """Learn from images without labels, and keep the encoder, which `fit(..., start=...)` starts from.

    Args:
        location: Images, labelled or not.
        workspace: Everything is written there; held for this process while it works.
        tell: Told about progress.
        **options: See `FitOptions`; `task` is one that learns from images alone, or `auto`.

    Returns:
        The encoder's index and its folder.
    """
    from diascope.workflows.pretrain import pretrain as run

    place = Workspace(Path(workspace))
    asked = request(location, {"folds": 1, **options})
    with place.locked():
        return run(place, asked, budget(options), options.get("settings", {}), tell)


def plan(
    location: Location, workspace: Location = WORKSPACE, tell: Tell = silent, **options: Unpack[FitOptions]
) -> tuple[Plan, Path]:
    """Check a data set, freeze it, and write a plan that a person can read and edit.

    Returns:
        The plan and its file.
    """
    from diascope.workflows.prepare import prepare

    place = Workspace(Path(workspace))
    settings, start = options.get("settings", {}), _start(options.get("start"))
    with place.locked():
        return prepare(place, request(location, options), budget(options), settings, tell, start)


def train(
    plan_file: Location,
    workspace: Location = WORKSPACE,
    resume: bool = False,
    devices: int = 1,
    tell: Tell = silent,
    lang: str = "en",
    start: Location | None = None,
) -> Fitted | None:
    """Train what a plan says, then evaluate it and pack a candidate release.

    Args:
        plan_file: From `plan`.
        workspace: The one that the plan was made in.
        resume: Go on where the newest run of this plan was stopped.
        devices: Processes or GPUs that share each batch.
        tell: Told about progress.
        lang: Language of the report.
        start: Release, or pretrained encoder, whose weights are started from, where the plan names none.

    Returns:
        What was made; None on every process but the first of a distributed run.
    """
    from diascope.workflows.train_plan import train_plan

    place = Workspace(Path(workspace))
    with place.locked():
        return train_plan(place, Path(plan_file), (resume, devices), tell, lang, begin=_start(start))


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

    return run(_release(release, workspace), Path(out), Wanted(count, label, seed), tell)


def search(
    data: Location,
    query: str,
    workspace: Location = WORKSPACE,
    most: int = 10,
    tell: Tell = silent,
    **options: Unpack[DataOptions],
) -> Found:
    """Find reports by their words, English or Chinese.

    Args:
        data: Folder or file of reports, or the name of a data set of the workspace.
        query: Words that must all occur, `"a phrase"`, `a OR b`, `-left out`, `beginning*`.
        workspace: Folder that keeps the index.
        most: Reports that are given.
        tell: Told about progress.
        **options: See `DataOptions`.

    Raises:
        BadUsage: When nothing is looked for.
        DataRefused: When the data holds no text.
    """
    from diascope.stages.search import search as run

    return run(Workspace(Path(workspace)), request(data, options), query, most, tell)


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

    folder, setting = _release(release, workspace), (explainer, seed)
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


def open_release(release: Location, workspace: Location = WORKSPACE) -> Opened:
    """Verify the bytes of a release and open it; runs no pickle.

    Args:
        release: Name or folder of a release.
        workspace: Where the name is looked up; not touched where a folder is given.

    Raises:
        Tampered: When a file is missing, added or changed.
    """
    return Opened(verified(_release(release, workspace)))


def _start(start: Location | None) -> str | None:
    return None if start is None else str(start)


def _release(release: Location, workspace: Location) -> Path:
    folder = Path(release)
    return folder.resolve() if folder.is_dir() else Workspace(Path(workspace)).find("releases", str(release))
