"""Pictures of the cases that an evaluation ranks: worst, middle and best, with what was said and what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef
from diascope.core.evaluation import Evaluation
from diascope.core.figure import Figure, Gallery, Picture
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.preparing import prepared
from diascope.engine.reading import Reader
from diascope.reports.pictures import slice_picture

SHOWN = 4
"""Cases in each gallery."""


Answer = tuple[Reader, Mapping[str, Any]]
"""Who reads a case, and the decision on it."""


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
    return [
        Gallery(
            title=title,
            pictures=tuple(
                _picture(by_id[one.case], one.score, root, (by_case or {}).get(one.case, alike)) for one in some
            ),
        )
        for title, some in chosen.items()
    ]


def _picture(case: Case, score: float | None, root: Path, answer: Answer) -> Picture:
    reader, decision = answer
    plan = reader.plan
    task = registry.get("tasks", plan.task)
    example, masks = prepared(case, root, plan)
    prediction = task.decode(reader.read(example), example, decision, plan)
    ref = case.inputs[plan["image_inputs"][0]]
    image = formats.read(ref, root) if isinstance(ref, FileRef) else Image(example.inputs["image"], Geometry.unknown())
    truth = next(iter(masks.values()), None)
    truth_image = None if truth is None else Image(truth[None], image.geometry, unit="label")
    said = ", ".join(
        f"{one.concept} {one.measures['probability'].value:.2f}"
        for one in prediction.findings
        if "probability" in one.measures
    )
    known = next(
        (str(v) for k, v in case.targets.items() if k in plan.target.columns and not isinstance(v, FileRef)), ""
    )
    words = f"truth: {known}; said: {said}" if known else f"score {score:.3f}" if score is not None else ""
    return slice_picture(image, prediction.mask, truth_image, plan.target.labels, caption=words, case=case.id)
