"""Whether the service may listen where it was told to: beyond this machine it needs users and TLS (C3)."""

from __future__ import annotations

import ipaddress
import socket

from sqlalchemy import func, select

from diascope.core.errors import BadUsage
from diascope.serve.database.tables import users
from diascope.serve.service import Service


def refuse_exposure(service: Service) -> None:
    """Look at the addresses before anything listens.

    Raises:
        BadUsage: When others could reach the service and it is not ready for them; says what is missing.
    """
    settings = service.settings
    for given in (settings.certificate, settings.certificate_key, settings.client_ca):
        if given is not None and not given.is_file():
            raise BadUsage("a file of the TLS settings is missing", given=str(given))
    if (settings.certificate is None) != (settings.certificate_key is None):
        raise BadUsage("TLS needs a certificate and its key", todo="Give --certificate and --certificate-key")
    if settings.dicom_tls and settings.certificate is None:
        raise BadUsage("DICOM over TLS needs a certificate and its key")
    if not is_loopback(settings.host):
        _ready_for_others(service)
    if not is_loopback(settings.dicom_host) and not (settings.dicom_tls or settings.dicom_without_tls):
        raise BadUsage(
            "the DICOM node would be reachable from other machines without TLS",
            given=f"{settings.dicom_host}:{settings.dicom_port}",
            todo="Set dicom_tls, or dicom_without_tls where the network itself is protected",
        )


def _ready_for_others(service: Service) -> None:
    missing = []
    if service.settings.certificate is None:
        missing.append("TLS (--certificate and --certificate-key)")
    query = select(func.count()).select_from(users).where(~users.c.must_change & ~users.c.disabled)
    with service.database.reading() as connection:
        if not connection.execute(query).scalar():
            missing.append("a user with a password of their own (start on 127.0.0.1, log in, and change the first one)")
    if missing:
        raise BadUsage(
            f"the service would be reachable from other machines, and lacks {' and '.join(missing)}",
            given=f"{service.settings.host}:{service.settings.port}",
            todo="It did not start",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name counts by everything that it means."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(one[4][0]).is_loopback for one in found)
