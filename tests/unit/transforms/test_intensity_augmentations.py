import numpy as np
import pytest
import torch
from scipy import ndimage

from diascope.core import registry

SHAPE = (6, 12, 14)


def a_batch(count: int = 3, channels: int = 2) -> torch.Tensor:
    return torch.randn((count, channels, *SHAPE), generator=torch.Generator().manual_seed(0)) * 2 + 1


def apply(name: str, images: torch.Tensor, **drawn: object) -> torch.Tensor:
    given = {"on": np.ones(len(images), bool), "axes": np.arange(3), **{k: np.asarray(v) for k, v in drawn.items()}}
    changed, _ = registry.get("transforms", name).apply(images, None, given)
    return changed


def test_noise_has_the_drawn_deviation() -> None:
    images = a_batch()
    difference = apply("noise", images, std=[0.1, 0.5, 1.0], seed=[1, 2, 3]) - images
    assert [float(d.std()) for d in difference] == pytest.approx([0.1, 0.5, 1.0], rel=0.1)
    assert abs(np.corrcoef(difference[0].flatten(), difference[1].flatten())[0, 1]) < 0.1


def test_blur_is_scipys() -> None:
    images = a_batch()
    found = apply("blur", images, sigma=[0.5, 1.0, 2.0])
    expected = ndimage.gaussian_filter(images[2, 0].numpy(), 2.0, mode="nearest")
    assert np.abs(found[2, 0].numpy() - expected).max() < 1e-5


def test_blur_leaves_other_axes_alone() -> None:
    images = a_batch(1)
    found = apply("blur", images, sigma=[1.0], axes=[2])
    expected = ndimage.gaussian_filter1d(images[0, 0].numpy(), 1.0, axis=2, mode="nearest")
    assert np.abs(found[0, 0].numpy() - expected).max() < 1e-5


def test_low_resolution_goes_to_fewer_samples_and_back() -> None:
    images = a_batch(1)
    found = apply("low_resolution", images, zoom=[0.5])
    small = ndimage.zoom(images[0, 0].numpy(), 0.5, order=0, mode="nearest", grid_mode=True)
    expected = ndimage.zoom(small, 2.0, order=3, mode="nearest", grid_mode=True)
    assert np.abs(found[0, 0].numpy() - expected).max() < 1e-4


def test_brightness_scales_and_contrast_keeps_the_mean() -> None:
    images = a_batch(2)
    found = apply("brightness_contrast", images, brightness=[1.2, 1.0], shift=[0.5, 0.0], contrast=[1.0, 1.3])
    assert torch.allclose(found[0], images[0] * 1.2 + 0.5, atol=1e-5)
    assert torch.allclose(found[1].mean((1, 2, 3)), images[1].mean((1, 2, 3)), atol=1e-4)
    assert torch.allclose(found[1].std((1, 2, 3)), 1.3 * images[1].std((1, 2, 3)), rtol=1e-4)


def test_gamma_keeps_mean_deviation_and_order_of_values() -> None:
    images = a_batch(2)
    found = apply("gamma", images, exponent=[0.7, 1.5], sign=[1.0, -1.0])
    for axis in (0, 1):
        assert torch.allclose(found[axis].mean((1, 2, 3)), images[axis].mean((1, 2, 3)), atol=1e-3)
        assert torch.allclose(found[axis].std((1, 2, 3)), images[axis].std((1, 2, 3)), rtol=1e-3)
    in_old_order = found[1, 0].flatten()[images[1, 0].flatten().argsort()]
    assert (in_old_order.diff() > -1e-5).all()
    assert not torch.allclose(found[0], images[0], atol=0.05)


def test_gamma_of_a_constant_image_is_finite() -> None:
    assert torch.isfinite(apply("gamma", torch.ones(1, 1, 2, 2, 2), exponent=[0.7], sign=[1.0])).all()


def test_mirror_flips_only_allowed_axes() -> None:
    mirror = registry.get("transforms", "mirror")
    flips = mirror.draw(np.random.default_rng(0), 100, SHAPE, {"axes": (2,)})["flip"]
    assert not flips[:, :2].any()
    assert 30 < flips[:, 2].sum() < 70
    images = a_batch(1)
    masks = torch.randint(0, 3, (1, 1, *SHAPE), dtype=torch.uint8)
    flipped, labels = mirror.apply(images, masks, {"flip": np.array([[False, True, True]])})
    assert torch.equal(flipped, images.flip(3, 4))
    assert torch.equal(labels, masks.flip(3, 4))


def test_mirror_is_off_unless_the_plan_says() -> None:
    assert not registry.get("transforms", "mirror").draw(np.random.default_rng(0), 50, SHAPE, {})["flip"].any()
