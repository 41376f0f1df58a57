"""Folders of images and folders of masks: their names, and which mask belongs to which image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from diascope.core.case import Split
from diascope.sources.folders.files import MASK_NAME, stem_of

IMAGE_FOLDERS: Mapping[str, Split | None] = {
    **{name: None for name in ("images", "image", "imgs", "img", "scans", "volumes", "input", "inputs")},
    **{"imagestr": "train", "images_tr": "train", "train_images": "train", "images_train": "train"},
    **{"imagesval": "val", "images_val": "val", "val_images": "val"},
    **{"imagests": "test", "images_ts": "test", "test_images": "test", "images_test": "test"},
}
"""Folders that hold images to be segmented, with the part of the data set that the name says."""

MASK_FOLDERS: Mapping[str, Split | None] = {
    **{name: None for name in ("masks", "mask", "labels", "label", "segmentations", "segmentation", "segs", "seg")},
    **{
        name: None
        for name in ("annotations", "gt", "ground_truth", "groundtruth", "manual", "1st_manual", "2nd_manual")
    },
    **{"labelstr": "train", "labels_tr": "train", "train_masks": "train", "masks_train": "train"},
    **{"train_labels": "train", "labels_train": "train", "maskstr": "train"},
    **{"labelsval": "val", "labels_val": "val", "val_masks": "val", "val_labels": "val", "masksval": "val"},
    **{"labelsts": "test", "labels_ts": "test", "test_masks": "test", "masks_test": "test"},
    **{"test_labels": "test", "labels_test": "test", "masksts": "test"},
}
"""Folders that hold masks, likewise."""

TARGET_FOLDERS: Mapping[str, Split | None] = {
    **{name: None for name in ("targets", "target", "target_images", "target_image")},
    **{"targetstr": "train", "targets_tr": "train", "train_targets": "train", "targets_train": "train"},
    **{"targetsval": "val", "targets_val": "val", "val_targets": "val"},
    **{"targetsts": "test", "targets_ts": "test", "test_targets": "test", "targets_test": "test"},
}
"""Folders that hold images which are to be made of other images, likewise."""


def plain(name: str) -> str:
    """A folder's name as the lists above write it."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


@dataclass(frozen=True)
class Paired:
    """Which masks belong to which images.

    Args:
        masks: Image file to its masks; an image without one is not in it.
        alone: Masks that belong to no image.
    """

    masks: Mapping[str, tuple[str, ...]]
    alone: tuple[str, ...]


def pair(images: Sequence[str], masks: Sequence[str]) -> Paired:
    """A mask belongs to the image of its stem; or its stem has a suffix (`_mask`, `_mask_1`); or both begin alike.

    The last rule takes the part before the first `_`, `-` or blank (`21_training.tif`, `21_manual1.gif`), and only
    where the others find nothing and no two images and no two masks share it.
    """
    image_stems = {stem_of(name) for name in images}
    by_stem: dict[str, list[str]] = {}
    for name in masks:
        by_stem.setdefault(_owner(stem_of(name), image_stems), []).append(name)
    paired = {name: tuple(by_stem[stem_of(name)]) for name in images if stem_of(name) in by_stem}
    heads, mask_heads = Counter(map(_head, images)), Counter(map(_head, masks))
    if not paired and max(heads.values(), default=0) <= 1 and max(mask_heads.values(), default=0) <= 1:
        by_head = {_head(name): name for name in masks}
        paired = {name: (by_head[_head(name)],) for name in images if _head(name) in by_head}
    used = {name for several in paired.values() for name in several}
    return Paired(paired, tuple(name for name in masks if name not in used))


def _owner(stem: str, image_stems: Set[str]) -> str:
    """The stem of the image that a mask belongs to by its own stem."""
    match = MASK_NAME.match(stem)
    return stem if stem in image_stems or match is None else match["image"]


def _head(name: str) -> str:
    return re.split(r"[_\- ]", stem_of(name), maxsplit=1)[0]
