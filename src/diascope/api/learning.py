"""Functions that make a model: check, plan, train, fit, pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from diascope.api.places import WORKSPACE
from diascope.asked import DataOptions, FitOptions, Location, budget, request
from diascope.core.plan import Plan
from diascope.core.run import Encoder
from diascope.engine.progress import Tell, silent
from diascope.stages.check import Checked
from diascope.store.workspace import Workspace
from diascope.workflows.fit import Fitted


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


def adopt(
    manifest: Location,
    data: Location,
    workspace: Location = WORKSPACE,
    trust: bool = False,
    tell: Tell = silent,
    lang: str = "en",
    **options: Unpack[FitOptions],
) -> Fitted:
    """Take a network that others made: measure it on local cases, recalibrate it, and pack a candidate release.

    Args:
        manifest: JSON file about the network, or the folder of a MONAI bundle.
        data: Folder, file or address of local labelled cases.
        workspace: Everything is written there; held for this process while it works.
        trust: Whether a TorchScript file may run its code.
        tell: Told about progress.
        lang: Language of the report: `en` or `zh-CN`.
        **options: See `FitOptions`; minutes and memory are not asked.

    Raises:
        BadUsage: When the manifest makes no sense, its outputs are not the local labels, or code is not trusted.
        DataRefused: When the data must not be used, is too little, or is not what the model reads.
    """
    from diascope.workflows.adopt import adopt as run

    place, setting = Workspace(Path(workspace)), (trust, options.get("settings", {}))
    with place.locked():
        return run(place, Path(manifest), request(data, options), setting, tell, lang)


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


def _start(start: Location | None) -> str | None:
    return None if start is None else str(start)
