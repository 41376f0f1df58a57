"""Features on tables that the documentation of PyRadiomics works out by hand, and what must hold of every region."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.features import Bins, Region

PLATE = np.array([[5, 2, 5, 4, 4], [3, 3, 3, 1, 3], [2, 1, 1, 1, 3], [4, 2, 2, 2, 3], [3, 5, 3, 3, 2]])
SPACING = (1.0, 1.0, 1.0)


def plate(levels: np.ndarray = PLATE) -> Region:
    values = levels[None].astype(float)
    return Region.cut(values, np.ones(values.shape), SPACING, Bins(width=1))


def a_ball(radius: float, spacing: tuple[float, float, float] = SPACING) -> Region:
    half = [math.ceil(radius / step) + 1 for step in spacing]
    axes = np.meshgrid(*(np.arange(-n, n + 1) * step for n, step in zip(half, spacing, strict=True)), indexing="ij")
    inside = sum(axis**2 for axis in axes) <= radius**2
    values = np.random.default_rng(0).normal(100, 10, inside.shape)
    return Region.cut(values, inside, spacing, Bins(count=16))


def measure(group: str, region: Region) -> dict[str, float]:
    found: dict[str, float] = registry.get("features", group).measure(region)
    return found


def test_zones_of_the_plate() -> None:
    greys = np.array([1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5])
    sizes = np.array([4, 1, 5, 1, 3, 5, 1, 2, 1, 1, 1])
    found = measure("glszm", plate())
    assert found["SmallAreaEmphasis"] == pytest.approx((1 / sizes**2).mean())
    assert found["LargeAreaHighGrayLevelEmphasis"] == pytest.approx((sizes**2 * greys**2).mean())
    assert found["ZonePercentage"] == pytest.approx(11 / 25)
    assert found["GrayLevelNonUniformity"] == pytest.approx((1 + 4 + 9 + 4 + 9) / 11)
    assert found["HighGrayLevelZoneEmphasis"] == pytest.approx((greys**2).mean())


def test_dependences_of_the_plate() -> None:
    table = np.array([[0, 1, 2, 1], [1, 2, 3, 0], [1, 4, 4, 0], [1, 2, 0, 0], [3, 0, 0, 0]])
    found = measure("gldm", plate())
    sizes = np.arange(1, 5)
    assert found["SmallDependenceEmphasis"] == pytest.approx((table / sizes**2).sum() / 25)
    assert found["LargeDependenceEmphasis"] == pytest.approx((table * sizes**2).sum() / 25)
    assert found["DependenceNonUniformity"] == pytest.approx((table.sum(axis=0) ** 2).sum() / 25)


def test_differences_of_a_small_plate() -> None:
    levels = np.array([[1, 2, 5, 2], [3, 5, 1, 3], [1, 3, 5, 5], [3, 1, 1, 1]])
    apart = dict.fromkeys((1, 2, 3, 5), 0.0)
    for (y, x), level in np.ndenumerate(levels):
        near = levels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        apart[level] += abs(level - (near.sum() - level) / (near.size - 1))
    share = {level: (levels == level).mean() for level in apart}
    rough = sum(share[level] * apart[level] for level in apart)
    found = measure("ngtdm", plate(levels))
    assert found["Coarseness"] == pytest.approx(1 / rough)
    pairs = [(i, j) for i in apart for j in apart]
    spread = sum(share[i] * share[j] * (i - j) ** 2 for i, j in pairs) / 12
    assert found["Contrast"] == pytest.approx(spread * sum(apart.values()) / 16)
    assert found["Busyness"] == pytest.approx(rough / sum(abs(i * share[i] - j * share[j]) for i, j in pairs))


def test_runs_of_one_line() -> None:
    found = measure("glrlm", plate(np.array([[1, 1, 1, 2, 2, 3]])))
    assert found["ShortRunEmphasis"] == pytest.approx((1 / 9 + 1 / 4 + 1) / 3)
    assert found["LongRunEmphasis"] == pytest.approx((9 + 4 + 1) / 3)
    assert found["RunPercentage"] == pytest.approx(3 / 6)


def test_neighbours_of_a_chequerboard() -> None:
    found = measure("glcm", plate(1 + np.indices((4, 4)).sum(axis=0) % 2))
    # Side by side always different, across corners always alike: the mean over two and two directions.
    assert found["Contrast"] == pytest.approx(0.5)
    assert found["MCC"] == pytest.approx(1.0)


def test_a_ball_has_the_size_of_a_ball() -> None:
    for spacing in (SPACING, (2.0, 0.7, 0.7)):
        found = measure("shape", a_ball(12.0, spacing))
        assert found["MeshVolume"] == pytest.approx(4 / 3 * math.pi * 12**3, rel=0.02)
        assert found["Maximum3DDiameter"] == pytest.approx(24, rel=0.1)
        assert found["MajorAxisLength"] == pytest.approx(4 * math.sqrt(12**2 / 5), rel=0.03)
        assert 0.85 < found["Sphericity"] < 1
        assert found["Flatness"] == pytest.approx(1, abs=0.03)


def test_a_rectangle_has_the_size_of_a_rectangle() -> None:
    mask = np.zeros((1, 12, 30))
    mask[0, 2:8, 3:23] = 1
    region = Region.cut(mask * 7, mask, (5.0, 2.0, 1.0), Bins(width=1))
    found = measure("shape2d", region)
    assert found["PixelSurface"] == 6 * 20 * 2
    assert found["MajorAxisLength"] == pytest.approx(4 * np.arange(20).std())
    assert found["MinorAxisLength"] == pytest.approx(4 * 2 * np.arange(6).std())
    assert found["MaximumDiameter"] == pytest.approx(math.hypot(12, 20), rel=0.06)


def test_a_hole_takes_area_away_and_adds_length() -> None:
    mask = np.ones((1, 9, 9))
    full = measure("shape2d", Region.cut(mask, mask, SPACING, Bins(width=1)))
    mask[0, 3:6, 3:6] = 0
    ring = measure("shape2d", Region.cut(np.ones(mask.shape), mask, SPACING, Bins(width=1)))
    assert full["MeshSurface"] - ring["MeshSurface"] == pytest.approx(9, abs=1)
    assert ring["Perimeter"] > full["Perimeter"] + 9


@pytest.mark.parametrize("group", registry.names("features"))
def test_a_region_is_measured_alike_wherever_it_lies_and_however_it_is_turned(group: str) -> None:
    rng = np.random.default_rng(1)
    values, mask = rng.normal(0, 30, (6, 7, 8)), rng.random((6, 7, 8)) < 0.7
    flat = registry.get("features", group).flat
    if flat:
        values, mask = values[:1], mask[:1]
    one = measure(group, Region.cut(values, mask, SPACING, Bins(width=10)))
    shifted = Region.cut(
        np.pad(values, ((0, 0), (3, 1), (0, 2))), np.pad(mask, ((0, 0), (3, 1), (0, 2))), SPACING, Bins(width=10)
    )
    assert measure(group, shifted) == pytest.approx(one, nan_ok=True)
    turned = Region.cut(values[:, ::-1], mask[:, ::-1], SPACING, Bins(width=10))
    assert measure(group, turned) == pytest.approx(one, nan_ok=True)


@pytest.mark.parametrize("group", registry.names("features"))
def test_one_voxel_is_measured(group: str) -> None:
    mask = np.zeros((1, 5, 5) if registry.get("features", group).flat else (5, 5, 5))
    mask[mask.shape[0] // 2, 2, 2] = 1
    found = measure(group, Region.cut(np.full(mask.shape, 3.0), mask, SPACING, Bins(width=25)))
    assert found
    assert not any(math.isinf(value) for value in found.values())


def test_levels_of_a_width_begin_at_a_multiple_of_it() -> None:
    assert Bins(width=25).levels(np.array([-30.0, -26, -25, -1, 0, 24.9, 25])).tolist() == [1, 1, 2, 2, 3, 3, 4]


def test_a_number_of_levels_spans_the_values() -> None:
    assert Bins(count=4).levels(np.array([0.0, 0.24, 0.26, 0.74, 1.0])).tolist() == [1, 1, 2, 3, 4]
    assert Bins(count=4).levels(np.full(3, 7.0)).tolist() == [1, 1, 1]


def test_far_too_many_levels_are_refused() -> None:
    with pytest.raises(DataRefused, match="levels"):
        Bins(width=1).levels(np.array([0.0, 5000.0]))


@pytest.mark.parametrize("given", [(None, None), (25.0, 32), (0.0, None), (None, 1), (float("nan"), None)])
def test_levels_that_are_none_are_refused(given: tuple[float | None, int | None]) -> None:
    with pytest.raises(BadUsage):
        Bins(*given)


def test_an_empty_mask_and_voxels_without_a_value() -> None:
    values = np.array([[[1.0, np.nan, 3.0]]])
    assert Region.cut(values, np.ones((1, 1, 3)), SPACING, Bins(count=2)).mask.sum() == 2
    with pytest.raises(DataRefused, match="no voxel"):
        Region.cut(values, np.array([[[0, 1, 0]]]), SPACING, Bins(count=2))
