"""Objects of a result: written, looked at once more, and kept in the archive; no row names them yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diascope.core.errors import DiascopeError
from diascope.core.finding import Findings
from diascope.core.result import Made
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.results import KINDS, Kind, all_written
from diascope.reports.pdf import report_pdf
from diascope.serve.incoming.storing import Arrival, Origin
from diascope.serve.reading.checking import Own, check
from diascope.serve.reading.question import Question
from diascope.serve.service import Service


@dataclass(frozen=True)
class Objects:
    """What was written of a result.

    Args:
        arrivals: Kind to what is to be indexed.
        findings: With a note on each object that could not be written.
    """

    arrivals: dict[str, Arrival]
    findings: Findings


def objects(service: Service, question: Question, findings: Findings, made: Made, folder: Path) -> Objects:
    """Write, check and keep the objects of a result.

    Args:
        service: Whose archive.
        question: What they are of.
        findings: What was said.
        made: With the parts that are to be written.
        folder: Private, with the files of the series and nothing else.

    Raises:
        CrossWired: When an object refers to anything but the series that it was made of; nothing is kept.
        StorageFull: When there is no room.
    """
    sources = sorted(path for path in folder.iterdir())
    contents, notes = _written(findings, sources, made, _wanted(question, made))
    places = {kind: folder / f"{kind}.dcm" for kind in contents}
    for kind, path in places.items():
        path.write_bytes(contents[kind])
    (header,) = decoder().json(sources[:1])
    own = Own.of(question.study_uid, question.series_uid, [one.uid for one in question.sources], header)
    if made.review is not None:
        own = replace(own, earlier=frozenset({made.lasting("sr"), made.lasting("sr series")}))
    headers = decoder().json(list(places.values()))
    check(dict(zip(places, headers, strict=True)), own)
    arrivals: dict[str, Arrival] = {
        kind: _kept(service, question, made, path, contents[kind]) for kind, path in places.items()
    }
    noted = findings.model_copy(update={"notes": (*findings.notes, *notes)}) if notes else findings
    return Objects(arrivals, noted)


def printed(service: Service, question: Question, findings: Findings, made: Made) -> bytes:
    """The report of a result as a PDF, with the name of the patient: it goes where the images came from."""
    who = service.identities.of([question.study_uid]).get(question.study_uid)
    names = ("name", "number", "birth_date", "sex", "accession")
    about = {name: getattr(who, name) for name in names} if who is not None else {}
    return report_pdf(findings, made, {**about, "study_date": question.date})


def _wanted(question: Question, made: Made) -> tuple[Kind, ...]:
    """A report always, a segmentation where there is a mask, the others where somebody gets them."""
    sent = {kind for kinds in question.sends.values() for kind in kinds}
    can: dict[Kind, bool] = {
        "seg": made.mask is not None or made.segmentation is not None or bool(made.redrawn),
        "sr": True,
        # The picture of a PDF is kept as an object too: after a review both are written again.
        "sc": bool(sent & {"sc", "pdf"}) and made.picture is not None,
        "pdf": "pdf" in sent and made.report is not None,
    }
    return tuple(kind for kind in KINDS if can[kind])


def _written(
    findings: Findings, sources: Sequence[Path], made: Made, kinds: Sequence[Kind]
) -> tuple[dict[Kind, bytes], list[str]]:
    """The objects; where they can't all be written, those that can, and why the others can't."""
    try:
        return all_written(findings, sources, made, kinds), []
    except DiascopeError:
        found: dict[Kind, bytes] = {}
        notes = []
    for kind in kinds:
        one = made if kind == "seg" or "seg" in found else replace(made, mask=None)
        try:
            found |= all_written(findings, sources, one, (kind,))
        except DiascopeError as error:
            notes.append(f"no DICOM {kind.upper()} was written: {error.wrong}")
    return found, notes


def _kept(service: Service, question: Question, made: Made, path: Path, content: bytes) -> Arrival:
    facts: dict[str, Any] = decoder().index(path)
    origin = Origin(actor="service", address="", project=question.project, made=True)
    return Arrival(facts, service.archive.put(content), origin, {"result": made.result})
