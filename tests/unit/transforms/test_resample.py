import numpy as np
import pytest
import torch

from diascope.core.errors import BadUsage, NotPhysical
from diascope.core.geometry import Geometry
from diascope.transforms.resample import TRANSFORM, target_shape

GEOMETRY = Geometry.from_spacing((2.0, 1.0, 0.5), origin=(10.0, -20.0, 30.0))


def a_volume(shape: tuple[int, int, int] = (6, 8, 10)) -> torch.Tensor:
    return torch.rand((1, *shape), generator=torch.Generator().manual_seed(0))


def test_spacing_gives_the_number_of_voxels_that_fill_the_same_box() -> None:
    volume, geometry = TRANSFORM.apply(a_volume(), GEOMETRY, {"spacing": [1.0, 1.0, 1.0]}, is_mask=False)
    assert volume.shape == (1, 12, 8, 5)
    assert geometry.spacing == pytest.approx((1.0, 1.0, 1.0))
    corner = np.array([-0.5, -0.5, -0.5])
    assert np.allclose(geometry.to_mm(corner), GEOMETRY.to_mm(corner))


def test_shape_is_met_exactly() -> None:
    volume, geometry = TRANSFORM.apply(a_volume(), GEOMETRY, {"shape": [5, 7, 11]}, is_mask=False)
    assert volume.shape == (1, 5, 7, 11)
    far, old = np.array([4.5, 6.5, 10.5]), np.array([5.5, 7.5, 9.5])
    assert np.allclose(geometry.to_mm(far), GEOMETRY.to_mm(old))


def test_flat_image_stays_flat() -> None:
    assert target_shape((1, 8, 8), GEOMETRY, {"spacing": [0.1, 2.0, 1.0]}) == (1, 4, 4)


def test_a_linear_ramp_is_kept_inside() -> None:
    ramp = torch.arange(40.0).expand(1, 1, 1, 40).contiguous()
    for order in (1, 3):
        volume, _ = TRANSFORM.apply(ramp, GEOMETRY, {"shape": [1, 1, 60], "order": order}, is_mask=False)
        expected = (torch.arange(60.0) + 0.5) * 40 / 60 - 0.5
        assert torch.allclose(volume.flatten()[12:-12], expected[12:-12], atol=1e-4)


def test_anti_aliasing_removes_what_the_coarse_grid_cannot_hold() -> None:
    stripes = torch.tensor([0.0, 1.0] * 30).expand(1, 1, 1, 60).contiguous()
    coarse = {"shape": [1, 1, 7], "order": 1}
    plain, _ = TRANSFORM.apply(stripes, GEOMETRY, coarse, is_mask=False)
    smooth, _ = TRANSFORM.apply(stripes, GEOMETRY, {**coarse, "anti_alias": True}, is_mask=False)
    assert plain.std() > 5 * smooth.std()


def test_masks_keep_dtype_and_place() -> None:
    mask = torch.zeros((1, 12, 12, 12), dtype=torch.uint8)
    mask[:, 2:8, 4:10, 6:12] = 3
    small, _ = TRANSFORM.apply(mask, GEOMETRY, {"shape": [6, 6, 6]}, is_mask=True)
    expected = torch.zeros((1, 6, 6, 6), dtype=torch.uint8)
    expected[:, 1:4, 2:5, 3:6] = 3
    assert small.dtype == torch.uint8
    assert torch.equal(small, expected)


def test_bad_params_and_missing_millimetres_are_refused() -> None:
    with pytest.raises(BadUsage, match="either"):
        target_shape((2, 2, 2), GEOMETRY, {"shape": [1, 1, 1], "spacing": [1, 1, 1]})
    with pytest.raises(NotPhysical):
        target_shape((2, 2, 2), Geometry.unknown(), {"spacing": [1, 1, 1]})
    with pytest.raises(BadUsage, match="order"):
        TRANSFORM.apply(a_volume(), GEOMETRY, {"shape": [1, 1, 1], "order": 2}, is_mask=False)
