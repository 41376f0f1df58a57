"""Findings as FHIR R4: a transaction of `DiagnosticReport`, `Observation`s, `Device`, `ImagingStudy` and `Patient`.

Every entry is conditional on an identifier that is made of the result's id: what was sent twice is there once. A review
updates the report and its observations (their versions stay in the server's history) and makes no second ones.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from diascope.core.errors import DataRefused, MissingPackage
from diascope.core.finding import Finding, Findings, Measure
from diascope.core.result import MEASURES, NO_DEVICE, Made, agreed, coded, number, said_with, ucum, words
from diascope.serve.outgoing.destinations import client_for
from diascope.serve.outgoing.fhir_sending import send
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import REPORT, Person, StudyFacts
from diascope.serve.outgoing.told import told
from diascope.serve.peers import token_of
from diascope.serve.service import Service

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
DICOM, TERMS = "http://dicom.nema.org/resources/ontology/DCM", "http://terminology.hl7.org/CodeSystem"
OURS = "urn:diascope:codes"
"""System of codes that are made of names."""
RELEASE = "urn:diascope:release"
"""System of identifiers of releases: their seals."""
SYSTEMS = {"SCT": SNOMED, "DCM": DICOM, "LN": LOINC, "99DIASCOPE": OURS}
URI = "urn:ietf:rfc3986"
"""System of identifiers that are URIs (FHIR R4, 2.24.0.9)."""
STATES = {"present": ("52101004", "Present"), "absent": ("2667000", "Absent")}
STATUS = {
    "accept": ("final", "final"), "amend": ("amended", "amended"), "reject": ("cancelled", "cancelled"),
    "unsure": ("preliminary", "preliminary"),
}  # fmt: skip
"""Verdict to the status of the report and of its observations."""
SECONDS = 30.0
"""For each step of a delivery."""
SEXES = {"M": "male", "F": "female", "O": "other"}
Entry = dict[str, Any]


def bundle_of(findings: Findings, made: Made, person: Person, study: StudyFacts) -> dict[str, Any]:
    """The transaction as JSON, validated.

    Args:
        findings: What a release said.
        made: By what and when, and who reviewed it.
        person: Whose study it is.
        study: The study.

    Raises:
        BadUsage: When the findings are of another release.
        DataRefused: When it would be no valid FHIR; the values are not quoted.
        MissingPackage: Without fhir.resources.
    """
    agreed(findings, made)
    patient, device, series = patient_of(person, study), _device(made), imaging_of(study, person)
    refs = {name: {"reference": one["fullUrl"]} for name, one in
            (("patient", patient), ("device", device), ("imaging", series))}  # fmt: skip
    series["resource"]["subject"] = refs["patient"]
    said = [_observation(one, at, made, refs) for at, one in enumerate(findings.findings, 1)]
    report = _report(findings, made, study, refs)
    report["resource"]["result"] = [{"reference": one["fullUrl"]} for one in said]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [patient, device, series, *said, report]}
    return validated(bundle)


def deliver(service: Service, peer: Peer, parcel: Parcel) -> None:
    """Tell a peer about a result.

    Raises:
        DiascopeError: When it did not take it, or there is nothing to tell.
    """
    one = told(service, parcel)
    post(service, peer, bundle_of(one.findings, one.made, one.person, one.study))


def post(service: Service, peer: Peer, bundle: Mapping[str, Any]) -> None:
    """Send a transaction to a peer.

    Raises:
        DiascopeError: When it did not take it.
    """
    url = str(peer.settings["url"])
    with client_for(url, service.settings.send_to, SECONDS, token_of(service, peer.id, peer.settings)) as client:
        send(bundle, url, client)


def validated(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """A bundle that is valid R4.

    Raises:
        DataRefused: When it is not; the values are not quoted.
        MissingPackage: Without fhir.resources.
    """
    try:
        from fhir.resources.R4B.bundle import Bundle
    except ImportError as error:
        raise MissingPackage("fhir.resources", "serve", "a FHIR report") from error
    from pydantic import ValidationError

    try:
        Bundle.model_validate(bundle)
    except ValidationError as error:
        places = {".".join(map(str, one["loc"])) for one in error.errors(include_input=False, include_url=False)}
        raise DataRefused("the result makes no valid FHIR", given=", ".join(sorted(places))[:400]) from None
    return dict(bundle)


def entry_of(resource: Entry, identifier: Mapping[str, Any], update: bool = False) -> Entry:
    """A resource that is made once: by its identifier, and updated where `update` says so."""
    kind = resource["resourceType"]
    query = f"identifier={quote(identifier['system'], safe=':/')}|{quote(identifier['value'], safe=':')}"
    request = {"method": "PUT", "url": f"{kind}?{query}"} if update else {
        "method": "POST", "url": kind, "ifNoneExist": query
    }  # fmt: skip
    full = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{kind} {query}')}"
    return {"fullUrl": full, "resource": resource, "request": request}


def oid_of(uid: str) -> dict[str, str]:
    """The identifier that a DICOM UID is."""
    return {"system": URI, "value": f"urn:oid:{uid}"}


def patient_of(person: Person, study: StudyFacts) -> Entry:
    """Known by number and issuer; without a number, by the study."""
    identifier: Entry = {"system": "urn:dicom:uid", "value": f"urn:oid:{study.study_uid}"}
    if person.number:
        is_oid = re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", person.issuer)
        issuer = uuid.uuid5(uuid.NAMESPACE_OID, f"issuer {person.issuer}")
        identifier = {"system": f"urn:oid:{person.issuer}" if is_oid else f"urn:uuid:{issuer}", "value": person.number}
        if person.issuer:
            identifier["assigner"] = {"display": person.issuer}
    resource: Entry = {"resourceType": "Patient", "identifier": [identifier]}
    names = [_name(group) for group in person.name.split("=") if group.strip("^ ")]
    if names:
        resource["name"] = names
    if person.sex.upper() in SEXES:
        resource["gender"] = SEXES[person.sex.upper()]
    if re.fullmatch(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", person.birth_date):
        resource["birthDate"] = f"{person.birth_date[:4]}-{person.birth_date[4:6]}-{person.birth_date[6:]}"
    return entry_of(resource, identifier)


def _name(group: str) -> Entry:
    family, given, middle, prefix, suffix = ([*group.split("^"), "", "", "", "", ""])[:5]
    parts: Entry = {"text": " ".join(one for one in (prefix, given, middle, family, suffix) if one)}
    for key, values in (("given", (given, middle)), ("prefix", (prefix,)), ("suffix", (suffix,))):
        if any(values):
            parts[key] = [one for one in values if one]
    return {**parts, "family": family} if family else parts


def _device(made: Made) -> Entry:
    """The release: one device for each seal."""
    one = made.algorithm
    identifier = {"system": RELEASE, "value": one.seal or one.label}
    resource = {
        "resourceType": "Device",
        "identifier": [identifier],
        "manufacturer": "Diascope",
        **({"serialNumber": one.seal} if one.seal else {}),
        "deviceName": [{"name": one.name, "type": "model-name"}],
        "version": [{"value": one.version}],
        "note": [{"text": f"{made.by()['release']}. Calibration {one.calibration}. {NO_DEVICE}"}],
    }
    return entry_of(resource, identifier)


def imaging_of(study: StudyFacts, person: Person) -> Entry:
    """The study, known by its UID."""
    identifier = {"system": "urn:dicom:uid", "value": f"urn:oid:{study.study_uid}"}
    identifiers: list[Entry] = [identifier]
    if person.accession:
        kind = {"coding": [{"system": f"{TERMS}/v2-0203", "code": "ACSN"}]}
        identifiers.append({"type": kind, "value": person.accession})
    resource: Entry = {"resourceType": "ImagingStudy", "identifier": identifiers, "status": "available"}
    if study.at:
        resource["started"] = time_of(study.at)
    if study.description:
        resource["description"] = study.description
    modality = {"system": DICOM, "code": study.modality or "OT"}
    series = [{"uid": uid, "modality": modality} for uid in study.series_uids]
    return entry_of({**resource, "series": series} if series else resource, identifier)


def _observation(finding: Finding, at: int, made: Made, refs: Mapping[str, Entry]) -> Entry:
    """One finding: what was decided as value, its numbers as components, what must be told as notes."""
    identifier = oid_of(made.lasting(f"observation {at}"))
    told = {**said_with(finding, made), "review": made.state, "use": NO_DEVICE}
    resource: Entry = {
        "resourceType": "Observation",
        "identifier": [identifier],
        "status": _status(made, 1),
        "category": [{"coding": [{"system": f"{TERMS}/observation-category", "code": "imaging"}]}],
        "code": _code(finding.concept, finding.code),
        "subject": refs["patient"],
        "device": refs["device"],
        "derivedFrom": [refs["imaging"]],
        "issued": time_of(made.at),
        "note": [{"text": f"{name}: {said}"} for name, said in told.items()],
    }
    if finding.status in STATES:
        code, display = STATES[finding.status]
        resource["valueCodeableConcept"] = {"coding": [{"system": SNOMED, "code": code, "display": display}]}
    elif finding.status == "abstained":
        resource["dataAbsentReason"] = _absent(words(finding))
    parts = [part for name, one in finding.measures.items() for part in _components(finding.concept, name, one)]
    return entry_of({**resource, "component": parts} if parts else resource, identifier, made.review is not None)


def _components(concept: str, name: str, measure: Measure) -> list[Entry]:
    """A measure and its interval."""
    value, scheme, meaning = MEASURES.get(name, coded(name))
    code = {"coding": [{"system": SYSTEMS[scheme], "code": value, "display": meaning}], "text": f"{concept}: {name}"}
    if measure.value is None:
        return [{"code": code, "dataAbsentReason": _absent(measure.note or "undefined")}]
    found: list[Entry] = [{"code": code, "valueQuantity": _quantity(measure.value, measure.unit)}]
    ends = (("low", measure.low), ("high", measure.high))
    if any(end is not None for _, end in ends):
        span = {side: _quantity(end, measure.unit) for side, end in ends if end is not None}
        interval = {"text": f"{concept}: {name}, interval ({measure.note or '95 %'})"}
        found.append({"code": interval, "valueRange": span})
    return found


def _quantity(value: float, unit: str) -> Entry:
    return {"value": value, "unit": unit, "system": UCUM, "code": ucum(unit)}


def _absent(why: str) -> Entry:
    return {"coding": [{"system": f"{TERMS}/data-absent-reason", "code": "unknown"}], "text": why}


def _code(name: str, code: str | None) -> Entry:
    value, scheme, meaning = coded(name, code)
    coding = {"code": value, "display": meaning}
    return {"coding": [{**coding, "system": SYSTEMS.get(scheme, f"urn:x-scheme:{quote(scheme)}")}], "text": name}


def _report(findings: Findings, made: Made, study: StudyFacts, refs: Mapping[str, Entry]) -> Entry:
    identifier, (code, name) = oid_of(made.lasting("report")), REPORT
    lines = [f"{one.concept}: {', '.join([words(one), *_numbers(one)])}" for one in findings.findings]
    inputs = " ".join(uid for uids in findings.inputs.values() for uid in uids)
    how = [f"{key}: {said}" for key, said in made.by().items()]
    resource: Entry = {
        "resourceType": "DiagnosticReport",
        "identifier": [identifier],
        "status": _status(made, 0),
        "category": [{"coding": [{"system": f"{TERMS}/v2-0074", "code": "RAD"}]}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": name}], "text": made.algorithm.label},
        "subject": refs["patient"],
        "imagingStudy": [refs["imaging"]],
        "issued": time_of(made.review.at if made.review else made.at),
        "conclusion": "\n".join([f"{made.state}. {NO_DEVICE}.", *lines, *findings.notes, *how, f"inputs: {inputs}"]),
    }
    if study.at:
        resource["effectiveDateTime"] = time_of(study.at)
    return entry_of(resource, identifier, made.review is not None)


def _numbers(finding: Finding) -> list[str]:
    return [f"{name} {number(one)}" for name, one in finding.measures.items()]


def _status(made: Made, which: int) -> str:
    return STATUS[made.review.verdict][which] if made.review else "preliminary"


def time_of(at: Any) -> str:
    """A FHIR time; one without a zone is a day, as FHIR has no time of day without one."""
    return str(at.isoformat(timespec="seconds") if at.tzinfo else at.date().isoformat())
