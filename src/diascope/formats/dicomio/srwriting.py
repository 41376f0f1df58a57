"""Findings as a measurement report (PS3.16 TID 1500) in a Comprehensive 3D SR, the model as device observer.

Each finding is a measurement group: its numbers, whether it is known present or absent, and, in words, what must be
told with it. One that is not available has the finding context "unknown" and its reason; it is never absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from diascope.core.case import Label
from diascope.core.errors import DataRefused
from diascope.core.finding import Finding, Findings, Measure
from diascope.core.result import MEASURES, NO_DEVICE, Made, coded, number, said_with, ucum, words
from diascope.formats.dicomio.derived import Source, code_of, private_code, quietly, series_number
from diascope.formats.dicomio.regions import rectangles
from diascope.formats.dicomio.stack import Stack

CONTEXT = Code("408729009", "SCT", "Finding context")
STATES = {
    "present": Code("410515003", "SCT", "Known present"),
    "absent": Code("410516002", "SCT", "Known absent"),
    "abstained": Code("261665006", "SCT", "Unknown"),
}
COMMENT = codes.DCM.Comment
NOTHING = "not available, because the release says nothing about a case"
LOWER = Code("371885007", "SCT", "-, range of lower measurement uncertainty")
UPPER = Code("371886008", "SCT", "+, range of upper measurement uncertainty")


@dataclass(frozen=True, eq=False)
class Seen:
    """What a report refers to.

    Args:
        source: All input files; those of the first series first.
        stacked: The first series in order, None where it is no stack of slices (a waveform, a film in motion).
        seg: The SEG of the masks, None where there is none.
        whole: Concepts of which there is one finding: only that is of the whole segment of its name.
    """

    source: Source
    stacked: Stack | None
    seg: Any | None = None
    whole: frozenset[str] = frozenset()


def report_of(findings: Findings, seen: Seen, made: Made) -> Any:
    """The report as a highdicom object, without the patient.

    Raises:
        DataRefused: When no report can refer to this source.
    """
    try:
        with quietly():
            return _document(findings, seen, made)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataRefused(f"no DICOM SR can refer to this source: {error}") from error


def _document(findings: Findings, seen: Seen, made: Made) -> Any:
    said = findings.findings or (Finding(concept=findings.task, status="abstained", reason=NOTHING),)
    counts = Counter(one.concept for one in said)
    alone = replace(seen, whole=frozenset(name for name, count in counts.items() if count == 1))
    groups = [_group(one, n, alone, made) for n, one in enumerate(said, 1)]
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=_observer(made)),
        procedure_reported=codes.cid100.ImagingProcedure,
        imaging_measurements=groups,
        title=codes.cid7021.ImagingMeasurementReport,
    )
    review, (sources, first) = made.review, (seen.source.datasets, seen.source.datasets[0])
    beside = [f"{name}: {text}" for name, text in review.told().items()] if review else []
    for line in (made.state, *beside, NO_DEVICE, f"Release: {made.by()['release']}", *findings.notes):
        report[0].ContentSequence.append(_text(COMMENT, line))
    return hd.sr.Comprehensive3DSR(
        evidence=[*sources, seen.seg] if seen.seg is not None else sources,
        content=report[0],
        series_instance_uid=made.uid("sr series"),
        series_number=series_number(first) + 1,
        sop_instance_uid=made.uid("sr"),
        instance_number=1,
        manufacturer="Diascope",
        manufacturer_model_name=made.algorithm.label[:64],
        software_versions=version("diascope"),
        series_description=f"{made.algorithm.name} findings"[:64],
        is_complete=True,
        is_final=made.is_final,
        is_verified=made.is_final,
        verifying_observer_name=review.by if review and made.is_final else None,
        verifying_organization=(review.organization or "unknown")[:64] if review and made.is_final else None,
        previous_versions=[_before(made, first)] if review else None,
    )


def _before(made: Made, source: Any) -> Any:
    """Reference to the report as it was before anybody reviewed it."""
    before = pydicom.Dataset()
    before.StudyInstanceUID = source.StudyInstanceUID
    before.SeriesInstanceUID, before.SOPInstanceUID = made.lasting("sr series"), made.lasting("sr")
    before.SOPClassUID = pydicom.uid.Comprehensive3DSRStorage
    return before


def _observer(made: Made) -> Any:
    one = made.algorithm
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=made.uid("device"), name=f"{one.name} {one.version}"[:64], manufacturer_name="Diascope",
        model_name=one.label[:64], serial_number=one.seal,
    )  # fmt: skip
    return hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)


def _group(finding: Finding, at: int, seen: Seen, made: Made) -> Any:
    """One finding as a measurement group."""
    one = made.algorithm
    shared: dict[str, Any] = {
        "tracking_identifier": hd.sr.TrackingIdentifier(
            uid=made.lasting(f"finding {at}"), identifier=f"{finding.concept} {at}"[:64]
        ),
        "finding_type": code_of(Label(name=finding.concept, value=1, code=finding.code)),
        "algorithm_id": hd.sr.AlgorithmIdentification(
            name=one.name,
            version=one.version,
            parameters=[f"{name} {said}" for name, said in made.by().items() if name not in ("algorithm", "version")],
        ),
        "measurements": [_number(name, measure) for name, measure in _known(finding)],
        "qualitative_evaluations": [_state(finding)] if finding.status in STATES else None,
    }
    group = _placed(finding, seen, shared)
    for line in _lines(finding, made):
        group[0].ContentSequence.append(line)
    return group


def _known(finding: Finding) -> list[tuple[str, Measure]]:
    return [(name, one) for name, one in finding.measures.items() if one.value is not None]


def _state(finding: Finding) -> Any:
    return hd.sr.QualitativeEvaluation(name=CONTEXT, value=STATES[finding.status])


def _placed(finding: Finding, seen: Seen, shared: Mapping[str, Any]) -> Any:
    """The group with the segment of the finding, or its box on the slices, where there is one."""
    number = _segment(finding, seen)
    datasets, stacked = seen.source.datasets, seen.stacked
    if number is not None:
        return _segmented(number, seen.seg, shared)
    regions = rectangles(finding.place, stacked, datasets) if finding.place and stacked else []
    if len(regions) > 1:
        return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_regions=regions, **shared)
    if regions:
        return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=regions[0], **shared)
    return hd.sr.MeasurementsAndQualitativeEvaluations(**shared)


def _segmented(number: int, seg: Any, shared: Mapping[str, Any]) -> Any:
    """The group with its segment as a whole; of a flat image too, whose frames highdicom would refer to as parts."""
    segment = hd.sr.ReferencedSegment.from_segmentation(seg, segment_number=number)
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **shared)


def _segment(finding: Finding, seen: Seen) -> int | None:
    """The segment that a finding is told of; what is not there has none."""
    if seen.seg is None or finding.status in ("absent", "abstained") or finding.concept not in seen.whole:
        return None
    numbers = [int(one.SegmentNumber) for one in seen.seg.SegmentSequence if one.SegmentLabel == finding.concept[:64]]
    return numbers[0] if len(numbers) == 1 else None


def _number(name: str, measure: Measure) -> Any:
    """A measure with its unit, and its interval as uncertainty to either side."""
    percent = name == "probability"
    scale, unit = (100.0, "%") if percent else (1.0, ucum(measure.unit))
    value = float(measure.value or 0.0)
    units = codes.UCUM.NoUnits if unit == "1" else Code(unit, "UCUM", unit)
    item = hd.sr.Measurement(name=Code(*MEASURES.get(name, coded(name))), value=_short(scale * value), unit=units)
    for side, end in ((LOWER, measure.low), (UPPER, measure.high)):
        if end is not None:
            item[0].ContentSequence = item[0].get("ContentSequence") or hd.sr.ContentSequence()
            item[0].ContentSequence.append(
                hd.sr.NumContentItem(
                    name=side,
                    value=_short(scale * abs(end - value)),
                    unit=units,
                    relationship_type=hd.sr.RelationshipTypeValues.HAS_PROPERTIES,
                )
            )
    return item


def _short(value: float) -> float:
    """As many digits as a decimal string holds (PS3.5 6.2: 16 characters)."""
    return float(f"{value:.9g}")


def _lines(finding: Finding, made: Made) -> Iterator[Any]:
    """What must be told with a finding, in words."""
    if finding.status == "abstained":
        yield _text(COMMENT, words(finding))
    for name, said in said_with(finding, made).items():
        yield _text(private_code(name), said)
    for name, measure in finding.measures.items():
        yield _text(COMMENT, f"{name}: {number(measure)}")
    yield _text(COMMENT, made.state)


def _text(name: Code, value: str) -> Any:
    return hd.sr.TextContentItem(name=name, value=value, relationship_type=hd.sr.RelationshipTypeValues.CONTAINS)


def texts_of(document: Any) -> Sequence[str]:
    """Every text of a report, in order."""
    found: list[str] = []
    for item in document.get("ContentSequence", ()):
        found += [str(item.TextValue)] if "TextValue" in item else []
        found += texts_of(item)
    return found
