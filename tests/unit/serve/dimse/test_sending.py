"""What we ask of others, with pynetdicom's own SCP and with a second node as the other side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityWorklistInformationFind as Worklist
from sqlalchemy import func, select

from diascope.core.errors import BadUsage, Unavailable
from diascope.serve.database.tables import audit, instances
from diascope.serve.dimse import sending
from diascope.serve.dimse.peers import Peer, PeerSettings, new_peer
from diascope.serve.dimse.worklist import scheduled
from diascope.serve.incoming.receiving import Receiving
from diascope.testing.dimse import CT, EXPLICIT, HOME, Standing, a_node, a_peer, asking, stored
from diascope.testing.objects import an_object, uids

JPEG_LS = "1.2.840.10008.1.2.4.80"
PIXELS = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint16)


@contextmanager
def two_nodes(tmp_path: Path) -> Iterator[tuple[Standing, Standing, Peer]]:
    """A node, another one that plays the PACS, and that one as the first one's peer."""
    with a_node(tmp_path / "ours") as ours, a_node(tmp_path / "theirs", ae_title="PACS") as theirs:
        a_peer(theirs.service, "DIASCOPE", host=HOME, port=ours.port)
        yield ours, theirs, a_peer(ours.service, "PACS", host=HOME, port=theirs.port)


def filled(standing: Standing, *syntaxes: str) -> None:
    for number, syntax in enumerate(syntaxes or (EXPLICIT,), start=1):
        with asking(standing.port, (CT, (syntax,)), called=standing.node.entity.ae_title) as peer:
            assert stored(peer, an_object(1, 1, number, syntax, pixels=PIXELS)) == 0


def count(standing: Standing) -> int:
    with standing.service.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(instances)).scalar_one()


def test_echo_and_send(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (ours, theirs, pacs):
        filled(ours, EXPLICIT, JPEG_LS)
        sending.echo(ours.service, pacs)
        answers = sending.send_study(ours.service, pacs, uids(1)[0], "user:li")
        assert [each.status for each in answers] == [0, 0]
        assert count(theirs) == 2
        with theirs.service.database.reading() as connection:
            assert set(connection.execute(select(instances.c.syntax)).scalars()) == {EXPLICIT, JPEG_LS}
        again = sending.send_instances(ours.service, pacs, [uids(1)[2]], "user:li")
        assert [each.is_there for each in again] == [True]
        assert count(theirs) == 2
        with ours.service.database.reading() as connection:
            query = select(audit.c.actor, audit.c.object).where(audit.c.action == "study.exported")
            assert connection.execute(query).all() == [("user:li", uids(1)[0])] * 2


def test_query_and_pull(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (ours, theirs, pacs):
        filled(theirs, EXPLICIT, JPEG_LS)
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", "PatientName": "Phantom*"}
        (study,) = sending.query(ours.service, pacs, keys, "user:li")
        assert study["StudyInstanceUID"] == (uids(1)[0],)
        wanted = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": uids(1)[0]}
        assert sending.pull(ours.service, pacs, Receiving(ours.service), wanted, "user:li") == 2
        assert count(ours) == 2


def test_pull_by_move(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (ours, theirs, pacs):
        filled(theirs)
        wanted = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": uids(1)[0]}
        assert sending.pull_by_move(ours.service, pacs, wanted, "user:li") == 1
        assert count(ours) == 1


def test_a_peer_that_is_away_or_does_not_want_us(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (ours, theirs, pacs):
        filled(ours)
        stranger = new_peer(
            "x", PeerSettings(ae_title="OTHER", host=HOME, port=theirs.port, addresses=(HOME,)), frozenset()
        )
        with pytest.raises(Unavailable, match="refused the association"):
            sending.echo(ours.service, stranger)
        theirs.node.stop()
        with pytest.raises(Unavailable, match="does not answer"):
            sending.echo(ours.service, pacs)
        (answer,) = sending.send_instances(ours.service, pacs, [uids(1)[2]], "service")
        assert not answer.is_there
        assert "does not answer" in answer.reason
        nowhere = new_peer("y", PeerSettings(ae_title="OTHER", addresses=(HOME,)), frozenset())
        with pytest.raises(BadUsage, match="has no host"):
            sending.echo(ours.service, nowhere)


def test_worklist(tmp_path: Path) -> None:
    asked: list[Dataset] = []

    def answer(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        item, step = Dataset(), Dataset()
        item.SpecificCharacterSet = "GB18030"
        item.PatientName, item.PatientID, item.AccessionNumber = "Wang^Xiaoming=王^小明", "17", "A17"
        item.StudyInstanceUID = "1.2.3"
        step.Modality, step.ScheduledProcedureStepStartDate, step.ScheduledStationAETitle = "CT", "20260101", "CT1"
        item.ScheduledProcedureStepSequence = [step]
        yield 0xFF00, item

    entity = AE("RIS")
    entity.add_supported_context(Worklist, [EXPLICIT])
    server = entity.start_server((HOME, 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)])
    try:
        with a_node(tmp_path) as standing:
            ris = a_peer(standing.service, "RIS", {"worklist"}, host=HOME, port=server.server_address[1])
            (one,) = scheduled(standing.service, ris, "user:li", date="20260101", modality="CT")
            assert one.identity.name == "Wang^Xiaoming=王^小明"
            assert (one.identity.number, one.identity.accession, one.study_uid) == ("17", "A17", "1.2.3")
            assert (one.modality, one.date, one.station) == ("CT", "20260101", "CT1")
            assert asked[0].ScheduledProcedureStepSequence[0].Modality == "CT"
            other = a_peer(standing.service, "OTHER", {"find"}, host=HOME)
            with pytest.raises(BadUsage, match="no right worklist"):
                scheduled(standing.service, other, "user:li")
    finally:
        server.shutdown()
