"""explain: maps of what in the image led to an answer, shown only where the sanity check passed."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef
from diascope.core.errors import BadUsage
from diascope.core.figure import Gallery
from diascope.core.plan import Plan
from diascope.engine.batch import Example
from diascope.engine.opening import ready
from diascope.engine.preparing import prepared
from diascope.explainers.sanity import weights_check
from diascope.reports.pictures import slice_picture
from diascope.store.releases import open_release

EXPLAINER = "grad_cam"


def explain_cases(
    network: nn.Module, plan: Plan, cases: Sequence[Case], root: Path, setting: tuple[str, int] = (EXPLAINER, 0)
) -> tuple[Gallery, ...]:
    """A gallery of explained cases, or a line that says why there is none.

    Args:
        network: With an output vector; dense outputs show where by themselves.
        plan: How cases are prepared.
        cases: A few.
        root: Folder that relative paths start at.
        setting: Name of the explainer, seed of the randomised weights.
    """
    if str(network.output) != "vector" or not plan["image_inputs"] or plan["table_inputs"] or not cases:
        return ()
    name, seed = setting
    explainer = registry.get("explainers", name)
    examples = [prepared(case, root, plan)[0] for case in cases]
    images = torch.stack([torch.from_numpy(example.inputs["image"]) for example in examples])
    chosen = _outputs(network, images)
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
        pictures.append(_picture(case, example, heat, plan, (root, chosen[number])))
    return (Gallery(title=title, pictures=tuple(pictures), note=words),)


def _outputs(network: nn.Module, images: torch.Tensor) -> list[int]:
    with torch.no_grad():
        return [int(value) for value in network({"image": images}).argmax(dim=1)]


def _picture(case: Case, example: Example, heat: Any, plan: Plan, rest: tuple[Path, int]) -> Any:
    """The heat map lies on the working grid; it is shown on the prepared image, whose voxels are the same."""
    root, output = rest
    ref = case.inputs[plan["image_inputs"][0]]
    image = formats.read(ref, root) if isinstance(ref, FileRef) else None
    label = next((one.name for one in plan.target.labels if one.value == output), str(output))
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


def explain(release: Path, cases: Sequence[tuple[Case, Path]], out: Path, setting: tuple[str, int]) -> dict[str, Any]:
    """Explain what a release says about some cases, as pictures in a folder.

    Args:
        release: Its folder.
        cases: Each with the folder that its paths start at.
        out: Folder for the pictures.
        setting: Name of the explainer, seed of the randomised weights.

    Returns:
        `sanity` in words and `pictures`, the files that were written.

    Raises:
        BadUsage: When the release's answers are places themselves.
    """
    opened = open_release(release)
    network = ready(opened, "torch").reader.networks[0]  # gradients are torch's
    files: list[str] = []
    words = ""
    for case, root in cases:
        figures = explain_cases(network, opened.plan, [case], root, setting)
        if not figures:
            raise BadUsage(
                "this release says where by itself, or reads no image: there is nothing to explain with a map",
                todo="Look at the picture that diascope predict writes",
            )
        words = figures[0].note
        for picture in figures[0].pictures:
            out.mkdir(parents=True, exist_ok=True)
            name = "".join(c if c.isalnum() or c in "-_" else "-" for c in case.id)[:80] or "case"
            (out / f"{name}.png").write_bytes(base64.b64decode(picture.png))
            files.append(str(out / f"{name}.png"))
    return {"sanity": words, "pictures": files}
