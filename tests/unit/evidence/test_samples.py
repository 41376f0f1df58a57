"""Distances between sets, coverage, and memory: against closed forms and constructed clouds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from diascope.evidence.samples.coverage import covered
from diascope.evidence.samples.distance import KernelDistance, frechet, jackknife
from diascope.evidence.samples.memory import chance_of_copy, memory
from diascope.evidence.samples.nearest import nearest

EVERY = np.arange


def cloud(count: int, width: int = 6, seed: int = 0, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (count, width))


def exact(mean: np.ndarray, covariance: np.ndarray, count: int = 60, seed: int = 0) -> np.ndarray:
    """Points whose mean and covariance are exactly these."""
    raw = cloud(count, len(mean), seed)
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_of_two_normal_distributions_is_its_closed_form():
    one, other = (np.cov(cloud(50, 4, seed) * [1, 2, 3, 4], rowvar=False) for seed in (1, 2))
    mean = np.array([1.0, -2.0, 0.5, 3.0])
    expected = mean @ mean + np.trace(one + other - 2 * np.real(sqrtm(one @ other)))
    found = frechet(exact(np.zeros(4), one), exact(mean, other, seed=3))
    assert found == pytest.approx(expected, rel=1e-9)


def test_frechet_of_commuting_covariances():
    found = frechet(exact(np.zeros(3), np.diag([1.0, 4.0, 9.0])), exact(np.zeros(3), np.diag([4.0, 4.0, 1.0])))
    assert found == pytest.approx((1 - 2) ** 2 + 0 + (3 - 1) ** 2)


def test_frechet_of_a_set_with_itself_is_nothing_and_of_one_point_is_undefined():
    points = cloud(30)
    assert frechet(points, points) == pytest.approx(0, abs=1e-9)
    assert frechet(points[:5], points[:5]) == pytest.approx(0, abs=1e-9)  # fewer points than axes
    assert np.isnan(frechet(points[:1], points))


def test_the_kernel_distance_is_the_mean_over_pairs():
    one, other = cloud(7, 3, 1), cloud(7, 3, 2, shift=0.5)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / 3 + 1) ** 3

    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    within = [np.mean([kernel(some[i], some[j]) for i, j in pairs]) for some in (one, other)]
    between = np.mean([kernel(a, b) for a in one for b in other])
    assert KernelDistance(one, other)(EVERY(7)) == pytest.approx(sum(within) - 2 * between)


def test_the_kernel_distance_is_unbiased_and_sees_a_shift():
    same = [KernelDistance(cloud(40, seed=2 * n), cloud(40, seed=2 * n + 1))(EVERY(40)) for n in range(60)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(60)
    assert KernelDistance(cloud(40, seed=1), cloud(40, seed=2, shift=1))(EVERY(40)) > max(same)


def test_repeats_in_a_resample_are_no_pairs():
    """A plain bootstrap would count a point and its repeat as two that are alike, and find sets apart that are not."""
    distance = KernelDistance(cloud(60, seed=1), cloud(60, seed=2))
    rng = np.random.default_rng(0)
    resampled = [distance(rng.integers(0, 60, 60)) for _ in range(300)]
    assert abs(np.mean(resampled) - distance(EVERY(60))) < 0.2 * np.std(resampled)
    assert np.isnan(distance(np.zeros(5, np.intp)))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(3).normal(5, 2, 40)
    low, high = jackknife(lambda index: float(values[index].mean()), list(map(str, range(40))))
    half = values.std(ddof=1) / np.sqrt(40) * 2.0227  # t of 39 degrees of freedom
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), rel=1e-4)
    assert np.isnan(jackknife(lambda index: 0.0, ["one"] * 5)).all()


def test_patients_are_left_out_whole():
    seen = []
    jackknife(lambda index: seen.append(set(index)) or 0.0, ["a", "a", "b", "c"])
    assert all(({0, 1} <= chosen) or not ({0, 1} & chosen) for chosen in seen)


def test_coverage_of_constructed_clouds():
    near, far = cloud(60, 2, 1, 0.1), cloud(60, 2, 2, 0.1, shift=50.0)
    both = np.concatenate([near, far])
    assert not covered(near, far).any()
    assert covered(near, near).all()
    half = cloud(40, 2, 3, 0.1)  # makes one of two modes: all of it looks real, half of what is real is made
    assert covered(half, both).mean() > 0.9
    assert 0.4 < covered(both, half).mean() < 0.5
    assert not covered(near, near[:3]).any()  # too few for balls


def test_nearest_names_the_reference_and_its_share_of_the_usual_distance():
    references = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    found = nearest(np.array([[0.0, 1.0]]), references)
    assert found.index.tolist() == [0]
    assert found.distance[0] == pytest.approx(1)
    assert found.relative[0] == pytest.approx(1 / np.mean([np.hypot(10, 1), 9, np.hypot(10, 9)]))


def test_a_reference_and_its_mirror_image_are_one():
    references = np.repeat(cloud(5, 3), 2, axis=0)
    references[1] += 100  # the mirror image of the first
    found = nearest(references[1:2] + 0.01, references, copies=2)
    assert found.index.tolist() == [0]
    assert found.relative[0] < 0.01


def test_a_copy_of_one_of_many_pictures_of_a_patient_is_a_copy():
    """Eighty frames of one patient are each other's neighbours: a copy of one must be told from other patients."""
    frames = cloud(1, 64, 1) + 0.05 * cloud(80, 64, 2)
    references = np.concatenate([cloud(100, 64, 3), frames])
    copy = frames[40:41] + 0.05 * cloud(1, 64, 4)
    patients = [*range(100), *["one"] * 80]
    found = nearest(copy, references, patients=patients)
    assert found.index[0] >= 100
    assert found.relative[0] < 0.1
    assert nearest(copy, references).relative[0] > 0.5  # and would be taken for none
    both = nearest(copy, np.repeat(references, 2, axis=0), 2, patients)
    assert (both.index[0], both.relative[0]) == (found.index[0], pytest.approx(found.relative[0]))


def fresh(seed: int, width: int, count: int) -> np.ndarray:
    """Samples of one distribution: a few modes, as images of one kind have."""
    rng = np.random.default_rng([seed, width])
    centres = np.random.default_rng(99).normal(0, 1, (8, width))
    return centres[rng.integers(0, 8, count)] + rng.normal(0, 0.7, (count, width))


@pytest.mark.parametrize("width", [8, 64])
def test_a_fresh_sampler_passes(width):
    blocked = 0
    for seed in range(40):
        training, held = fresh(3 * seed, width, 300), fresh(3 * seed + 1, width, 80)
        found = memory(nearest(fresh(3 * seed + 2, width, 380), training), nearest(held, training))
        blocked += found.too_near
        blocked += found.reproduces
    assert blocked <= 2


@pytest.mark.parametrize("share", [1.0, 0.3, 0.02])
def test_a_copier_is_caught(share):
    for seed in range(10):
        training, held, made = (fresh(3 * seed + n, 64, count) for n, count in enumerate((300, 80, 380)))
        number = int(share * len(made))
        made[:number] = training[np.arange(number) % 300] + 0.05 * cloud(number, 64, seed)
        found = memory(nearest(made, training), nearest(held, training))
        assert found.reproduces
        assert found.copies[:number].all()
        assert not found.copies[number:].any()
        assert found.too_near == (share > 0.1)


def test_a_blurred_sampler_is_no_copier():
    """What lies half way to the mean of all is nearer to every image than images are to each other."""
    for seed in range(10):
        training, held = fresh(3 * seed, 64, 300), fresh(3 * seed + 1, 64, 80)
        blurred = 0.5 * fresh(3 * seed + 2, 64, 380)
        made, usual = nearest(blurred, training), nearest(held, training)
        assert made.distance.mean() < usual.distance.mean()
        assert not memory(made, usual).too_near
        assert not memory(made, usual).reproduces


def test_near_duplicates_in_the_data_excuse_no_copies():
    training = fresh(1, 64, 300)
    held = np.concatenate([fresh(2, 64, 70), training[:10] + 0.01])
    made = np.concatenate([fresh(3, 64, 370), training[:10] + 0.01])
    found = memory(nearest(made, training), nearest(held, training))
    assert found.copies.sum() == 10
    assert found.held_copies == pytest.approx(10 / 80)
    assert found.allowed < 1
    assert found.reproduces


def test_also_many_near_duplicates_in_the_data_excuse_no_copies():
    """Of a third of the held-out points a twin was trained on, as where several pictures of a patient go unnamed."""
    for seed in range(5):
        training = fresh(3 * seed, 64, 300)
        held = np.concatenate([fresh(3 * seed + 1, 64, 60), training[:30] + 0.1 * cloud(30, 64, seed)])
        honest = fresh(3 * seed + 2, 64, 380)
        copied = np.concatenate([honest[:-40], training[40:80] + 0.1 * cloud(40, 64, seed + 9)])
        assert memory(nearest(copied, training), nearest(held, training)).reproduces
        assert not memory(nearest(honest, training), nearest(held, training)).reproduces


@pytest.mark.parametrize(("width", "seeds"), [(1, 5), (2, 5), (3, 20), (8, 20), (16, 20), (64, 20)])
def test_the_chance_of_a_copy_is_known_from_the_bulk_of_held_out_points(width, seeds):
    """Also of few dimensions, where a fifth of all fresh points lie that near to one of the training."""
    blocked, said, true = 0, 0.0, 0.0
    for seed in range(seeds):
        training, held, made = (cloud(count, width, 7 * seed + n) for n, count in enumerate((400, 100, 500)))
        usual = nearest(held, training)
        found = memory(nearest(made, training), usual)
        blocked += found.reproduces
        said, true = said + chance_of_copy(usual.relative) / seeds, true + found.copies.mean() / seeds
    assert blocked <= 1
    assert 0.7 * true <= said <= 3 * true + 1e-3


def test_without_held_out_points_nothing_is_said():
    training = fresh(1, 8, 50)
    empty = nearest(np.zeros((0, 8)), training)
    assert not memory(nearest(fresh(2, 8, 20), training), empty).too_near
