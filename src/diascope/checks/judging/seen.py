"""A survey as the checks look at it: the readable cases, one image input at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef, Scalar, Target
from diascope.core.spans import Spans
from diascope.kinds import Look
from diascope.planning.survey import InputFactsOfCase, Survey

FAR = 8.0
"""Robust deviations from the median beyond which a value is an outlier."""
FEWEST = 10
"""Values below which no outlier is called."""


def images(survey: Survey) -> dict[str, list[tuple[Case, InputFactsOfCase]]]:
    """Input name to the readable cases that have it, in manifest order."""
    found: dict[str, list[tuple[Case, InputFactsOfCase]]] = {}
    for case in survey.cases:
        if case.id in survey.facts:
            for name, facts in survey.facts[case.id].inputs.items():
                found.setdefault(name, []).append((case, facts))
    return found


def target_images(survey: Survey) -> dict[str, list[tuple[Case, InputFactsOfCase]]]:
    """The same of targets that are images."""
    found: dict[str, list[tuple[Case, InputFactsOfCase]]] = {}
    for case in survey.cases:
        if case.id in survey.facts:
            for name, pair in survey.facts[case.id].pairs.items():
                found.setdefault(name, []).append((case, pair.image))
    return found


def looks(survey: Survey, kind: str) -> dict[str, list[tuple[Case, Look]]]:
    """Name of each input of a kind that is no image to the readable cases that have it, in manifest order."""
    found: dict[str, list[tuple[Case, Look]]] = {}
    for case in survey.cases:
        if case.id in survey.facts:
            for name, look in survey.facts[case.id].looks.items():
                if case.inputs[name].kind == kind:
                    found.setdefault(name, []).append((case, look))
    return found


def first_images(survey: Survey) -> list[tuple[Case, InputFactsOfCase]]:
    """The readable cases that have an image, with their first one."""
    readable = ((case, survey.facts[case.id].inputs) for case in survey.cases if case.id in survey.facts)
    return [(case, next(iter(inputs.values()))) for case, inputs in readable if inputs]


def is_missing(value: object) -> bool:
    """Whether a scalar is absent: None, empty text or nan."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def label_of(case: Case, target: Target | None) -> tuple[Scalar, ...] | None:
    """The scalar targets of a case as a tuple, spans as their text.

    None where there is no target, a mask, boxes, or a value is missing.
    """
    if target is None or not target.columns:
        return None
    held = (case.targets.get(column) for column in target.columns)
    values = tuple(one.model_dump_json() if isinstance(one, Spans) else one for one in held)
    scalars = tuple(value for value in values if not isinstance(value, FileRef | Boxes) and not is_missing(value))
    return scalars if len(scalars) == len(values) else None


def class_of(case: Case, target: Target) -> str | None:
    """Name of the declared class of a case; None where it is missing or not declared."""
    value = label_of(case, target)
    if value is None:
        return None
    for label in target.labels:
        if same_label(value[0], label.name, label.value):
            return label.name
    return None if target.labels else str(value[0])


def same_label(given: Scalar, name: str, value: int) -> bool:
    """Whether a scalar means a label: by its name, or by its number (`1`, `1.0` and `"1"` alike)."""
    if str(given) == name:
        return True
    return isinstance(given, int | float) and not isinstance(given, bool) and float(given) == value


def outliers(values: npt.ArrayLike) -> Iterator[tuple[int, float, float]]:
    """Index, value and median of values that lie far out (median and median absolute deviation, Leys 2013).

    Where more than half of the values are equal the deviation is zero; a twentieth of the median stands in for it.
    """
    plain = np.asarray(values, dtype=np.float64)
    if plain.size < FEWEST:
        return
    median = float(np.median(plain))
    deviation = max(1.4826 * float(np.median(np.abs(plain - median))), 0.05 * abs(median), 1e-9)
    for index in np.flatnonzero(np.abs(plain - median) > FAR * deviation):
        yield int(index), float(plain[index]), median
