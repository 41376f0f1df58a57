"""`dataset.json` as the Medical Segmentation Decathlon and nnU-Net write it: what the two have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.errors import UnreadableFile

NAME = "dataset.json"

MODALITIES: Mapping[str, str] = {
    **{name: "ct" for name in ("ct", "cta", "cbct", "computed tomography")},
    **{name: "mr" for name in ("mr", "mri", "t1", "t1w", "t1c", "t1ce", "t1gd", "t1n", "t2", "t2w", "t2f", "flair")},
    **{name: "mr" for name in ("adc", "dwi", "pd", "swi", "dce", "cine mri", "bold")},
    **{name: "pt" for name in ("pt", "pet", "suv")},
    **{name: "us" for name in ("us", "ultrasound", "tus", "bus")},
    **{name: "xray" for name in ("xray", "x-ray", "cr", "dx", "mg", "mammography")},
}
"""Name of a channel in lower case to modality plug-in; other names say nothing."""


def modality_of(channel: str) -> str | None:
    """The modality that the name of a channel says, None where it says none."""
    return MODALITIES.get(channel.strip().lower())


def read_declared(root: Path) -> dict[str, Any]:
    """The content of `dataset.json`.

    Raises:
        UnreadableFile: When it is missing or no JSON object.
    """
    path = root / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, f"no JSON ({error})") from error
    if not isinstance(content, dict):
        raise UnreadableFile(path, "no JSON object")
    return content


def channels_of(content: Mapping[str, Any], root: Path) -> tuple[str, ...]:
    """Names of the channels, in their order: `channel_names`, or `modality` in the first version.

    Raises:
        UnreadableFile: When there are none, or two have one name.
    """
    named = content.get("channel_names") or content.get("modality")
    if not isinstance(named, dict) or not all(str(key).isdigit() for key in named) or not named:
        raise UnreadableFile(root / NAME, 'no channels: it needs "channel_names": {"0": "CT"}')
    names = tuple(str(named[key]) for key in sorted(named, key=int))
    if len(set(names)) < len(names):
        raise UnreadableFile(root / NAME, f"two channels have one name: {', '.join(names)}")
    return names


def input_names(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the inputs: a single channel is `image`, several are called as the file calls them."""
    return ("image",) if len(channels) == 1 else channels


def is_listed(content: Mapping[str, Any]) -> bool:
    """Whether the file lists its cases one by one (`training`), as the first version does."""
    training = content.get("training")
    return isinstance(training, list) and bool(training)


def listed_path(value: object, root: Path) -> str:
    """A path of the list, without `./`.

    Raises:
        UnreadableFile: When it is no text, or leads out of the folder.
    """
    if not isinstance(value, str):
        raise UnreadableFile(root / NAME, f"{value!r} is no path")
    path = value.replace("\\", "/").removeprefix("./")
    if path.startswith("/") or ".." in path.split("/"):
        raise UnreadableFile(root / NAME, f"the path {value!r} leads out of the folder")
    return path
