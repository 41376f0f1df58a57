"""Nothing is sent but to where the settings say (B8)."""

from __future__ import annotations

import hmac
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from diascope.core.errors import DiascopeError
from diascope.serve import peers
from diascope.serve.outgoing import webhook
from diascope.serve.outgoing.destinations import NotAllowed, client_for, target
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import Declined, NotDelivered
from diascope.testing.service import a_service
from diascope.testing.web import OWN, a_site
from diascope.testing.work_calls import a_result


@dataclass
class Listener:
    """A server on loopback that writes down what reaches it."""

    port: int
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0


@contextmanager
def a_listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            found.connections += 1
            super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.got.append((self.path, dict(self.headers), body))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815  as the server calls it

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Listener(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(5)


def leading_to(*addresses: str) -> Any:
    """A resolver that says these, one after the other, and the last one from then on."""
    left = list(addresses)

    def resolve(host: str, port: int) -> Sequence[str]:
        return [left.pop(0) if len(left) > 1 else left[0]]

    return resolve


FORMS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1%25eth0]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254.:80/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://[::ffff:169.254.169.254]/",
    "http://metadata.google.internal/",
    "http://224.0.0.1:{port}/",
    "http://127.0.0.1.nip.io:{port}/",
    "http://peer.example.org.evil.test:{port}/",
    "http://evil.test:{port}/",
    "http://peer.example.org@127.0.0.1:{port}/",
    "http://peer.example.org:pass@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@peer.example.org/",
    "http://127.0.0.1:{port}\\@peer.example.org/",
    "http://peer.example.org:{port}/",
    "http://peer.example.org%00.evil.test/",
    "http://peer.example.org%2eevil.test/",
    "http://１２７.０.０.１:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http:///127.0.0.1/",
    "http://peer.example.org:0/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//127.0.0.1:{port}/",
    "ldap://127.0.0.1:{port}/",
    "https://peer.example.org:99999/",
    "http+unix://%2Fvar%2Frun/",
]


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_an_address_leads_off_the_list(form: str) -> None:
    """B8: 0 connections off the list; the name that is on it leads to this machine when it is looked up here."""
    with a_listener() as listener:
        url = form.format(port=listener.port)
        allowed = ["peer.example.org", "peer.example.org:8443", "10.1.2.3"]
        with pytest.raises((NotAllowed, NotDelivered)):
            _posted(url, allowed)
        assert listener.connections == 0


def _posted(url: str, allowed: Sequence[str]) -> None:
    with client_for(url, allowed, 2.0, "secret-token", leading_to("127.0.0.1")) as client:
        client.post(url, content=b"{}")


def test_there_are_forty_forms() -> None:
    """B8: as many as the row wants."""
    assert len(set(FORMS)) >= 40


def test_a_name_is_resolved_once_and_its_address_is_connected_to() -> None:
    """B8: DNS rebinding; the Host header stays that of the name, and the token comes along."""
    with a_listener() as listener:
        url = f"http://peer.example.org:{listener.port}/hook"
        allowed = [f"peer.example.org:{listener.port}", f"127.0.0.1:{listener.port}"]
        with client_for(url, allowed, 5.0, "secret", leading_to("127.0.0.1", "203.0.113.9")) as client:
            assert client.post(url, content=b"{}").status_code == 200
        ((path, headers, _),) = listener.got
        assert path == "/hook"
        assert headers["Host"] == f"peer.example.org:{listener.port}"
        assert headers["Authorization"] == "Bearer secret"


def test_a_name_that_turns_to_this_machine_is_not_followed() -> None:
    """B8: one bad address among good ones is enough, whichever comes first."""
    for found in (["203.0.113.9", "127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["0.0.0.0"]):
        with pytest.raises(NotAllowed):
            target("peer.example.org", 443, ["peer.example.org"], lambda host, port, found=found: found)
    assert target("peer.example.org", 443, ["peer.example.org"], lambda host, port: ["10.9.8.7"]).address == "10.9.8.7"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirections_are_not_followed_and_the_token_goes_nowhere_else(status: int) -> None:
    """B8: neither the request nor its token is sent to where an answer points."""
    with a_listener() as listener, a_listener() as other:
        listener.status, listener.headers = status, {"Location": f"http://127.0.0.1:{other.port}/steal"}
        url = f"http://127.0.0.1:{listener.port}/"
        with client_for(url, [f"127.0.0.1:{listener.port}", f"127.0.0.1:{other.port}"], 5.0, "secret") as client:
            assert client.post(url, content=b"{}").status_code == status
            with pytest.raises(NotAllowed):
                client.get(f"http://127.0.0.1:{other.port}/")
        assert len(listener.got) == 1
        assert other.connections == 0


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """B8: a variable of the environment takes no token elsewhere."""
    with a_listener() as listener, a_listener() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        url = f"http://127.0.0.1:{listener.port}/"
        with client_for(url, [f"127.0.0.1:{listener.port}"], 5.0, "secret") as client:
            client.post(url)
        assert (len(listener.got), proxy.connections) == (1, 0)


@pytest.mark.parametrize("kind", ["webhook", "fhir", "dicomweb", "mllp"])
def test_a_peer_off_the_list_is_not_even_kept(kind: str, tmp_path: Path) -> None:
    """B8: every kind of peer that is reached by an address that somebody typed."""
    service = a_service(tmp_path, send_to=("peer.example.org",))
    for host in ("127.0.0.1", "evil.test", "2130706433", "peer.example.org.evil.test"):
        settings = {"url": f"http://{host}/"} if kind != "mllp" else {"host": host, "port": 2575}
        made = peers.Peer(peers.new_id(), "a peer", kind, settings, frozenset(), "default", True)
        with pytest.raises(DiascopeError):
            peers.keep(service, made, "user:x", "", new=True)


def test_messages_go_to_the_address_that_was_looked_at(tmp_path: Path) -> None:
    """B8: HL7 over MLLP asks the same list."""
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(NotAllowed):
        target("127.0.0.1", server.getsockname()[1], ["127.0.0.1"])  # without its port


def a_hook(site: Any, port: int, secret: str = "a-secret") -> Peer:
    settings = {"url": f"http://127.0.0.1:{port}/hook", "token": peers.sealed_token(site.service, "hook", secret)}
    return Peer("hook", "hook", "webhook", settings, OWN)


def test_a_webhook_is_signed_and_names_nobody(tmp_path: Path) -> None:
    """B8: JSON without identity; the secret signs and is not sent."""
    with a_listener() as listener:
        site = a_site(tmp_path, send_to=(f"127.0.0.1:{listener.port}",))
        result = a_result(site, OWN)
        webhook.deliver(site.service, a_hook(site, listener.port), Parcel(result, "webhook", ""))
        ((_, headers, body),) = listener.got
        at, _, given = headers[webhook.SIGNATURE].partition(",v1=")
        wanted = hmac.digest(b"a-secret", at.removeprefix("t=").encode() + b"." + body, "sha256").hex()
        assert hmac.compare_digest(given, wanted)
        assert "a-secret" not in str(headers) + body.decode()
        said = json.loads(body)
        assert (said["result"], said["type"]) == (result, "result.made")
        assert "patient" not in body.decode()
        assert said["findings"] == [{"concept": "nodule", "code": None, "status": "absent"}]


@pytest.mark.parametrize(
    ("status", "error"), [(500, NotDelivered), (429, NotDelivered), (404, Declined), (302, Declined)]
)
def test_a_webhook_that_was_not_taken_is_tried_again_or_given_up(
    status: int, error: type[DiascopeError], tmp_path: Path
) -> None:
    with a_listener() as listener:
        listener.status = status
        site = a_site(tmp_path, send_to=(f"127.0.0.1:{listener.port}",))
        parcel = Parcel(a_result(site, OWN), "webhook", "")
        with pytest.raises(error):
            webhook.deliver(site.service, a_hook(site, listener.port), parcel)


def test_a_webhook_is_not_sent_off_the_list(tmp_path: Path) -> None:
    """B8: also when the list became shorter after the peer was kept."""
    with a_listener() as listener:
        site = a_site(tmp_path, send_to=())
        parcel = Parcel(a_result(site, OWN), "webhook", "")
        with pytest.raises(NotAllowed):
            webhook.deliver(site.service, a_hook(site, listener.port), parcel)
        assert listener.connections == 0


def test_an_address_that_answers_nothing_is_an_error_of_httpx() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    with client_for(url, [f"127.0.0.1:{port}"], 2.0) as client, pytest.raises(httpx.HTTPError):
        client.get(url)
