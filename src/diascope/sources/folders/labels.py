"""Labels of a `dataset.json`: plain ones, regions that unite several, and the value that is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.case import Label, Target
from diascope.core.errors import UnreadableFile
from diascope.sources.folders.declared import NAME

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
        labels = tuple(Label(name=name, value=members[0]) for name, members in foreground.items())
    return Target(
        name=TARGET_NAME,
        kind="mask",
        columns=(TARGET_NAME,),
        labels=tuple(sorted(labels, key=lambda label: label.value)),
        ignore=None if ignore is None else _members(ignore, root)[0],
    )


def _members(value: object, root: Path) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(type(one) is int and one >= 0 for one in values):
        raise UnreadableFile(root / NAME, f"{value!r} is no label value")
    return tuple(values)


def _regions(foreground: Mapping[str, tuple[int, ...]], order: object, root: Path) -> tuple[Label, ...]:
    """Every label as a region; its value is what it paints, in the order of painting."""
    if not isinstance(order, list) or len(order) != len(foreground) or not all(type(one) is int for one in order):
        raise UnreadableFile(
            root / NAME,
            f'regions need "regions_class_order" with one value for each of {", ".join(foreground)}',
            "Complete dataset.json",
        )
    pairs = zip(foreground.items(), order, strict=True)
    return tuple(Label(name=name, value=value, members=members) for (name, members), value in pairs)
