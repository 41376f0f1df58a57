"""Findings as an HL7 v2.5.1 message ORU^R01, in UTF-8.

Each finding is a group of OBX with one sub-id (OBX-4): what was decided, as a coded value, then its numbers. What must
be told with a finding follows in NTE. Something that is not available has the status X, "results cannot be obtained",
and its reason; it never looks like a negative.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from diascope.core.finding import Finding, Findings, Measure
from diascope.core.result import MEASURES, NO_DEVICE, Made, agreed, coded, number, said_with, ucum, words
from diascope.serve.outgoing.destinations import target
from diascope.serve.outgoing.mllp import Destination, send
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import REPORT, Person, StudyFacts
from diascope.serve.outgoing.told import told
from diascope.serve.service import Service

CR = "\r"
ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\n": "\\.br\\"}
"""Section 2.7.1 of the standard."""
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029]")
"""Would end a segment or a block."""
STATES = {"present": ("52101004", "Present", "SCT"), "absent": ("2667000", "Absent", "SCT")}
SEXES = {"M": "M", "F": "F", "O": "O"}
GROUPS = "AIP"
"""Alphabetic, ideographic, phonetic: groups of a DICOM name, and codes of table 0465."""
NUMBERS = 20
"""Characters of a message's control id."""


@dataclass(frozen=True)
class Ends:
    """Who sends and who receives (MSH-3 to MSH-6)."""

    sender: str = "DIASCOPE"
    sending_facility: str = ""
    receiver: str = ""
    receiving_facility: str = ""


@dataclass(frozen=True)
class Order:
    """What OBR says of a report.

    Args:
        number: Ours (OBR-3), the same as long as it is the same report.
        at: When it was said.
        status: Of table 0123.
    """

    number: str
    at: datetime
    status: str


def escaped(text: str) -> str:
    """Text in which nothing is a separator, and no control character is left."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(ESCAPES.get(letter, letter) for letter in CONTROLS.sub(" ", lines))


def control_id(made: Made) -> str:
    """Id of the message of a result: the same each time, another one once it was reviewed."""
    return made.uid("oru").removeprefix("2.25.")[:NUMBERS]


def message_of(findings: Findings, made: Made, person: Person, study: StudyFacts, ends: Ends | None = None) -> str:
    """The message, its segments ended by carriage returns.

    Args:
        findings: What a release said.
        made: By what and when, and who reviewed it.
        person: Whose study it is.
        study: The study.
        ends: Who sends and who receives.

    Raises:
        BadUsage: When the findings are of another release.
    """
    agreed(findings, made)
    when = made.review.at if made.review else made.at
    order = Order(made.lasting("oru")[-22:], when, status_of(made))
    segments = [header(control_id(made), when, ends or Ends()), patient(person), ordered(order, person, study)]
    how = [f"{name}: {said}" for name, said in made.by().items()]
    inputs = [f"input {name}: {' '.join(uids)}" for name, uids in findings.inputs.items()]
    segments += notes([*how, *findings.notes, *inputs])
    count = 0
    for at, finding in enumerate(findings.findings, 1):
        for segment in _observed(finding, at, made):
            if segment[0] == "OBX":
                count += 1
                segment[1] = str(count)
            segments.append(segment)
    return joined(segments)


def joined(segments: Sequence[Sequence[str]]) -> str:
    """Segments as a message."""
    return "".join("|".join(segment).rstrip("|") + CR for segment in segments)


def deliver(service: Service, peer: Peer, parcel: Parcel) -> None:
    """Tell a peer about a result, and wait until it has acknowledged.

    Raises:
        DiascopeError: When it did not, or there is nothing to tell.
    """
    one = told(service, parcel)
    post(service, peer, message_of(one.findings, one.made, one.person, one.study))


def post(service: Service, peer: Peer, message: str) -> None:
    """Send a message, and wait until it was acknowledged.

    Raises:
        DiascopeError: When it was not.
    """
    tls = ssl.create_default_context() if peer.settings.get("tls") else None
    to = target(str(peer.settings["host"]), int(peer.settings["port"]), service.settings.send_to)
    send(message, Destination(to.host, to.port, tls=tls, address=to.address))


def header(control: str, at: datetime, ends: Ends) -> list[str]:
    """MSH.

    Args:
        control: Id of the message.
        at: When what it says was said.
        ends: Who sends and who receives.
    """
    four = [escaped(one) for one in (ends.sender, ends.sending_facility, ends.receiver, ends.receiving_facility)]
    return [
        "MSH", "^~\\&", *four, time_of(at), "", "ORU^R01^ORU_R01", control, "P", "2.5.1",
        "", "", "", "", "", "UNICODE UTF-8",
    ]  # fmt: skip


def patient(person: Person) -> list[str]:
    """PID."""
    number = f"{escaped(person.number)}^^^{escaped(person.issuer)}^PI"
    birth = re.sub(r"[^0-9]", "", person.birth_date)[:8]
    return ["PID", "1", "", number, "", _name(person.name), "", birth, SEXES.get(person.sex.upper(), "U")]


def ordered(order: Order, person: Person, study: StudyFacts) -> list[str]:
    """OBR."""
    code, name = REPORT
    fields = [""] * 26
    fields[:5] = ["OBR", "1", escaped(person.accession), order.number, f"{code}^{name}^LN"]
    fields[7] = time_of(study.at) if study.at else ""
    fields[13] = escaped(f"{study.description} {study.modality}".strip())
    fields[16] = "~".join(map(_person, person.referring.split("\\")))
    fields[18], fields[19] = escaped(person.accession), escaped(person.study_number)
    fields[22], fields[24], fields[25] = time_of(order.at), "RAD", order.status
    return fields


def status_of(made: Made) -> str:
    """OBR-25 (table 0123): P while nobody decided, F when it was accepted, C when it was not as it was said."""
    undecided = made.review is None or made.review.verdict == "unsure"
    return "P" if undecided else "F" if made.is_final else "C"


def _line_status(made: Made) -> str:
    """OBX-11 (table 0085): W is "post original as wrong"."""
    return "W" if made.review is not None and made.review.verdict == "reject" else status_of(made)


def _observed(finding: Finding, at: int, made: Made) -> Iterator[list[str]]:
    """One finding: what was decided, its numbers, and what must be told with it."""
    value, scheme, meaning = coded(finding.concept, finding.code)
    concept = coded_as(value, meaning, scheme)
    state = STATES.get(finding.status)
    if finding.status == "abstained":
        yield _line(("ST", concept, str(at)), (escaped(words(finding)), ""), "X", made)
    elif state is not None:
        yield _line(("CE", concept, str(at)), (coded_as(*state), ""), _line_status(made), made)
    else:
        yield _line(("ST", concept, str(at)), (escaped(words(finding)), ""), _line_status(made), made)
    told = [f"{name}: {said}" for name, said in said_with(finding, made).items()]
    yield from notes([*told, f"review: {made.state}", NO_DEVICE])
    for place, (name, measure) in enumerate(finding.measures.items(), 1):
        yield _measured((finding.concept, name), measure, f"{at}.{place}", made)
        yield from notes([f"{name}: {number(measure)}{f' ({measure.note})' if measure.note else ''}"])


def _measured(names: tuple[str, str], measure: Measure, sub: str, made: Made) -> list[str]:
    """A number; the identifier names the finding as well, and has the standard code of the measure beside its own."""
    whole = ": ".join(names)
    value, scheme, meaning = coded(whole)
    identifier = coded_as(value, meaning, scheme)
    if names[1] in MEASURES:
        standard, system, name = MEASURES[names[1]]
        identifier += f"^{coded_as(standard, name, system)}"
    if measure.value is None:
        return _line(("ST", identifier, sub), ("undefined", ""), "X", made)
    unit = ucum(measure.unit)
    return _line(("NM", identifier, sub), (_plain(measure.value), f"{escaped(unit)}^{escaped(unit)}^UCUM"),
                 _line_status(made), made)  # fmt: skip


def _line(what: tuple[str, str, str], said: tuple[str, str], status: str, made: Made) -> list[str]:
    one, fields = made.algorithm, [""] * 20
    fields[:7] = ["OBX", "", what[0], what[1], what[2], said[0], said[1]]
    fields[11], fields[14] = status, time_of(made.at)
    fields[17] = f"{escaped(one.label)}^{escaped(f'{one.name} {one.version}')}^99DIASCOPE"
    fields[18] = f"{escaped(one.seal)}^DIASCOPE"
    fields[19] = time_of(made.at)
    return fields


def notes(lines: Sequence[str]) -> list[list[str]]:
    """NTE, a line each."""
    return [["NTE", str(at), "L", escaped(line)] for at, line in enumerate(lines, 1)]


def coded_as(value: str, meaning: str, system: str) -> str:
    """A coded element."""
    return f"{escaped(value)}^{escaped(meaning)}^{escaped(system)}"


def _name(name: str) -> str:
    """A DICOM name as XPN: prefix and suffix change places; each script is a repetition."""
    found = []
    for group, kind in zip(name.split("="), GROUPS, strict=False):
        family, given, middle, prefix, suffix = ([*group.split("^"), "", "", "", "", ""])[:5]
        if group.strip("^ "):
            found.append("^".join([*map(escaped, (family, given, middle, suffix, prefix)), "", "L", kind]))
    return "~".join(found)


def _person(name: str) -> str:
    """A DICOM name as XCN, without a number."""
    family, given, middle, prefix, suffix = ([*name.partition("=")[0].split("^"), "", "", "", "", ""])[:5]
    return "^".join(["", *map(escaped, (family, given, middle, suffix, prefix))]) if name else ""


def _plain(value: float) -> str:
    """A number without an exponent: NM has none (section 2.A.47)."""
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def time_of(at: datetime) -> str:
    """A time stamp with the offset of its zone, where it has one."""
    return at.strftime("%Y%m%d%H%M%S%z")
