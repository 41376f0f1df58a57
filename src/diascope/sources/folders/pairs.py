"""Folders of images and folders of masks: their names, and which mask belongs to which image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

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


def plain(name: str) -> str:
    """A folder's name as the lists above write it."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def pair(images: Sequence[str], masks: Sequence[str]) -> dict[str, str]:
    """Image file to mask file: of one stem; or the mask's has a suffix (`_mask`); or both begin alike, and alone.

    The last rule takes the part before the first `_`, `-` or blank (`21_training.tif`, `21_manual1.gif`), and only
    where no two images and no two masks share it.
    """
    by_stem = {stem_of(name): name for name in masks}
    for name in masks:
        match = MASK_NAME.match(stem_of(name))
        if match is not None:
            by_stem.setdefault(match["image"], name)
    paired = {name: by_stem[stem_of(name)] for name in images if stem_of(name) in by_stem}
    if paired:
        return paired
    heads, mask_heads = Counter(map(_head, images)), Counter(map(_head, masks))
    if max(heads.values(), default=0) > 1 or max(mask_heads.values(), default=0) > 1:
        return {}
    by_head = {_head(name): name for name in masks}
    return {name: by_head[_head(name)] for name in images if _head(name) in by_head}


def _head(name: str) -> str:
    return re.split(r"[_\- ]", stem_of(name), maxsplit=1)[0]
