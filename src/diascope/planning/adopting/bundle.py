"""What a bundle of MONAI says about its network, as far as its `configs/metadata.json` goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.errors import BadUsage

METADATA = "configs/metadata.json"
FILES = ("models/model.onnx", "models/model.ts")
"""The file without code first."""
WHOLE = ("classes", "label", "labels")
"""What metadata calls answers for a whole image."""
LICENCES = ("LICENSE", "docs/LICENSE", "LICENSE.txt")
ADDED = "diascope.json"
"""Beside `configs/`: what the metadata does not say, as a manifest says it."""


def said_by_bundle(folder: Path) -> dict[str, Any]:
    """Fields of a manifest: file, name, source, licence, shape, channels, outputs; those that the bundle states.

    How grey values are scaled, the order of axes and the activation stand in programs of the bundle, not in its
    metadata.

    Raises:
        BadUsage: When the folder is no bundle, or its network reads patches or marks voxels.
    """
    try:
        content = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadUsage(
            f"{folder} is no bundle of MONAI: {error}", todo=f"Give a manifest, or a folder with {METADATA}"
        ) from error
    data = _mapping(_mapping(content).get("network_data_format"))
    image, answer = (_first(data.get(name)) for name in ("inputs", "outputs"))
    if image.get("is_patch_data") or answer.get("format", WHOLE[0]) not in WHOLE:
        raise BadUsage(
            "this bundle reads patches, or marks voxels; what is adopted answers for whole images", given=folder
        )
    title = " ".join(str(content[key]) for key in ("name", "version") if content.get(key))
    found: dict[str, Any] = {
        "file": next((name for name in FILES if (folder / name).is_file()), None),
        "name": title,
        "source": f"MONAI bundle {folder.name}" + (f": {title}" if title else ""),
        "licence": content.get("license") or _licence(folder),
        "shape": _whole(image.get("spatial_shape")),
        "channels": image.get("num_channels"),
        "outputs": _names(answer.get("channel_def")),
    }
    return {field: value for field, value in found.items() if value}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(value: Any) -> Mapping[str, Any]:
    """What is said of the one array."""
    return _mapping(next(iter(_mapping(value).values()), None))


def _whole(shape: Any) -> list[int] | None:
    """A shape in numbers; sizes as formulas (`16*n`) say nothing."""
    return shape if isinstance(shape, list) and all(isinstance(side, int) for side in shape) else None


def _names(channels: Any) -> list[str] | None:
    """Names of the outputs in the order of their numbers."""
    named = {int(key): str(value) for key, value in _mapping(channels).items() if str(key).isdigit()}
    return [named[number] for number in range(len(named))] if named and set(named) == set(range(len(named))) else None


def _licence(folder: Path) -> str:
    """The first line of a licence's file that says something."""
    path = next((folder / name for name in LICENCES if (folder / name).is_file()), None)
    lines = [] if path is None else path.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in lines if line.strip()), "")
