"""An object of a result to a DICOMweb peer."""

from __future__ import annotations

import json
from contextlib import contextmanager

import httpx
import pytest

from diascope.serve.outgoing import stow
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import Declined, NotDelivered
from diascope.testing.service import a_service

CONTENT = b"an object of a result"
REFUSED = json.dumps({"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA900]}}]}}).encode()


@pytest.fixture
def sent(monkeypatch, tmp_path):
    """Deliver to a server that answers so; gives what it got."""
    service = a_service(tmp_path)
    stored = service.archive.put(CONTENT)
    peer = Peer("p", "PACS-2", "dicomweb", {"url": "http://127.0.0.1:1/dicom-web/"}, "default")
    parcel = Parcel("r", "seg", "1.2", "1.2.3", "1.2.840.10008.5.1.4.1.1.66.4", "", stored.key, stored.sha256)

    def deliver(status, content=b""):
        got = []

        def answer(request):
            got.append(request)
            if status is None:
                raise httpx.ConnectError("away")
            return httpx.Response(status, content=content)

        @contextmanager
        def client(*_):
            with httpx.Client(transport=httpx.MockTransport(answer)) as found:
                yield found

        monkeypatch.setattr(stow, "client_for", client)
        stow.deliver(service, peer, parcel)
        return got[0]

    return deliver


@pytest.mark.parametrize("status", [200, 202])
def test_an_object_is_stored_as_it_lies_in_the_archive(sent, status):
    request = sent(status, b"{}")
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1:1/dicom-web/studies")
    assert request.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert int(request.headers["content-length"]) == len(request.content)
    assert CONTENT in request.content


@pytest.mark.parametrize("status", [None, 500, 503, 507, 429])
def test_a_peer_in_trouble_gets_it_again(sent, status):
    with pytest.raises(NotDelivered):
        sent(status)


@pytest.mark.parametrize(
    ("status", "content"), [(400, b""), (409, REFUSED), (202, REFUSED), (200, REFUSED), (301, b"")]
)
def test_what_a_peer_does_not_want_is_not_sent_again(sent, status, content):
    with pytest.raises(Declined):
        sent(status, content)


def test_an_endless_answer_is_cut_off(sent):
    with pytest.raises(NotDelivered, match="endless"):
        sent(200, b"x" * (stow.MOST + 1))
