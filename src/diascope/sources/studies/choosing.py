"""Which series of a study is read: declared rules, applied one after the other while several series are left."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diascope.formats.dicomio.headers import Series
from diascope.sources.studies.sequences import sequence_of

PROJECTIONS = ("CR", "DX", "MG", "RG", "IO", "PX")
"""Modalities whose images are views and no alternatives: every image is a case."""

AIDS = re.compile(
    r"scout|localis|localiz|topogram|surview|survey|3[- ]?plane"
    r"|screen ?(save|shot|capture)|dose[ _-]?(report|record|info)",
    re.IGNORECASE,
)
"""Descriptions of series that help to plan or to document a scan."""

NOT_PICTURES = ("SR", "PR", "KO", "OT", "SC", "REG", "DOC", "RTDOSE", "RTIMAGE")
"""Modalities of what is stored beside the images."""

PLANES = ("axial", "coronal", "sagittal", "oblique")
"""Orientations, the preferred one first."""

THICKNESS_STEP = 0.1
"""Millimetres that do not matter when thicknesses are compared."""


@dataclass(frozen=True)
class Choice:
    """The series of one study.

    Args:
        chosen: One, or every image of a study of projections; several otherwise mean that the rules do not decide.
        reason: Which rules decided.
        candidates: Every series, in words.
        clear: Whether the rules decided.
    """

    chosen: tuple[Series, ...]
    reason: str
    candidates: tuple[str, ...]
    clear: bool


def choose(candidates: Sequence[Series], labelled: frozenset[str], modality: str | None) -> Choice:
    """Choose the series of a study.

    Args:
        candidates: Every image series of the study (see `headers.series`).
        labelled: UIDs of series that a SEG or RTSTRUCT refers to.
        modality: The DICOM modality that most studies of the data set have; None where two are equally frequent.
    """
    left = list(candidates)
    reasons: list[str] = []
    for reason, is_better in _rules(labelled, modality):
        left = _narrow(left, reason, is_better, reasons)
    if len(left) > 1 and all(one.first.modality in PROJECTIONS for one in left):
        return Choice(tuple(left), "every projection is a case", _words(candidates), clear=True)
    left = _narrow_to_least(left, _plane_rank, lambda one: f"{plane_of(one)} slices", reasons)
    left = _narrow_to_least(left, _thickness_rank, lambda one: "the thinnest slices", reasons)
    reason = ", ".join(reasons) or ("the only series" if len(left) == 1 else "no rule tells them apart")
    return Choice(tuple(left), reason, _words(candidates), clear=len(left) == 1)


def in_words(series: Series) -> str:
    """A series for a person to recognise: modality, sequence, orientation, thickness, images, kind; no identity."""
    first = series.first
    parts = [first.modality or "no modality", sequence_of(series), plane_of(series) or "no orientation"]
    if first.slice_thickness:
        parts.append(f"{first.slice_thickness:g} mm")
    parts.append(f"{sum(max(1, one.frames) for one in series.instances)} images")
    parts += ["/".join(first.image_type[:3])] if first.image_type else []
    parts += [series.part] if series.part else []
    return " ".join(part for part in parts if part)


def plane_of(series: Series) -> str:
    """`axial`, `coronal`, `sagittal` or `oblique` by the normal of the slices (30 degrees), empty without one."""
    orientation = series.first.orientation or next(
        (one.orientation for one in series.first.planes if one.orientation), None
    )
    if orientation is None or len(orientation) != 6:
        return ""
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    axis = int(np.argmax(normal))
    return ("sagittal", "coronal", "axial")[axis] if normal[axis] > np.cos(np.pi / 6) else "oblique"


def _rules(labelled: frozenset[str], modality: str | None) -> tuple[tuple[str, Callable[[Series], bool]], ...]:
    return (
        ("a SEG or RTSTRUCT refers to it", lambda one: one.uid in labelled),
        ("no localiser, report or capture", lambda one: not is_aid(one)),
        (f"modality {modality}", lambda one: one.first.modality == modality),
        ("corrected for attenuation", lambda one: one.first.modality != "PT" or "ATTN" in one.first.corrected),
        ("original, not derived", lambda one: "DERIVED" not in _kinds(one)),
    )


def _narrow(left: list[Series], reason: str, is_better: Callable[[Series], bool], reasons: list[str]) -> list[Series]:
    """Those that a rule prefers, remembering the rule where it parted them; all where it prefers none or all."""
    better = [one for one in left if is_better(one)]
    if better and len(better) < len(left):
        reasons.append(reason)
        return better
    return left


def _narrow_to_least(
    left: list[Series], rank: Callable[[Series], float], words: Callable[[Series], str], reasons: list[str]
) -> list[Series]:
    best = min(left, key=rank)
    return _narrow(left, words(best), lambda one: rank(one) == rank(best), reasons)


def is_aid(series: Series) -> bool:
    """Whether a series helps to plan or to document a scan, and is no image of the patient to learn from."""
    first = series.first
    return (
        "LOCALIZER" in _kinds(series) or first.modality in NOT_PICTURES or bool(AIDS.search(first.series_description))
    )


def _kinds(series: Series) -> tuple[str, ...]:
    return tuple(kind.upper() for kind in series.first.image_type)


def _plane_rank(series: Series) -> float:
    plane = plane_of(series)
    return float(PLANES.index(plane) if plane else len(PLANES) - 1)


def _thickness_rank(series: Series) -> float:
    thickness = series.first.slice_thickness
    return float("inf") if not thickness else round(thickness / THICKNESS_STEP)


def _words(candidates: Sequence[Series]) -> tuple[str, ...]:
    return tuple(map(in_words, candidates))
