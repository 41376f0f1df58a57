"""DICOM SR: boxes as a Comprehensive SR with a measurement report (PS3.16 TID 1500), each box a region of its image.

A region is given in columns and rows from the upper left corner of the upper left pixel (PS3.3 C.18.6.1.1): the
convention of `core/boxes.py`. What was looked for and not found is written as well: a report without it would not say
that anybody looked.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import highdicom as hd
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.record import write_durably
from diascope.formats.dicomio.derived import code_of, quietly, series_number, source_of
from diascope.formats.dicomio.headers import headers
from diascope.formats.dicomio.regions import rectangle
from diascope.formats.dicomio.stack import Stack, stack

CONTEXT = Code("408729009", "SCT", "Finding context")
ABSENT = Code("410516002", "SCT", "Known absent")


def write_sr(
    boxes: Boxes, labels: Sequence[Label], path: Path, like: Sequence[Path], algorithm: Mapping[str, Any]
) -> None:
    """Write boxes as a structured report of the series `like`, durably.

    Args:
        boxes: On the grid of the series as it is read; a box of several slices is drawn in its middle one.
        labels: What was looked for; their codes are those of the findings.
        path: The file.
        like: All files of the source series.
        algorithm: `name`, `version` and `release_hash` of what found them.

    Raises:
        BadUsage: Without files of the source.
        DataRefused: When no report can refer to this source.
    """
    if not like:
        raise BadUsage("a DICOM SR needs the files of its source series", todo="Pass them as `like`")
    stacked = stack(headers(like))
    source = source_of(stacked)
    try:
        with quietly():
            document = _document(boxes, labels, (stacked, source.datasets), algorithm)
            source.identify(document)
            content = io.BytesIO()
            document.save_as(content)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        first = stacked.slices[0].instance
        raise DataRefused(
            f"no DICOM SR can refer to this source: {error}", given=f"{first.path.name} and its series"
        ) from error
    write_durably(path, content.getvalue())


def _document(
    boxes: Boxes, labels: Sequence[Label], source: tuple[Stack, list[Any]], algorithm: Mapping[str, Any]
) -> Any:
    _, sources = source
    said = set(boxes.labels)
    known = {label.name: code_of(label) for label in labels}
    groups = [_found(boxes, number, known, source, algorithm) for number in range(len(boxes.corners))]
    groups += [_absent(known[label.name], label.name, algorithm) for label in labels if label.name not in said]
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=_observer(algorithm)),
        procedure_reported=codes.cid100.ImagingProcedure,
        imaging_measurements=groups,
        title=codes.cid7021.ImagingMeasurementReport,
    )
    return hd.sr.ComprehensiveSR(
        evidence=sources,
        content=report[0],
        series_instance_uid=hd.UID(),
        series_number=series_number(sources[0]) + 1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Diascope",
        manufacturer_model_name=str(algorithm["name"])[:64],
        software_versions=version("diascope"),
        series_description=f"{algorithm['name']} findings"[:64],
        is_complete=True,
        is_verified=False,
    )


def _observer(algorithm: Mapping[str, Any]) -> Any:
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=hd.UID(), name=f"{algorithm['name']} {algorithm['version']}"[:64], manufacturer_name="Diascope"
    )
    return hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)


def _made_by(algorithm: Mapping[str, Any]) -> Any:
    return hd.sr.AlgorithmIdentification(
        name=str(algorithm["name"]),
        version=str(algorithm["version"]),
        parameters=[f"release_hash {algorithm.get('release_hash', '')}"],
    )


def _found(
    boxes: Boxes,
    number: int,
    known: Mapping[str, Code],
    source: tuple[Stack, list[Any]],
    algorithm: Mapping[str, Any],
) -> Any:
    stacked, sources = source
    z0, top, left, z1, bottom, right = boxes.corners[number]
    label = boxes.labels[number]
    at = min(max(int((z0 + z1) / 2), 0), len(stacked.slices) - 1)
    region = rectangle(stacked.slices[at], (top, left, bottom, right), sources)
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=f"{label} {number + 1}"[:64]),
        referenced_region=region,
        finding_type=known[label],
        algorithm_id=_made_by(algorithm),
        measurements=[_certainty(boxes.scores[number])] if boxes.scores else None,
        geometric_purpose=codes.DCM.BoundingBox if hasattr(codes.DCM, "BoundingBox") else None,
    )


def _certainty(probability: float) -> Any:
    return hd.sr.Measurement(
        name=codes.DCM.CertaintyOfFinding, value=round(100 * probability, 2), unit=codes.UCUM.Percent
    )


def _absent(code: Code, name: str, algorithm: Mapping[str, Any]) -> Any:
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=f"no {name}"[:64]),
        finding_type=code,
        algorithm_id=_made_by(algorithm),
        qualitative_evaluations=[hd.sr.QualitativeEvaluation(name=CONTEXT, value=ABSENT)],
    )
