"""A signed report as an HL7 v2.5.1 message ORU^R01: final, or corrected where it is an addendum.

What a reader rejected is a note, and no observation: it must not be found as a finding.
"""

from __future__ import annotations

from diascope.core.result import NO_DEVICE
from diascope.formats.dicomio.textwriting import SECTIONS, uid_of
from diascope.serve.outgoing.hl7 import (
    NUMBERS,
    Ends,
    Order,
    coded_as,
    escaped,
    header,
    joined,
    notes,
    ordered,
    patient,
    time_of,
)
from diascope.serve.reporting.exporting import Leaving, facts_of, signed_line

NOTED = frozenset({"rejected", "method"})
"""Sections that are notes."""


def message_of(one: Leaving, ends: Ends | None = None) -> str:
    """The message, its segments ended by carriage returns; the same report gives the same message.

    Args:
        one: The report with the identity of its study.
        ends: Who sends and who receives.
    """
    signature = one.signature
    status = "F" if one.before is None else "C"
    order = Order(uid_of(signature["study"], "report")[-22:], one.at, status)
    control = uid_of(signature["id"], "oru").removeprefix("2.25.")[:NUMBERS]
    obr = ordered(order, one.person, facts_of(one))
    obr += [""] * (33 - len(obr))
    obr[32] = f"&{escaped(one.by)}"
    segments = [header(control, one.at, ends or Ends()), patient(one.person), obr]
    noted = [f"{one.words(f'report.section.{name}')}: {text}" for name, text in one.sections if name in NOTED]
    segments += notes([signed_line(one), *noted, NO_DEVICE])
    told = [(name, text) for name, text in one.sections if name not in NOTED]
    for at, (name, text) in enumerate(told, 1):
        heading = SECTIONS[name][0]
        fields = [""] * 15
        code = coded_as(heading.value, heading.meaning, heading.scheme_designator)
        fields[:6] = ["OBX", str(at), "FT", code, str(at), escaped(text)]
        fields[11], fields[14] = status, time_of(one.at)
        segments.append(fields)
    return joined(segments)
