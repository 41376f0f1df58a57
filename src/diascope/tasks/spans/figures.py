"""Figures of spans: what was taken for what, precision and recall by threshold, reliability, texts with their spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from diascope.core.case import Label
from diascope.core.figure import Chart, Figure, Grid, Line, Mark, Matrix, Passage, Passages
from diascope.engine.batch import Row
from diascope.evidence.calibration import reliability
from diascope.evidence.spans.matching import FOUND, HITS, NEAR, SAID, TRUE, f1, paired
from diascope.tasks.spans.scores import counts_of, said_of, truth_of

NOTHING = "nothing"
SHOWN = 3
"""Texts of each sort that are shown."""
LONGEST = 1200
"""Characters of a text that are shown; a page is no data store."""
POINTS = 100
NOTE = "Underlined: true. Shaded: said. Behind a span that has no equal: \N{MINUS SIGN} missed, + said too much."
SORTS: tuple[Literal["true", "said"], ...] = ("true", "said")


def figures_of(rows: Sequence[Row], labels: Sequence[Label], decision: Mapping[str, Any]) -> tuple[Figure, ...]:
    """All figures of decided rows."""
    if not rows:
        return ()
    return (
        _confusion(rows, labels),
        _by_threshold(rows, decision),
        _reliability(rows),
        _table(rows, labels),
        *_texts(rows, labels),
    )


def _confusion(rows: Sequence[Row], labels: Sequence[Label]) -> Matrix:
    counts = np.zeros((len(labels) + 1, len(labels) + 1))
    for row in rows:
        for true, said in paired(truth_of(row), said_of(row)):
            counts[true - 1, said - 1] += 1  # 0, no partner, is the last row and column
    names = (*(label.name for label in labels), NOTHING)
    return Matrix(
        title="Which type was said for which",
        rows=names,
        columns=names,
        counts=tuple(tuple(float(value) for value in line) for line in counts),
        note="Spans that share characters are a pair, also where their ends differ.",
    )


def _by_threshold(rows: Sequence[Row], decision: Mapping[str, Any]) -> Chart:
    said, right, _ = _listed(rows)
    truths = sum(len(row["truth"]) for row in rows)
    thresholds = np.linspace(0, 1, POINTS + 1)
    calls = np.array([(said >= one).sum() for one in thresholds])
    hits = np.array([right[said >= one].sum() for one in thresholds])
    some = calls > 0
    lines = [
        _line("precision", thresholds[some], hits[some] / calls[some]),
        _line("recall", thresholds, hits / max(truths, 1)),
        _line("f1", thresholds, 2 * hits / np.maximum(calls + truths, 1)),
    ]
    threshold = decision["point"]["threshold"] if "point" in decision else None
    if threshold:
        lines.append(Line(label="operating point", x=(threshold, threshold), y=(0.0, 1.0), style="reference"))
    return Chart(
        title="Precision and recall by threshold",
        x_label="threshold of the confidence",
        y_label="share",
        lines=tuple(lines),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def _line(label: str, x: Any, y: Any) -> Line:
    return Line(label=label, x=tuple(float(one) for one in x), y=tuple(float(one) for one in y))


def _reliability(rows: Sequence[Row]) -> Chart:
    said, right, patients = _listed(rows)
    bins = reliability(right > 0, said, patients)
    return Chart(
        title="Reliability",
        x_label="confidence that was said",
        y_label="share that was true",
        lines=(
            Line(label="perfect", x=(0.0, 1.0), y=(0.0, 1.0), style="reference"),
            Line(
                label="spans",
                x=tuple(one.said for one in bins),
                y=tuple(float(one.true.value or 0.0) for one in bins),
                low=tuple(float(one.true.low or 0.0) for one in bins),
                high=tuple(float(one.true.high if one.true.high is not None else 1.0) for one in bins),
            ),
        ),
        x_range=(0, 1),
        y_range=(0, 1),
        note="All spans that could be said, also those below the operating point.",
    )


def _listed(rows: Sequence[Row]) -> tuple[Any, Any, list[str]]:
    """Confidence of each span that could be said, whether it is right, and its patient."""
    truth = [set(truth_of(row)) for row in rows]
    each = [(one, known, str(row["patient"])) for row, known in zip(rows, truth, strict=True) for one in row["apart"]]
    said = np.array([one[3] for one, _, _ in each], np.float64)
    right = np.array([(one[0], one[1], one[2]) in known for one, known, _ in each], np.float64)
    return said, right, [patient for _, _, patient in each]


def _table(rows: Sequence[Row], labels: Sequence[Label]) -> Grid:
    total = counts_of(rows, len(labels)).sum(axis=0)
    lines = [
        (
            label.name,
            int(one[TRUE]),
            int(one[SAID]),
            int(one[HITS]),
            int(one[SAID] - one[NEAR]),
            int(one[TRUE] - one[FOUND]),
            round(f1(one), 3) if one[TRUE] + one[SAID] else None,
        )
        for label, one in zip(labels, total, strict=True)
    ]
    return Grid(
        title="Spans of each type",
        columns=("type", "true", "said", "right", "said where there is none", "missed", "F1"),
        rows=tuple(lines),
        note="Right: place and type. Said where there is none, missed: no character in common with one of its type.",
    )


def _texts(rows: Sequence[Row], labels: Sequence[Label]) -> list[Figure]:
    """The texts with the lowest, a middling and the highest F1."""
    scores = [f1(one) for one in counts_of(rows, len(labels)).sum(axis=1)]
    known = sorted((n for n, score in enumerate(scores) if score == score), key=lambda n: (scores[n], n))
    if not known:
        return []
    middle = max(0, len(known) // 2 - SHOWN // 2)
    parts = {
        "Texts: worst": known[:SHOWN],
        "Texts: median": known[middle : middle + SHOWN],
        "Texts: best": known[-SHOWN:][::-1],
    }
    if len(known) <= 3 * SHOWN:
        parts = {"Texts": known}
    legend = tuple((label.name, number) for number, label in enumerate(labels))
    return [
        Passages(
            title=title,
            passages=tuple(_passage(rows[n], scores[n], labels) for n in some),
            legend=legend,
            note=NOTE,
        )
        for title, some in parts.items()
    ]


def _passage(row: Row, score: float, labels: Sequence[Label]) -> Passage:
    text = row["text"]
    shown = text[:LONGEST]
    marks = [
        Mark(start=start, stop=min(stop, len(shown)), label=labels[label - 1].name, colour=label - 1, sort=sort)
        for sort, spans in zip(SORTS, (truth_of(row), said_of(row)), strict=True)
        for start, stop, label in spans
        if start < len(shown)
    ]
    rest = len(text) - len(shown)
    caption = f"F1 {score:.2f}" + (f"; {rest} more characters are not shown" if rest else "")
    return Passage(text=shown, marks=tuple(marks), caption=caption, case=row["case"])
