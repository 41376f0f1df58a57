"""`dataset.json` as the Medical Segmentation Decathlon and nnU-Net write it: what the two have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.errors import UnreadableFile
from diascope.sources.folders.files import stem_of, suffix_of

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
    return MODALITIES.get(re.sub(r" \d+$", "", channel.strip().lower()))


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


def licence_of(content: Mapping[str, Any]) -> str:
    """The licence that a `dataset.json` states, under either spelling; empty where it states none."""
    stated = content.get("licence") or content.get("license")
    return f"{stated.strip()}, stated in {NAME}" if isinstance(stated, str) and stated.strip() else ""


def channels_of(content: Mapping[str, Any], root: Path) -> tuple[str, ...]:
    """Names of the channels, in their order: `channel_names`, or `modality` in the first version.

    Raises:
        UnreadableFile: When there are none.
    """
    named = content.get("channel_names") or content.get("modality")
    if not isinstance(named, dict) or not all(str(key).isdigit() for key in named) or not named:
        raise UnreadableFile(root / NAME, 'no channels: it needs "channel_names": {"0": "CT"}')
    names = tuple(str(named[key]) for key in sorted(named, key=int))
    # nnU-Net reads a name as a way to scale intensities: several channels may be called CT, or noNorm.
    numbers = (names[: at + 1].count(name) for at, name in enumerate(names))
    return tuple(name if names.count(name) == 1 else f"{name} {at}" for name, at in zip(names, numbers, strict=True))


def input_names(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the inputs: a single channel is `image`, several are called as the file calls them."""
    return ("image",) if len(channels) == 1 else channels


def is_nnunet(root: Path) -> str | None:
    """How nnU-Net's layout shows, None where it does not.

    Version 2 has `channel_names` and `file_ending`; version 1 lists `NAME.nii.gz` and stores `NAME_0000.nii.gz`.

    Raises:
        UnreadableFile: When `dataset.json` is broken.
    """
    content = read_declared(root)
    if "channel_names" in content and "file_ending" in content:
        return f"{NAME} of nnU-Net, version 2"
    path = listed(content, root)[0][0]
    if not (root / path).is_file() and (root / f"{stem_of(path)}_0000{suffix_of(path)}").is_file():
        return f"{NAME} of nnU-Net, version 1"
    return None


def listed(content: Mapping[str, Any], root: Path) -> list[tuple[str, str]]:
    """Paths of image and label of each case under `training`, as the first version lists them.

    Raises:
        UnreadableFile: When there is no such list.
    """
    training = content.get("training")
    if not isinstance(training, list) or not training:
        raise UnreadableFile(root / NAME, 'no cases: it needs "training": [{"image": ..., "label": ...}]')
    for entry in training:
        if not isinstance(entry, dict) or not {"image", "label"} <= set(entry):
            raise UnreadableFile(root / NAME, f"{entry!r} is no pair of image and label")
    return [(listed_path(entry["image"], root), listed_path(entry["label"], root)) for entry in training]


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
