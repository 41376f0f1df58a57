"""Precision against recall, and sensitivity against false positives an image, of any choice of images."""

from __future__ import annotations

import numpy as np

from diascope.evidence.boxes.matching import Counts, Floats, Pooled

RECALLS = np.linspace(0, 1, 101)
"""Where COCO reads the precision."""
FALSE_POSITIVES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""An image: where a FROC curve is read (LUNA16, Setio 2017)."""


def average_precision(label: Pooled, images: Counts) -> Floats:
    """(T,) average precision for each overlap: the mean over 101 recalls of the best precision from there on (COCO).

    nan where there is nothing to be found.

    Args:
        label: All images.
        images: Which of them, with repeats.
    """
    hits, false, truths = label.counted(images)
    if not truths:
        return np.full(len(hits), np.nan)
    precision = hits / np.maximum(hits + false, 1e-12)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    best = np.concatenate([best, np.zeros((len(hits), 1))], axis=1)
    found = [line[np.searchsorted(recall, RECALLS)].mean() for line, recall in zip(best, hits / truths, strict=True)]
    return np.array(found, np.float64)


def sensitivity_at(label: Pooled, images: Counts, level: int = 0) -> Floats:
    """Sensitivity with at most 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives an image; nan without a truth.

    A step function: what no threshold reaches is not interpolated.

    Args:
        label: All images.
        images: Which of them, with repeats.
        level: Place of the overlap from which on a box hits.
    """
    hits, false, truths = label.counted(images)
    if not truths or not len(images):
        return np.full(len(FALSE_POSITIVES), np.nan)
    rate = false[level] / len(images)
    # Boxes with one score are called together: only where the score changes is there a threshold.
    ends = np.r_[np.flatnonzero(np.diff(label.scores)), len(rate) - 1] if len(rate) else np.zeros(0, np.intp)
    rate, found = np.r_[0.0, rate[ends]], np.r_[0.0, hits[level][ends] / truths]
    return np.array([found[rate <= allowed + 1e-12].max() for allowed in FALSE_POSITIVES])


def froc(label: Pooled, images: Counts, level: int = 0) -> tuple[Floats, Floats]:
    """False positives an image, and sensitivity, at every threshold from the strictest on."""
    hits, false, truths = label.counted(images)
    rate, found = false[level] / max(1, len(images)), hits[level] / max(1, truths)
    return np.r_[0.0, rate], np.r_[0.0, found]


def precision_recall(label: Pooled, images: Counts, level: int = 0) -> tuple[Floats, Floats]:
    """Recall and precision at every threshold from the strictest on."""
    hits, false, truths = label.counted(images)
    return hits[level] / max(1, truths), hits[level] / np.maximum(hits[level] + false[level], 1e-12)
