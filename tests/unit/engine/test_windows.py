import numpy as np
import pytest
import torch

from diascope.core.errors import BadUsage, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.engine.windows import Placement, WindowPlan, axis_weights, window_starts
from diascope.transforms.resampling.volume import resize


@pytest.mark.parametrize(("size", "patch", "overlap"), [(10, 10, 0.5), (11, 4, 0.5), (20, 6, 0.25), (7, 3, 0.0)])
def test_windows_cover_the_axis_as_monai_places_them(size: int, patch: int, overlap: float) -> None:
    from monai.data.utils import dense_patch_slices

    slices = dense_patch_slices((size,), (patch,), (max(1, int(patch * (1 - overlap))),))
    assert window_starts(size, patch, overlap) == [part[0].start for part in slices]


@pytest.mark.parametrize("blend", ["gaussian", "constant"])
def test_weights_of_all_windows_add_up_to_one(blend: str) -> None:
    starts = window_starts(23, 8, 0.5)
    total = np.zeros(23)
    for start, weights in axis_weights(starts, 8, blend).items():
        total[start : start + 8] += weights.numpy()
    assert np.allclose(total, 1)


def test_one_window_has_weight_one() -> None:
    assert torch.equal(axis_weights([0], 5, "gaussian")[0], torch.ones(5))


def test_placement_of_the_same_box_and_between_geometries_agree() -> None:
    original = Geometry.from_spacing((3.0, 1.0, 0.7), origin=(5.0, 6.0, 7.0))
    working = original.resized((10, 20, 30), (15, 12, 30))
    a, b = Placement.same_box((15, 12, 30), (10, 20, 30)), Placement.between(working, original, (10, 20, 30))
    assert np.allclose(a.scale, b.scale)
    assert np.allclose(a.offset, b.offset)
    shifted = Placement.between(working.moved((-2, 0, 3)), original, (10, 20, 30))
    assert np.allclose(np.array(shifted.offset) - a.offset, (2, 0, -3))


def test_another_orientation_is_refused() -> None:
    original = Geometry.from_spacing((3.0, 1.0, 0.7))
    with pytest.raises(UnsoundGeometry, match="not the original"):
        Placement.between(original.permuted((0, 2, 1)), original, (4, 4, 4))
    with pytest.raises(UnsoundGeometry, match="not the original"):
        Placement.between(original.flipped(0, 4), original, (4, 4, 4))


@pytest.mark.parametrize(("working", "original"), [(9, 21), (21, 9), (12, 12), (1, 3), (70, 200)])
def test_interpolation_in_parts_is_linear_resampling(working: int, original: int) -> None:
    scores = torch.randn((3, working, 2, 1), generator=torch.Generator().manual_seed(0))
    place = Placement.same_box((working, 2, 1), (original, 2, 1))
    expected = resize(scores, (original, 2, 1), order=1)
    parts = []
    for first in range(0, original, 4):
        rows = (first, min(first + 4, original))
        low, high = place.needed(0, rows, working)
        parts.append(place.interpolate(scores[:, low:high], 0, rows, working))
    assert torch.allclose(torch.cat(parts, dim=1), expected, atol=1e-5)
    assert torch.allclose(place.interpolate(scores, 0, (0, original), working), expected, atol=1e-5)


def test_rows_are_final_when_all_they_need_is() -> None:
    place = Placement.same_box((10, 1, 1), (20, 1, 1))
    stop = place.rows_final(0, (3, 20), 10, final=5)
    assert place.needed(0, (stop - 1, stop), 10)[1] <= 5
    assert place.needed(0, (stop, stop + 1), 10)[1] > 5


def test_nonsense_plans_are_refused() -> None:
    for plan in ({"overlap": 1.0}, {"batch": 0}, {"patch": (0, 2, 2)}):
        with pytest.raises(BadUsage):
            WindowPlan(**{"patch": (2, 2, 2), **plan})
