"""How much memory reading a case takes, from the headers of its files: asked before a voxel is read (F5).

Counted are arrays that grow with the image; the program, its networks and what they hold of one patch have shown their
size when the release proved itself. Freed memory is kept by the allocator, but seldom fits what comes next: it counts.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from diascope.core.errors import DoesNotFit
from diascope.core.geometry import Geometry
from diascope.core.plan import Plan
from diascope.engine.building import slices_of
from diascope.engine.filtering import filters_of
from diascope.engine.orienting import Turn
from diascope.engine.preparing import SLAB
from diascope.formats import Extent
from diascope.transforms.intensity import POINTWISE
from diascope.transforms.resample import target_shape

Shape = tuple[int, int, int]
STATM = Path("/proc/self/statm")
MARGIN = 128 << 20
"""Bytes for all that does not grow with the image: headers, pictures, buffers of libraries."""
FLOAT = 4
IN_FILE = 2
"""An image is held as it came and as an array."""
FRAGMENTED = 1.5
"""What the buffers of windows take in all, as a multiple of what they are asked to take: measured on 300 slices."""
DESCRIBED = 3
"""Copies of a quarter of a channel while it is described for the input gate."""
FILTERED = 56
"""Bytes a voxel that a filter holds of the channel it works on; measured: 50 of contrast-limited equalisation, 48 of
non-local means, 26 of plain equalisation, 21 of N4, 8 to 12 of the others."""
WRITTEN = 4
"""Bytes a voxel of a mask while it is written; a SEG has besides three copies of one bit a voxel and segment."""
MADE = 24
"""Bytes a voxel of an image that is made: value and spread, each twice while it is turned, and once to be written."""


@dataclass(frozen=True)
class Need:
    """Bytes besides the program itself.

    Args:
        held: While windows are run, without their buffers.
        peak: The most at any other time.
        least: The smallest buffers that windows can do with.
    """

    held: int
    peak: int
    least: int

    def buffers(self, memory: int) -> int:
        """Bytes that the windows may be told to take, where there are `memory` bytes besides the program."""
        return int((memory - self.held) / FRAGMENTED)

    @property
    def most(self) -> int:
        """The most at any time, with the smallest buffers."""
        return max(self.peak, self.held + self.least)


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Around work that may ask for more memory than there is.

    Raises:
        DoesNotFit: Instead of what Python and torch raise then.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        raise DoesNotFit(
            f"{what} needs more memory than there is",
            todo="Free memory, raise the limit (ulimit -v), or use a larger machine",
        ) from error


def address_space_left() -> int | None:
    """Bytes that this process may still map under its limit (`ulimit -v`); None where it has none, or none is known."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or not STATM.exists():
        return None
    return max(0, limit - int(STATM.read_text().split()[0]) * resource.getpagesize())


def need(plan: Plan, extents: Mapping[str, Extent], windowed: bool) -> Need:
    """What reading a case needs.

    Args:
        plan: Of the release.
        extents: How large each image input is; the first one of the plan gives the grid.
        windowed: Whether it is read window by window.
    """
    names = tuple(plan["image_inputs"])
    first = extents[names[0]]
    files = IN_FILE * sum(one.nbytes for one in extents.values()) + MARGIN
    channels = {name: plan["channels"][name] * len(plan["intensity"][name].get("windows", (1,))) for name in names}
    total = sum(channels.values())
    whole = FLOAT * total * first.voxels
    scaling = max(_scaling(extents[name], channels[name], plan, name) for name in names)
    stacked = whole + scaling if len(names) == 1 else 2 * whole + scaling
    turn = Turn.of(first.geometry, first.shape[1:])
    turned = whole * (1 if turn == Turn() else 2)
    shape, preparing = _prepared(
        plan["prepare"], turn.shape(first.shape[1:]), turn.geometry(first.geometry, first.shape[1:])
    )
    stacking, total = total, total * max(1, slices_of(plan))
    working = FLOAT * total * prod(shape)
    preparing = FLOAT * stacking * preparing + (working if total > stacking else 0)
    peak = files + max(stacked, turned, preparing, working + DESCRIBED * FLOAT * prod(shape) // 4)
    if not windowed:
        return Need(files + working * (1 + 2 * plan["read_batch"]), peak, 0)
    patch = prod(max(have, wanted) for have, wanted in zip(shape, plan["patch"], strict=True))
    padded = 0 if patch == prod(shape) else FLOAT * total * patch
    scores = FLOAT * (2 + len(plan.target.labels)) * prod(plan["patch"])
    kept = MADE if plan.target.kind == "image" else 2
    return Need(
        held=files + working + padded + kept * first.voxels,
        peak=max(peak, files + (kept - 2 + WRITTEN + 3 * len(plan.target.labels) // 8) * first.voxels),
        least=int(FRAGMENTED * scores * (4 if plan["mirror_reading"] and plan["mirror_axes"] else 2)),
    )


def _scaling(extent: Extent, channels: int, plan: Plan, name: str) -> int:
    """Copies while intensities are scaled: of a slab, or of everything where rule or filters ask for the whole."""
    if filters_of(plan, name):
        return (2 * FLOAT * channels + FILTERED) * extent.voxels
    voxels = min(SLAB, extent.voxels) if plan["intensity"][name]["rule"] in POINTWISE else extent.voxels
    return 2 * FLOAT * channels * voxels


def _prepared(steps: Sequence[tuple[str, Mapping[str, Any]]], shape: Shape, geometry: Geometry) -> tuple[Shape, int]:
    """The shape on the working grid, and the most voxels that the transforms hold on the way there."""
    most = prod(shape)
    for name, params in steps:
        if "spacing" in params and not geometry.physical:
            break  # the input gate will refuse it
        if name == "resample":
            new = target_shape(shape, geometry, params)
            most = max(most, prod(shape) + _along(shape, new))
            shape, geometry = new, geometry.resized(shape, new)
        elif name == "crop_pad":
            z, y, x = (int(size) for size in params["shape"])
            most = max(most, prod(shape) + z * y * x)
            shape = (z, y, x)
    return shape, most


def _along(old: Shape, new: Shape) -> int:
    """Voxels that `resampling.along` holds besides what it is given: two steps at a time, the most shrinking first."""
    sizes, steps = list(old), [0]
    for axis in sorted(range(3), key=lambda axis: new[axis] / old[axis]):
        if new[axis] != old[axis]:
            sizes[axis] = new[axis]
            steps.append(prod(sizes))
    return max(a + b for a, b in zip(steps, [*steps[1:], 0], strict=True))
