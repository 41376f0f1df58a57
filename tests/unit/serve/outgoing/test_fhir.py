"""FHIR transactions: valid R4, never negative where nothing is known, and there once however often they are sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from diascope.core.errors import BadUsage, DataRefused
from diascope.core.finding import Finding
from diascope.core.result import NO_DEVICE, Review
from diascope.serve.identities import Identity
from diascope.serve.outgoing.fhir import bundle_of
from diascope.serve.outgoing.fhir_sending import send
from diascope.serve.outgoing.telling import Declined, NotDelivered, StudyFacts
from diascope.testing.results import ABSTAINED, AT, MADE_BY, SAID, a_made, some_findings

WHO = Identity(
    name="Zyxwolf^Quentin=杜^乔", number="PHI 4711", issuer="Hospital", birth_date="19700102", sex="F", accession="A1"
)
STUDY = StudyFacts("1.3", AT, "CT", "Chest", ("1.4",))


def review(verdict: Any) -> Review:
    return Review(by="Bee^Ada", at=AT, verdict=verdict)


def made_of(*said: Finding, who: Identity = WHO, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """Entries by type."""
    bundle = bundle_of(some_findings(*said), a_made(**changes), who, STUDY)
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry)
    return found


class Server:
    """What a FHIR server does with conditional creates and updates (R4, 3.1.0.5.3 and 3.1.0.8.1)."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        bundle = Bundle.model_validate_json(request.content)
        told = []
        for entry in json.loads(request.content)["entry"]:
            asked = entry["request"]
            query = asked["ifNoneExist"] if asked["method"] == "POST" else asked["url"].partition("?")[2]
            key = f"{entry['resource']['resourceType']}?{query}"
            new = key not in self.kept
            if new or asked["method"] == "PUT":
                self.kept[key] = entry["resource"]
            told.append({"response": {"status": "201 Created" if new else "200 OK", "location": key}})
        assert bundle.type == "transaction"
        answer = {"resourceType": "Bundle", "type": "transaction-response", "entry": told}
        return httpx.Response(200, json=answer)


def sent(answer: Callable[[httpx.Request], httpx.Response], *said: Finding, **changes: Any) -> list[str]:
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return send(bundle_of(some_findings(*said), a_made(**changes), WHO, STUDY), "https://ehr.test/fhir", client)


def test_what_is_sent_twice_is_there_once_and_a_review_updates_it() -> None:
    server = Server()
    places = sent(server, *SAID["boxes"])
    assert len(places) == len(server.kept) == 6
    assert sent(server, *SAID["boxes"]) == places
    assert len(server.kept) == 6
    sent(server, *SAID["boxes"], review=review("accept"))
    assert len(server.kept) == 6
    statuses = {
        one["status"] for one in server.kept.values() if one["resourceType"] in ("DiagnosticReport", "Observation")
    }
    assert statuses == {"final"}
    sent(server, *SAID["boxes"])  # a late repeat of the first does not undo the review
    assert {one["status"] for key, one in server.kept.items() if key.startswith("Diag")} == {"final"}
    sent(server, *SAID["boxes"], result="r2")
    assert len([key for key in server.kept if key.startswith("Diag")]) == 2
    assert len([key for key in server.kept if key.startswith("Patient")]) == 1


def test_present_absent_and_not_available() -> None:
    found = [one["resource"] for one in made_of(*SAID["classes"], ABSTAINED)["Observation"]]
    said = [one["valueCodeableConcept"]["coding"][0]["display"] for one in found[:2]]
    assert said == ["Present", "Absent"]
    assert "valueCodeableConcept" not in found[2]
    assert found[2]["dataAbsentReason"]["text"] == "not available, because too few cases: 3"
    assert found[0]["code"]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "27925004",
        "display": "nodule",
    }


def test_numbers_have_ucum_units_and_intervals() -> None:
    (one,) = [entry["resource"] for entry in made_of(*SAID["number"])["Observation"]]
    value, interval = one["component"]
    assert value["valueQuantity"] == {
        "value": 71.5, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a",
    }  # fmt: skip
    assert (interval["valueRange"]["low"]["value"], interval["valueRange"]["high"]["value"]) == (60, 83)
    (curve,) = [entry["resource"] for entry in made_of(*SAID["curve"])["Observation"]]
    assert curve["component"][-1]["dataAbsentReason"]["text"] == "not reached"


@pytest.mark.parametrize(
    ("verdict", "status"), [(None, "preliminary"), ("accept", "final"), ("amend", "amended"), ("reject", "cancelled")]
)
def test_the_status_is_that_of_the_review(verdict: str | None, status: str) -> None:
    found = made_of(*SAID["classes"], review=review(verdict) if verdict else None)
    assert {one["resource"]["status"] for kind in ("Observation", "DiagnosticReport") for one in found[kind]} == {
        status
    }


@pytest.mark.parametrize("said", SAID)
def test_every_bundle_is_valid_and_says_what_made_it(said: str) -> None:
    """K3: algorithm, version, seal, inputs, time, threshold, confidence, calibration, review; and is valid."""
    made = a_made(review=review("accept"))
    for one in (a_made(), made):
        bundle = bundle_of(some_findings(*SAID[said]), one, WHO, STUDY)
        Bundle.model_validate_json(json.dumps(bundle))
        (report,) = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
        for text in (MADE_BY.name, MADE_BY.version, MADE_BY.seal, MADE_BY.calibration, one.state, NO_DEVICE,
                     "1.2.9.1 1.2.9.2", "2026-03-04T05:06:07+00:00"):  # fmt: skip
            assert text in report["conclusion"]
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] == "Observation":
                notes = " ".join(note["text"] for note in entry["resource"]["note"])
                for word in ("threshold: ", "confidence: ", MADE_BY.calibration, one.state):
                    assert word in notes


def test_references_lead_to_entries_of_the_bundle() -> None:
    found = made_of(*SAID["boxes"])
    urls = {entry["fullUrl"] for entries in found.values() for entry in entries}
    (report,) = found["DiagnosticReport"]
    one = report["resource"]
    used = [one["subject"], *one["result"], *one["imagingStudy"]]
    for entry in found["Observation"]:
        used += [entry["resource"]["subject"], entry["resource"]["device"], *entry["resource"]["derivedFrom"]]
    assert {each["reference"] for each in used} <= urls
    assert len(one["result"]) == 2


def test_a_patient_is_known_by_number_and_issuer_and_without_one_by_the_study() -> None:
    (entry,) = made_of()["Patient"]
    assert entry["request"]["ifNoneExist"].endswith("|PHI%204711")
    assert entry["resource"]["birthDate"] == "1970-01-02"
    assert [one["family"] for one in entry["resource"]["name"]] == ["Zyxwolf", "杜"]
    (other,) = made_of(who=WHO.model_copy(update={"issuer": "Other"}))["Patient"]
    assert other["fullUrl"] != entry["fullUrl"]
    (oid,) = made_of(who=WHO.model_copy(update={"issuer": "1.2.840"}))["Patient"]
    assert oid["resource"]["identifier"][0]["system"] == "urn:oid:1.2.840"
    (nobody,) = made_of(who=Identity(birth_date="1970", sex="?"))["Patient"]
    assert nobody["resource"] == {
        "resourceType": "Patient", "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.3"}],
    }  # fmt: skip


def test_what_is_no_fhir_is_refused_and_not_quoted() -> None:
    with pytest.raises(DataRefused) as caught:
        bundle_of(some_findings(), a_made(), WHO, StudyFacts("1.3", series_uids=("zyx wolf",)))
    assert "wolf" not in str(caught.value)
    with pytest.raises(BadUsage, match="another release"):
        bundle_of(some_findings(release="other"), a_made(), WHO, STUDY)


def a_failure(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no route to Zyxwolf")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (a_failure, NotDelivered),
        (lambda _: httpx.Response(503, text="Zyxwolf"), NotDelivered),
        (lambda _: httpx.Response(429), NotDelivered),
        (lambda _: httpx.Response(400, text="Zyxwolf"), Declined),
        (lambda _: httpx.Response(307, headers={"Location": "https://elsewhere.test"}), Declined),
        (lambda _: httpx.Response(200, text="Zyxwolf"), NotDelivered),
        (lambda _: httpx.Response(200, json={"entry": [{"response": {"status": "201"}}]}), NotDelivered),
        (lambda _: httpx.Response(200, content=b" " * (5 << 20)), NotDelivered),
    ],
)
def test_failures_say_whether_to_try_again_and_quote_nothing(answer: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        sent(answer, *SAID["boxes"])
    assert "zyxwolf" not in str(caught.value).lower()
