"""Agreement of the mask metrics with MONAI: lopsided shapes, anisotropic spacing, at the border, in two dimensions.

The definitions agree: voxels with a neighbour outside are the surface, the border of the image is outside, HD95 is the
larger of the two directed 95th percentiles. They differ where a mask is empty (MONAI: nan and infinity).
"""

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou, compute_surface_dice

from diascope.core import registry
from diascope.metrics.surface_dice import SurfaceDice

# MONAI 1.5 warns about an argument that it passes to itself.
pytestmark = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy.*:FutureWarning")


def blobs(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping unions of ellipsoids, some cut by the border."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)

    def ellipsoid(centre, radii):
        return (((grid - centre) / radii) ** 2).sum(-1) <= 1

    centre, radii = rng.uniform(0.3, 0.7, 3) * shape, rng.uniform(0.2, 0.4, 3) * shape + 0.5
    truth = ellipsoid(centre, radii) | ellipsoid(rng.uniform(0, 1, 3) * shape, radii / 2)
    moved = rng.normal(size=3) * (np.array(shape) > 1)
    said = ellipsoid(centre + moved, radii * rng.uniform(0.8, 1.2, 3))
    return truth, said


CASES = [(seed, (14, 17, 11), (2.5, 0.7, 1.1)) for seed in range(4)] + [
    (seed, (1, 40, 30), (1.0, 0.5, 0.8)) for seed in range(4)
]


def as_monai(mask: np.ndarray) -> torch.Tensor:
    """(1, 1, ...) with the empty axis of a flat image left out."""
    return torch.from_numpy(mask[0] if mask.shape[0] == 1 else mask)[None, None].float()


@pytest.mark.parametrize(("seed", "shape", "spacing"), CASES)
def test_overlaps_equal_monai(seed, shape, spacing):
    truth, said = blobs(seed, shape)
    pair = as_monai(said), as_monai(truth)
    assert registry.get("metrics", "dice")(truth, said, spacing) == pytest.approx(compute_dice(*pair).item(), abs=1e-6)
    assert registry.get("metrics", "iou")(truth, said, spacing) == pytest.approx(compute_iou(*pair).item(), abs=1e-6)


@pytest.mark.parametrize(("seed", "shape", "spacing"), CASES)
def test_hd95_equals_monai(seed, shape, spacing):
    truth, said = blobs(seed, shape)
    steps = spacing[1:] if shape[0] == 1 else spacing
    theirs = compute_hausdorff_distance(
        as_monai(said), as_monai(truth), include_background=True, percentile=95, spacing=steps
    )
    assert registry.get("metrics", "hd95")(truth, said, spacing) == pytest.approx(theirs.item(), abs=1e-4)


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("seed", "shape", "spacing"), CASES)
def test_surface_dice_equals_monai(seed, shape, spacing, tolerance):
    truth, said = blobs(seed, shape)
    steps = spacing[1:] if shape[0] == 1 else spacing
    theirs = compute_surface_dice(
        as_monai(said), as_monai(truth), class_thresholds=[tolerance], include_background=True, spacing=steps
    )
    assert SurfaceDice(tolerance)(truth, said, spacing) == pytest.approx(theirs.item(), abs=1e-6)
