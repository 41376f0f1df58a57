"""C-GET and C-MOVE: which objects go, where to, and in which encoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move
from sqlalchemy import select

from diascope.serve.database.tables import audit
from diascope.testing.dimse import CT, EXPLICIT, HOME, Standing, a_node, a_peer, asking, parsed, stored
from diascope.testing.objects import an_object, uids

IMPLICIT, JPEG_LS = "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80"
PIXELS = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint16)


@contextmanager
def a_receiver(*syntaxes: str) -> Iterator[tuple[int, list[Dataset]]]:
    """A storage SCP of pynetdicom's own: port, and what it gets."""
    got: list[Dataset] = []

    def take(event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        dataset.originator = event.request.MoveOriginatorApplicationEntityTitle
        got.append(dataset)
        return 0

    entity = AE("RECEIVER")
    entity.add_supported_context(CT, list(syntaxes))
    server = entity.start_server((HOME, 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()


def asked_for(level: str, **keys: str) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def got(port: int, identifier: Dataset, syntax: str = EXPLICIT) -> tuple[list[Dataset], Dataset]:
    """What a C-GET gives, and its last status."""
    received: list[Dataset] = []

    def take(event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        received.append(dataset)
        return 0

    contexts = ((Get, (EXPLICIT,)), (CT, (syntax,)))
    roles = [build_role(CT, scp_role=True)]
    with asking(port, *contexts, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take)]) as peer:
        *_, (last, _) = peer.send_c_get(identifier, Get)
    return received, last


def filled(standing: Standing, syntax: str = EXPLICIT) -> None:
    with asking(standing.port, (CT, (syntax,))) as peer:
        for study, series, instance in ((1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1)):
            assert stored(peer, an_object(study, series, instance, syntax, pixels=PIXELS)) == 0


def test_get(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing:
        filled(standing)
        received, last = got(standing.port, asked_for("STUDY", StudyInstanceUID=uids(1)[0]))
        assert last.Status == 0
        assert last.NumberOfCompletedSuboperations == 3
        assert parsed(an_object(1, 1, 1, pixels=PIXELS)) in received
        received, _ = got(
            standing.port, asked_for("SERIES", StudyInstanceUID=uids(1)[0], SeriesInstanceUID=uids(1, 2)[1])
        )
        assert [str(each.SOPInstanceUID) for each in received] == [uids(1, 2, 1)[2]]
        received, _ = got(standing.port, asked_for("IMAGE", SOPInstanceUID=[uids(1)[2], uids(2)[2]]))
        assert len(received) == 2
        with standing.service.database.reading() as connection:
            query = select(audit.c.object).where(audit.c.action == "study.exported")
            exported = list(connection.execute(query).scalars())
        assert exported == [uids(1)[0], uids(1)[0], uids(1)[0], uids(2)[0]]


def test_get_in_another_encoding(tmp_path: Path) -> None:
    """An object is written anew, in the decoder child, for a peer that does not take the stored syntax."""
    with a_node(tmp_path) as standing:
        filled(standing, JPEG_LS)
        received, last = got(standing.port, asked_for("IMAGE", SOPInstanceUID=uids(1)[2]), IMPLICIT)
        assert last.Status == 0
        assert np.array_equal(received[0].pixel_array, PIXELS)


def test_move(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing, a_receiver(EXPLICIT) as (port, received):
        filled(standing)
        a_peer(standing.service, "RECEIVER", rights=(), host=HOME, port=port)
        with asking(standing.port, (Move, (EXPLICIT,))) as peer:
            answers = list(peer.send_c_move(asked_for("STUDY", StudyInstanceUID=uids(1)[0]), "RECEIVER", Move))
        assert [status.Status for status, _ in answers] == [0xFF00, 0xFF00, 0]
        assert answers[-1][0].NumberOfCompletedSuboperations == 3
        assert len(received) == 3
        assert received[0].originator == "TESTER"
        assert received[0].file_meta.TransferSyntaxUID == EXPLICIT


def test_move_to_nobody_and_of_nothing(tmp_path: Path) -> None:
    """C4: objects go to peers that are written down, and to nobody else."""
    with a_node(tmp_path) as standing, asking(standing.port, (Move, (EXPLICIT,))) as peer:
        filled(standing)
        wanted = asked_for("STUDY", StudyInstanceUID=uids(1)[0])
        assert last(peer, wanted, "STRANGER") == 0xA801
        a_peer(standing.service, "RECEIVER", rights=(), host=HOME, port=9)
        assert last(peer, asked_for("STUDY", StudyInstanceUID="1.2.3"), "RECEIVER") == 0
        assert last(peer, asked_for("STUDY"), "RECEIVER") == 0xA900
        assert last(peer, wanted, "RECEIVER") == 0xA702  # nobody listens there
        assert last(peer, wanted, "RECEIVER") == 0xA702


def test_a_receiver_that_takes_no_such_class(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing, a_receiver("1.2.840.10008.1.2.4.50") as (port, received):
        filled(standing)
        a_peer(standing.service, "RECEIVER", rights=(), host=HOME, port=port)
        with asking(standing.port, (Move, (EXPLICIT,))) as peer:
            assert last(peer, asked_for("STUDY", StudyInstanceUID=uids(1)[0]), "RECEIVER") == 0xA702
        assert received == []


def test_without_the_right_nothing_goes(tmp_path: Path) -> None:
    """C4: retrieving an object is reading an identity."""
    with a_node(tmp_path, {"store", "get", "move"}) as standing:
        filled(standing)
        received, status = got(standing.port, asked_for("STUDY", StudyInstanceUID=uids(1)[0]))
        assert received == []
        assert status.Status == 0x0124


def last(peer: Any, identifier: Dataset, destination: str) -> int:
    return int(list(peer.send_c_move(identifier, destination, Move))[-1][0].Status)
