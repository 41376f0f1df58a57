"""The last look at what was written: it refers to the study, series, objects, frame and patient of its job (K1).

The bytes that would be kept are parsed again, by the decoder child, and compared with the rows that the job is about.
A mistake anywhere before shows here, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from diascope.core.errors import DataRefused

SOP, REFERENCED = "00080018", "00081155"
STUDY, SERIES = "0020000D", "0020000E"
FRAME, REFERENCED_FRAME = "00200052", "30060024"
NUMBER, ISSUER, NAME = "00100020", "00100021", "00100010"


class CrossWired(DataRefused):
    """An object that refers to something else than what it was made of."""


@dataclass(frozen=True)
class Own:
    """What the objects of one result may refer to.

    Args:
        study: Study instance UID.
        series: Of the source.
        sources: SOP instance UIDs that were read.
        patient: Number and its issuer, and the name where there is no number.
        frames: Frame of reference UIDs of the source.
        earlier: UIDs of the report of the same result before its review, and of that report's series.
    """

    study: str
    series: str
    sources: frozenset[str]
    patient: tuple[str, ...]
    frames: frozenset[str]
    earlier: frozenset[str] = frozenset()

    @classmethod
    def of(cls, study: str, series: str, sources: Collection[str], header: dict[str, Any]) -> Own:
        """From the rows of the job, and the header of one of its sources.

        Raises:
            CrossWired: When the source is not what its row says.
        """
        if (_text(header, STUDY), _text(header, SERIES)) != (study, series) or _text(header, SOP) not in sources:
            raise CrossWired("a source is not what its row says", given=_text(header, SOP))
        frames = frozenset(filter(None, [_text(header, FRAME)]))
        return cls(study, series, frozenset(sources), _patient(header), frames)


def check(written: Mapping[str, dict[str, Any]], own: Own) -> None:
    """Refuse objects of which one refers to anything that is not the job's.

    Args:
        written: Kind to header, as DICOM JSON.
        own: What they may refer to.

    Raises:
        CrossWired: Names the kind, and what it refers to.
    """
    made = {_text(header, SOP) for header in written.values()}
    made_series = {_text(header, SERIES) for header in written.values()}
    if made & own.sources or own.series in made_series or not all(made) or len(made) != len(written):
        raise CrossWired("an object has the UID of another one")
    allowed = {
        STUDY: {own.study},
        SERIES: {own.series, *made_series, *own.earlier},
        SOP: made,
        REFERENCED: {*own.sources, *made, *own.earlier},
        FRAME: own.frames,
        REFERENCED_FRAME: own.frames,
    }
    for kind, header in written.items():
        if _patient(header) != own.patient:
            raise CrossWired(f"the {kind} is of another patient")
        for tag, value in _uids(header):
            if tag in allowed and allowed[tag] and value not in allowed[tag]:
                raise CrossWired(f"the {kind} refers to what it was not made of", given=f"{tag} {value}")
        if not own.sources & {value for tag, value in _uids(header) if tag == REFERENCED}:
            raise CrossWired(f"the {kind} does not say what it was made of")


def _patient(header: Mapping[str, Any]) -> tuple[str, ...]:
    number = _text(header, NUMBER)
    return (number, _text(header, ISSUER), "" if number else _text(header, NAME))


def _uids(header: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for tag, element in header.items():
        if element.get("vr") == "SQ":
            for item in element.get("Value", ()):
                yield from _uids(item or {})
        elif element.get("vr") == "UI":
            for value in element.get("Value", ()):
                yield tag, str(value)


def _text(header: Mapping[str, Any], tag: str) -> str:
    values = [value for value in header.get(tag, {}).get("Value", ()) if value is not None]
    parts = [_name(value) if isinstance(value, Mapping) else str(value).strip() for value in values]
    return "\\".join(parts)


def _name(value: Mapping[str, Any]) -> str:
    """A person name (PS3.18 F.2.2), without the empty parts that writers add or leave out."""
    groups = [str(value.get(name) or "").rstrip("^ ") for name in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")
