"""ORU messages: escaped, coded, never negative where nothing is known; sent until they are acknowledged."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diascope.core.errors import BadUsage
from diascope.core.finding import Finding, Measure
from diascope.core.result import NO_DEVICE, Review
from diascope.serve.identities import Identity
from diascope.serve.outgoing.hl7 import Ends, control_id, escaped, message_of
from diascope.serve.outgoing.mllp import Destination, send
from diascope.serve.outgoing.telling import Declined, NotDelivered, StudyFacts
from diascope.testing.results import ABSTAINED, AT, MADE_BY, SAID, a_made, some_findings

WHO = Identity(
    name="Zyx|wolf^Quen&tin^M^Dr^Jr=杜^乔", number="47~11", issuer="Hos\\pital", birth_date="19700102", sex="F",
    accession="A1", study_number="S1", referring="Doe^Jo\\Roe^Al",
)  # fmt: skip
STUDY = StudyFacts("1.3", AT, "CT", "Chest", ("1.4",))
MARKS = {"\\F\\": "|", "\\S\\": "^", "\\T\\": "&", "\\R\\": "~", "\\E\\": "\\"}


def review(verdict: Any) -> Review:
    return Review(by="Bee^Ada", at=AT, verdict=verdict)


def segments(*said: Finding, **changes: Any) -> list[list[str]]:
    message = message_of(some_findings(*said), a_made(**changes), WHO, STUDY, Ends(receiver="RIS"))
    assert message.endswith("\r")
    return [line.split("|") for line in message.rstrip("\r").split("\r")]


def plain(text: str) -> str:
    """What an escaped text says, read by hand."""
    out, rest = "", text
    while rest:
        mark = next((one for one in MARKS if rest.startswith(one)), None)
        out, rest = (out + MARKS[mark], rest[3:]) if mark else (out + rest[0], rest[1:])
    return out


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])))
def test_escaped_text_has_no_separator_and_says_the_same(text: str) -> None:
    said = escaped(text)
    assert not set(said) & set("|^&~")
    assert plain(said) == text


@given(st.text())
def test_no_text_can_end_a_segment_or_a_block(text: str) -> None:
    assert not set(escaped(text)) & set("\r\n\x0b\x1c\x00\x85\u2028")
    whole = message_of(some_findings(Finding(concept=text, status="absent")), a_made(), Identity(name=text), STUDY)
    assert [line[:3] for line in whole.split("\r") if line].count("OBX") == 1
    assert len(whole.split("\r")) == len(message_of(
        some_findings(Finding(concept="x", status="absent")), a_made(), Identity(), STUDY
    ).split("\r"))  # fmt: skip


def test_header_patient_and_order() -> None:
    header, patient, order, *_ = segments(*SAID["classes"])
    assert header[:7] == ["MSH", "^~\\&", "DIASCOPE", "", "RIS", "", "20260304050607+0000"]
    assert header[8:12] == ["ORU^R01^ORU_R01", control_id(a_made()), "P", "2.5.1"]
    assert header[17] == "UNICODE UTF-8"
    assert len(header[9]) == 20
    assert patient[3] == "47\\R\\11^^^Hos\\E\\pital^PI"
    assert patient[5] == "Zyx\\F\\wolf^Quen\\T\\tin^M^Jr^Dr^^L^A~杜^乔^^^^^L^I"
    assert patient[7:] == ["19700102", "F"]
    assert (order[2], order[4], order[16]) == ("A1", "18748-4^Diagnostic imaging study^LN", "^Doe^Jo^^^~^Roe^Al^^^")
    assert order[25] == "P"


def test_findings_are_coded_and_what_is_not_available_is_no_negative() -> None:
    lines = [one for one in segments(*SAID["classes"], ABSTAINED, *SAID["number"]) if one[0] == "OBX"]
    assert [one[1] for one in lines] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [(one[2], one[3].split("^")[1], one[4], one[5].split("^")[:2], one[11]) for one in lines] == [
        ("CE", "nodule", "1", ["52101004", "Present"], "P"),
        ("NM", "nodule: probability", "1.1", ["0.87"], "P"),
        ("CE", "no nodule", "2", ["2667000", "Absent"], "P"),
        ("NM", "no nodule: probability", "2.1", ["0.13"], "P"),
        ("ST", "effusion", "3", ["not available, because too few cases: 3"], "X"),
        ("ST", "age", "4", ["measured"], "P"),
        ("NM", "age: value", "4.1", ["71.5"], "P"),
    ]
    assert lines[0][3] == "27925004^nodule^SCT"
    assert lines[1][3].endswith("^111012^Certainty of Finding^DCM")
    assert lines[6][6] == "a^a^UCUM"
    assert "Absent" not in "|".join(lines[4])


def test_an_undefined_number_is_no_zero() -> None:
    finding = Finding(concept="x", status="measured", measures={"m": Measure(value=None), "n": Measure(value=-1e-15)})
    _, undefined, tiny = [one for one in segments(finding) if one[0] == "OBX"]
    assert (undefined[2], undefined[5], undefined[11]) == ("ST", "undefined", "X")
    assert tiny[5] == "0"


@pytest.mark.parametrize(
    ("verdict", "order", "line"), [(None, "P", "P"), ("accept", "F", "F"), ("amend", "C", "C"), ("reject", "C", "W")]
)
def test_the_status_is_that_of_the_review(verdict: str | None, order: str, line: str) -> None:
    found = segments(*SAID["boxes"], review=review(verdict) if verdict else None)
    assert next(one for one in found if one[0] == "OBR")[25] == order
    assert {one[11] for one in found if one[0] == "OBX"} == {line}


@pytest.mark.parametrize("said", SAID)
def test_every_message_says_what_made_it_and_how_sure_it_is(said: str) -> None:
    """K3: algorithm, version, seal, inputs, time, threshold, confidence, calibration, review."""
    for judged in (None, review("accept")):
        made = a_made(review=judged)
        message = message_of(some_findings(*SAID[said]), made, WHO, STUDY)
        whole = plain(message)
        for text in (MADE_BY.name, MADE_BY.version, MADE_BY.seal, MADE_BY.calibration, plain(escaped(made.state)),
                     NO_DEVICE, "1.2.9.1 1.2.9.2", "2026-03-04T05:06:07+00:00"):  # fmt: skip
            assert text in whole
        assert message.count("threshold: ") == len(SAID[said])
        assert message.count("|confidence: ") >= len(SAID[said])


def test_the_same_result_is_the_same_message_and_a_review_another() -> None:
    first, again = (message_of(some_findings(*SAID["classes"]), a_made(), WHO, STUDY) for _ in range(2))
    assert first == again
    assert control_id(a_made()) != control_id(a_made(review=review("accept")))
    with pytest.raises(BadUsage, match="another release"):
        message_of(some_findings(release="other"), a_made(), WHO, STUDY)


def test_another_parser_reads_it_and_finds_it_valid() -> None:
    from hl7apy.parser import parse_message

    plain_who = WHO.model_copy(update={"name": "Wolf^Quentin"})
    said = [one for name in sorted(SAID) for one in SAID[name]]
    read = parse_message(message_of(some_findings(*said), a_made(), plain_who, STUDY), find_groups=True)
    assert read.validate()
    assert read.msh.msh_9.value == "ORU^R01^ORU_R01"
    result = read.oru_r01_patient_result
    assert result.oru_r01_patient.pid.pid_5.pid_5_1.value == "Wolf"
    assert len(result.oru_r01_order_observation.oru_r01_observation) == sum(1 + len(one.measures) for one in said)


MESSAGE = message_of(some_findings(*SAID["classes"]), a_made(), WHO, STUDY)
ID = control_id(a_made())


@contextmanager
def a_receiver(answer: Callable[[bytes, socket.socket], None]) -> Iterator[int]:
    """A listener that takes one connection and one block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                content = b""
                while not content.endswith(b"\x1c\r"):
                    content += connection.recv(4096)
                answer(content, connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def ack(code: str, about: str = ID) -> bytes:
    return f"\x0bMSH|^~\\&|RIS||||20260101||ACK|9|P|2.5.1\rMSA|{code}|{about}|text about Zyxwolf\r\x1c\r".encode()


def test_a_message_is_sent_in_a_block_and_its_acknowledgement_is_waited_for() -> None:
    got: list[bytes] = []

    def accept(content: bytes, connection: socket.socket) -> None:
        got.append(content)
        whole = ack("AA")
        connection.sendall(whole[:20])
        connection.sendall(whole[20:])

    with a_receiver(accept) as port:
        send(MESSAGE, Destination("127.0.0.1", port, 10))
    assert got == [b"\x0b" + MESSAGE.encode() + b"\x1c\r"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (ack("AE"), Declined, "AE"),
        (ack("AR"), Declined, "AR"),
        (ack("AA", "other"), NotDelivered, "another message"),
        (ack("??"), NotDelivered, "no code"),
        (b"\x0b\xff\xfe\x1c\r", NotDelivered, "another message"),
        (b"", NotDelivered, "hung up"),
        (b"x" * 70_000, NotDelivered, "endless"),
    ],
)
def test_what_is_not_accepted_is_an_error_that_quotes_nothing(answer: bytes, error: type[Exception], said: str) -> None:
    def reply(_: bytes, connection: socket.socket) -> None:
        connection.sendall(answer)

    with a_receiver(reply) as port, pytest.raises(error, match=said) as caught:
        send(MESSAGE, Destination("127.0.0.1", port, 10))
    assert "yxwolf" not in str(caught.value)
    assert "4711" not in str(caught.value)


def test_silence_and_nobody_there_are_not_delivered() -> None:
    done = threading.Event()

    def silent(_: bytes, connection: socket.socket) -> None:
        connection.sendall(b"\x0b")
        assert done.wait(10)

    with a_receiver(silent) as port:
        with pytest.raises(NotDelivered):
            send(MESSAGE, Destination("127.0.0.1", port, 0.2))
        done.set()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotDelivered):
        send(MESSAGE, Destination("127.0.0.1", port, 5))
    with pytest.raises(BadUsage):
        send("no message", Destination("127.0.0.1", port))
