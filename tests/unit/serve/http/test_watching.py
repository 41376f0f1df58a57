"""Health, measures, state, settings, events of jobs, the audit trail through the API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from xml.etree.ElementTree import fromstring

from sqlalchemy import update

from diascope.serve.audit import Event
from diascope.serve.database.tables import jobs
from diascope.serve.http.events import Listening
from diascope.testing.calls import a_job
from diascope.testing.web import OWN, Browser, a_site


def test_ready_says_what_is_missing(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.nobody()
    assert who.get("/health/live").json() == {"alive": True}
    assert who.get("/health/ready").json() == {"ready": True, "reasons": []}
    site.service.archive.degraded = "fsync failed at /secret/place"
    answer = who.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": ["archive"]})
    assert answer.headers["retry-after"]
    told = site.someone("administrator").get("/system").json()
    assert told["state"] == "stopped"
    assert told["reasons"][0]["part"] == "archive"
    assert who.get("/health/live").status_code == 200


def test_measures_are_for_this_machine_and_for_those_who_may(tmp_path: Path) -> None:
    """The figures name no one; a proxy of this machine does not make everybody local."""
    site = a_site(tmp_path)
    a_job(site, OWN)
    local = Browser(site.app, address="127.0.0.1")
    text = local.get("/metrics").text
    assert 'diascope_jobs{kind="route",state="queued"} 1.0' in text
    local.get("/jobs/Zhang-San")
    local.get("/nope/Zhang-San")
    assert "Zhang" not in local.get("/metrics").text
    assert Browser(site.app, address="::1").get("/metrics").status_code == 200
    assert local.get("/metrics", headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 401
    assert site.nobody().get("/metrics").status_code == 401
    assert site.someone("reader").get("/metrics").status_code == 403
    assert site.someone("administrator").get("/metrics").status_code == 200


def test_settings_hold_no_secrets(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    secret = site.service.settings.model_copy(
        update={"database": "postgresql://me:sesame@host/index?password=sesame", "archive": "s3://key:sesame@bucket"}
    )
    object.__setattr__(site.service, "settings", secret)
    answer = site.someone("administrator").get("/settings")
    assert answer.json()["settings"]["database"] == "postgresql://me:***@host/index"
    assert "sesame" not in answer.text
    assert "keys.json" not in answer.text


def test_events_end_with_the_job(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    site.app.state.listening = Listening(every=0.001, heartbeat=0.002)
    job = a_job(site, OWN, "running")
    stages = iter([("running", {"done": n, "total": 3, "note": ""}) for n in range(3)] + [("running", None)] * 9)
    real = site.service.database.reading

    def moving():  # type: ignore[no-untyped-def]
        """Each look at the job finds it a step further, and at last done."""
        state, progress = next(stages, ("done", {"done": 3, "total": 3, "note": ""}))
        values = {"state": state, "progress": progress}
        site.service.database.change(
            lambda connection: connection.execute(update(jobs).where(jobs.c.id == job).values(**values))
        )
        return real()

    who = site.someone("reader")
    site.service.database.reading = moving  # type: ignore[method-assign]
    answer = who.get(f"/jobs/{job}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [one for one in answer.text.split("\n\n") if "event: " in one]
    kinds = [one.split("event: ")[1].split("\n")[0] for one in blocks]
    assert kinds[-1] == "end"
    assert set(kinds[:-1]) == {"progress"}
    assert json.loads(blocks[-1].split("data: ")[1])["state"] == "done"
    assert ": still there" in answer.text
    assert site.app.state.listening.count == 0


def test_listeners_are_bounded(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    job, who = a_job(site, OWN), site.someone("reader")
    listening = site.app.state.listening = Listening(most=3, most_of_one=2)
    for _ in range(2):
        listening.enter(who.user)
    answer = who.get(f"/jobs/{job}/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many")
    assert answer.headers["retry-after"]
    listening.enter("another")
    assert site.someone("reader").get(f"/jobs/{job}/events").status_code == 429
    assert listening.count == 3


def test_a_stream_ends_after_its_time(tmp_path: Path) -> None:
    async def all_of() -> list[str]:
        return [one async for one in Listening(every=0.001, longest=0.05).stream(lambda: ("{}", False))]

    assert asyncio.run(all_of())[1].startswith("id: 1\nevent: progress")


def test_audit_is_exported_as_dicom_messages(tmp_path: Path) -> None:
    """PS3.15, A.5: well-formed, escaped, one message for each record, in order."""
    site = a_site(tmp_path)
    hostile = '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>&y;\x0b\x1b"'
    site.service.audit.tell(Event("study.viewed", hostile, "1.2.3", address=hostile, detail={"note": hostile}))
    site.service.audit.tell(Event("login.failed", "user:li", outcome="failure", address="192.0.2.1"))
    answer = site.someone("administrator").get("/audit/export")
    assert answer.headers["content-type"].startswith("application/xml")
    assert "attachment" in answer.headers["content-disposition"]
    messages = list(fromstring(answer.text))
    assert len(messages) == 3
    assert b"<!DOCTYPE" not in answer.content
    viewed, failed, exported = messages
    assert viewed.find("EventIdentification/EventID").get("csd-code") == "110103"  # type: ignore[union-attr]
    assert viewed.find("ActiveParticipant").get("UserID") == hostile.replace("\x0b\x1b", "")  # type: ignore[union-attr]
    assert failed.find("EventIdentification").get("EventOutcomeIndicator") == "8"  # type: ignore[union-attr]
    assert failed.find("ActiveParticipant").get("NetworkAccessPointTypeCode") == "2"  # type: ignore[union-attr]
    assert exported.find("EventIdentification/EventID").get("csd-code") == "110101"  # type: ignore[union-attr]
    order = ["EventIdentification", "ActiveParticipant", "AuditSourceIdentification", "ParticipantObjectIdentification"]
    assert all([part.tag for part in one] == order for one in messages)


def test_a_changed_trail_is_told(tmp_path: Path) -> None:
    site = a_site(tmp_path)
    who = site.someone("steward")
    assert who.get("/audit/verification").json()["sound"] is True
    site.service.database.change(
        lambda connection: connection.exec_driver_sql("UPDATE audit SET actor = 'user:nobody' WHERE sequence = 1")
    )
    found = who.get("/audit/verification").json()
    assert (found["sound"], found["first_bad"]) == (False, 1)
