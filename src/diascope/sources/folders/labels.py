"""Labels of a `dataset.json`: plain ones, regions that unite several, and the value that is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.case import Label, Target
from diascope.core.errors import UnreadableFile
from diascope.sources.folders.declared import NAME
from diascope.sources.folders.named import LARGEST

TARGET_NAME = "mask"
"""The target that the label files are."""


def declared_target(content: Mapping[str, Any], root: Path) -> Target:
    """The mask target.

    The first version maps values to names (`{"1": "liver"}`), the second names to values (`{"liver": 1}`), where a list
    of values is a region and `ignore` is neither learnt nor scored (nnU-Net, documentation/dataset_format.md and
    region_based_training.md).

    Raises:
        UnreadableFile: When there are no foreground labels, or regions without `regions_class_order`.
    """
    named = content.get("labels")
    if not isinstance(named, dict):
        raise UnreadableFile(root / NAME, 'no labels: it needs "labels": {"background": 0, "liver": 1}')
    if all(str(key).isdigit() for key in named):
        named = {str(name): int(value) for value, name in named.items()}
    ignore = named.get("ignore")
    foreground = {
        str(name): _members(value, root) for name, value in named.items() if value not in (0, [0]) and name != "ignore"
    }
    if not foreground:
        raise UnreadableFile(root / NAME, "every label is background")
    if any(len(members) > 1 for members in foreground.values()):
        labels = _regions(foreground, content.get("regions_class_order"), root)
    else:
        plain = (Label(name=name, value=members[0]) for name, members in foreground.items())
        labels = tuple(sorted(plain, key=lambda label: label.value))
    return Target(
        name=TARGET_NAME,
        kind="mask",
        columns=(TARGET_NAME,),
        labels=labels,
        ignore=None if ignore is None else _members(ignore, root)[0],
    )


def _members(value: object, root: Path) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(type(one) is int and 0 <= one <= LARGEST for one in values):
        raise UnreadableFile(root / NAME, f"{value!r} is no label value: labels are whole numbers up to {LARGEST}")
    return tuple(values)


def _regions(foreground: Mapping[str, tuple[int, ...]], order: object, root: Path) -> tuple[Label, ...]:
    """Every label as a region; its value is what it paints, in the order of the file, which is that of painting."""
    if not isinstance(order, list) or len(order) != len(foreground) or not all(type(one) is int for one in order):
        raise UnreadableFile(
            root / NAME,
            f'regions need "regions_class_order" with one value for each of {", ".join(foreground)}',
            "Complete dataset.json",
        )
    pairs = zip(foreground.items(), order, strict=True)
    regions = tuple(Label(name=name, value=value, members=members) for (name, members), value in pairs)
    _refuse_lost(regions, root)
    return regions


def _refuse_lost(regions: tuple[Label, ...], root: Path) -> None:
    """Refuse an order of painting after which the label map would not say what the masks say.

    nnU-Net paints the regions one over the other, each with its value of `regions_class_order` (documentation/
    region_based_training.md, "order matters"), and takes what is not so for granted.
    """
    for place, region in enumerate(regions):
        wrong = None
        if region.value not in region.members:
            wrong = f"the region {region.name!r} is painted as {region.value}, which is none of its values"
        for later in regions[place + 1 :]:
            if later.value == region.value:
                wrong = f"the regions {region.name!r} and {later.name!r} are both painted as {region.value}"
            elif set(region.members) <= set(later.members):
                wrong = f"the region {region.name!r} is painted before {later.name!r}, which covers it"
        if wrong is not None:
            raise UnreadableFile(
                root / NAME, wrong, "List the regions from the largest to the smallest, each with a value of its own"
            )
