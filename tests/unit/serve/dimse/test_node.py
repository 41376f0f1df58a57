"""Who is let in, what is kept, and with which status it is answered."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import P_DATA
from sqlalchemy import func, select

from diascope.serve.audit import Audit
from diascope.serve.database.tables import audit, instances, studies
from diascope.serve.dimse import commands
from diascope.serve.incoming.receiving import Receiving
from diascope.testing.dimse import CT, EXPLICIT, Standing, a_node, a_peer, asking, eventually, parsed, stored
from diascope.testing.objects import SYNTAXES, an_object

ECHO = "1.2.840.10008.1.1"


def rows(standing: Standing, column: Any) -> list[Any]:
    with standing.service.database.reading() as connection:
        return list(connection.execute(select(column)).scalars())


def count(standing: Standing) -> int:
    with standing.service.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(instances)).scalar_one()


def raw_store(peer: Association, uid: str, dataset: Dataset) -> int:
    """The status of an object that is announced with a UID of any kind, which pynetdicom would not say."""
    (context,) = (each for each in peer.accepted_contexts if str(each.abstract_syntax) == CT)
    fields = [
        (0x0002, CT.encode()),
        (0x0100, (1).to_bytes(2, "little")),
        (0x0110, (7).to_bytes(2, "little")),
        (0x0700, bytes(2)),
        (0x0800, (1).to_bytes(2, "little")),
        (0x1000, uid.encode("latin-1")),
    ]
    command, data = commands.encode(fields), encode(dataset, False, True)
    message = P_DATA()
    message.presentation_data_value_list = [
        [context.context_id, b"\x03" + command],
        [context.context_id, b"\x02" + data],
    ]
    peer._reactor_checkpoint.clear()
    assert eventually(lambda: peer._is_paused)
    peer.dul.send_pdu(message)
    _, answer = peer.dimse.get_msg(block=True)
    peer._reactor_checkpoint.set()
    assert answer is not None
    return int(answer.Status)


def test_echo(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        assert peer.send_c_echo().Status == 0x0000
        assert "node.connected" in rows(standing, audit.c.action)


def test_an_object_is_kept_as_it_came(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        content = an_object(1)
        assert stored(peer, content) == 0x0000
        (key,) = rows(standing, instances.c.key)
        kept = standing.service.archive.read(key)
        assert parsed(kept) == parsed(content)
        assert rows(standing, instances.c.syntax) == [EXPLICIT]
        assert kept[:128] == bytes(128)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_transfer_syntax_is_kept(tmp_path: Path, syntax: str) -> None:
    pixels = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    content = an_object(1, pixels=pixels, syntax=syntax)
    with a_node(tmp_path) as standing, asking(standing.port, (CT, (syntax,))) as peer:
        assert stored(peer, content) == 0x0000
        assert rows(standing, instances.c.syntax) == [syntax]


def test_the_same_object_again_is_success_and_one_copy(tmp_path: Path) -> None:
    """A6 for C-STORE: identical bytes are success and one copy; other bytes are 0x0111, and the first stays."""
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        assert [stored(peer, an_object(1)) for _ in range(3)] == [0, 0, 0]
        (first,) = rows(standing, instances.c.sha256)
        assert stored(peer, an_object(1, SliceThickness="3.0")) == 0x0111
        assert rows(standing, instances.c.sha256) == [first]
        assert rows(standing, audit.c.action).count("instance.refused") == 1


def test_what_is_not_as_announced_is_refused(tmp_path: Path) -> None:
    """A9xx, Cxxx: another object than announced, and one that names no study."""
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        announced = parsed(an_object(1))
        inner = parsed(an_object(1, SOPInstanceUID="1.2.4"))
        inner.file_meta = announced.file_meta
        assert raw_store(peer, "1.2.3", inner) == 0xA900
        assert stored(peer, an_object(2, StudyInstanceUID=None)) == 0xC000
        assert count(standing) == 0
        assert rows(standing, audit.c.action).count("instance.refused") == 2


@pytest.mark.parametrize("rights", [{"find"}, set(), {"get", "identity"}])
def test_who_may_not_store_does_not(tmp_path: Path, rights: set[str]) -> None:
    """C4: rights of each peer."""
    with a_node(tmp_path, rights) as standing, asking(standing.port) as peer:
        assert peer.send_c_echo().Status == 0
        if "get" in rights:
            assert stored(peer, an_object(1)) == 0x0124
        else:
            assert [str(each.abstract_syntax) for each in peer.rejected_contexts] == [CT]
        assert count(standing) == 0


@pytest.mark.parametrize(
    ("title", "called"),
    [("STRANGER", "DIASCOPE"), ("TESTER", "OTHER"), ("tester", "DIASCOPE"), ("../../etc", "DIASCOPE"), ("*", "*")],
)
def test_unknown_and_wrong_titles_are_rejected(tmp_path: Path, title: str, called: str) -> None:
    """C4, B5: an unknown calling or a wrong called AE title is rejected, and told in the audit trail."""
    with a_node(tmp_path) as standing:
        with asking(standing.port, title=title, called=called) as peer:
            assert peer.is_rejected
        assert rows(standing, audit.c.outcome)[-1] == "refused"


def test_a_title_from_another_address_is_nobody(tmp_path: Path) -> None:
    """C4: an AE title is never authentication by itself."""
    with a_node(tmp_path) as standing:
        a_peer(standing.service, "ELSEWHERE", addresses=("10.1.2.0/24", "2001:db8::/32"))
        with asking(standing.port, title="ELSEWHERE") as peer:
            assert peer.is_rejected


def test_more_associations_than_allowed_are_rejected_for_now(tmp_path: Path) -> None:
    """G3: too many associations are answered (transient, local limit exceeded), and later ones are taken again."""
    with a_node(tmp_path, associations=2) as standing:
        with asking(standing.port) as one, asking(standing.port) as two:
            assert one.is_established
            assert two.is_established
            with asking(standing.port) as three:
                assert three.is_rejected
                assert three.acceptor.primitive.result == 2
        assert eventually(lambda: standing.node.associations() == 0)
        with asking(standing.port) as again:
            assert again.is_established


def test_overload_is_answered(tmp_path: Path) -> None:
    """G3: who finds no turn gets 0xA700, not silence."""
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        storing = standing.node.storing
        storing._patience = 0.05
        taken = [storing._turns.acquire() for _ in range(8)]
        assert all(taken)
        assert stored(peer, an_object(1)) == 0xA700
        for _ in taken:
            storing._turns.release()
        assert stored(peer, an_object(1)) == 0x0000


def test_stopping_answers_what_is_being_served(tmp_path: Path) -> None:
    """G4: an object that is on its way when the node stops is kept and answered; nothing new is taken."""
    going, go = threading.Event(), threading.Event()

    class Slow(Receiving):
        def receive(self, *arguments: Any, **more: Any) -> Any:
            going.set()
            assert go.wait(10)
            return super().receive(*arguments, **more)

    with a_node(tmp_path, receiving=Slow) as standing, asking(standing.port) as peer:
        statuses: list[int] = []
        sender = threading.Thread(target=lambda: statuses.append(stored(peer, an_object(1))))
        sender.start()
        assert going.wait(10)
        stopper = threading.Thread(target=standing.node.stop)
        stopper.start()
        assert eventually(lambda: standing.node._stopping)
        go.set()
        stopper.join(15)
        sender.join(15)
        assert statuses == [0x0000]
        assert count(standing) == 1
        assert eventually(lambda: not peer.is_established)


@pytest.mark.parametrize(
    "uid", ["../../x", "/etc/passwd", "1.2\\3", "1" * 65, "1.2.%2e", "CON", "1.2 3", "..", "1.2.\xff", "", "1..2"]
)
def test_a_uid_is_no_path(tmp_path: Path, uid: str) -> None:
    """B5: hostile UIDs are refused, and no file outside the service's folder appears."""
    with a_node(tmp_path / "workspace") as standing, asking(standing.port) as peer:
        dataset = parsed(an_object(1))
        status = raw_store(peer, uid, dataset)
        assert status in (0xA900, 0xC000)
        assert count(standing) == 0
        assert stored(peer, an_object(1)) == 0x0000  # the association goes on
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_every_peer_reads_its_own_project(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        stored(peer, an_object(1))
        assert rows(standing, studies.c.project_id) == ["default"]
        assert isinstance(standing.service.audit, Audit)
        assert standing.service.audit.verify().first_bad is None


def test_requests_that_nobody_waits_for_end_the_association(tmp_path: Path) -> None:
    """G3: a peer that asks on and on without reading the answers cannot fill the memory."""
    with a_node(tmp_path) as standing, asking(standing.port) as peer:
        serving = threading.Event()
        original = standing.node._serve

        def slow(*arguments: Any) -> None:
            serving.wait(10)
            original(*arguments)

        standing.node._serve = slow  # type: ignore[method-assign]
        with asking(standing.port) as flooding:
            (context,) = (each for each in flooding.accepted_contexts if str(each.abstract_syntax) == ECHO)
            fields = [(0x0002, ECHO.encode()), (0x0100, b"\x30\0"), (0x0110, b"\1\0"), (0x0800, b"\1\1")]
            message = P_DATA()
            message.presentation_data_value_list = [[context.context_id, b"\x03" + commands.encode(fields)]]
            for _ in range(20):
                flooding.dul.send_pdu(message)
            assert eventually(lambda: not flooding.is_established)
        serving.set()
        assert peer.send_c_echo().Status == 0
