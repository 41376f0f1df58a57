"""Audit records as DICOM audit messages (PS3.15, section A.5), which audit repositories of hospitals take.

The messages hold what the records hold: pseudonyms and UIDs, no names of patients. Every text is escaped; characters
that XML can't hold are left out.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from diascope.core.record import canonical_json

SOURCE = "diascope"

CODES = {
    "110100": "Application Activity",
    "110101": "Audit Log Used",
    "110102": "Begin Transferring DICOM Instances",
    "110103": "DICOM Instances Accessed",
    "110104": "DICOM Instances Transferred",
    "110105": "DICOM Study Deleted",
    "110106": "Export",
    "110107": "Import",
    "110108": "Network Entry",
    "110112": "Query",
    "110113": "Security Alert",
    "110114": "User Authentication",
    "110122": "Login",
    "110123": "Logout",
    "110129": "Security Configuration",
    "110131": "Software Configuration",
    "110132": "Use of Restricted Function",
    "110136": "Security Roles Changed",
    "110137": "User security Attributes Changed",
}
"""PS3.16, context groups 400 and 401."""

EVENTS: tuple[tuple[str, str, str, str], ...] = (
    ("login", "110114", "E", "110122"),
    ("login.failed", "110114", "E", "110122"),
    ("logout", "110114", "E", "110123"),
    ("access.refused", "110113", "E", "110132"),
    ("security.", "110113", "E", ""),
    ("audit.", "110101", "R", ""),
    ("password.", "110113", "U", "110137"),
    ("token.", "110113", "U", "110137"),
    ("user.", "110113", "U", "110136"),
    ("member.", "110113", "U", "110136"),
    ("project.", "110113", "U", "110129"),
    ("peer.", "110113", "U", "110129"),
    ("rule.", "110113", "U", "110131"),
    ("settings.", "110113", "U", "110131"),
    ("instance.stored", "110104", "C", ""),
    ("instance.refused", "110104", "C", ""),
    ("study.queried", "110112", "E", ""),
    ("peer.queried", "110112", "E", ""),
    ("identity.searched", "110112", "E", ""),
    ("study.deleted", "110105", "D", ""),
    ("study.exported", "110106", "R", ""),
    ("study.sent", "110102", "R", ""),
    ("result.sent", "110104", "R", ""),
    ("report.sent", "110104", "R", ""),
    ("result.rewritten", "110103", "C", ""),
    ("export.", "110106", "R", ""),
    ("feedback.gathered", "110106", "R", ""),
    ("release.", "110113", "U", "110131"),
    ("document.read", "110103", "R", ""),
    ("document.kept", "110103", "C", ""),
    ("observations.kept", "110103", "C", ""),
    ("study.", "110103", "R", ""),
    ("instance.", "110103", "R", ""),
    ("identity.", "110103", "R", ""),
    ("node.", "110108", "E", ""),
    ("", "110100", "E", ""),
)
"""Beginning of an action; event, what was done (create, read, update, delete, execute), type. The longest counts."""

OUTCOMES = {"success": "0", "refused": "4", "failure": "8"}
"""RFC 3881: success, minor failure, serious failure."""

BAD = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold."""

UID = re.compile(r"[0-9]+(\.[0-9]+)+")


def written(records: Iterable[Mapping[Any, Any]]) -> Iterator[bytes]:
    """A document of audit messages, a piece at a time.

    Args:
        records: Rows of the table `audit`.
    """
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n'
    for record in records:
        yield tostring(message(record), encoding="utf-8", xml_declaration=False) + b"\n"
    yield b"</AuditMessages>\n"


def message(record: Mapping[Any, Any]) -> Element:
    """One record as an audit message (PS3.15, A.5.1)."""
    made = Element("AuditMessage")
    event, done, kind = _codes(record["action"])
    at = datetime.fromtimestamp(record["at"], UTC).isoformat(timespec="milliseconds")
    outcome = OUTCOMES.get(record["outcome"], "8")
    head = _part(made, "EventIdentification", EventActionCode=done, EventDateTime=at, EventOutcomeIndicator=outcome)
    _code(head, "EventID", event)
    if kind:
        _code(head, "EventTypeCode", kind)
    _participant(made, record)
    _part(made, "AuditSourceIdentification", AuditSourceID=SOURCE)
    _object(made, record)
    return made


def _participant(made: Element, record: Mapping[Any, Any]) -> None:
    where = {}
    if record["address"]:
        kind = "2" if _is_address(record["address"]) else "1"
        where = {"NetworkAccessPointID": record["address"], "NetworkAccessPointTypeCode": kind}
    _part(made, "ActiveParticipant", UserID=record["actor"], UserIsRequestor="true", **where)


def _object(made: Element, record: Mapping[Any, Any]) -> None:
    """What it was done to, with the record itself as details, so that nothing is lost on the way."""
    name = record["object"] or "service"
    is_uid = UID.fullmatch(name) is not None
    role = "3" if is_uid else "13"  # report; security resource
    found = _part(
        made,
        "ParticipantObjectIdentification",
        ParticipantObjectID=name,
        ParticipantObjectTypeCode="2",
        ParticipantObjectTypeCodeRole=role,
    )
    if is_uid:
        _code(found, "ParticipantObjectIDTypeCode", "110180", "Study Instance UID")
    else:
        uri = {"csd-code": "12", "codeSystemName": "RFC-3881", "originalText": "URI"}
        _part(found, "ParticipantObjectIDTypeCode", **uri)
    _part(found, "ParticipantObjectName").text = record["action"]
    kept = {key: record[key] for key in ("sequence", "project_id", "detail", "previous", "digest")}
    for key, value in kept.items():
        text = value if isinstance(value, str) else canonical_json(value)
        _part(found, "ParticipantObjectDetail", type=key, value=base64.b64encode(text.encode()).decode())


def _codes(action: str) -> tuple[str, str, str]:
    fitting = [one for one in EVENTS if action.startswith(one[0])]
    _, event, done, kind = max(fitting, key=lambda one: len(one[0]))
    return event, done, kind


def _code(parent: Element, name: str, code: str, meaning: str = "") -> None:
    _part(parent, name, **{"csd-code": code, "codeSystemName": "DCM", "originalText": meaning or CODES[code]})


def _part(parent: Element, name: str, **attributes: str) -> Element:
    return SubElement(parent, name, {key: BAD.sub("", value) for key, value in attributes.items()})


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
