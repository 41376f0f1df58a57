"""A map of what led to a finding, on the grid of the frames, and its check with randomised weights."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from diascope.core import registry
from diascope.core.errors import DataRefused
from diascope.core.plan import Plan
from diascope.engine.batch import Example
from diascope.engine.orienting import Turn
from diascope.engine.windows import Placement
from diascope.explainers import kind_taken
from diascope.explainers.sanity import SanityResult, checked
from diascope.transforms.resampling.matrices import sampling
from diascope.transforms.resampling.volume import along

LEVEL = 6
"""Of compression."""
STEPS = 51
"""Steps from 0 to 255 in which a map is kept: as many as an overlay shows apart, and a twentieth of the bytes."""
SLAB = 1 << 24
"""Voxels that are brought back at once."""

Look = Callable[[int, int], None]


@dataclass(frozen=True)
class Map:
    """What led to a finding.

    Args:
        shape: (z, y, x): frames, rows, columns.
        packed: uint8 in C order, 255 where it counted most, as gzip.
        sanity: What came of the check.
    """

    shape: tuple[int, int, int]
    packed: bytes
    sanity: SanityResult


def why_not(network: nn.Module, plan: Plan) -> str:
    """Why there is no map of what a network says; empty where there is one."""
    if str(network.output) != "vector":
        return "this release says where by itself: there is nothing to explain with a map"
    if not plan["image_inputs"] or plan["readings"]:
        return "this release reads something else than pictures alone: a map of the pictures would leave that out"
    if next(network.parameters(), None) is None:
        return "this release holds a network that was made elsewhere and is run as it is: no map can be made of it"
    return ""


def output_of(finding: str, plan: Plan) -> int:
    """Which number of the network's answer a finding is said by.

    Raises:
        DataRefused: When there is no such one number.
    """
    labels = plan.target.labels
    names = [label.name for label in labels]
    if finding in names:
        place = names.index(finding)
        counted = sorted(label.value for label in labels) == list(range(len(labels)))
        return labels[place].value if counted else place
    if not labels and finding == plan.target.name:
        return 0
    raise DataRefused(f"{finding!r} is not said by one number of the network", given=", ".join(names) or "no labels")


def mapped(network: nn.Module, example: Example, setting: tuple[str, int], look: Look) -> Map:
    """Explain one case.

    Args:
        network: Of the release; nobody else may use it meanwhile.
        example: The case as the network saw it.
        setting: Name of the explainer; number of the output.
        look: Told how far it is; may raise, to stop.

    Raises:
        DataRefused: When the explainer is none for pictures.
        DiascopeError: When it can't explain this network; says why.
    """
    name, output = setting
    explainer = registry.get("explainers", name)
    if kind_taken(explainer) != "image":
        raise DataRefused(f"the explainer {name!r} explains no pictures", given=kind_taken(explainer))
    images = torch.from_numpy(example.inputs["image"])[None]
    maps, sanity = checked(network, explainer, images, output, look=look)
    voxels = on_frames(maps[0], example)
    z, y, x = voxels.shape
    return Map((z, y, x), gzip.compress(voxels.tobytes(), LEVEL, mtime=0), sanity)


def on_frames(heat: npt.NDArray[np.float32], example: Example) -> npt.NDArray[np.uint8]:
    """A map on the working grid, brought to the grid of the image as it was read.

    What lies outside of the working grid was not seen by the network, and is 0.

    Args:
        heat: (Z, Y, X) in 0..1 on the working grid.
        example: Says where that lies.

    Returns:
        (z, y, x) uint8, multiples of 5.

    Raises:
        DataRefused: When the case has no such image.
    """
    if example.original is None or example.geometry is None:
        raise DataRefused("this case has no image that a map could lie on")
    turn = Turn.of(*example.original)
    shape = turn.shape(example.original[1])
    placement = Placement.between(example.geometry, turn.geometry(*example.original), shape)
    matrices = [_rows(placement, axis, size) for axis, size in enumerate(heat.shape)]
    volume, found = torch.from_numpy(np.ascontiguousarray(heat))[None], np.zeros(shape, np.uint8)
    depth = max(1, SLAB // (shape[1] * shape[2]))
    for first in range(0, shape[0], depth):
        part = along(volume, [matrices[0][first : first + depth], *matrices[1:]])[0]
        found[first : first + depth] = (part.clamp(0, 1) * STEPS).round().mul(255 // STEPS).to(torch.uint8).numpy()
    return turn.back(found)


def _rows(placement: Placement, axis: int, size: int) -> torch.Tensor:
    """(rows of the original grid, `size` of the working one): weights of linear interpolation; 0 outside of it."""
    first, stop = placement.rows_inside(axis, size)
    matrix = torch.zeros((placement.shape[axis], size))
    matrix[first:stop] = sampling(placement.positions(axis, (first, stop), size), size, 1)
    return matrix
