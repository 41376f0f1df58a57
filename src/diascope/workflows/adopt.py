"""adopt: a network that others made becomes a candidate: checked, measured and recalibrated on local cases."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from diascope.core.case import Dataset
from diascope.core.errors import BadUsage
from diascope.core.plan import Fingerprint
from diascope.engine.progress import Tell, silent
from diascope.models import InputSpec
from diascope.models.files.trust import refuse_untrusted, trust
from diascope.models.given import MODEL, Given
from diascope.planning.adopting.manifest import read_manifest
from diascope.planning.adopting.translating import fields, refuse_few
from diascope.planning.budget import DEFAULT_MINUTES, Budget
from diascope.reports.words import choose
from diascope.sources import Request
from diascope.sources.publicsets.locating import located
from diascope.stages.check import look
from diascope.stages.curate import curate
from diascope.stages.plan import plan
from diascope.stages.train import train
from diascope.store.workspace import Workspace
from diascope.workflows.fit import Fitted, finish

ROOM = 2.0
"""Times that what is foreseen may take: nothing is trained, so that nothing could be shortened."""
OF_THE_MANIFEST = ("model", "model_options", "origin", "patch")


def adopt(
    workspace: Workspace,
    manifest: Path,
    request: Request,
    setting: tuple[bool, Mapping[str, Any]] = (False, {}),
    tell: Tell = silent,
    lang: str = "en",
) -> Fitted:
    """From a manifest (or a bundle of MONAI) and local labelled cases to a candidate release and its report.

    Args:
        workspace: Everything is written there.
        manifest: File, or folder of the bundle.
        request: Which data, which target.
        setting: Whether the file may run code; plan fields set by the user.
        tell: Told about progress.
        lang: Language of the report.

    Raises:
        BadUsage: When the manifest makes no sense, its outputs are not the local labels, or code is not trusted.
        DataRefused: When the data must not be used, is too little, or is not what the model reads.
    """
    trusted, by_hand = setting
    choose(lang)  # another language is refused before the work
    taken = [field for field in OF_THE_MANIFEST if field in by_hand]
    if taken:
        raise BadUsage("the manifest says what the network is", given=", ".join(taken), todo="Mend the manifest")
    given = read_manifest(manifest)
    if trusted:
        trust(given.sha256)
    if given.kind != "onnx":
        refuse_untrusted(given.sha256)
    located(request.location, tell)  # fetched before the clock starts
    began = time.monotonic()
    looked = look(request, tell)
    tell({"event": "checked", "problems": looked.problems})
    refuse_few(len(looked.usable()))
    curated = curate(workspace, looked, request.model_copy(update={"adopted": str(given.told)}))
    own = fields(given, curated.fingerprint, curated.dataset.target)
    tell({"event": "phase", "message": f"trying {given.path.name} on an empty image"})
    seconds = tried(own) * len(curated.dataset.cases)
    budget = _budget(curated.dataset, curated.fingerprint, time.monotonic() - began + seconds)
    made, path = plan(workspace, curated.folder, budget, {**own, **by_hand}, request.seed, tell)
    tell({"event": "planned", "plan": made})
    _, run_folder = train(workspace, path, tell=tell)
    return finish(workspace, run_folder, (began, tell, lang))


def tried(own: Mapping[str, Any]) -> float:
    """Seconds that the file takes for one case; what it reads and answers must be what the manifest says.

    Raises:
        DataRefused: When it is not.
    """
    options, (z, y, x) = own["model_options"], own["patch"]
    views = [len(rule.get("windows", ())) or 1 for rule in own["intensity"].values()]
    channels = sum(count * many for count, many in zip(own["channels"].values(), views, strict=True))
    spec = InputSpec("image", channels, 2 if z == 1 else 3, (z, y, x))
    module = MODEL.build(spec, options)
    MODEL.fit(module, np.zeros(0, np.float32), {}, options)
    if not isinstance(module, Given):
        raise BadUsage("another package brings a model named given", todo="Uninstall it, or rename its model")
    nothing = np.zeros((1, channels, z, y, x), np.float32)
    module.answers(nothing)  # the first call makes ready
    began = time.monotonic()
    module.answers(nothing)
    return time.monotonic() - began


def _budget(dataset: Dataset, facts: Fingerprint, spent: float) -> Budget:
    reads = len(dataset.cases) * facts.seconds_per_case
    minutes = max(DEFAULT_MINUTES, math.ceil(ROOM * (spent + reads) / 60))
    return Budget(minutes=minutes, spent_seconds=spent)
