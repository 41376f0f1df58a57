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
from diascope.core.finding import Finding
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.batch import Example, Output
from diascope.engine.preparing import prepared
from diascope.engine.reading import Reader
from diascope.reports.outlines import counted
from diascope.reports.panels import panels
from diascope.reports.pictures import PictureParts, slice_picture

MANY, NAMED = 2, 6
"""Columns of a target that are all told, and findings that are all told, whatever they say."""
NOTHING = "none of them"
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


def truth_in_words(case: Case, columns: Sequence[str]) -> str:
    """What is true of a case in words; of many columns those that say something other than 0."""
    told = {name: value for name in columns if not isinstance(value := case.targets.get(name), FileRef | None)}
    named = {name: f"{name} ({value})" if isinstance(value, str) else f"{name} {value}" for name, value in told.items()}
    if len(columns) <= MANY:
        return ", ".join(str(value) if len(columns) == 1 else named[name] for name, value in told.items())
    shown = (name if value == 1 else named[name] for name, value in told.items() if value)
    return ", ".join(shown) or (NOTHING if told else "")


def said_in_words(findings: Sequence[Finding]) -> str:
    """What was said with which probability; of many findings the most probable ones."""
    said = [(one.concept, value) for one in findings if (value := _probability(one)) is not None]
    if len(said) > NAMED:
        said = sorted(said, key=lambda pair: -pair[1])[:NAMED]
    return ", ".join(f"{name} {value:.2f}" for name, value in said)


def _probability(finding: Finding) -> float | None:
    measure = finding.measures.get("probability")
    return None if measure is None else measure.value


def _picture(seen: Seen, score: float | None, root: Path, answer: Answer) -> Picture:
    (example, masks, output), (reader, decision) = seen, answer
    plan, case = reader.plan, example.case
    task = registry.get("tasks", plan.task)
    prediction = task.decode(output, example, decision, plan)
    ref = case.inputs[plan["image_inputs"][0]]
    image = formats.read(ref, root) if isinstance(ref, FileRef) else Image(example.inputs["image"], Geometry.unknown())
    truth = next(iter(masks.values()), None)
    if prediction.made is not None and truth is not None:
        target = prediction.made.with_array(truth[None])
        return panels((image, prediction.made), target, case.id)
    truth_image = None if truth is None else Image(truth[None], image.geometry, unit="label")
    drawn = next((v for k, v in case.targets.items() if k in plan.target.columns and isinstance(v, Boxes)), None)
    true = None if drawn is None else drawn.usable(image.shape)
    known = truth_in_words(case, plan.target.columns)
    words = (
        f"truth: {known}; said: {said_in_words(prediction.findings)}"
        if known
        else f"score {score:.3f}"
        if score is not None
        else ""
    )
    if drawn is not None:
        words = f"truth: {counted(true)}; said: {counted(prediction.boxes)}"
    parts: PictureParts = {"caption": words, "case": case.id, "boxes": prediction.boxes, "true_boxes": true}
    return slice_picture(image, prediction.mask, truth_image, plan.target.labels, **parts)
