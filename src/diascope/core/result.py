"""A result that leaves: who made it, who reviewed it, and what must be said with every finding wherever it goes."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from diascope.core.errors import BadUsage, DataRefused
from diascope.core.evaluation import Release
from diascope.core.finding import Finding, Findings, Measure
from diascope.core.image import Image
from diascope.core.record import Field, Record, hash_of

NOT_REVIEWED = "Not reviewed"
NO_DEVICE = "Not a medical device"
SURE = ("probability", "confidence")
"""Names of the measures that say how sure a finding is."""
VERDICTS = {
    "accept": "accepted", "reject": "rejected", "amend": "amended", "unsure": "undecided, the reader can't tell",
}  # fmt: skip
LONGEST = 2000
"""Characters of what a reader said that go into an object."""
LATER = ("reason", "amended", "added")
"""What reviews did not always say: where it is empty it counts for no hash, so that older objects keep their names."""

MEASURES = {
    "probability": ("111012", "DCM", "Certainty of Finding"),
    "volume": ("118565006", "SCT", "Volume"),
    "width": ("103355008", "SCT", "Width"),
    "depth": ("131197000", "SCT", "Depth"),
    "height": ("121207", "DCM", "Height"),
}
"""Value, scheme and meaning of the measures that have a standard code; others have one of ours."""
PRIVATE_SCHEME = "99DIASCOPE"
"""Coding scheme of what has no code of its own: digests of names."""
ABNORMAL = frozenset({"4147007", "52988006", "108369006", "27925004", "86049000", "128462008", "41040004", "399981008"})
"""SNOMED CT codes that are findings, not anatomy (mass, lesion, neoplasm, nodule, ...): property category 49755003."""
UNITS = {"years": "a", "year": "a", "months": "mo", "weeks": "wk", "days": "d", "hours": "h", "a.u.": "{a.u.}"}
"""Words for units that people write, and their UCUM codes."""
UCUM = re.compile(r"(?=.{1,16}$)(?:[!-z|~]|\{[!-z|~]*\})+")
"""What a code of UCUM may look like: printable ASCII, braces in pairs."""


class Algorithm(Record):
    """What made a result: a release, by name, version and seal."""

    name: str
    version: str
    seal: str
    """SHA-256 of the release."""
    calibration: str
    """Which calibration and operating points were in force: a digest of the release's decision."""
    signed: bool = False
    """Whether a named person signed the release; False is a candidate."""

    @classmethod
    def of(cls, release: Release) -> Algorithm:
        """The identification of a release."""
        return cls(
            name=release.name,
            version=release.version,
            seal=release.seal,
            calibration=f"sha256:{hash_of(release.decision)[:16]}",
            signed=release.signed_by is not None,
        )

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


class Review(Record):
    """What a reader decided about a result. The result stays what the release said."""

    by: str
    """Name of the reader, as DICOM writes names: `Family^Given`."""
    at: datetime
    verdict: Literal["accept", "reject", "amend", "unsure"]
    organization: str = ""
    comment: str = ""
    reason: str = ""
    """Of a rejection."""
    amended: dict[str, str] = Field(default_factory=dict)
    """Name of a finding to what is right instead, in words."""
    added: tuple[str, ...] = ()
    """What the release missed, in words."""

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON types, without what reviews did not always say where it is empty."""
        return {name: said for name, said in super().to_json().items() if said or name not in LATER}

    def told(self) -> dict[str, str]:
        """What the reader said beside the verdict, for every object that tells of the result (K3)."""
        said = {
            "reader's reason": self.reason,
            "reader's amendment": "; ".join(f"{name}: {words}" for name, words in self.amended.items()),
            "missed by the release": "; ".join(self.added),
            "reader's comment": self.comment,
        }
        return {name: text[:LONGEST] for name, text in said.items() if text}


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Where a reader saw something, in the place of what the release said of it, or beside that.

    Args:
        concept: Name of the finding; of what was added, what it is.
        mask: 1 where it is, on the grid of the first source as it was read.
        added: Whether the release missed it.
    """

    concept: str
    mask: Image = field(repr=False)
    added: bool = False


@dataclass(frozen=True, eq=False)
class Made:
    """What goes with findings when they leave as an object.

    Args:
        result: Id of the result; every UID is made of it, so that writing it again gives the same object.
        at: When the result was made, with its time zone.
        algorithm: Which release made it.
        review: None while nobody reviewed it.
        mask: On the grid of the first source as it was read; its `attributes["labels"]` name the voxel values.
        picture: PNG of the answer, for a secondary capture.
        report: PDF, for an encapsulated document.
        segmentation: The SEG as it was first written, in the place of a mask: a review changes what it says, and what
            it shows only where the reader drew.
        redrawn: What the reader drew.
        removed: Names of findings that the reader said are not there: they have no segment any more.
    """

    result: str
    at: datetime
    algorithm: Algorithm
    review: Review | None = None
    mask: Image | None = field(default=None, repr=False)
    picture: bytes | None = field(default=None, repr=False)
    report: bytes | None = field(default=None, repr=False)
    segmentation: bytes | None = field(default=None, repr=False)
    redrawn: tuple[Redrawn, ...] = ()
    removed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.result or self.at.tzinfo is None or (self.review and self.review.at.tzinfo is None):
            raise BadUsage("a result needs an id, and times with their zone", given=f"{self.result!r}, {self.at}")

    def uid(self, kind: str) -> str:
        """A DICOM UID (PS3.5 B.2): of the result, the kind of object, and the review, which makes another object."""
        return self.lasting(f"{kind} {self.review.content_hash()}" if self.review else kind)

    def lasting(self, kind: str) -> str:
        """The UID without regard to the review: what was said first has it, and stays."""
        return first_uid(self.result, kind)

    @property
    def state(self) -> str:
        """`Not reviewed`, or who reviewed it, when, and how."""
        if self.review is None:
            return NOT_REVIEWED
        at = self.review.at.isoformat(timespec="seconds")
        return f"Reviewed by {self.review.by} at {at}: {VERDICTS[self.review.verdict]}"

    @property
    def is_final(self) -> bool:
        """Whether a reader accepted what the release said."""
        return self.review is not None and self.review.verdict == "accept"

    def by(self) -> dict[str, str]:
        """What every object says of how it was made."""
        one = self.algorithm
        return {
            "algorithm": one.name,
            "version": one.version,
            "release_hash": one.seal,
            "release": "signed" if one.signed else "candidate: nobody signed it",
            "calibration": one.calibration,
            "made": self.at.isoformat(timespec="seconds"),
            "review": self.state,
            "use": NO_DEVICE,
            **(self.review.told() if self.review else {}),
        }


def first_uid(result: str, kind: str) -> str:
    """The DICOM UID of an object of a result as it was first written, before any review (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'diascope {result} {kind}').int}"


def agreed(findings: Findings, made: Made) -> None:
    """Refuse findings that another release made than is claimed.

    Raises:
        BadUsage: When the release of the findings is not that of `made`.
    """
    claimed = f"{made.algorithm.label} {made.algorithm.seal[:16]}".strip()  # one that could not be opened has no seal
    if findings.release != claimed:
        raise BadUsage("the findings are of another release", given=f"{findings.release}, not {claimed}")


def of_these(findings: Findings, uids: Sequence[str]) -> None:
    """Refuse findings that were not made of these objects: a result never lies on another's images (K1).

    Args:
        findings: What a release said.
        uids: SOP instance UIDs of the sources.

    Raises:
        DataRefused: When an object was not read for these findings.
    """
    read = {one for names in findings.inputs.values() for one in names}
    foreign = [uid for uid in uids if uid not in read]
    if foreign or not uids:
        raise DataRefused(
            "the findings were not made of these objects",
            given=f"{len(foreign)} of {len(uids)} were not read, for example {foreign[:1]}",
            todo="Give the files that the findings name as their inputs",
        )


def said_with(finding: Finding, made: Made) -> dict[str, str]:
    """What must be told with a finding wherever it goes (K3); every entry is there, also to say that there is none."""
    point = finding.operating_point
    told = {
        "status": words(finding),
        **({"reader's amendment": amended} if (amended := _amended(finding, made)) else {}),
        "confidence": _confidence(finding),
        "threshold": finding.rule or "none: nothing was decided",
        "calibration": made.algorithm.calibration,
    }
    if point is not None:
        least = "the largest wins" if point.value is None else f">= {point.value:.6g}"
        weight = "" if point.weight == 1 else f", weight {point.weight:.6g}"
        unsound = "" if point.sound else ", not sound: the rule could not be followed"
        told["operating point"] = f"{point.measure} of {point.of} {least}{weight} ({point.rule}{unsound})"
    notes = [f"{name}: {one.note}" for name, one in finding.measures.items() if one.note and name not in SURE]
    if notes:
        told["notes"] = "; ".join(notes)
    if finding.place is not None and finding.place.centre_mm is not None:
        told["centre"] = "{:.2f}, {:.2f}, {:.2f} mm (x, y, z; LPS)".format(*finding.place.centre_mm)
    if finding.span is not None:
        told["span"] = f"characters {finding.span.start} to {finding.span.stop} of {finding.span.input}"
    return told


def _amended(finding: Finding, made: Made) -> str:
    """What a reader put beside what is said, which stays; "" where that is nothing."""
    return "" if made.review is None else made.review.amended.get(finding.concept, "")


def words(finding: Finding) -> str:
    """`present`, `absent`, `measured`, or why it is not available: never a negative."""
    if finding.status != "abstained":
        return finding.status
    reason = finding.reason or "no reason was given"
    return reason if reason.startswith("not available") else f"not available, because {reason}"


def coded(name: str, code: str | None = None) -> tuple[str, str, str]:
    """Value, scheme and meaning of a concept: its code (`SCT:10200004`), or one of ours that is made of its name."""
    scheme, _, value = (code or "").partition(":")
    digest = hashlib.sha256(name.encode()).hexdigest()[:12].upper()
    return (value, scheme, name[:64]) if value else (digest, PRIVATE_SCHEME, name[:64])


def ucum(unit: str) -> str:
    """A unit as UCUM writes it; what it cannot write is an annotation of the unit 1, as `{target}` is."""
    known = UNITS.get(unit, unit)
    if UCUM.fullmatch(known):
        return known
    plain = re.sub(r"[^!-z|~]", "_", known)[:14]
    return f"{{{plain}}}" if plain else "1"


def number(measure: Measure) -> str:
    """A measure in words: value, unit and interval."""
    if measure.value is None:
        return "undefined"
    unit = "" if measure.unit == "1" else f" {measure.unit}"
    ends = [f"{end:.6g}" if end is not None else "open" for end in (measure.low, measure.high)]
    interval = "" if ends == ["open", "open"] else f" [{ends[0]}, {ends[1]}]"
    return f"{measure.value:.6g}{unit}{interval}"


def _confidence(finding: Finding) -> str:
    said = [(name, one) for name, one in finding.measures.items() if name in SURE or name.startswith("risk_")]
    said = said or [(name, one) for name, one in finding.measures.items() if one.low is not None]
    parts: list[Any] = [f"{name} {number(one)}{f' ({one.note})' if one.note else ''}" for name, one in said]
    return "; ".join(parts) or "none given"
