"""STOW-RS (PS3.18 10.5): parts of a body become drafts, one after the other, and each is received as any object is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from diascope.core.errors import StorageFailed, StorageFull
from diascope.serve.dicomweb.elements import Model, model
from diascope.serve.dicomweb.multipart import Malformed, Part, Parts
from diascope.serve.incoming.receiving import Expected, Received, Receiving, Refused
from diascope.serve.incoming.storing import Origin
from diascope.store.archive import Draft

DICOM = "application/dicom"

REASONS = {
    "unparsable": 0xC000,
    "mismatch": 0xA900,
    "duplicate": 0x0111,
    "out_of_resources": 0xA700,
    "forbidden": 0x0124,
    "class_not_supported": 0x0122,
}
"""Why an object was refused, as a status of PS3.4 Table B.2-1 and PS3.7 Annex C."""

PROCESSING_FAILURE = 0x0110
COERCED = 0xB000
"""Coercion of data elements: the preamble was zeroed."""


class TooLong(Exception):
    """An object that is larger than the service takes."""


@dataclass
class Report:
    """What became of the parts of one request.

    Args:
        stored: Objects that are durable.
        failed: Objects that are not, with their UIDs.
        others: Parts that are not, and whose UIDs nobody knows.
        wrong_type: How many of those were of another media type.
        too_long: Whether an object was larger than the service takes.
        broken: Why the body could not be read to its end; empty where it was.
    """

    stored: list[Received] = field(default_factory=list)
    failed: list[tuple[str, str, int]] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    wrong_type: int = 0
    too_long: bool = False
    broken: str = ""

    @property
    def reasons(self) -> set[int]:
        """Why parts failed."""
        return {reason for _, _, reason in self.failed} | set(self.others)

    @property
    def status(self) -> int:
        """Of the answer: PS3.18 Table 10.5.3-1, and 507 where there is no room (RELIABILITY A5, A9)."""
        if not self.reasons:
            return 200
        if self.stored:
            return 202
        if self.too_long:
            return 413
        if self.reasons == {REASONS["out_of_resources"]}:
            return 507
        if self.wrong_type and self.wrong_type == len(self.others) and not self.failed:
            return 415
        return 400 if self.reasons == {REASONS["unparsable"]} else 409

    def to_model(self, base: str, study_uid: str) -> Model:
        """The Store Instances Response Module (PS3.18 I.2).

        Args:
            base: Address of the service's DICOMweb, without a slash at its end.
            study_uid: Of the request; "" where it named none.
        """
        found: dict[str, Any] = {}
        studies = {one.study_uid for one in self.stored} | ({study_uid} if study_uid and self.stored else set())
        if len(studies) == 1:
            found["RetrieveURL"] = f"{base}/studies/{studies.pop()}"
        if self.stored:
            found["ReferencedSOPSequence"] = [_stored(one, base) for one in self.stored]
        if self.failed:
            found["FailedSOPSequence"] = [_failed(*one) for one in self.failed]
        if self.others:
            found["OtherFailuresSequence"] = [model({"FailureReason": reason}) for reason in self.others]
        return model(found)


class Storing:
    """Receives the parts of one request.

    Args:
        receiving: Of the service.
        origin: Who sends.
        study_uid: That the address names; "" where it names none.
    """

    def __init__(self, receiving: Receiving, origin: Origin, study_uid: str = "") -> None:
        self.receiving, self.origin = receiving, origin
        self.expected = Expected(study_uid=study_uid)
        self.largest = receiving.service.settings.largest_object_mb * 1_000_000

    def store(self, chunks: Iterator[bytes], boundary: bytes) -> Report:
        """Store what a body holds; what the report calls stored is durable.

        Args:
            chunks: The body.
            boundary: Between its parts.

        Raises:
            Malformed: When the body is no multipart message, and nothing was stored.
        """
        report = Report()
        try:
            for part in Parts(chunks, boundary):
                if not self._take(part, report):
                    break
        except Malformed as error:
            if not report.stored and not report.reasons:
                raise
            report.broken = error.wrong
            report.others.append(REASONS["unparsable"])
        except (StorageFull, StorageFailed):
            report.others.append(REASONS["out_of_resources"])
        return report

    def _take(self, part: Part, report: Report) -> bool:
        """Receive one part; returns whether the others can follow."""
        if part.media_type.name != DICOM:
            report.others.append(PROCESSING_FAILURE)
            report.wrong_type += 1
            return True
        try:
            with self.receiving.service.archive.draft() as draft:
                self._write(part, draft)
                report.stored.append(self.receiving.receive(draft, self.origin, self.expected))
        except TooLong:
            report.others.append(REASONS["out_of_resources"])
            report.too_long, report.broken = (
                True,
                f"an object has more than {self.receiving.service.settings.largest_object_mb} MB",
            )
            return False  # nobody knows how much more of it would follow
        except Refused as error:
            reason = REASONS[error.reason]
            if error.instance_uid:
                report.failed.append((error.sop_class, error.instance_uid, reason))
            else:
                report.others.append(reason)
            return error.reason != "out_of_resources"
        return True

    def _write(self, part: Part, draft: Draft) -> None:
        for chunk in part.content:
            if draft.size + len(chunk) > self.largest:
                raise TooLong
            draft.write(chunk)


def _stored(one: Received, base: str) -> Model:
    address = f"{base}/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.instance_uid}"
    found = {"ReferencedSOPClassUID": one.sop_class, "ReferencedSOPInstanceUID": one.instance_uid}
    warned: dict[str, object] = {"WarningReason": COERCED} if one.warnings else {}
    return model({**found, "RetrieveURL": address, **warned})


def _failed(sop_class: str, uid: str, reason: int) -> Model:
    found = {"ReferencedSOPClassUID": sop_class, "ReferencedSOPInstanceUID": uid, "FailureReason": reason}
    return model(found)
