"""What messages about a result need beside the findings: whose study it is, and how a delivery can fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from diascope.core.errors import DiascopeError

REPORT = ("18748-4", "Diagnostic imaging study")
"""LOINC code of the report, and its name."""


class Person(Protocol):
    """Whose study it is, as `serve/identities.py: Identity` has it; every field is "" where it is not known."""

    @property
    def name(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def birth_date(self) -> str: ...
    @property
    def sex(self) -> str: ...
    @property
    def accession(self) -> str: ...
    @property
    def study_number(self) -> str: ...
    @property
    def referring(self) -> str: ...


@dataclass(frozen=True)
class StudyFacts:
    """What is told of a study.

    Args:
        study_uid: Study instance UID.
        at: When it was made, None where unknown.
        modality: DICOM code of the modality of what was read (`CT`), "" where unknown.
        description: Of the study.
        series_uids: Of the series that were read.
    """

    study_uid: str
    at: datetime | None = None
    modality: str = ""
    description: str = ""
    series_uids: tuple[str, ...] = ()


class NotDelivered(DiascopeError):
    """The other side could not be reached, or did not answer in time: sending again may help."""


class Declined(DiascopeError):
    """The other side answered that it does not take the message: sending the same again does not help.

    Args:
        peer: Address of the other side.
        code: What it answered: `AE`, `AR`, an HTTP status.
    """

    def __init__(self, peer: str, code: str) -> None:
        super().__init__(f"{peer} declined the message", given=code, todo="See the log of the other side")
        self.code = code
