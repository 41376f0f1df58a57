import numpy as np
import pytest
import torch

from diascope.core.errors import BadUsage, UnknownName
from diascope.core.geometry import Geometry
from diascope.transforms.intensity import TRANSFORM, limits


def by(rule: str, volume: torch.Tensor, **numbers: object) -> torch.Tensor:
    result, _ = TRANSFORM.apply(volume, Geometry.unknown(), {"rule": rule, **numbers}, is_mask=False)
    return result


def a_row(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


def test_window_clips_then_scales_each_channel_by_its_numbers() -> None:
    two = torch.cat([a_row(-2000, 0, 5000), a_row(0, 10, 20)])
    found = by("window", two, low=[-1000, 0], high=[1000, 10], mean=[0, 5], std=[500, 5])
    assert found.flatten().tolist() == [-2, 0, 2, -1, 1, 1]
    assert two[0, 0, 0, 0] == -2000  # the input is left alone


def test_z_score_is_per_image_and_channel() -> None:
    found = by("z-score", torch.cat([a_row(0, 2), a_row(10, 30)]))
    assert found.flatten().tolist() == pytest.approx([-1, 1, -1, 1])


def test_scale_takes_percentiles_and_clips() -> None:
    found = by("scale", torch.arange(1001.0).reshape(1, 1, 1, -1))
    assert found.min() == 0
    assert found.max() == 1
    assert float(found[0, 0, 0, 500]) == pytest.approx(0.5, abs=1e-4)


def test_grey_and_rgb_have_a_fixed_range() -> None:
    assert by("grey", a_row(0, 255, 510)).flatten().tolist() == [0, 1, 1]
    assert by("rgb", a_row(0, 255), mean=[0.5], std=[0.5]).flatten().tolist() == [-1, 1]
    assert by("grey", a_row(0, 4095), high=4095).flatten().tolist() == [0, 1]


@pytest.mark.parametrize("rule", ["z-score", "scale"])
def test_a_constant_image_stays_finite(rule: str) -> None:
    assert torch.isfinite(by(rule, torch.full((1, 1, 4, 4), 7.0))).all()


def test_masks_are_left_alone() -> None:
    mask = torch.ones(1, 1, 2, 2, dtype=torch.uint8)
    assert TRANSFORM.apply(mask, Geometry.unknown(), {"rule": "z-score"}, is_mask=True)[0] is mask


def test_mistakes_are_named() -> None:
    with pytest.raises(UnknownName, match="z-score"):
        by("zscore", a_row(1, 2))
    with pytest.raises(BadUsage, match="'low'"):
        by("window", a_row(1, 2))
    with pytest.raises(BadUsage, match="3 numbers for an image of 1 channels"):
        by("window", a_row(1, 2), low=[1, 2, 3], high=1, mean=1, std=1)


@pytest.mark.parametrize(
    ("params", "channels", "expected"),
    [
        ({"rule": "grey"}, 1, [(0.0, 1.0)]),
        ({"rule": "rgb", "mean": [0.5, 0.2], "std": [0.5, 0.1]}, 2, [(-1.0, 1.0), (-2.0, 8.0)]),
        ({"rule": "window", "low": -100, "high": 300, "mean": 100, "std": 50}, 1, [(-4.0, 4.0)]),
        ({"rule": "windows", "windows": [[0, 10], [40, 400]]}, 1, [(-1.0, 1.0)] * 2),
        ({"rule": "scale"}, 2, [(0.0, 1.0)] * 2),
        ({"rule": "z-score"}, 1, [(-3.0, 3.0)]),
    ],
)
def test_limits_hold_what_the_rule_gives(params, channels, expected):
    found = limits(params, channels)
    assert [pytest.approx(pair, rel=1e-5) for pair in found] == expected
    noise = torch.from_numpy(np.random.default_rng(0).normal(100, 80, (channels, 2, 8, 8))).float()
    after, _ = TRANSFORM.apply(noise, Geometry.unknown(), params, False)
    low, high = torch.tensor(found).T.reshape(2, -1, 1, 1, 1)
    assert ((after >= low - 1e-5) & (after <= high + 1e-5)).float().mean() > 0.98
