"""The whole way: a series arrives, is read, and its objects lie on another node; and a study is pulled from there."""

from __future__ import annotations

import time
from pathlib import Path

from diascope.serve.database.tables import deliveries, instances, jobs, result_objects, results, studies
from diascope.serve.incoming.completing import Completing
from diascope.serve.jobs.worker import Worker
from diascope.testing import dimse
from diascope.testing.objects import uids
from diascope.testing.reading import a_rule, a_signed_release, a_volume, arrive, rows_of, work_off


def test_a_series_is_answered_on_the_pacs(tmp_path: Path) -> None:
    """From the last slice to the SEG on the peer, with threads as in the service; nobody waits for a clock."""
    with (
        dimse.a_node(tmp_path / "ours", clock=time.time, quiet_seconds=2) as ours,
        dimse.a_node(tmp_path / "theirs", ae_title="PACS") as theirs,
    ):
        service = ours.service
        dimse.a_peer(theirs.service, "DIASCOPE")
        dimse.a_peer(service, "PACS", host=dimse.HOME, port=theirs.port)
        a_signed_release(service)
        a_rule(service, send=[{"peer": "PACS", "kinds": ["seg", "sr"]}])
        worker, completing = Worker(service), Completing(service)
        worker.start()
        completing.start()
        arrive(service, a_volume(1))
        arrived = dimse.eventually(lambda: len(rows_of(theirs.service, instances)) == 2, 60)
        sent = dimse.eventually(lambda: {one.state for one in rows_of(service, deliveries)} == {"sent"})
        completing.stop()
        assert worker.stop()
        assert arrived, [(one.kind, one.state, one.error) for one in rows_of(service, jobs)]
        assert sent
        made = {one.instance_uid for one in rows_of(service, result_objects)}
        assert {one.uid for one in rows_of(theirs.service, instances)} == made, "each once, under its own UID"
        assert [one.uid for one in rows_of(theirs.service, studies)] == [uids(1)[0]]
        assert all(one.answered - one.completed < 60 for one in rows_of(service, results))


def test_a_study_is_pulled_from_the_pacs(tmp_path: Path) -> None:
    with dimse.a_node(tmp_path / "ours") as ours, dimse.a_node(tmp_path / "theirs", ae_title="PACS") as theirs:
        arrive(theirs.service, a_volume(3, range(2)))
        dimse.a_peer(theirs.service, "DIASCOPE")
        peer = dimse.a_peer(ours.service, "PACS", host=dimse.HOME, port=theirs.port)
        wanted = {"peer": peer.id, "study": uids(3)[0]}
        ours.service.database.change(
            lambda connection: ours.service.queue.put(connection, "pull", wanted, by="user:li")
        )
        work_off(ours.service, Worker(ours.service, kinds=["pull"]))
        (job,) = rows_of(ours.service, jobs)
        assert (job.state, job.result) == ("done", {"sent": 2})
        assert [one.uid for one in rows_of(ours.service, studies)] == [uids(3)[0]]
