"""TLS of DICOM connections: the BCP 195 profile of PS3.15 B.9, TLS 1.2 and later."""

from __future__ import annotations

import hashlib
import socket
import ssl
from pathlib import Path

from diascope.core.errors import BadUsage
from diascope.serve.settings import Settings

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""Of TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 4.2); TLS 1.3 has no others."""


def accepting(settings: Settings) -> ssl.SSLContext | None:
    """For connections that come to us; None where the settings say no TLS.

    Raises:
        BadUsage: When the certificate or its key is missing or can't be read.
    """
    if not settings.dicom_tls:
        return None
    if settings.certificate is None:
        raise BadUsage("TLS of DICOM needs a certificate", todo="Set certificate and certificate_key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _own(context, settings)
    if settings.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, settings.client_ca)
    return context


def asking(settings: Settings) -> ssl.SSLContext:
    """For connections that we make to a peer with TLS.

    The peer's certificate must come from `client_ca`, or from an authority that the machine trusts. Its name is not
    compared: nodes are known by address, and `fingerprint` of the peer names its certificate.

    Raises:
        BadUsage: When a file of the settings can't be read.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    _harden(context)
    if settings.client_ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        _harden(context)
        _trust(context, settings.client_ca)
    if settings.certificate is not None:
        _own(context, settings)
    return context


def fingerprint(connection: socket.socket) -> str | None:
    """SHA-256 of the certificate that the other side showed; "" where it showed none, None without TLS."""
    if not isinstance(connection, ssl.SSLSocket):
        return None
    shown = connection.getpeercert(binary_form=True)
    return hashlib.sha256(shown).hexdigest() if shown else ""


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _own(context: ssl.SSLContext, settings: Settings) -> None:
    try:
        context.load_cert_chain(str(settings.certificate), settings.certificate_key)
    except (OSError, ssl.SSLError) as error:
        raise BadUsage(
            "cannot use the certificate", given=settings.certificate, todo="See that it is PEM and fits its key"
        ) from error


def _trust(context: ssl.SSLContext, authority: Path) -> None:
    try:
        context.load_verify_locations(cafile=str(authority))
    except (OSError, ssl.SSLError) as error:
        raise BadUsage("cannot read the authority of clients", given=authority, todo="See that it is PEM") from error
