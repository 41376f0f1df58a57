"""C8: DICOM over TLS: incoming and outgoing, anonymous and client certificates, old versions, wrong authorities."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from diascope.core.errors import BadUsage, Tampered, Unavailable
from diascope.serve.dimse import security, sending
from diascope.serve.settings import Settings
from diascope.testing.dimse import HOME, a_line, a_node, a_peer, asking, stored
from diascope.testing.objects import an_object

# pynetdicom's own client, which plays the peer, leaves a socket open when a handshake fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def certificate(folder: Path, name: str, days: int = 2, signer: Path | None = None) -> Path:
    """A certificate in PEM with its key beside it; signs itself unless told who does."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = subject, key
    if signer is not None:
        issuer = x509.load_pem_x509_certificate(signer.read_bytes()).subject
        signing = serialization.load_pem_private_key(signer.with_suffix(".key").read_bytes(), None)
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOME))]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.with_suffix(".key").write_bytes(key_bytes)
    return path


def tls(folder: Path, with_clients: bool = True) -> dict[str, Any]:
    """Settings of a node with TLS: certificates are made in the folder."""
    authority = certificate(folder, "authority")
    node = certificate(folder, "node", signer=authority)
    certificate(folder, "client", signer=authority)
    settings: dict[str, Any] = {"dicom_tls": True, "certificate": node, "certificate_key": node.with_suffix(".key")}
    return {**settings, "client_ca": authority} if with_clients else settings


def client(folder: Path, name: str | None = "client", authority: str = "authority") -> ssl.SSLContext:
    """What a peer brings: a certificate of its own, or none."""
    context = ssl.create_default_context(cafile=str(folder / f"{authority}.pem"))
    if name is not None:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def fingerprint(path: Path) -> str:
    """SHA-256 of a certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()


def echoed(port: int, context: ssl.SSLContext | None) -> bool:
    """Whether an echo is answered."""
    more = {"tls_args": (context, HOME)} if context is not None else {}
    with asking(port, **more) as peer:
        return peer.is_established and peer.send_c_echo().Status == 0


def test_incoming_with_client_certificates(tmp_path: Path) -> None:
    with a_node(tmp_path / "workspace", **tls(tmp_path)) as standing:
        certificate(tmp_path, "stranger")
        certificate(tmp_path, "expired", days=-1, signer=tmp_path / "authority.pem")
        with asking(standing.port, tls_args=(client(tmp_path), HOME)) as peer:
            assert stored(peer, an_object(1)) == 0
        assert not echoed(standing.port, None)
        assert not echoed(standing.port, client(tmp_path, None))
        assert not echoed(standing.port, client(tmp_path, "stranger"))
        assert not echoed(standing.port, client(tmp_path, "expired"))
        assert echoed(standing.port, client(tmp_path))


def test_incoming_anonymous(tmp_path: Path) -> None:
    with a_node(tmp_path / "workspace", **tls(tmp_path, with_clients=False)) as standing:
        assert echoed(standing.port, client(tmp_path, None))
        assert not echoed(standing.port, None)


def test_the_certificate_of_a_peer_counts(tmp_path: Path) -> None:
    """C4: another peer's certificate, though the authority signed it, is not this peer's."""
    with a_node(tmp_path / "workspace", **tls(tmp_path)) as standing:
        other = certificate(tmp_path, "other", signer=tmp_path / "authority.pem")
        a_peer(standing.service, "OTHER", tls=True, fingerprint=fingerprint(other))
        for name, expected in (("other", True), ("client", False)):
            with asking(standing.port, title="OTHER", tls_args=(client(tmp_path, name), HOME)) as peer:
                assert peer.is_established is expected


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.*:DeprecationWarning")
def test_old_versions_are_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    with a_node(tmp_path / "workspace", **tls(tmp_path)) as standing:
        context = client(tmp_path)
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        with a_line(standing.port) as line, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(line, server_hostname=HOME).recv(1)


def test_weak_ciphers_are_refused(tmp_path: Path) -> None:
    with a_node(tmp_path / "workspace", **tls(tmp_path)) as standing:
        context = client(tmp_path)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA:AES256-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        with a_line(standing.port) as line, pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(line, server_hostname=HOME).recv(1)


def test_a_handshake_that_does_not_come_ends(tmp_path: Path) -> None:
    """C9 with TLS: a stranger's handshake delays nobody, and ends."""
    with a_node(tmp_path / "workspace", artim=1.0, **tls(tmp_path)) as standing, a_line(standing.port) as line:
        line.sendall(b"\x16\x03\x01\x02\x00")
        assert echoed(standing.port, client(tmp_path))
        line.settimeout(5)
        assert line.recv(100) in (b"", b"\x15\x03\x01\x00\x02\x02\x32")


def test_outgoing(tmp_path: Path) -> None:
    settings = tls(tmp_path)
    with (
        a_node(tmp_path / "ours", **settings) as ours,
        a_node(tmp_path / "theirs", ae_title="PACS", **settings) as theirs,
    ):
        a_peer(theirs.service, "DIASCOPE", tls=True)
        expected = fingerprint(tmp_path / "node.pem")
        pacs = a_peer(ours.service, "PACS", host=HOME, port=theirs.port, tls=True, fingerprint=expected)
        sending.echo(ours.service, pacs)
        wrong = pacs.settings.model_copy(update={"fingerprint": "ab" * 32})
        with pytest.raises(Tampered):
            sending.echo(ours.service, type(pacs)(pacs.id, pacs.name, wrong, pacs.rights))
        plain = pacs.settings.model_copy(update={"tls": False, "fingerprint": None})
        with pytest.raises(Unavailable):
            sending.echo(ours.service, type(pacs)(pacs.id, pacs.name, plain, pacs.rights))


def test_a_peer_of_another_authority_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        a_node(tmp_path / "ours", **tls(tmp_path / "a")) as ours,
        a_node(tmp_path / "theirs", ae_title="PACS", **tls(tmp_path / "b", with_clients=False)) as theirs,
    ):
        pacs = a_peer(ours.service, "PACS", host=HOME, port=theirs.port, tls=True)
        with pytest.raises(Unavailable):
            sending.echo(ours.service, pacs)


def test_settings_that_cannot_work(tmp_path: Path) -> None:
    assert security.accepting(Settings()) is None
    with pytest.raises(BadUsage, match="needs a certificate"):
        security.accepting(Settings(dicom_tls=True))
    bad = tmp_path / "bad.pem"
    bad.write_text("nonsense")
    with pytest.raises(BadUsage, match="cannot use"):
        security.accepting(Settings(dicom_tls=True, certificate=bad, certificate_key=bad))
    good = tls(tmp_path)
    with pytest.raises(BadUsage, match="authority"):
        security.accepting(Settings.model_validate({**good, "client_ca": bad}))
