"""Average precision and FROC against values worked out by hand, and against COCO's rules written down a second time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diascope.evidence.boxes.curves import FALSE_POSITIVES, average_precision, froc, precision_recall, sensitivity_at
from diascope.evidence.boxes.matching import OVERLAPS, Matches, by_centre, matched, overlaps, pooled
from diascope.tasks.boxes import overlap as tensors


def flat(*rows: tuple[float, float, float, float]) -> np.ndarray:
    """(N, 6) from (top, left, bottom, right)."""
    return np.array([[0, t, left, 1, b, r] for t, left, b, r in rows], float).reshape(-1, 6)


def image(truths: int, *said: tuple[float, bool]) -> Matches:
    """An image from (score, whether it hits) at every overlap."""
    scores, hits = np.array([one for one, _ in said], float), np.array([one for _, one in said], bool)
    hits = np.tile(hits, (len(OVERLAPS), 1))
    return Matches(scores, hits, np.zeros_like(hits), truths)


EVERY = np.arange(1)


@pytest.mark.parametrize(
    ("truths", "said", "wanted"),
    [
        (1, [(0.9, True)], 1.0),
        (1, [(0.9, False), (0.8, True)], 0.5),
        # Recall .5 at precision 1, then 1 at 2/3: 51 of 101 recalls read 1, 50 read 2/3.
        (2, [(0.9, True), (0.8, False), (0.7, True)], (51 + 50 * 2 / 3) / 101),
        # What was never found counts as precision 0: recalls 0 to .50 read 1.
        (2, [(0.9, True), (0.8, False)], 51 / 101),
        # Precisions 1/2, 2/3, 3/4 at recalls 1/3, 2/3, 1: from each recall on the best is 3/4.
        (3, [(0.9, False), (0.8, True), (0.7, True), (0.6, True)], 0.75),
        (2, [], 0.0),
    ],
)
def test_average_precision_worked_out_by_hand(truths: int, said: list[tuple[float, bool]], wanted: float) -> None:
    found = average_precision(pooled([image(truths, *said)]), EVERY)
    assert found == pytest.approx([wanted] * len(OVERLAPS), abs=1e-12)


def test_without_a_truth_it_is_undefined() -> None:
    assert np.isnan(average_precision(pooled([image(0, (0.9, False))]), EVERY)).all()
    assert np.isnan(sensitivity_at(pooled([image(0, (0.9, False))]), EVERY)).all()


def test_froc_worked_out_by_hand() -> None:
    # Four images, five boxes to be found. By score: hit .9, false .8, hit .7, hit .6, false .5, false .4, hit .3.
    images = [
        image(2, (0.9, True), (0.5, False)),
        image(1, (0.8, False), (0.7, True)),
        image(2, (0.6, True), (0.4, False), (0.3, True)),
        image(0),
    ]
    rates, found = froc(pooled(images), np.arange(4))
    assert rates.tolist() == [0, 0, 0.25, 0.25, 0.25, 0.5, 0.75, 0.75]
    assert found.tolist() == pytest.approx([0, 0.2, 0.2, 0.4, 0.6, 0.6, 0.6, 0.8])
    # At most 1/8 false positives an image: none of four images has one, sensitivity 1/5; 1/4: 3/5; 1/2: 3/5; 1: 4/5.
    assert FALSE_POSITIVES[:4] == (0.125, 0.25, 0.5, 1.0)
    assert sensitivity_at(pooled(images), np.arange(4)).tolist() == pytest.approx([0.2, 0.6, 0.6, *[0.8] * 4])


def test_precision_and_recall_worked_out_by_hand() -> None:
    recall, precision = precision_recall(pooled([image(2, (0.9, True), (0.8, False), (0.7, True))]), EVERY)
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1, 0.5, 2 / 3])


def test_boxes_of_one_score_are_called_together() -> None:
    # A hit and two false ones share a score: with at most one false positive an image none of them can be had.
    same = pooled([image(2, (0.9, True), (0.5, True), (0.5, False), (0.5, False))])
    assert sensitivity_at(same, EVERY).tolist() == [0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0]


def test_an_image_drawn_twice_counts_twice() -> None:
    images = [image(1, (0.9, True)), image(1, (0.8, False), (0.3, True)), image(2, (0.7, True))]
    drawn = np.array([0, 1, 1, 2, 2, 2])
    twice = pooled([images[number] for number in drawn])
    everything = np.arange(len(drawn))
    one, other = pooled(images), average_precision(twice, everything)
    assert average_precision(one, drawn) == pytest.approx(other)
    assert sensitivity_at(one, drawn) == pytest.approx(sensitivity_at(twice, everything))


def test_overlap_worked_out_by_hand() -> None:
    one, other = flat((0, 0, 10, 10)), flat((0, 0, 10, 10), (0, 5, 10, 15), (20, 20, 30, 30), (0, 0, 5, 5))
    assert overlaps(one, other)[0].tolist() == pytest.approx([1, 50 / 150, 0, 0.25])
    assert overlaps(one, other, of_one=True)[0].tolist() == pytest.approx([1, 0.5, 0, 0.25])
    deep = np.array([[0, 0, 0, 4, 4, 4]], float), np.array([[2, 0, 0, 6, 4, 4]], float)
    assert overlaps(*deep)[0, 0] == pytest.approx(1 / 3)


def test_generalised_overlap_worked_out_by_hand() -> None:
    one, other = (torch.tensor(flat((0, 0, 10, 10))), torch.tensor(flat((0, 20, 10, 30))))
    # Two squares of 100 in a hull of 10 by 30: 0 - (300 - 200) / 300.
    assert float(tensors.giou(one, other)[0]) == pytest.approx(-1 / 3)
    assert float(tensors.giou(one, one)[0]) == pytest.approx(1)
    boxes = torch.tensor(np.random.default_rng(0).uniform(0, 9, (40, 6))).sort(dim=1).values
    theirs = overlaps(boxes[:20].numpy(), boxes[20:].numpy())
    assert np.allclose(tensors.iou(boxes[:20, None], boxes[None, 20:]).numpy(), theirs)


def as_coco(said: list, scores: list, truth: list, crowd: list, limit: float) -> float:
    """Average precision by COCO's evaluation, step by step and in loops."""
    outcome = []
    for number in range(len(said)):
        real = sorted(range(len(truth[number])), key=lambda place: crowd[number][place])
        taken: set[int] = set()
        for place in sorted(range(len(said[number])), key=lambda one: -scores[number][one])[:100]:
            best, chosen = min(limit, 1 - 1e-10), -1
            for other in real:
                is_crowd = crowd[number][other]
                if other in taken and not is_crowd:
                    continue
                if chosen >= 0 and not crowd[number][chosen] and is_crowd:
                    break
                pair = said[number][place][None], truth[number][other][None]
                share = overlaps(*pair, of_one=bool(is_crowd))[0, 0]
                if share < best:
                    continue
                best, chosen = share, other
            taken |= {chosen} - {-1}
            if chosen < 0 or not crowd[number][chosen]:
                outcome.append((scores[number][place], chosen >= 0))
    total = sum(not one for image in crowd for one in image)
    outcome.sort(key=lambda one: -one[0])
    hits = np.cumsum([hit for _, hit in outcome])
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / total
    return float(np.mean([max([p for p, r in zip(precision, recall, strict=True) if r >= at], default=0.0)
                          for at in np.linspace(0, 1, 101)]))  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_cocos_rules_on_random_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said, scores, truth, crowd = [], [], [], []
    for _ in range(8):
        corner, size = rng.uniform(0, 30, (rng.integers(1, 7), 2)), rng.uniform(6, 16, (1, 2))
        real = flat(*np.concatenate([corner, corner + size], axis=1).tolist())
        near = np.repeat(real, 3, axis=0) + np.array([0, 1, 1, 0, 1, 1]) * rng.normal(0, 1.5, (3 * len(real), 6))
        truth.append(real)
        said.append(near)
        scores.append(rng.uniform(0, 1, len(near)))
        crowd.append(rng.random(len(real)) < 0.25)
    everything = [matched(*one) for one in zip(said, scores, truth, crowd, strict=True)]
    ours = average_precision(pooled(everything), np.arange(8))
    theirs = [as_coco(said, scores, truth, crowd, limit) for limit in OVERLAPS]
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert 0.05 < theirs[0] < 1


def luna16(nodules: np.ndarray, said: np.ndarray, images: int) -> list[float]:
    """Sensitivities at 1/8 ... 8 false positives a scan by the rules of LUNA16's evaluation, without interpolation.

    Of the candidates nearer to a nodule than its radius the surest finds it, the others are forgotten; what is near
    none is a false positive. (Written down a second time from the description of Setio 2017, section 3.2.)

    Args:
        nodules: (M, 5) scan, x, y, z, diameter.
        said: (N, 5) scan, x, y, z, probability.
        images: Scans.
    """
    left, found = [True] * len(said), []
    for scan, *centre, diameter in nodules:
        near = [
            number
            for number, one in enumerate(said)
            if one[0] == scan and sum((one[1 + a] - centre[a]) ** 2 for a in range(3)) < (diameter / 2) ** 2
        ]
        for number in near:
            left[number] = False
        found.append(max((said[number][4] for number in near), default=-1.0))
    false = [one[4] for number, one in enumerate(said) if left[number]]
    points = [(0.0, 0.0)]
    for threshold in sorted({*found, *false} - {-1.0}, reverse=True):
        rate = sum(score >= threshold for score in false) / images
        points.append((rate, sum(score >= threshold for score in found) / len(nodules)))
    return [max(hit for rate, hit in points if rate <= allowed + 1e-12) for allowed in FALSE_POSITIVES]


@pytest.mark.parametrize("seed", range(4))
def test_hits_by_the_middle_are_those_of_luna16(seed: int) -> None:
    rng, scans = np.random.default_rng(seed), 12
    nodules, said = [], []
    for scan in range(scans):
        for number in range(rng.integers(0, 4)):
            centre, diameter = np.array([60.0 * number, *rng.uniform(0, 50, 2)]), rng.uniform(4, 30)
            nodules.append([scan, *centre, diameter])
            said += [
                [scan, *(centre + rng.normal(0, diameter / 3, 3)), rng.random()] for _ in range(rng.integers(0, 4))
            ]
        said += [[scan, *rng.uniform(-200, -100, 3), 0.8 * rng.random()] for _ in range(rng.integers(0, 6))]
    truth, boxes = np.array(nodules), np.array(said)
    matches = []
    for scan in range(scans):
        mine, there = boxes[boxes[:, 0] == scan], truth[truth[:, 0] == scan]
        size = rng.uniform(1, 9, (len(mine), 3))
        corners = np.concatenate([mine[:, 1:4] - size, mine[:, 1:4] + size], axis=1)
        spheres = np.concatenate([there[:, 1:4] - there[:, 4:] / 2, there[:, 1:4] + there[:, 4:] / 2], axis=1)
        matches.append(by_centre(corners, mine[:, 4], spheres, np.zeros(len(there), bool)))
    ours = sensitivity_at(pooled(matches), np.arange(scans))
    assert ours.tolist() == pytest.approx(luna16(truth, boxes, scans))
