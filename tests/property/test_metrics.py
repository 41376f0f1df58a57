"""Laws of the metrics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from diascope.core import registry

METRICS = dict(registry.each("metrics"))
SHARES = {name for name, metric in METRICS.items() if metric.kind not in ("value", "image")} - {
    *("mcc", "cohen_kappa", "quadratic_kappa", "calibration_slope", "grade_error"),
}

pairs = st.integers(0, 40).flatmap(
    lambda count: st.tuples(
        arrays(bool, count),
        # Halves, so that ties are common.
        arrays(np.int64, count, elements=st.integers(0, 20)).map(lambda found: found / 20),
    )
)
masks = array_shapes(min_dims=3, max_dims=3, max_side=5).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)
spacings = st.tuples(*[st.sampled_from([0.5, 1.0, 2.5])] * 3)


@given(pairs, st.sampled_from([lambda p: p**3, lambda p: 2 * p - 7, np.exp, lambda p: np.log(p + 0.1)]))
def test_auroc_is_unchanged_by_monotone_maps(pair, monotone):
    truth, probability = pair
    expected = METRICS["auroc"](truth, probability)
    assert METRICS["auroc"](truth, monotone(probability)) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(pairs)
def test_auroc_of_the_opposite_is_the_complement(pair):
    truth, probability = pair
    expected = 1 - METRICS["auroc"](truth, probability)
    assert METRICS["auroc"](truth, -probability) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert METRICS["auroc"](~truth, probability) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(pair, random):
    truth, probability = pair
    order = np.array(random.sample(range(len(truth)), len(truth)), dtype=int)
    for name, metric in METRICS.items():
        if metric.kind not in ("mask", "boxes", "image"):
            said = probability if metric.kind == "probability" else (probability > 0.5).astype(int)
            expected = metric(truth.astype(int), said)
            found = metric(truth[order].astype(int), said[order])
            assert found == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True), name


@given(pairs)
def test_shares_lie_in_0_to_1_and_nothing_raises(pair):
    truth, probability = pair
    for name, metric in METRICS.items():
        if metric.kind not in ("mask", "boxes", "image"):
            said = probability if metric.kind == "probability" else (probability > 0.5).astype(int)
            value = metric(truth.astype(int), said)
            assert math.isnan(value) or name not in SHARES or -1e-12 <= value <= 1 + 1e-12, name


@given(pairs)
def test_two_class_kappa_and_mcc_agree_in_sign(pair):
    truth, said = pair[0].astype(int), (pair[1] > 0.5).astype(int)
    mcc, kappa = METRICS["mcc"](truth, said), METRICS["cohen_kappa"](truth, said)
    if not math.isnan(mcc):
        assert mcc * kappa >= -1e-12


@given(masks, spacings)
def test_overlap_and_distance_are_symmetric(pair, spacing):
    one, other = pair
    for name in ("dice", "iou", "hd95", "surface_dice"):
        there, back = METRICS[name](one, other, spacing), METRICS[name](other, one, spacing)
        assert there == pytest.approx(back, abs=1e-9, nan_ok=True), name


@given(masks)
def test_dice_follows_from_iou(pair):
    iou = METRICS["iou"](*pair)
    assert METRICS["dice"](*pair) == pytest.approx(2 * iou / (1 + iou), abs=1e-12, nan_ok=True)


@given(masks, spacings)
def test_no_distance_exceeds_the_diagonal(pair, spacing):
    distance = METRICS["hd95"](*pair, spacing)
    assert math.isnan(distance) or 0 <= distance <= np.linalg.norm(np.multiply(pair[0].shape, spacing))
