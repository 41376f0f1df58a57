"""pretrain: check, curate, plan, train without labels, keep the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef
from diascope.core.errors import BadUsage, DataRefused, DiascopeError, UnknownName
from diascope.core.run import Encoder
from diascope.engine.progress import Tell, silent
from diascope.models import Gives
from diascope.planning.budget import Budget
from diascope.sources import Listing, Request, SourceOptions, recognise
from diascope.sources.publicsets.locating import located
from diascope.stages.pretrain import encoder
from diascope.stages.train import train
from diascope.store.workspace import Workspace
from diascope.workflows.prepare import prepare

LEAVES = "encoder"
"""What a task writes that learns from images alone (`Task.writes`)."""
IMAGES = "images"
"""Source of images that lie in a folder without any labels: taken where no other recognises the place."""


def pretrain(
    workspace: Workspace, request: Request, budget: Budget, by_hand: Mapping[str, Any], tell: Tell = silent
) -> tuple[Encoder, Path]:
    """From images, labelled or not, to an encoder that other fits start from.

    Args:
        workspace: Everything is written there.
        request: Which images; its task is one that leaves an encoder, or `auto`.
        budget: Time and memory.
        by_hand: Plan fields set by the user.
        tell: Told about progress.

    Returns:
        The encoder and its folder.

    Raises:
        BadUsage: When the task learns from labels, or none suits the model.
        DataRefused: When the images must not be trained on.
    """
    place = located(request.location, tell).location
    known = unlabelled_tasks()
    if request.task not in ("auto", *known):
        raise UnknownName("task that learns from images alone", request.task, known)
    request = request.model_copy(update={"source": _source(place, request.source)})
    if request.task == "auto":
        task, why = _suited(place, request, by_hand, known)
        tell({"event": "phase", "message": f"pretraining by {task}: {why}"})
        request = request.model_copy(update={"task": task})
    _, plan_path = prepare(workspace, request, budget, by_hand, tell)
    _, run_folder = train(workspace, plan_path, tell=tell)
    return encoder(workspace, run_folder, tell)


def unlabelled_tasks() -> dict[str, Gives]:
    """Tasks that leave an encoder, with what they need of one."""
    return {name: task.needs for name, task in registry.each("tasks") if LEAVES in task.writes}


def _source(place: str, given: str | None) -> str:
    try:
        return recognise(place, given)
    except DataRefused as error:
        # No layout with labels: images may lie there all the same.
        try:
            registry.get("sources", IMAGES).list(place, SourceOptions())
        except DiascopeError:
            raise error from None
        return IMAGES


def _suited(place: str, request: Request, by_hand: Mapping[str, Any], known: Mapping[str, Gives]) -> tuple[str, str]:
    """The task for a model that was named; else for that which would learn the labels that the source holds."""
    if "model" in by_hand:
        needs: Gives = registry.get("models", str(by_hand["model"])).gives
        why = f"the model {by_hand['model']} gives what it needs"
    else:
        listing: Listing = registry.get("sources", str(request.source)).list(place, request.options)
        needs, why = _needed(listing)
    fitting = [name for name, wanted in known.items() if wanted == needs]
    if not fitting:
        raise BadUsage(
            f"no task learns {needs!r} from images alone", given=", ".join(known), todo="Choose another model"
        )
    return fitting[0], why


def _needed(listing: Listing) -> tuple[Gives, str]:
    kinds = {target.kind for target in listing.targets}
    if "mask" in kinds:
        return "dense", "the source holds masks, which a network for every voxel learns"
    if kinds:
        return "vector", "the source holds classes or numbers, which a network for whole images learns"
    deep = any(_depth(case, listing.root) > 1 for case in listing.cases[:1])
    return ("dense", "volumes without labels") if deep else ("vector", "pictures without labels")


def _depth(case: Case, root: Path) -> int:
    """Slices of the first image of a case, by its header where that tells."""
    ref = next((ref for ref in case.inputs.values() if isinstance(ref, FileRef)), None)
    if ref is None:
        return 1
    extent = formats.extent(ref, root)
    return extent.shape[1] if extent is not None else formats.read(ref, root).shape[0]
