"""From a manifest to the fields of a plan, and whether the local data is what the model reads and answers for."""

from __future__ import annotations

from typing import Any

from diascope.core.case import Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.plan import Fingerprint, InputFacts
from diascope.core.presence import LABELS
from diascope.models.files.arranging import ours
from diascope.planning.adopting.manifest import GivenFile, Manifest

FEWEST_CASES = 50
"""Below it neither a recalibration nor an interval says much."""
MODEL = "given"
KINDS = ("category", LABELS)
"""Kinds of target that can be answered."""
SIMILAR = {1, 3}
"""Numbers of channels that stand for each other: grey and colour."""


def refuse_few(cases: int) -> None:
    """Refuse data that cannot say whether a model is any good here.

    Raises:
        DataRefused: Below `FEWEST_CASES`.
    """
    if cases < FEWEST_CASES:
        raise DataRefused(
            f"{cases} local cases are too few to measure and recalibrate a model on",
            given=f"at least {FEWEST_CASES} are needed, 100 to 200 are better",
            todo="Label more local cases, of both or all classes",
        )


def fields(given: GivenFile, facts: Fingerprint, target: Target) -> dict[str, Any]:
    """Plan fields, as if they were set by hand.

    Args:
        given: The manifest and its file.
        facts: Of the local data.
        target: Its labels.

    Raises:
        BadUsage: When outputs and local labels are not about the same.
        DataRefused: When the local images are not what the model reads.
    """
    manifest = given.manifest
    _, y, x = shape = ours(manifest.shape, manifest.axes, 1)
    spacing = ours(manifest.spacing, manifest.axes, 1.0) if manifest.spacing else None
    channels = _channels(manifest, facts, [int(side) for side in (shape[0], y, x)])
    found: dict[str, Any] = {
        "model": MODEL,
        "model_options": options(given, target),
        "patch": shape,
        "prepare": _prepare(manifest, shape, spacing, facts),
        "channels": channels,
        "intensity": dict.fromkeys(channels, manifest.intensity),
        "read_batch": 1,
        "origin": origin(given),
    }
    return found | ({} if spacing is None else {"spacing": spacing})


def origin(given: GivenFile) -> dict[str, Any]:
    """What is known of where a model comes from, for the report and the model card."""
    manifest = given.manifest
    return {
        "name": manifest.name or given.path.name,
        "source": manifest.source,
        "licence": manifest.licence,
        "file": given.path.name,
        "format": given.kind,
        "sha256": given.sha256,
        "outputs": list(manifest.outputs),
        "activation": manifest.activation + (", applied by the file" if manifest.applied else ""),
    }


def options(given: GivenFile, target: Target) -> dict[str, Any]:
    """Options of the model."""
    manifest = given.manifest
    return {
        "file": str(given.path),
        "sha256": given.sha256,
        "bytes": given.size,
        "format": given.kind,
        "axes": manifest.axes,
        "channels_last": manifest.channels_last,
        "output": manifest.output,
        "answers": len(manifest.outputs),
        "picks": picks(manifest, target),
        "labels": target.kind == LABELS,
        "activation": manifest.activation,
        "applied": manifest.applied,
    }


def picks(manifest: Manifest, target: Target) -> list[int | None]:
    """Which output is that of each local label; None for the other one of two classes where one has an output.

    Raises:
        BadUsage: When an output has no local label, or the other way round.
    """
    if target.kind not in KINDS:
        raise BadUsage(
            f"a model that is adopted answers for classes or labels, and {target.name!r} is a {target.kind}",
            todo="Name another column with --target",
        )
    if target.kind == LABELS and manifest.activation != "sigmoid":
        raise BadUsage(
            "of several labels each has a probability of its own, and the manifest says softmax", given=target.name
        )
    known = {_plain(name): place for place, name in enumerate(manifest.outputs) if name is not None}
    found = [known.pop(_plain(label.name), None) for label in target.labels]
    lacking = [label.name for label, place in zip(target.labels, found, strict=True) if place is None]
    one_of_two = target.kind != LABELS and len(manifest.outputs) == 1 and len(found) == 2 and len(lacking) == 1
    if known or (lacking and not one_of_two):
        named = ", ".join(str(name) for name in manifest.outputs)
        raise BadUsage(
            f"the outputs and the local labels of {target.name!r} are not about the same",
            given=f"outputs {named}; local labels {', '.join(label.name for label in target.labels)}",
            todo="Call the outputs in the manifest as the labels are called here; null for one that no case is of",
        )
    return found


def _plain(name: str | None) -> str:
    return str(name).strip().casefold()


def _channels(manifest: Manifest, facts: Fingerprint, shape: list[int]) -> dict[str, int]:
    """Channels of each local image, as the model reads them."""
    order = facts.order or tuple(facts.inputs)
    images = {name: facts.inputs[name] for name in order if facts.inputs[name].kind == "image"}
    if not images:
        raise DataRefused("a model that is adopted reads images, and there are none", given=", ".join(order))
    dimensions = 2 if shape[0] == 1 else 3
    wrong = [f"{name} is {one.dimensions}-D" for name, one in images.items() if one.dimensions != dimensions]
    if wrong:
        raise DataRefused(f"the model reads {dimensions}-D images of {shape}", given="; ".join(wrong))
    views = len(manifest.intensity.get("windows", ())) or 1
    each, rest = divmod(manifest.channels // views, len(images))
    unlike = [name for name, one in images.items() if rest or not _stands_for(one, each)]
    if unlike:
        have = ", ".join(f"{name} {one.channels}" for name, one in images.items())
        raise DataRefused(
            f"the model reads {manifest.channels} channel(s), and the local images have others",
            given=have,
            todo="Mend `channels`, or choose the images with --inputs",
        )
    return dict.fromkeys(images, each)


def _stands_for(facts: InputFacts, channels: int) -> bool:
    return facts.channels == channels or {facts.channels, channels} == SIMILAR


def _prepare(manifest: Manifest, shape: list[Any], spacing: list[Any] | None, facts: Fingerprint) -> list[list[Any]]:
    """Transforms to the size that the model reads."""
    if manifest.prepare:
        return [[name, dict(params)] for name, params in manifest.prepare]
    if spacing is None:
        return [["resample", {"shape": shape, "order": 1, "anti_alias": True}]]
    without = [name for name, one in facts.inputs.items() if one.kind == "image" and not one.physical]
    if without:
        raise DataRefused(
            "the manifest asks for a spacing, and the local images know no millimetres", given=", ".join(without)
        )
    return [["resample", {"spacing": spacing, "order": 1, "anti_alias": True}], ["crop_pad", {"shape": shape}]]
