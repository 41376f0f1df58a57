"""Which boxes hit: the surest first, each takes the truth that it overlaps most and that nobody took before (COCO)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.intp]

OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""From which overlap on a box hits: .50, .55, ..., .95 (COCO)."""
IN_VOLUMES = tuple(round(0.1 + 0.05 * step, 2) for step in range(9))
"""The same in three dimensions, where a voxel more on each side halves the overlap of a small lesion: .10, .15, ...,
.50 (nnDetection, Baumgartner 2021)."""
MOST = 100
"""Boxes of one label in one image that are counted (COCO's `maxDets`)."""


@dataclass(frozen=True)
class Matches:
    """Boxes of one label in one image against its truth; the surest first.

    Args:
        scores: (N,).
        hits: (T, N) whether each hits, for each overlap that is asked for.
        ignored: (T, N) whether it counts neither as hit nor as false: it lies on what is to be ignored.
        truths: Boxes that there are to be found.
    """

    scores: Floats
    hits: Bools
    ignored: Bools
    truths: int


@dataclass(frozen=True)
class Pooled:
    """The matches of one label in many images, sorted once: any choice of images is then counted quickly.

    Args:
        image: (N,) number of the image of each box.
        scores: (N,) descending.
        hits: (T, N).
        ignored: (T, N).
        truths: (I,) boxes that there are to be found in each image.
    """

    image: Counts
    scores: Floats
    hits: Bools
    ignored: Bools
    truths: Counts

    def counted(self, images: Counts) -> tuple[Floats, Floats, int]:
        """Running sums over the boxes of a choice of images (with repeats), and how many boxes there are to be found.

        Returns:
            Hits (T, N), false ones (T, N), boxes of the truth.
        """
        times = np.bincount(images, minlength=len(self.truths))
        weight = times[self.image].astype(np.float64)
        hits = np.cumsum(self.hits * weight, axis=1)
        false = np.cumsum(~(self.hits | self.ignored) * weight, axis=1)
        return hits, false, int(times @ self.truths)


def overlaps(one: Floats, other: Floats, of_one: bool = False) -> Floats:
    """(N, M) intersection over union of boxes (N, 6) and (M, 6); over the volume of `one` where that is asked."""
    low, high = np.maximum(one[:, None, :3], other[None, :, :3]), np.minimum(one[:, None, 3:], other[None, :, 3:])
    inside = np.clip(high - low, 0, None).prod(axis=2)
    own, theirs = ((boxes[:, 3:] - boxes[:, :3]).clip(0).prod(axis=1) for boxes in (one, other))
    whole = np.broadcast_to(own[:, None], inside.shape) if of_one else own[:, None] + theirs[None] - inside
    return np.asarray(np.divide(inside, whole, out=np.zeros_like(inside), where=whole > 0))


def matched(said: Floats, scores: Floats, truth: Floats, ignored: Bools, least: Sequence[float] = OVERLAPS) -> Matches:
    """Match the boxes of one label in one image.

    What is to be ignored (difficult, a crowd) may be taken by any number of boxes, by the share of the box that lies in
    it; a box goes there only where it hits nothing else.

    Args:
        said: (N, 6).
        scores: (N,).
        truth: (M, 6).
        ignored: (M,) whether a box of the truth is to be ignored.
        least: (T,) overlaps from which on a box hits.
    """
    order = np.argsort(-scores, kind="stable")[:MOST]
    said, real = said[order], truth[~ignored]
    shares, aside = overlaps(said, real), overlaps(said, truth[ignored], of_one=True)
    hits = np.zeros((len(least), len(order)), bool)
    passed = np.zeros_like(hits)
    for number, limit in enumerate(least):
        free = np.ones(len(real), bool)
        for place in range(len(order)):
            mine = np.where(free, shares[place], -1.0)
            best = len(mine) - 1 - int(mine[::-1].argmax()) if mine.size else -1  # COCO: of equal overlaps the last
            if best >= 0 and mine[best] >= min(limit, 1 - 1e-10):
                free[best], hits[number, place] = False, True
            elif aside.shape[1]:
                passed[number, place] = aside[place].max() >= limit
    return Matches(scores[order], hits, passed, int((~ignored).sum()))


def by_centre(said: Floats, scores: Floats, truth: Floats, ignored: Bools) -> Matches:
    """Match the boxes of one label in one image by where their middle lies, as LUNA16 does (Setio 2017).

    A box hits where its middle lies in the ellipsoid inside a true box: of a sphere nearer to its middle than its
    radius. Further boxes in one that is already found count neither as hit nor as false, nor do those in what is to be
    ignored.

    Args:
        said: (N, 6).
        scores: (N,).
        truth: (M, 6).
        ignored: (M,) whether a box of the truth is to be ignored.

    Returns:
        One level of hits.
    """
    order = np.argsort(-scores, kind="stable")[:MOST]
    middles, half = (truth[:, :3] + truth[:, 3:]) / 2, np.maximum((truth[:, 3:] - truth[:, :3]) / 2, 1e-9)
    mine = (said[order, :3] + said[order, 3:]) / 2
    inside = (((mine[:, None] - middles) / half) ** 2).sum(axis=2) < 1
    hits, passed, free = np.zeros((1, len(order)), bool), np.zeros((1, len(order)), bool), ~ignored
    for place, within in enumerate(inside):
        left = np.flatnonzero(within & free)
        if len(left):
            free[left[0]], hits[0, place] = False, True
        else:
            passed[0, place] = within.any()
    return Matches(scores[order], hits, passed, int((~ignored).sum()))


def pooled(images: Sequence[Matches]) -> Pooled:
    """The matches of one label in many images, together."""
    levels = images[0].hits.shape[0] if images else len(OVERLAPS)
    none = np.zeros((levels, 0), bool)
    scores = np.concatenate([np.zeros(0), *(one.scores for one in images)])
    order = np.argsort(-scores, kind="stable")
    return Pooled(
        image=np.repeat(np.arange(len(images)), [len(one.scores) for one in images])[order].astype(np.intp),
        scores=scores[order],
        hits=np.concatenate([none, *(one.hits for one in images)], axis=1)[:, order],
        ignored=np.concatenate([none, *(one.ignored for one in images)], axis=1)[:, order],
        truths=np.array([one.truths for one in images], np.intp),
    )


Match = Callable[[Floats, Floats, Floats, Bools], Matches]
"""`matched` or `by_centre`."""


def from_rows(
    truth: npt.NDArray[np.float64], said: npt.NDArray[np.float64], match: Match = matched
) -> tuple[Pooled, Counts]:
    """One label in many images, from tables.

    Args:
        truth: (M, 8) number of the image, start and stop (z, y, x), 1 where the box is to be ignored.
        said: (N, 8) number of the image, start and stop, score.
        match: What makes a box hit.

    Returns:
        The matches, and the images that occur in either table.
    """
    truth, said = (np.asarray(table, np.float64).reshape(-1, 8) for table in (truth, said))
    images = np.unique(np.concatenate([truth[:, 0], said[:, 0]]))
    found = []
    for image in images:
        real, mine = truth[truth[:, 0] == image], said[said[:, 0] == image]
        found.append(match(mine[:, 1:7], mine[:, 7], real[:, 1:7], real[:, 7] != 0))
    return pooled(found), np.arange(len(images))
