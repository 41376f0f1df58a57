import numpy as np
import torch

from diascope.core.geometry import Geometry
from diascope.transforms.crop_pad import TRANSFORM

GEOMETRY = Geometry.from_spacing((2.0, 1.0, 0.5))


def test_centre_crop_and_pad_at_once() -> None:
    volume = torch.arange(5 * 4, dtype=torch.float32).reshape(1, 1, 5, 4) + 1
    result, geometry = TRANSFORM.apply(volume, GEOMETRY, {"shape": [3, 3, 4]}, is_mask=False)
    assert torch.equal(result[0, 1], volume[0, 0, 1:4])
    assert (result[0, [0, 2]] == 1).all()  # the smallest value of the channel
    assert np.allclose(geometry.to_mm([1, 0, 0]), GEOMETRY.to_mm([0, 1, 0]))


def test_fill_and_masks() -> None:
    volume = torch.ones(1, 1, 2, 2)
    assert TRANSFORM.apply(volume, GEOMETRY, {"shape": [1, 2, 4], "fill": -9.0}, is_mask=False)[0].min() == -9
    mask, _ = TRANSFORM.apply(volume.to(torch.int16), GEOMETRY, {"shape": [1, 2, 4], "fill": -9.0}, is_mask=True)
    assert mask.dtype == torch.int16
    assert mask[0, 0, 0].tolist() == [0, 1, 1, 0]


def test_a_box_beside_the_volume_is_all_fill() -> None:
    mask = torch.ones(1, 2, 2, 2, dtype=torch.uint8)
    away, _ = TRANSFORM.apply(mask, GEOMETRY, {"shape": [2, 2, 2], "start": [5, 0, 0]}, is_mask=True)
    assert not away.any()


def test_nothing_to_do_gives_the_same_tensor() -> None:
    volume = torch.zeros(1, 2, 3, 4)
    assert TRANSFORM.apply(volume, GEOMETRY, {"shape": [2, 3, 4]}, is_mask=False) == (volume, GEOMETRY)
