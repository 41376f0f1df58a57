"""Peers of every kind: how they are reached, what they may do. What only DICOM nodes have is in `dimse.peers`.

A peer's token is kept sealed and is never shown again. Peers that are reached by an address that somebody typed must
be on the list of the settings (`send_to`), so that nobody makes the service send to where it should not (B8).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from diascope.core.errors import BadUsage, Conflict, DiascopeError
from diascope.core.record import Field, Record
from diascope.privacy.sealing import Sealer
from diascope.serve.access.refusals import Missing
from diascope.serve.audit import Event
from diascope.serve.database.tables import peers, projects
from diascope.serve.dimse import peers as dimse
from diascope.serve.dimse.peers import PeerSettings
from diascope.serve.outgoing.destinations import listed, place_of, plain_host
from diascope.serve.service import Service

PURPOSE = "peers"


class WebSettings(Record):
    """A server that is reached by HTTP: DICOMweb, FHIR, a webhook."""

    url: str = Field(min_length=8, max_length=1024)
    """`https://host/path`; the host is on the list `send_to` of the settings."""
    token: str = ""
    """Sealed; sent as a bearer token. Empty: none."""


class LineSettings(Record):
    """An HL7 v2 receiver over MLLP."""

    host: str = Field(min_length=1, max_length=253)
    """On the list `send_to` of the settings."""
    port: int = Field(ge=1, le=65535)
    tls: bool = False


SETTINGS: Mapping[str, type[Record]] = {
    "dimse": PeerSettings,
    "dicomweb": WebSettings,
    "fhir": WebSettings,
    "webhook": WebSettings,
    "mllp": LineSettings,
}


@dataclass(frozen=True)
class Peer:
    """A peer of any kind.

    Args:
        id: For ever.
        name: What people call it.
        kind: Of `SETTINGS`.
        settings: Of the kind.
        rights: What a DICOM node may ask for.
        project: Where the studies belong that it sends.
        enabled: Whether anything goes to it or comes from it.
    """

    id: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    rights: frozenset[str]
    project: str
    enabled: bool


def new_id() -> str:
    """Of a peer that is not kept yet."""
    return secrets.token_hex(8)


def peer_of(connection: Connection, peer: str) -> Peer:
    """A peer by id.

    Raises:
        Missing: When there is none.
    """
    row = connection.execute(select(peers).where(peers.c.id == peer)).mappings().first()
    if row is None:
        raise Missing("peer", peer[:64])
    return of_row(row)


def of_row(row: RowMapping) -> Peer:
    """A row of the table as a peer."""
    keys = ("id", "name", "kind", "settings", "enabled")
    return Peer(**{key: row[key] for key in keys}, rights=frozenset(row["rights"]), project=row["project_id"])


def keep(service: Service, peer: Peer, by: str, address: str, new: bool) -> Peer:
    """Keep a new peer, or another one in the place of the one with its id.

    Args:
        service: That sends to it.
        peer: With a token already sealed.
        by: Who does it, as the audit trail names them.
        address: Where they come from.
        new: Whether it is a new one.

    Raises:
        BadUsage: When its settings make no sense, or its host is not on the list.
        Conflict: When its name is taken.
        Missing: When there is no such peer or project.
    """
    if peer.kind == "dimse":
        settings = PeerSettings.model_validate(peer.settings)
        node = dimse.Peer(peer.id, peer.name, settings, peer.rights, peer.project, peer.enabled)
        (dimse.add_peer if new else dimse.change_peer)(service, node, by, address)
    else:
        _allowed(service, peer)
        service.database.change(lambda connection: _kept(service, connection, peer, new, (by, address)))
    with service.database.reading() as connection:
        return peer_of(connection, peer.id)


def remove(service: Service, peer: Peer, by: str, address: str) -> None:
    """Forget a peer; what it sent stays.

    Raises:
        Missing: When there is none.
    """

    def work(connection: Connection) -> None:
        if not connection.execute(delete(peers).where(peers.c.id == peer.id)).rowcount:
            raise Missing("peer", peer.id)
        service.audit.append(connection, _event(peer, "removed", by, address))

    service.database.change(work)


def sealed_token(service: Service, peer: str, token: str) -> str:
    """What is kept of a peer's token."""
    if not token:
        return ""
    return base64.b64encode(Sealer(service.keys, PURPOSE).seal(token.encode(), peer)).decode()


def token_of(service: Service, peer: str, settings: Mapping[str, Any]) -> str:
    """The token that is sent to a peer; empty where it has none.

    Args:
        service: Whose keys open it.
        peer: Id.
        settings: Of the peer.

    Raises:
        DiascopeError: When it was sealed by another service, or changed.
    """
    kept = str(settings.get("token", ""))
    if not kept:
        return ""
    try:
        return Sealer(service.keys, PURPOSE).open(base64.b64decode(kept), peer).decode()
    except ValueError as error:
        raise DiascopeError("the token of a peer can't be read", given=peer, todo="Set it again") from error


def _allowed(service: Service, peer: Peer) -> None:
    """Refuse a peer that nothing would be sent to; its name is looked up again each time that something is."""
    if peer.kind == "mllp":
        host, port = plain_host(str(peer.settings["host"])), int(peer.settings["port"])
    else:
        _, host, port = place_of(str(peer.settings["url"]))
    if not listed(host, port, service.settings.send_to):
        raise BadUsage(
            "nothing may be sent to this host", given=f"{host}:{port}", todo="Add it to `send_to` of the settings first"
        )


def _kept(service: Service, connection: Connection, peer: Peer, new: bool, by: tuple[str, str]) -> None:
    if connection.execute(select(projects.c.id).where(projects.c.id == peer.project)).first() is None:
        raise Missing("project", peer.project[:64])
    if connection.execute(select(peers.c.id).where(peers.c.name == peer.name, peers.c.id != peer.id)).first():
        raise Conflict("there is a peer of this name already", given=peer.name, todo="Choose another name")
    row: dict[str, Any] = {"name": peer.name, "kind": peer.kind, "settings": dict(peer.settings)}
    row |= {"rights": sorted(peer.rights), "project_id": peer.project, "enabled": peer.enabled}
    if new:
        connection.execute(insert(peers).values(id=peer.id, created=service.clock(), **row))
    elif not connection.execute(update(peers).where(peers.c.id == peer.id).values(**row)).rowcount:
        raise Missing("peer", peer.id)
    service.audit.append(connection, _event(peer, "added" if new else "changed", *by))


def _event(peer: Peer, what: str, by: str, address: str) -> Event:
    detail = {"peer": peer.name, "what": what, "kind": peer.kind}
    return Event("settings.changed", by, f"peer:{peer.id}", project=peer.project, address=address, detail=detail)
