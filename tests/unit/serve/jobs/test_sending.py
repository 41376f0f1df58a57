"""Jobs `send`: each object reaches its peer once, whatever happens on the way."""

from __future__ import annotations

import hashlib

import pytest

from diascope.core.errors import BadUsage, DiascopeError
from diascope.serve.database.tables import audit, deliveries, instances, jobs, result_objects
from diascope.serve.jobs.kinds import send
from diascope.serve.jobs.worker import Worker
from diascope.serve.outgoing.telling import Declined, NotDelivered
from diascope.testing.reading import (
    FLAT,
    a_film,
    a_peer,
    a_rule,
    a_signed_release,
    arrive,
    become_complete,
    rows_of,
    work_off,
)  # fmt: skip
from diascope.testing.service import a_service


class Killed(BaseException):
    """kill -9."""


class Peer:
    """A PACS: what it has, by SOP instance UID, and how often each came."""

    def __init__(self):
        self.has, self.came, self.down, self.kill = {}, [], False, False

    def deliver(self, service, peer, parcel):
        if self.down:
            raise NotDelivered("nobody answers")
        if parcel.uid:
            content = service.archive.read(parcel.key, parcel.sha256)
            self.has[parcel.uid] = hashlib.sha256(content).hexdigest()
        self.came.append((parcel.kind, parcel.uid))
        if self.kill:
            self.kill = False
            raise Killed  # it has it, and we do not know


def a_sending_service(folder, monkeypatch, kinds=("sr", "sc", "fhir"), **rule):
    service, peer = a_service(folder), Peer()
    a_signed_release(service, FLAT)
    a_peer(service)
    a_rule(service, FLAT, send=[{"peer": "PACS", "kinds": list(kinds)}], **rule)
    monkeypatch.setattr(send, "sender", lambda kind: peer.deliver)
    arrive(service, a_film(1))
    become_complete(service)
    return service, peer


def test_everything_that_a_rule_asks_for_is_sent(tmp_path, monkeypatch):
    service, peer = a_sending_service(tmp_path, monkeypatch)
    work_off(service)
    made = {one.kind: one.instance_uid for one in rows_of(service, result_objects)}
    assert sorted(peer.came) == sorted([("sr", made["sr"]), ("sc", made["sc"]), ("fhir", "")])
    assert {one.state for one in rows_of(service, deliveries)} == {"sent"}
    events = rows_of(service, audit, audit.c.action == "result.sent")
    assert {(one.outcome, one.detail["kind"]) for one in events} == {("success", kind) for kind in ("sr", "sc", "fhir")}


def test_a_peer_that_is_away_and_a_service_that_is_killed_end_in_each_object_once(tmp_path, monkeypatch):
    """A14: ten minutes without the peer, kill -9 in between: each object is there, once, with the same UID."""
    service, peer = a_sending_service(tmp_path, monkeypatch, kinds=("sr", "sc"))
    peer.down = True
    began = service.clock()
    while service.clock() < began + 600:
        work_off(service)
        service.clock.forward(7)
        if int(service.clock()) % 5 == 0:
            service.queue.recover()  # it was killed and started again
    assert peer.has == {}
    assert {(one.state, one.reason.split(": ")[1]) for one in rows_of(service, deliveries)} == {
        ("waiting", "nobody answers")
    }
    peer.down, peer.kill = False, True
    service.clock.forward(301)
    with pytest.raises(Killed):
        work_off(service)
    service.queue.recover()
    work_off(service, Worker(service))
    made = {one.instance_uid for one in rows_of(service, result_objects)}
    kept = {one.uid: one.sha256 for one in rows_of(service, instances, instances.c.uid.in_(made))}
    assert peer.has == kept, "two objects, the same bytes"
    assert len(peer.came) == 3, "one came twice, as the same object"
    assert {one.state for one in rows_of(service, deliveries)} == {"sent"}
    assert {one.state for one in rows_of(service, jobs)} == {"done"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Declined("peer", "422"), "peer declined the message"),
        (BadUsage("a webhook needs a token"), "a webhook needs a token"),
    ],
)
def test_what_would_fail_again_is_not_tried_again(tmp_path, monkeypatch, error, reason):
    service, _peer = a_sending_service(tmp_path, monkeypatch, kinds=("fhir",))

    def declines(*_):
        raise error

    monkeypatch.setattr(send, "sender", lambda kind: declines)
    work_off(service)
    (row,) = rows_of(service, deliveries)
    assert (row.state, row.reason) == ("failed", reason)
    (job,) = rows_of(service, jobs, jobs.c.kind == "send")
    assert job.state == "failed"
    (event,) = rows_of(service, audit, audit.c.action == "result.sent")
    assert event.outcome == "failure"


def test_after_the_last_try_a_delivery_has_failed(tmp_path, monkeypatch):
    service, peer = a_sending_service(tmp_path, monkeypatch, kinds=("sr",))
    monkeypatch.setattr(send, "TRIES", 3)
    peer.down = True
    for _ in range(5):
        work_off(service)
        service.clock.forward(301)
    (row,) = rows_of(service, deliveries)
    assert (row.state, row.reason) == ("failed", "nobody answers")


def test_what_was_superseded_is_not_sent_any_more(tmp_path, monkeypatch):
    service, peer = a_sending_service(tmp_path, monkeypatch, kinds=("sr",))
    peer.down = True
    work_off(service)
    arrive(service, a_film(1, SOPInstanceUID="1.2.3.4", InstanceNumber=2))
    become_complete(service)
    peer.down = False
    service.clock.forward(301)
    work_off(service)
    first = rows_of(service, deliveries)[0]
    assert (first.state, first.reason) == ("failed", "a later revision supersedes it")
    assert peer.has == {}, "two films in one series: which is meant is not known, so nothing is said"


def test_a_peer_or_object_that_is_not_there_is_told_with_the_job(tmp_path, monkeypatch):
    service, peer = a_sending_service(tmp_path, monkeypatch, kinds=("seg", "oru"))
    a_rule(service, FLAT, name="other", send=[{"peer": "nobody", "kinds": ["sr"]}])
    arrive(service, a_film(2))
    become_complete(service)
    work_off(service)
    for job in rows_of(service, jobs, jobs.c.kind == "read"):
        assert job.result["unsent"] == [
            "seg to PACS: there is none of this result",
            "sr: there is no peer 'nobody' in service",
        ]
    assert [kind for kind, _ in peer.came] == ["oru", "oru"]


def test_what_nothing_can_send_is_tried_no_more_than_it_helps():
    with pytest.raises(DiascopeError, match="nothing here sends"):
        send.sender("pigeon")


@pytest.mark.parametrize("kind", ["dimse", "mllp", "fhir"])
def test_every_kind_of_peer_has_something_that_sends(kind):
    assert callable(send.sender(kind))
