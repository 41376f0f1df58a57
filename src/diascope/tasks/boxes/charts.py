"""Figures of boxes: FROC and precision-recall curves, reliability, and a table of the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from diascope.core.case import Label
from diascope.core.figure import Chart, Figure, Grid, Line
from diascope.engine.batch import Row
from diascope.evidence.boxes.curves import FALSE_POSITIVES, average_precision, froc, precision_recall
from diascope.evidence.boxes.matching import Counts, Floats, Pooled
from diascope.evidence.calibration import reliability
from diascope.tasks.boxes.hits import FIRST, Hits
from diascope.tasks.boxes.scores import called_of, pooled_of

SAID = 0.1
"""Probability from which on the reliability of a box is shown."""
POINTS = 300
"""Of a line at most: a report is no data store."""


def figures_of(
    rows: Sequence[Row], labels: Sequence[Label], thresholds: Mapping[str, float], hits: Hits
) -> tuple[Figure, ...]:
    """FROC, precision and recall, reliability of what is said, and the counts of each label at its threshold."""
    if not rows:
        return ()
    pools = [pooled_of(rows, number) for number in range(len(labels))]
    least = hits.overlaps[FIRST]
    note = f"A box hits from an overlap (intersection over union) of {least:g} on."
    free = [_free("FROC: sensitivity against false positives", note, pools, labels)]
    if hits.centre is not None:
        note = "A box hits where its middle lies in the ellipsoid inside a true box (LUNA16)."
        free.append(_free("FROC by where the middle of a box lies", note, pools, labels, hits.centre))
    precise = Chart(
        title="Precision and recall",
        x_label="sensitivity (recall)",
        y_label="PPV (precision)",
        lines=_lines(precision_recall, pools, labels),
        x_range=(0, 1),
        y_range=(0, 1),
    )
    return (*free, precise, _reliability(rows, labels), _table(rows, labels, pools, (thresholds, least)))


def _free(title: str, note: str, pools: Sequence[Pooled], labels: Sequence[Label], level: int = FIRST) -> Chart:
    most = FALSE_POSITIVES[-1]
    return Chart(
        title=title,
        x_label="false positives an image",
        y_label="sensitivity",
        lines=_lines(froc, pools, labels, level, most),
        x_range=(0, most),
        y_range=(0, 1),
        note=note,
    )


def _lines(
    curve: Callable[[Pooled, Counts, int], tuple[Floats, Floats]],
    pools: Sequence[Pooled],
    labels: Sequence[Label],
    level: int = FIRST,
    farthest: float = np.inf,
) -> tuple[Line, ...]:
    lines = []
    for pool, label in zip(pools, labels, strict=True):
        if not pool.truths.sum() or not len(pool.scores):
            continue
        x, y = curve(pool, np.arange(len(pool.truths)), level)
        # Of the many boxes that hit nothing only the last before each hit tells something.
        found = y if curve is froc else x
        kept = np.flatnonzero((np.diff(found, prepend=-1) != 0) | (np.diff(found, append=-1) != 0))
        kept = kept[x[kept] <= farthest]
        x, y = x[kept], y[kept]
        thin = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
        lines.append(Line(label=label.name, x=tuple(x[thin].tolist()), y=tuple(y[thin].tolist()), style="step"))
    return tuple(lines)


def _reliability(rows: Sequence[Row], labels: Sequence[Label]) -> Chart:
    lines = [Line(label="perfect", x=(0.0, 1.0), y=(0.0, 1.0), style="reference")]
    for number, label in enumerate(labels):
        some = [(row, row["matches"][number]) for row in rows]
        kept = [(row, ~one.ignored[FIRST] & (one.scores >= SAID)) for row, one in some]
        said = np.concatenate([row["matches"][number].scores[mine] for row, mine in kept])
        hits = np.concatenate([row["matches"][number].hits[FIRST][mine] for row, mine in kept])
        owners = [str(row["patient"]) for row, mine in kept for _ in range(int(mine.sum()))]
        bins = reliability(hits, said, owners)
        lines.append(
            Line(
                label=label.name,
                x=tuple(one.said for one in bins),
                y=tuple(float(one.true.value or 0.0) for one in bins),
            )
        )
    return Chart(
        title="Reliability",
        x_label="probability that was said",
        y_label="share that was true",
        lines=tuple(lines),
        x_range=(0, 1),
        y_range=(0, 1),
        note=f"Boxes with a probability of {SAID:g} or more: the many that are hardly believed would hide them.",
    )


def _table(
    rows: Sequence[Row], labels: Sequence[Label], pools: Sequence[Pooled], limits: tuple[Mapping[str, float], float]
) -> Grid:
    (thresholds, least), cells = limits, []
    for number, label in enumerate(labels):
        one = called_of(rows, number)
        precision = average_precision(pools[number], np.arange(len(rows)))
        counts = (int(one.truths.sum()), int((one.hits + one.false).sum()), int(one.hits.sum()))
        missed = counts[0] - counts[2]
        first = None if np.isnan(precision[FIRST]) else round(float(precision[FIRST]), 3)
        limit = thresholds.get(label.name)
        said = None if limit is None else round(limit, 3)
        cells.append((label.name, said, *counts, missed, int(one.false.sum()), first))
    return Grid(
        title="Boxes of each label at the operating point",
        columns=(
            "label",
            "from probability",
            "true",
            "said",
            "hits",
            "missed",
            "false positives",
            f"AP at overlap {least:g}",
        ),
        rows=tuple(cells),
    )
