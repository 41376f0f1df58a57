"""What leaves as DICOM: findings as SEG, structured report, secondary capture and encapsulated PDF.

All objects of a result are of the patient and study of their source, name every input, what made them and who
reviewed them, and are made of the result's id: written twice they are the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from diascope.core.errors import BadUsage, UnknownName, UnsoundGeometry
from diascope.core.finding import Findings
from diascope.core.result import Made, agreed, of_these
from diascope.formats.dicomio.derived import Source, quietly, read_source
from diascope.formats.dicomio.headers import Instance, headers
from diascope.formats.dicomio.pdfwriting import document_of
from diascope.formats.dicomio.redrawing import algorithm_of, redrawn
from diascope.formats.dicomio.scwriting import capture_of
from diascope.formats.dicomio.segwriting import again, segmentation_of
from diascope.formats.dicomio.srwriting import Seen, report_of
from diascope.formats.dicomio.stack import Stack, stack
from diascope.formats.dicomio.stamping import segments_told, stamp

Kind = Literal["seg", "sr", "sc", "pdf"]
KINDS: Final[tuple[Kind, ...]] = ("seg", "sr", "sc", "pdf")


def written(findings: Findings, sources: Sequence[Path], made: Made, kind: Kind) -> bytes:
    """One object of a result as a DICOM file; see `all_written`."""
    return all_written(findings, sources, made, (kind,))[kind]


def all_written(findings: Findings, sources: Sequence[Path], made: Made, kinds: Sequence[Kind]) -> dict[Kind, bytes]:
    """Objects of a result as DICOM files.

    Args:
        findings: What a release said of the sources.
        sources: All files of the series that the mask and the places are on, then those of other inputs.
        made: By what and when; with a mask (or the first SEG, and what a reader corrected) for a `seg`, a
            picture for an `sc`, a report for a `pdf`. An `sr` refers to the SEG where there is a mask.
        kinds: Of `KINDS`.

    Returns:
        Without a `seg` where the reader said that nothing of it is there.

    Raises:
        BadUsage: When a part that is needed for a kind is missing, or the findings are of another release.
        DataRefused: When the findings were not made of these sources, or nothing can refer to them.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UnknownName("kind of object", unknown[0], KINDS)
    agreed(findings, made)
    found = headers(sources)
    of_these(findings, [one.sop_uid for one in found])
    _of_one_study(found)
    first = [one for one in found if one.series_uid == found[0].series_uid]
    stacked = _stacked(first)
    ordered = first if stacked is None else list({one.instance.path: one.instance for one in stacked.slices}.values())
    source = read_source([*ordered, *(one for one in found if one not in ordered)])
    seg = _segmentation(findings, made, (stacked, source, len(ordered)), "seg" in kinds)
    seen = Seen(source, stacked, seg)
    make: dict[Kind, Callable[[], Any]] = {
        "seg": lambda: seg,
        "sr": lambda: report_of(findings, seen, made),
        "sc": lambda: capture_of(findings, source, made),
        "pdf": lambda: document_of(source, made),
    }
    objects = {kind: one for kind in kinds if (one := make[kind]()) is not None}
    for kind, one in objects.items():  # after all are made: an SR refers to a SEG without the patient
        stamp(one, kind, source, made)
    return {kind: _saved(one) for kind, one in objects.items()}


def _stacked(instances: Sequence[Instance]) -> Stack | None:
    """The series as slices in order; None where it is none: a waveform, a film in motion."""
    try:
        return stack(instances)
    except UnsoundGeometry:
        return None


def _of_one_study(found: Sequence[Instance]) -> None:
    """Refuse sources of two patients or studies.

    Raises:
        BadUsage: As it says.
    """
    if len({(one.patient_id, one.study_uid) for one in found}) > 1:
        raise BadUsage("the sources of a result are of one patient and one study", given="several")


def _segmentation(findings: Findings, made: Made, read: tuple[Stack | None, Source, int], asked: bool) -> Any | None:
    """The SEG of the mask, whether it is asked for or only referred to."""
    stacked, source, count = read
    uids = (made.uid("seg"), made.uid("seg series"))
    if (made.redrawn or (made.removed and made.segmentation is not None)) and stacked is not None:
        seg = redrawn(made, stacked, replace(source, datasets=source.datasets[:count]), uids)
        if seg is not None:
            segments_told(seg, findings, made)
        return seg
    if made.segmentation is not None:
        seg = again(made.segmentation, uids)
        segments_told(seg, findings, made)
        return seg
    if made.mask is None or stacked is None:
        if asked:
            raise BadUsage("there is no mask on slices that a DICOM SEG could hold")
        return None
    mask = replace(made.mask, attributes={**made.mask.attributes, "algorithm": algorithm_of(made)})
    alone = replace(source, datasets=source.datasets[:count])
    seg = segmentation_of(mask, stacked, alone, uids)
    segments_told(seg, findings, made)
    return seg


def _saved(dataset: Any) -> bytes:
    content = io.BytesIO()
    with quietly():
        dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()
