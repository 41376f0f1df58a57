"""What is measured of boxes: average precision, sensitivity against false positives, calls at the operating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.case import Label
from diascope.engine.batch import Row
from diascope.engine.task import Scores, Statistic
from diascope.evidence.boxes.curves import FALSE_POSITIVES, average_precision, sensitivity_at
from diascope.evidence.boxes.matching import Counts, Floats, Matches, Pooled, pooled
from diascope.tasks.boxes.hits import FIRST, Hits


@dataclass(frozen=True)
class Called:
    """Counts (I,) of one label in each image at the operating point."""

    hits: Floats
    false: Floats
    truths: Floats


def pooled_of(rows: Sequence[Row], number: int) -> Pooled:
    """One label in all images."""
    return pooled([row["matches"][number] for row in rows])


def called_of(rows: Sequence[Row], number: int) -> Called:
    """Counts of one label at the operating point of decided rows."""
    counts = np.zeros((3, len(rows)))
    for place, row in enumerate(rows):
        one: Matches = row["matches"][number]
        said = row["said"][number]
        hits, ignored = one.hits[FIRST], one.ignored[FIRST]
        counts[:, place] = np.count_nonzero(hits & said), np.count_nonzero(said & ~hits & ~ignored), one.truths
    return Called(counts[0], counts[1], counts[2])


def scores_of(rows: Sequence[Row], labels: Sequence[Label], hits: Hits) -> Scores:
    """Every metric; of several labels each by itself, and the mean over those that there is a truth of.

    False positives are what a reader sees in an image: their sum over all labels.
    """
    names = [label.name for label in labels]
    pools = [pooled_of(rows, number) for number in range(len(labels))]
    calls = [called_of(rows, number) for number in range(len(labels))]
    present = [np.where(pool.truths > 0, name, "") for pool, name in zip(pools, names, strict=True)]
    every = np.arange(len(rows))
    there = [number for number, pool in enumerate(pools) if pool.truths.sum()]
    curve = _Curves(pools)
    found: list[Statistic] = []
    for name, of, better in (*_curves(curve, hits), *_calls(calls)):
        false_ones = name == "false_positives"
        unit = "{/image}" if false_ones else "1"
        whole = partial(_sum, of, range(len(labels))) if false_ones else partial(_mean, of, there)
        rarest = min((present[number] for number in there), key=np.count_nonzero, default=None)
        found.append(Statistic(name, whole, unit, better, counts=rarest))
        if len(labels) > 1:
            found += [
                Statistic(f"{name}/{label}", partial(of, number), unit, better, counts=present[number])
                for number, label in enumerate(names)
            ]
    found_ones, false, truths = (sum(getattr(one, part) for one in calls) for part in ("hits", "false", "truths"))
    f1 = _share(2 * found_ones, found_ones + false + truths)
    # An image in which nothing is, and nothing is said, is right.
    each = np.where(found_ones + false + truths > 0, f1, 1.0) if len(every) else np.zeros(0)
    return Scores(tuple(found), hits.headline, np.asarray(each, np.float64))


class _Curves:
    """Curves of each label on a choice of images, each computed once: several metrics are read from it."""

    def __init__(self, pools: Sequence[Pooled]) -> None:
        self.pools = pools
        self._key: bytes = b""
        self._known: dict[tuple[int | None, int], Floats] = {}

    def of(self, level: int | None, number: int, images: Counts) -> Floats:
        """Sensitivities at a level of hits; average precisions at all of them where it is None."""
        key = images.tobytes()
        if key != self._key:  # all statistics see the same resample before the next one is drawn
            self._key, self._known = key, {}
        if (level, number) not in self._known:
            pool = self.pools[number]
            found = average_precision(pool, images) if level is None else sensitivity_at(pool, images, level)
            self._known[level, number] = found
        return self._known[level, number]


def _curves(curve: _Curves, hits: Hits) -> list[tuple[str, Any, Any]]:
    def precision(levels: slice, number: int, images: Counts) -> float:
        return float(curve.of(None, number, images)[levels].mean())

    def sensitivity(pick: Any, level: int, number: int, images: Counts) -> float:
        return float(pick(curve.of(level, number, images)))

    read = [
        (
            f"sensitivity_at_{rate:g}_false_positives",
            partial(sensitivity, lambda one, at=place: one[at], FIRST),
            "higher",
        )
        for place, rate in enumerate(FALSE_POSITIVES)
    ]
    return [
        *((name, partial(precision, levels), "higher") for name, levels in hits.precision.items()),
        *((name, partial(sensitivity, np.mean, level), "higher") for name, level in hits.free.items()),
        *read,
    ]


def _calls(calls: Sequence[Called]) -> list[tuple[str, Any, Any]]:
    def sensitivity(number: int, images: Counts) -> float:
        one = calls[number]
        return float(_share(one.hits[images].sum(), one.truths[images].sum()))

    def ppv(number: int, images: Counts) -> float:
        one = calls[number]
        return float(_share(one.hits[images].sum(), (one.hits + one.false)[images].sum()))

    def f1(number: int, images: Counts) -> float:
        hits, false, truths = (part[images].sum() for part in _parts(calls[number]))
        return float(_share(2 * hits, hits + false + truths))

    def false_positives(number: int, images: Counts) -> float:
        return float(calls[number].false[images].mean()) if len(images) else float("nan")

    higher = [("sensitivity", sensitivity, "higher"), ("ppv", ppv, "higher"), ("f1", f1, "higher")]
    return [*higher, ("false_positives", false_positives, "lower")]


def _parts(one: Called) -> tuple[Floats, Floats, Floats]:
    return one.hits, one.false, one.truths


def _mean(of: Any, numbers: Sequence[int], images: Counts) -> float:
    """Over the labels that all images have a truth of; undefined on a choice of images that lacks one of them."""
    values = [of(number, images) for number in numbers]
    return float(np.mean(values)) if values else float("nan")


def _sum(of: Any, numbers: Sequence[int], images: Counts) -> float:
    return float(sum(of(number, images) for number in numbers))


def _share(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))
