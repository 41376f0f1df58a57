"""What every object of a result says: its patient, its time, what made it, and who reviewed it; the same each time.

highdicom makes up identifiers and takes the time of the clock. Both are replaced, so that an object that is written
again is the same object, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import Any

import highdicom as hd
import pydicom
from pydicom.dataelem import DataElement
from pydicom.sr.codedict import codes

from diascope.core.finding import Findings
from diascope.core.result import PRIVATE_SCHEME, Made, said_with
from diascope.formats.dicomio.derived import Source, quietly

MADE_UP = "1.2.826.0.1.3680043.10.511.3."
"""How the UIDs begin that highdicom makes up."""
WHAT = {"seg": "mask", "sr": "findings", "sc": "picture", "pdf": "report"}
DESCRIBED = 1024
"""Characters of a short text (ST, PS3.5 6.2)."""
TIMES = (
    ("ContentDate", "ContentTime"), ("InstanceCreationDate", "InstanceCreationTime"), ("SeriesDate", "SeriesTime"),
    ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
)  # fmt: skip


def stamp(dataset: Any, kind: str, source: Source, made: Made) -> None:
    """Give an object its patient, its time, its makers and its own UIDs."""
    with quietly():
        _settle(dataset, kind, source, made)
        _date(dataset, _local(made.at, source))
        _equip(dataset, made)
        review = "not reviewed" if made.review is None else made.state.partition(" by ")[0].lower()
        dataset.SeriesDescription = f"{made.algorithm.name[:36]} {WHAT[kind]} ({review})"
    source.identify(dataset)


def segments_told(seg: Any, findings: Findings, made: Made) -> None:
    """Say with each segment how sure it is, by which threshold and calibration, and whether anybody reviewed it."""
    said = {one.concept[:64]: one for one in findings.findings}
    with quietly():
        seg.ContentDescription = f"{made.state.partition(' by ')[0]}. Not a medical device"
        for item in seg.SegmentSequence:
            one = said.get(str(item.SegmentLabel))
            told = made.by() | (said_with(one, made) if one is not None else {"status": "no finding names it"})
            item.SegmentDescription = made.state[:DESCRIBED]
            for algorithm in item.get("SegmentationAlgorithmIdentificationSequence", ()):  # none of what a reader drew
                algorithm.AlgorithmParameters = "; ".join(f"{name}={text}" for name, text in told.items())[:10240]


def _settle(dataset: Any, kind: str, source: Source, made: Made) -> None:
    """Replace the UIDs that highdicom made up, in the order in which they stand."""
    given = {str(element.value) for one in source.datasets for element in _uids(one)}
    names: dict[str, str] = {}
    for element in _uids(dataset):
        uid = str(element.value)
        if uid.startswith(MADE_UP) and uid not in given:
            names.setdefault(uid, made.uid(f"{kind} part {len(names)}"))
            element.value = names[uid]


def _uids(dataset: Any) -> Iterator[DataElement]:
    """Every element that is one UID, at any depth."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _uids(item)
        elif element.VR == "UI" and element.VM == 1:
            yield element


def _local(at: datetime, source: Source) -> datetime:
    """The time in the zone of the source, which all its dates and times are in (0008,0201)."""
    for element in source.identity:
        text = str(element.value)
        if element.keyword == "TimezoneOffsetFromUTC" and len(text) == 5 and text[1:].isdigit() and text[0] in "+-":
            minutes = int(text[1:3]) * 60 + int(text[3:])
            return at.astimezone(timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes)))
    return at


def _date(dataset: Any, at: datetime) -> None:
    for day, time in TIMES:
        if day in dataset or day == "ContentDate":
            setattr(dataset, day, at.strftime("%Y%m%d"))
            setattr(dataset, time, at.strftime("%H%M%S"))
    for verified in dataset.get("VerifyingObserverSequence", ()):
        verified.VerificationDateTime = at.strftime("%Y%m%d%H%M%S")


def _equip(dataset: Any, made: Made) -> None:
    """General Equipment and Contributing Equipment (PS3.3 C.7.5.1, C.12.1)."""
    one = made.algorithm
    dataset.Manufacturer, dataset.ManufacturerModelName = "Diascope", one.label[:64]
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = one.seal[:64], [one.version[:64], version("diascope")]
    item = pydicom.Dataset()
    item.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(codes.DCM.ProcessingEquipment)]
    item.Manufacturer, item.ManufacturerModelName = "Diascope", one.label[:64]
    item.DeviceSerialNumber, item.SoftwareVersions = one.seal[:64], [one.version[:64], version("diascope")]
    item.ContributionDateTime = made.at.strftime("%Y%m%d%H%M%S%z")
    item.ContributionDescription = "; ".join(f"{name}: {said}" for name, said in made.by().items())[:DESCRIBED]
    others = list(dataset.get("ContributingEquipmentSequence", ()))
    for other in others:
        if "highdicom" in str(other.get("Manufacturer", "")).lower():
            other.ContributionDateTime = item.ContributionDateTime
    dataset.ContributingEquipmentSequence = [*others, item]
    scheme = pydicom.Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = PRIVATE_SCHEME, "Diascope: digests of names"
    scheme.CodingSchemeResponsibleOrganization = "Diascope"
    dataset.CodingSchemeIdentificationSequence = [scheme]
