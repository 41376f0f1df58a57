"""Pictures of the cases that an evaluation ranks: worst, middle and best, with what was said and what is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, tee
from pathlib import Path
from typing import Any

import numpy.typing as npt

from diascope import formats
from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef
from diascope.core.evaluation import Evaluation
from diascope.core.figure import Figure, Gallery, Picture
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.batch import Example, Output
from diascope.engine.preparing import prepared
from diascope.engine.reading import Reader
from diascope.reports.outlines import counted
from diascope.reports.pictures import PictureParts, slice_picture

SHOWN = 4
"""Cases in each gallery."""


Answer = tuple[Reader, Mapping[str, Any]]
"""Who reads a case, and the decision on it."""
Seen = tuple[Example, dict[str, npt.NDArray[Any]], Output]
"""A prepared case, its masks, and what was said about it."""


def worst_and_best(
    reader: Reader,
    evaluation: Evaluation,
    cases: Sequence[Case],
    root: Path,
    by_case: Mapping[str, Answer] | None = None,
) -> list[Figure]:
    """Galleries of the worst, the middle and the best cases, read again as they were measured, with overlays.

    Args:
        reader: Trained networks.
        evaluation: With its ranking and decision.
        cases: Those that were evaluated.
        root: Folder that relative paths start at.
        by_case: Reader and decision of each case, where they were not measured alike (folds).
    """
    alike = (reader, evaluation.decision)
    ranked = [one for one in evaluation.cases_ranked if one.score is not None]
    if not ranked or not reader.plan["image_inputs"]:
        return []
    by_id = {case.id: case for case in cases}
    middle = max(0, len(ranked) // 2 - SHOWN // 2)
    chosen = {
        "Worst cases": ranked[:SHOWN],
        "Middle cases": ranked[middle : middle + SHOWN],
        "Best cases": ranked[::-1][:SHOWN],
    }
    found: list[Figure] = []
    for title, some in chosen.items():
        answers = [(by_case or {}).get(one.case, alike) for one in some]
        shown = _seen([by_id[one.case] for one in some], answers, root)
        pictures = (_picture(seen, one.score, root, who) for seen, one, who in zip(shown, some, answers, strict=True))
        found.append(Gallery(title=title, pictures=tuple(pictures)))
    return found


def _seen(cases: Sequence[Case], answers: Sequence[Answer], root: Path) -> Iterator[Seen]:
    """Each case read by its reader; neighbours with the same reader together, as one batch costs what one case does."""
    for reader, group in groupby(zip(cases, answers, strict=True), key=lambda pair: pair[1][0]):
        loaded, again = tee(prepared(case, root, reader.plan) for case, _ in group)
        outputs = reader.read_all(example for example, _ in loaded)
        yield from ((*one, output) for one, output in zip(again, outputs, strict=True))


def _picture(seen: Seen, score: float | None, root: Path, answer: Answer) -> Picture:
    (example, masks, output), (reader, decision) = seen, answer
    plan, case = reader.plan, example.case
    task = registry.get("tasks", plan.task)
    prediction = task.decode(output, example, decision, plan)
    ref = case.inputs[plan["image_inputs"][0]]
    image = formats.read(ref, root) if isinstance(ref, FileRef) else Image(example.inputs["image"], Geometry.unknown())
    truth = next(iter(masks.values()), None)
    truth_image = None if truth is None else Image(truth[None], image.geometry, unit="label")
    known = next((v for k, v in case.targets.items() if k in plan.target.columns and not isinstance(v, FileRef)), None)
    true = known.usable(image.shape) if isinstance(known, Boxes) else None
    said = ", ".join(
        f"{one.concept} {one.measures['probability'].value:.2f}"
        for one in prediction.findings
        if "probability" in one.measures
    )
    words = f"score {score:.3f}" if score is not None else ""
    if isinstance(known, Boxes):
        words = f"truth: {counted(true)}; said: {counted(prediction.boxes)}"
    elif known is not None:
        words = f"truth: {known}; said: {said}"
    parts: PictureParts = {"caption": words, "case": case.id, "boxes": prediction.boxes, "true_boxes": true}
    return slice_picture(image, prediction.mask, truth_image, plan.target.labels, **parts)
