"""K1: a result never lies on the wrong series, whatever happens to its job."""

from __future__ import annotations

import contextlib
import copy
import io
import random
import threading

import numpy as np
import pydicom
import pytest

from diascope.core.errors import DiascopeError
from diascope.serve.database.tables import instances, jobs, result_objects, results, series, studies
from diascope.serve.incoming.completing import read_again
from diascope.serve.jobs.worker import Worker
from diascope.serve.reading import answering, writing
from diascope.serve.reading.checking import CrossWired, Own, check
from diascope.stages.predict import predict
from diascope.testing.objects import uids
from diascope.testing.reading import (
    DEPTH,
    SOLID,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    series_of,
)  # fmt: skip
from diascope.testing.service import a_service


class Killed(BaseException):
    """A worker that is gone in the middle of a job: nothing of it is tidied up."""


class Chaos:
    """What happens to jobs between reading and the transaction that ends them."""

    def __init__(self, service, seed):
        self.service, self.whole, self.chance = service, answering.objects, random.Random(seed)
        self.happened = set()

    def __call__(self, service, question, *rest):
        written = self.whole(service, question, *rest)
        what = self.chance.choice(["nothing", "nothing", "fails", "killed", "overtaken", "cancelled"])
        self.happened.add(what)
        if what == "fails":
            raise DiascopeError("chance")
        if what == "killed":
            raise Killed
        if what == "overtaken":
            self.service.clock.forward(self.service.queue.lease + 1)
        if what == "cancelled":
            service.database.change(lambda connection: self._cancel(connection, question.job.id))
        return written

    def _cancel(self, connection, job):
        with contextlib.suppress(DiascopeError):  # it has ended meanwhile, by another worker
            self.service.queue.cancel(connection, job)


def truth(folder, release, number):
    """What the release says about a patient where there is nobody else: the stage itself, in a folder alone."""
    place = folder / f"alone-{number}"
    place.mkdir()
    for at, content in enumerate(a_volume(number)):
        (place / f"{at}.dcm").write_bytes(content)
    predict(release, str(place), folder / f"answer-{number}")
    (path,) = (folder / f"answer-{number}").rglob("mask.dcm")
    return pydicom.dcmread(path).pixel_array


def work_through(service):
    """Work until nothing is left; who is killed comes back under another name."""
    worker = Worker(service)
    while True:
        try:
            if worker.step():
                continue
        except Killed:
            warm, worker = worker.warm, Worker(service)
            worker.warm = warm
            continue
        if not rows_of(service, jobs, jobs.c.state.in_(("queued", "running"))):
            return
        service.clock.forward(20)  # what waits to be tried again is ready, and the leases of the dead run out


def under_chaos(service, monkeypatch, patients, rounds, threads):
    """Read every patient again and again while workers fail, die, are overtaken and cancelled."""
    chaos = Chaos(service, patients)
    monkeypatch.setattr(answering, "objects", chaos)
    for number in range(patients):
        arrive(service, a_volume(number))
    become_complete(service)

    for number in range(rounds):
        workers = [threading.Thread(target=work_through, args=(service,)) for _ in range(threads)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        if number < rounds - 1:
            for patient in range(patients):
                row = series_of(service, patient).id
                service.database.change(lambda c, row=row: read_again(c, service.queue, row, service.clock()))
    return chaos.happened


def referred(dataset, keyword):
    return {str(one.value) for one in dataset.iterall() if one.keyword == keyword and one.value}


def all_lie_right(service, truths):
    """Every object of every result refers to its own patient, study, series, instances and frame, and shows them."""
    whose = {row.id: row for row in rows_of(service, series)}
    numbers = {uids(number)[1]: number for number in truths}
    seen = 0
    for row in rows_of(service, results, results.c.state == "answered"):
        number = numbers[whose[row.series_id].uid]
        study, own, _ = uids(number)
        sources = {uids(number, 1, z + 1)[2] for z in range(DEPTH)}
        made = {
            one.kind: one.instance_uid for one in rows_of(service, result_objects, result_objects.c.result_id == row.id)
        }
        assert set(made) == {"seg", "sr"}
        assert set(row.findings["inputs"]["image"]) == sources
        read = {}
        for kind, uid in made.items():
            (stored,) = rows_of(service, instances, instances.c.uid == uid)
            read[kind] = pydicom.dcmread(io.BytesIO(service.archive.read(stored.key, stored.sha256)))
        own_series = {str(one.SeriesInstanceUID) for one in read.values()}
        for one in read.values():
            assert (one.PatientID, one.PatientName) == (f"P{number}", f"Phantom^{number}")
            assert referred(one, "StudyInstanceUID") == {study}
            assert referred(one, "SeriesInstanceUID") <= {own, *own_series}
            assert referred(one, "ReferencedSOPInstanceUID") <= sources | set(made.values())
            assert referred(one, "ReferencedSOPInstanceUID") & sources
            assert referred(one, "FrameOfReferenceUID") <= {f"{study}.99"}
            seen += 1
        np.testing.assert_array_equal(read["seg"].pixel_array, truths[number])
    return seen


def nothing_doubled_or_left(service):
    found = rows_of(service, results)
    assert len({(one.series_id, one.revision, one.release) for one in found}) == len(found)
    named = {one.key for one in rows_of(service, instances)}
    service.archive.sweep(lambda keys: named & set(keys), 0.0)
    assert set(service.archive.keys()) == named
    of_results = {one.instance_uid for one in rows_of(service, result_objects)}
    made = rows_of(service, series, series.c.made)
    assert {
        one.uid for one in rows_of(service, instances, instances.c.series_id.in_([s.id for s in made]))
    } == of_results
    assert {one.state for one in rows_of(service, jobs)} <= {"done", "cancelled"}
    assert service.audit.verify().first_bad is None


def without_cross_wires(folder, monkeypatch, patients, rounds, threads):
    service = a_service(folder / "service")
    release = a_signed_release(service)
    a_rule(service)
    truths = {number: truth(folder, release, number) for number in range(patients)}
    assert len({one.tobytes() for one in truths.values()}) == patients, "each patient has an answer of his own"
    happened = under_chaos(service, monkeypatch, patients, rounds, threads)
    asked = len(rows_of(service, jobs, jobs.c.kind == "read"))
    assert asked == patients * rounds
    cancelled = len(rows_of(service, jobs, jobs.c.kind == "read", jobs.c.state == "cancelled"))
    assert len(rows_of(service, results)) == asked - cancelled
    assert all_lie_right(service, truths) > 0
    nothing_doubled_or_left(service)
    assert len(rows_of(service, studies)) == patients
    return happened


@pytest.mark.slow
def test_no_object_lies_on_another_patient(tmp_path, monkeypatch):
    """K1, A7: patients read at the same time by several workers that fail, die, are overtaken and cancelled."""
    without_cross_wires(tmp_path, monkeypatch, patients=2, rounds=2, threads=2)


@pytest.mark.nightly
def test_no_object_of_a_thousand_predictions_lies_on_another_patient(tmp_path, monkeypatch):
    """K1: 1,000 predictions over 50 patients."""
    happened = without_cross_wires(tmp_path, monkeypatch, patients=50, rounds=20, threads=4)
    assert happened == {"nothing", "fails", "killed", "overtaken", "cancelled"}


def a_header(**changes):
    plain = {
        "0020000D": {"vr": "UI", "Value": ["1.1"]}, "0020000E": {"vr": "UI", "Value": ["1.2"]},
        "00080018": {"vr": "UI", "Value": ["1.3"]}, "00200052": {"vr": "UI", "Value": ["1.4"]},
        "00100020": {"vr": "LO", "Value": ["P1"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
    }  # fmt: skip
    return {**plain, **changes}


def a_written():
    inside = {"00081155": {"vr": "UI", "Value": ["1.3"]}, "0020000E": {"vr": "UI", "Value": ["1.2"]}}
    return a_header(
        **{
            "0020000E": {"vr": "UI", "Value": ["2.2"]}, "00080018": {"vr": "UI", "Value": ["2.3"]},
            "00081115": {"vr": "SQ", "Value": [{"0008114A": {"vr": "SQ", "Value": [inside]}}]},
        }
    )  # fmt: skip


def nested(header, tag, uid):
    header["00081115"]["Value"][0]["0008114A"]["Value"][0][tag] = {"vr": "UI", "Value": [uid]}


BREAKS = {
    "study": lambda one: one.update({"0020000D": {"vr": "UI", "Value": ["9.1"]}}),
    "study inside": lambda one: nested(one, "0020000D", "9.1"),
    "series inside": lambda one: nested(one, "0020000E", "9.2"),
    "instance inside": lambda one: nested(one, "00081155", "9.3"),
    "frame": lambda one: one.update({"00200052": {"vr": "UI", "Value": ["9.4"]}}),
    "frame inside": lambda one: nested(one, "30060024", "9.4"),
    "number": lambda one: one.update({"00100020": {"vr": "LO", "Value": ["P2"]}}),
    "no number": lambda one: one.update({"00100020": {"vr": "LO"}}),
    "issuer": lambda one: one.update({"00100021": {"vr": "LO", "Value": ["elsewhere"]}}),
    "the source's own UID": lambda one: one.update({"00080018": {"vr": "UI", "Value": ["1.3"]}}),
    "the source's own series": lambda one: one.update({"0020000E": {"vr": "UI", "Value": ["1.2"]}}),
    "no UID": lambda one: one.pop("00080018"),
    "no source": lambda one: one.pop("00081115"),
}


def test_an_object_that_refers_to_its_own_passes():
    check({"seg": a_written()}, Own.of("1.1", "1.2", ["1.3", "1.5"], a_header()))


@pytest.mark.parametrize("name", BREAKS)
def test_an_object_that_refers_to_anything_else_is_refused(name):
    """K1: the last look at the bytes that were written."""
    broken = copy.deepcopy(a_written())
    BREAKS[name](broken)
    with pytest.raises(CrossWired):
        check({"seg": broken}, Own.of("1.1", "1.2", ["1.3", "1.5"], a_header()))


@pytest.mark.parametrize("row", [("9.1", "1.2", ["1.3"]), ("1.1", "9.2", ["1.3"]), ("1.1", "1.2", ["9.3"])])
def test_a_source_that_is_not_what_its_row_says_is_refused(row):
    with pytest.raises(CrossWired):
        Own.of(*row, a_header())


def test_a_cross_wire_gives_no_result_but_says_so(tmp_path, monkeypatch):
    """K1: whatever writes the objects gets the files of another patient."""
    service = a_service(tmp_path)
    a_signed_release(service)
    a_rule(service)
    arrive(service, a_volume(1))
    become_complete(service)
    whole = writing.all_written

    def crossed(*given):
        return {kind: content.replace(b"P1", b"P2") for kind, content in whole(*given).items()}

    monkeypatch.setattr(writing, "all_written", crossed)
    while Worker(service).step():
        pass
    (row,) = rows_of(service, results)
    assert (row.state, row.release) == ("unavailable", SOLID)
    assert "another patient" in row.reason
    assert rows_of(service, result_objects) == []
    assert len(list(service.archive.keys())) == DEPTH
