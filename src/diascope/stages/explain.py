"""explain: maps of what in the image led to an answer, shown only where the sanity check passed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef
from diascope.core.errors import BadUsage, UnknownName
from diascope.core.figure import Gallery, Picture
from diascope.core.finding import Finding
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Output
from diascope.engine.opening import ready
from diascope.engine.preparing import prepared
from diascope.explainers.maps import InOrder
from diascope.explainers.sanity import weights_check
from diascope.reports.pictures import slice_picture
from diascope.reports.traces import trace_picture
from diascope.store.releases import open_release

EXPLAINER = "grad_cam"
IN_ORDER = "occlusion"
"""Explains what has an order and no picture: it asks nothing of the network but its answer."""


def explain_cases(
    network: nn.Module,
    plan: Plan,
    cases: Sequence[Case],
    root: Path,
    setting: tuple[str, int] = (EXPLAINER, 0),
    label: str | None = None,
    decision: Mapping[str, Any] | None = None,
) -> tuple[Gallery, ...]:
    """A gallery of explained cases, or a line that says why there is none.

    Args:
        network: With an output vector; dense outputs show where by themselves.
        plan: How cases are prepared.
        cases: A few.
        root: Folder that relative paths start at.
        setting: Name of the explainer, seed of the randomised weights.
        label: What is to be explained; None: of each case what is said most strongly.
        decision: Calibration and operating point, by which it is said; None: the largest output.

    Raises:
        UnknownName: When there is no such label.
    """
    asked = _output_of(label, plan)
    traced = _traced(plan)
    alone = (bool(plan["image_inputs"]) and not plan["readings"]) or traced is not None
    if str(network.output) != "vector" or not alone or not cases or next(network.parameters(), None) is None:
        return ()
    name, seed = setting
    explainer = registry.get("explainers", IN_ORDER if traced is not None and name == EXPLAINER else name)
    examples = [prepared(case, root, plan)[0] for case in cases]
    images = _stacked(examples, plan)
    network = network if traced is None else InOrder(network, traced)
    chosen = said_most(network, examples, plan, decision) if asked is None else [asked] * len(examples)
    result = weights_check(network, explainer, images, chosen[0], seed)
    title = f"What the network looked at ({explainer.title})"
    alike = "undefined" if result.similarity is None else f"{result.similarity:.2f}"
    words = (
        f"sanity check: maps of the trained and of randomised weights correlate by {alike} (limit {result.limit:.2f})"
    )
    if not result.passed:
        return (Gallery(title=title, pictures=(), note=f"hidden, because it failed its {words}"),)
    pictures = []
    for number, (case, example) in enumerate(zip(cases, examples, strict=True)):
        heat = explainer.explain(network, images[number : number + 1], chosen[number])[0]
        if traced is None:
            pictures.append(_picture(case, example, heat, plan, (root, chosen[number])))
        else:
            caption = f"evidence for {_label(plan, chosen[number])}"
            pictures.append(_trace(case.id, example.inputs[traced], heat[0, 0], plan["readings"][traced], caption))
    return (Gallery(title=title, pictures=tuple(pictures), note=words),)


def _output_of(label: str | None, plan: Plan) -> int | None:
    """The place of a label among the outputs."""
    places = {one.name: one.value for one in plan.target.labels}
    if label is not None and label not in places:
        raise UnknownName("label", label, places)
    return None if label is None else places[label]


def said_most(
    network: nn.Module, examples: Sequence[Example], plan: Plan, decision: Mapping[str, Any] | None
) -> list[int]:
    """Of each case the label that is said most strongly: the most probable of those that are called present, if any."""
    with torch.no_grad():
        values = network({"image": _stacked(examples, plan)}).float().numpy()
    chosen = [int(one.argmax()) for one in values]
    if decision is None:
        return chosen
    task, places = registry.get("tasks", plan.task), {one.name: one.value for one in plan.target.labels}
    for number, (one, example) in enumerate(zip(values, examples, strict=True)):
        findings = task.decode(Output(one), example, decision, plan).findings
        said = [
            (f.status == "present", f.measures["probability"].value, f.concept) for f in findings if _says(f, places)
        ]
        chosen[number] = places[max(said)[2]] if said else chosen[number]
    return chosen


def _says(finding: Finding, places: Mapping[str, int]) -> bool:
    return finding.concept in places and "probability" in finding.measures


def _stacked(examples: Sequence[Example], plan: Plan) -> torch.Tensor:
    """What an explainer covers, (B, C, Z, Y, X): the images, or signals as images of one row."""
    traced = _traced(plan)
    stacked = torch.stack([torch.from_numpy(example.inputs[traced or "image"]) for example in examples])
    return stacked if traced is None else stacked[:, :, None, None]


def _traced(plan: Plan) -> str | None:
    """Name of the one input where it has channels of samples in order; None where it is no such input, or not alone."""
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    if plan["image_inputs"] or len(readings) != 1:
        return None
    return next((name for name, settings in readings.items() if "rate" in settings), None)


def _trace(case: str, array: Any, heat: Any, settings: Mapping[str, Any], caption: str) -> Picture:
    there = array[-1] > 0
    return trace_picture(
        array[:-1], there, heat, settings["channels"], caption=caption, case=case, rate=settings["rate"]
    )


def _label(plan: Plan, output: int) -> str:
    return next((one.name for one in plan.target.labels if one.value == output), str(output))


def _picture(case: Case, example: Example, heat: Any, plan: Plan, rest: tuple[Path, int]) -> Any:
    """The heat map lies on the working grid; it is shown on the prepared image, whose voxels are the same."""
    root, output = rest
    ref = case.inputs[plan["image_inputs"][0]]
    image = formats.read(ref, root) if isinstance(ref, FileRef) else None
    label = _label(plan, output)
    channels = plan["channels"][plan["image_inputs"][0]]
    geometry = example.geometry
    if image is None or geometry is None:
        return slice_picture(_plain(example), heat=heat, caption=label, case=case.id)
    shown = image.with_array(example.inputs["image"][:channels], geometry)
    return slice_picture(_grey(shown), heat=heat, caption=f"evidence for {label}", case=case.id)


def _plain(example: Example) -> Any:
    from diascope.core.geometry import Geometry
    from diascope.core.image import Image

    return Image(example.inputs["image"][:1], example.geometry or Geometry.unknown())


def _grey(image: Any) -> Any:
    from dataclasses import replace

    return replace(image, modality="unknown", unit="a.u.")


def explain(
    release: Path,
    cases: Sequence[tuple[Case, Path]],
    out: Path,
    setting: tuple[str, int],
    label: str | None = None,
) -> dict[str, Any]:
    """Explain what a release says about some cases, as pictures in a folder.

    Args:
        release: Its folder.
        cases: Each with the folder that its paths start at.
        out: Folder for the pictures.
        setting: Name of the explainer, seed of the randomised weights.
        label: What is to be explained; None: of each case what is said most strongly.

    Returns:
        `sanity` in words and `pictures`, the files that were written.

    Raises:
        BadUsage: When the release's answers are places themselves.
        UnknownName: When it knows no such label.
    """
    opened = open_release(release)
    network = ready(opened, "torch").reader.networks[0]  # gradients are torch's
    files: list[str] = []
    words = ""
    for case, root in cases:
        figures = explain_cases(network, opened.plan, [case], root, setting, label, opened.release.decision)
        if not figures:
            raise BadUsage(
                "this release says where by itself, or reads no image: there is nothing to explain with a map",
                todo="Look at the mask that diascope predict writes",
            )
        words = figures[0].note
        for picture in figures[0].pictures:
            out.mkdir(parents=True, exist_ok=True)
            name = "".join(c if c.isalnum() or c in "-_" else "-" for c in case.id)[:80] or "case"
            (out / f"{name}.png").write_bytes(base64.b64decode(picture.png))
            files.append(str(out / f"{name}.png"))
    return {"sanity": words, "pictures": files}
