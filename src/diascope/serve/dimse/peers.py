"""Peers that speak DICOM's own protocol: who they are, where they may come from, what they may ask for.

An AE title is a name that anybody can claim. A peer is let in when its AE title, its address and, where one is set,
its TLS certificate are all as they were written down.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import field_validator
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from diascope.core.errors import BadUsage, Conflict, UnknownName
from diascope.core.record import Field, Record
from diascope.serve.audit import Event
from diascope.serve.database.tables import peers, projects
from diascope.serve.service import FIRST_PROJECT, Service

KIND = "dimse"

Right = Literal["store", "find", "get", "move", "identity", "worklist"]
RIGHTS: tuple[str, ...] = get_args(Right)
"""`store`: send objects here. `find`: query. `get`, `move`: retrieve, which also needs `identity`, for objects name
patients. `identity`: see names and numbers in answers. `worklist`: we may ask it for its worklist."""

TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")
"""An AE title: 1 to 16 characters of ASCII without backslash, no space at either end (PS3.5 6.2)."""


class PeerSettings(Record):
    """Where a DICOM node is and how it is known."""

    ae_title: str
    host: str = Field(default="", max_length=253)
    """Where it listens; empty: it only comes to us."""
    port: int = Field(default=104, ge=1, le=65535)
    addresses: tuple[str, ...] = Field(min_length=1, max_length=64)
    """Networks that it comes from: `10.1.2.3`, `10.1.2.0/24`."""
    tls: bool = False
    """Whether we speak TLS to it, and it to us."""
    fingerprint: str | None = None
    """SHA-256 of its TLS certificate (64 hexadecimal digits); None: any that the settings' authority signed."""

    @field_validator("ae_title")
    @classmethod
    def _title(cls, value: str) -> str:
        if not TITLE.fullmatch(value):
            raise ValueError("an AE title has 1 to 16 characters of ASCII, no backslash, no space at its ends")
        return value

    @field_validator("addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ipaddress.ip_network(each, strict=False)) for each in value)

    @field_validator("fingerprint")
    @classmethod
    def _digest(cls, value: str | None) -> str | None:
        plain = value.replace(":", "").lower() if value is not None else None
        if plain is not None and not re.fullmatch(r"[0-9a-f]{64}", plain):
            raise ValueError("a fingerprint is a SHA-256: 64 hexadecimal digits")
        return plain


@dataclass(frozen=True)
class Peer:
    """One peer.

    Args:
        id: Its id.
        name: What people call it.
        settings: Where it is.
        rights: What it may ask for.
        project: Where the studies belong that it sends, and the only ones it sees.
        enabled: Whether it may do anything now.
    """

    id: str
    name: str
    settings: PeerSettings
    rights: frozenset[str]
    project: str = FIRST_PROJECT
    enabled: bool = True

    @property
    def actor(self) -> str:
        """As the audit trail names it."""
        return f"peer:{self.name}"

    def comes_from(self, address: str) -> bool:
        """Whether an address is one of its own."""
        found = plain_address(address)
        return any(found in ipaddress.ip_network(network) for network in self.settings.addresses)


def plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address; one that IPv6 wraps around IPv4 is the latter."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped if mapped is not None else found


def new_peer(name: str, settings: PeerSettings, rights: frozenset[str], project: str = FIRST_PROJECT) -> Peer:
    """A peer that is not kept yet."""
    return Peer(secrets.token_hex(8), name, settings, rights, project)


def all_peers(service: Service) -> list[Peer]:
    """All DICOM nodes, by name."""
    with service.database.reading() as connection:
        return _peers(connection)


def peer_named(service: Service, name: str) -> Peer:
    """One of them.

    Raises:
        UnknownName: When there is none.
    """
    found = {peer.name: peer for peer in all_peers(service)}
    if name not in found:
        raise UnknownName("DICOM peer", name, found)
    return found[name]


def add_peer(service: Service, peer: Peer, by: str, address: str = "") -> Peer:
    """Keep a new peer.

    Args:
        service: The service.
        peer: The peer.
        by: Who does it, as the audit trail names them.
        address: Where they come from.

    Raises:
        BadUsage: When a right is unknown, or any address without a certificate would do.
        Conflict: When its name or AE title is taken.
        UnknownName: When there is no such project.
    """
    _check(peer)

    def work(connection: Connection) -> None:
        _free(connection, peer)
        connection.execute(insert(peers).values(id=peer.id, created=service.clock(), **_row(peer)))
        service.audit.append(connection, _event(peer, "added", by, address))

    service.database.change(work)
    return peer


def change_peer(service: Service, peer: Peer, by: str, address: str = "") -> Peer:
    """Replace the peer of the same id; arguments and errors as `add_peer`."""
    _check(peer)

    def work(connection: Connection) -> None:
        _free(connection, peer)
        changed = connection.execute(
            update(peers).where(peers.c.id == peer.id, peers.c.kind == KIND).values(**_row(peer))
        )
        if not changed.rowcount:
            raise UnknownName("DICOM peer", peer.name, [each.name for each in _peers(connection)])
        service.audit.append(connection, _event(peer, "changed", by, address))

    service.database.change(work)
    return peer


def remove_peer(service: Service, name: str, by: str, address: str = "") -> None:
    """Forget a peer; what it sent stays.

    Raises:
        UnknownName: When there is none.
    """

    def work(connection: Connection) -> None:
        found = {peer.name: peer for peer in _peers(connection)}
        if name not in found:
            raise UnknownName("DICOM peer", name, found)
        connection.execute(delete(peers).where(peers.c.id == found[name].id))
        service.audit.append(connection, _event(found[name], "removed", by, address))

    service.database.change(work)


def recognised(service: Service, title: str, address: str, certificate: str | None) -> Peer | None:
    """The peer that comes with an AE title, from an address, with a certificate.

    Args:
        service: The service.
        title: What it calls itself.
        address: Where it comes from.
        certificate: SHA-256 of the TLS certificate that it showed; "" where TLS asked for none, None without TLS.

    Returns:
        None where nobody is written down who fits in every respect.
    """
    for peer in all_peers(service):
        settings = peer.settings
        if not peer.enabled or settings.ae_title != title or not peer.comes_from(address):
            continue
        if (settings.tls or settings.fingerprint) and certificate is None:
            continue
        if settings.fingerprint and certificate != settings.fingerprint:
            continue
        return peer
    return None


def by_title(service: Service, title: str) -> Peer | None:
    """The peer with an AE title, where one is written down (the destination of a C-MOVE)."""
    return next((peer for peer in all_peers(service) if peer.enabled and peer.settings.ae_title == title), None)


def _check(peer: Peer) -> None:
    for right in peer.rights:
        if right not in RIGHTS:
            raise UnknownName("right", right, RIGHTS)
    if not re.fullmatch(r"[\w .-]{1,64}", peer.name):
        raise BadUsage("a peer's name has 1 to 64 letters, digits, spaces, dots and dashes", given=peer.name)
    everywhere = any(ipaddress.ip_network(network).prefixlen == 0 for network in peer.settings.addresses)
    if everywhere and not peer.settings.fingerprint:
        raise BadUsage(
            "an AE title alone is no proof of who asks",
            given=f"addresses {', '.join(peer.settings.addresses)}, no fingerprint",
            todo="Name the networks that it comes from, or the fingerprint of its certificate",
        )


def _free(connection: Connection, peer: Peer) -> None:
    if connection.execute(select(projects.c.id).where(projects.c.id == peer.project)).first() is None:
        raise UnknownName("project", peer.project, connection.execute(select(projects.c.id)).scalars())
    taken = connection.execute(select(peers.c.id).where(peers.c.name == peer.name, peers.c.id != peer.id)).first()
    if taken is not None:
        raise Conflict("there is a peer of this name already", given=peer.name, todo="Choose another name")
    for other in _peers(connection):
        if other.id != peer.id and other.settings.ae_title == peer.settings.ae_title:
            raise Conflict(
                f"the peer {other.name!r} has this AE title", given=peer.settings.ae_title, todo="Choose another one"
            )


def _peers(connection: Connection) -> list[Peer]:
    rows = connection.execute(select(peers).where(peers.c.kind == KIND).order_by(peers.c.name)).mappings()
    return [_peer(row) for row in rows]


def _peer(row: RowMapping) -> Peer:
    settings = PeerSettings.model_validate(row["settings"])
    return Peer(row["id"], row["name"], settings, frozenset(row["rights"]), row["project_id"], row["enabled"])


def _row(peer: Peer) -> dict[str, Any]:
    return {
        "name": peer.name,
        "kind": KIND,
        "settings": peer.settings.model_dump(mode="json"),
        "rights": sorted(peer.rights),
        "project_id": peer.project,
        "enabled": peer.enabled,
    }


def _event(peer: Peer, what: str, by: str, address: str) -> Event:
    detail = {
        "peer": peer.name,
        "what": what,
        "ae_title": peer.settings.ae_title,
        "rights": ",".join(sorted(peer.rights)),
    }
    return Event("settings.changed", by, f"peer:{peer.id}", project=peer.project, address=address, detail=detail)
