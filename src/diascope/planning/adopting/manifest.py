"""What a person says about a model that was made elsewhere: a small JSON file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from diascope.core.errors import BadUsage, DataRefused, DiascopeError, UnknownName
from diascope.core.record import Record
from diascope.models.files.arranging import FLAT, places
from diascope.models.files.opening import Kind, kind_of
from diascope.planning.adopting.bundle import ADDED, said_by_bundle
from diascope.store.files import file_sha256
from diascope.transforms.intensity import RULES, limits

NEEDED = ("file", "shape", "channels", "axes", "intensity", "outputs", "activation", "applied")
EXAMPLE = {
    "axes": FLAT,
    "shape": [224, 224],
    "channels": 3,
    "intensity": {"rule": "rgb", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    "outputs": ["benign", "malignant"],
    "activation": "softmax",
    "applied": False,
}
"""Of what may be missing."""


class Manifest(Record):
    """A model that was made elsewhere. Axes, shape and spacing are in the order of its file."""

    SCHEMA: ClassVar[int] = 1
    file: str
    """ONNX or TorchScript; relative to the manifest."""
    sha256: str = ""
    """Of the file: another one is refused."""
    name: str = ""
    source: str = ""
    """Where it comes from: an address, a paper."""
    licence: str = ""
    """Under which it may be used."""
    axes: str
    """`YX` or `XY` of pictures; of volumes towards what each axis rises: `SPL`, `RAS`."""
    shape: tuple[int, ...]
    """Of the whole image that it reads, without channels."""
    spacing: tuple[float, ...] = ()
    """Millimetres; then volumes are resampled to it, and cut or padded to the shape, else brought to the shape."""
    prepare: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Transforms of Diascope (z, y, x) in place of those that shape and spacing call for."""
    channels: int
    """That it reads."""
    channels_last: bool = False
    intensity: dict[str, Any]
    """Rule with its numbers, as in a plan (`transforms/intensity.py`)."""
    output: str = ""
    """Name of the output of an ONNX file, where it has several."""
    outputs: tuple[str | None, ...]
    """What each number is about, as the local labels call it; null for one that is not used."""
    activation: Literal["softmax", "sigmoid"]
    """What makes probabilities: of one class among several, or of each by itself."""
    applied: bool
    """Whether the file ends in the activation, and answers with probabilities."""


@dataclass(frozen=True)
class GivenFile:
    """A manifest with the file that it speaks of.

    Args:
        manifest: What was said.
        told: File or folder of the manifest.
        path: Of the network.
        sha256: Of the network.
        size: In bytes.
        kind: What it is.
    """

    manifest: Manifest
    told: Path
    path: Path
    sha256: str
    size: int
    kind: Kind


def read_manifest(told: Path) -> GivenFile:
    """Read a manifest (a JSON file), or a bundle of MONAI (a folder), and look at the network's file.

    Raises:
        BadUsage: When something is missing, unknown or contradicts itself.
        DataRefused: When the network's file is missing, or is another one.
    """
    told = Path(told)
    folder, content = _content(told)
    missing = [field for field in NEEDED if field not in content]
    if missing:
        raise BadUsage(
            f"the description of the model lacks {', '.join(missing)}",
            given=told,
            todo=f"Write for example {json.dumps({field: EXAMPLE.get(field, 'model.onnx') for field in missing})} "
            + (f"into {told / ADDED}" if told.is_dir() else "into it"),
        )
    unknown = next((field for field in content if field not in {*Manifest.model_fields, "schema_version"}), None)
    if unknown is not None:
        raise UnknownName("field of a manifest", unknown, Manifest.model_fields)
    try:
        manifest = Manifest.from_json(content, str(told))
    except DiascopeError as error:
        raise BadUsage(error.wrong, todo="See docs/how-to/adopt.md") from error
    _refuse_senseless(manifest)
    path = (folder / manifest.file).resolve()
    if not path.is_file():
        raise DataRefused(f"there is no file {manifest.file!r} beside the manifest", given=path)
    found = file_sha256(path)
    if manifest.sha256 and found != manifest.sha256.lower():
        raise DataRefused(
            f"{path.name} is not the file that the manifest speaks of",
            given=f"SHA-256 {found}, and the manifest says {manifest.sha256}",
            todo="Fetch the file again from where it was made, or take `sha256` out if you know why it differs",
        )
    with path.open("rb") as stream:
        kind = kind_of(stream.read(8))
    return GivenFile(manifest, told.resolve(), path, found, path.stat().st_size, kind)


def _content(told: Path) -> tuple[Path, dict[str, Any]]:
    """The folder that files are relative to, and what is said."""
    if told.is_dir():
        own = told / ADDED
        return told, {**said_by_bundle(told), **(_json(own) if own.is_file() else {})}
    content = _json(told)
    if len(content.get("shape", ())) == 2:
        content = {"axes": FLAT, **content}
    return told.parent, content


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadUsage(f"cannot read the manifest {path}: {error}", todo="See docs/how-to/adopt.md") from error
    if not isinstance(content, dict):
        raise BadUsage("a manifest is a JSON object", given=path)
    return content


def _refuse_senseless(manifest: Manifest) -> None:
    sides = len(places(manifest.axes))
    for name, numbers in (("shape", manifest.shape), ("spacing", manifest.spacing)):
        if (name == "shape" or numbers) and (len(numbers) != sides or min(numbers) <= 0):
            raise BadUsage(f"{name} has a positive number for each axis of {manifest.axes!r}", given=list(numbers))
    names = [name.strip().casefold() for name in manifest.outputs if name is not None]
    if not names or max(Counter(names).values()) > 1:
        raise BadUsage("outputs name each label once", given=list(manifest.outputs))
    if manifest.activation == "softmax" and len(manifest.outputs) < 2:
        raise BadUsage("a softmax has two outputs or more", given=list(manifest.outputs), todo="Write sigmoid")
    refuse_rule(manifest.intensity, manifest.channels)


def refuse_rule(rule: Mapping[str, Any], channels: int) -> None:
    """Refuse an intensity rule that does not exist, or lacks numbers.

    Raises:
        BadUsage: Says what it needs.
    """
    if rule.get("rule") not in RULES:
        raise UnknownName("intensity rule", str(rule.get("rule")), RULES)
    views = len(rule.get("windows", ())) or 1
    if channels < 1 or channels % views:
        raise BadUsage(f"{channels} channels cannot come of {views} windows", given=dict(rule))
    try:
        limits(rule, channels // views)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadUsage(f"the numbers of the intensity rule make no sense: {error}", given=dict(rule)) from error
