import numpy as np
import pytest
import torch

from diascope.core.errors import BadUsage, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.transforms.resampling import volume as module
from diascope.transforms.resampling.volume import onto

TILTED = np.linalg.qr(np.array([[0.1, 0.2, 1.0], [0.3, 1.0, -0.1], [1.0, -0.2, 0.3]]))[0]


def a_field(geometry: Geometry, shape: tuple[int, int, int]) -> torch.Tensor:
    """Values that are a linear function of the place in mm, so that interpolation is exact."""
    place = geometry.to_mm(np.moveaxis(np.indices(shape), 0, -1))
    return torch.from_numpy((place @ np.array([1.0, 2.0, -3.0])).astype(np.float32))[None]


def test_oblique_grid_finds_the_same_millimetres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 100)
    source = Geometry.from_spacing((2.0, 1.0, 1.5), origin=(-15.0, -10.0, -20.0))
    target = Geometry.from_spacing((1.0, 1.3, 0.7), origin=(0.0, 0.0, 0.0), directions=TILTED)
    found = onto(a_field(source, (20, 24, 22)), source, target, (5, 6, 7))
    assert torch.allclose(found, a_field(target, (5, 6, 7)), atol=1e-3)


def test_outside_is_air_and_masks_stay_whole() -> None:
    source = Geometry.from_spacing((1.0, 1.0, 1.0))
    target = source.moved((-3, 0, 0))
    image = torch.full((1, 4, 4, 4), 5.0)
    image[0, 0, 0, 0] = -1000.0
    assert (onto(image, source, target, (3, 4, 4))[:, :2] == -1000).all()
    mask = torch.full((1, 4, 4, 4), 7, dtype=torch.uint8)
    found = onto(mask, source, target, (6, 4, 4))
    assert found.dtype == torch.uint8
    assert found[0, :, 0, 0].tolist() == [0, 0, 0, 7, 7, 7]


def test_another_frame_of_reference_is_refused() -> None:
    source = Geometry.from_spacing((1.0, 1.0, 1.0), frame_of_reference="1.2")
    target = Geometry.from_spacing((1.0, 1.0, 1.0), frame_of_reference="1.3")
    with pytest.raises(UnsoundGeometry, match="frames of reference"):
        onto(torch.zeros(1, 2, 2, 2), source, target, (2, 2, 2))


def test_order_three_is_refused() -> None:
    source = Geometry.from_spacing((1.0, 1.0, 1.0))
    with pytest.raises(BadUsage, match="order"):
        onto(torch.zeros(1, 2, 2, 2), source, source, (2, 2, 2), order=3)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("flipped", [False, True])
def test_axis_by_axis_gives_what_each_voxel_alone_gives(
    labels: bool, flipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Geometry.from_spacing((3.0, 2.0, 2.5), origin=(-7.1, -9.3, 4.2))
    source = source.flipped(1, 9) if flipped else source
    target = Geometry.from_spacing((1.1, 0.9, 1.3), origin=(-9.0, -6.0, 0.7))
    volume = torch.randint(0, 5, (2, 8, 9, 7), generator=torch.Generator().manual_seed(3))
    volume = volume.to(torch.uint8) if labels else volume.float()
    fast = onto(volume, source, target, (12, 20, 11))
    monkeypatch.setattr(module, "ALIGNED", -1.0)
    slow = onto(volume, source, target, (12, 20, 11))
    assert fast.dtype == slow.dtype
    assert torch.allclose(fast.float(), slow.float(), atol=1e-4)
    assert fast.float().std() > 0.5
