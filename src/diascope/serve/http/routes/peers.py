"""Peers: whom the service sends to, takes from and may ask. Their secrets are written and never read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, ValidationError
from sqlalchemy import Connection, select

from diascope.core.errors import BadUsage, Conflict
from diascope.serve import peers
from diascope.serve.database.tables import jobs
from diascope.serve.database.tables import peers as table
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, Body, Id, InPath, Uid
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, listed
from diascope.serve.http.routes.jobs import Job
from diascope.serve.http.routes.jobs import shown as job_shown
from diascope.serve.jobs.kinds.query import opened, sealed

router = APIRouter(prefix="/peers", tags=["peers"])

Kind = Literal["dimse", "dicomweb", "mllp", "fhir", "webhook"]
Right = Literal["store", "find", "get", "move", "identity", "worklist"]
Label = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
Word = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f\\]*$")]


class Node(Body):
    """A DICOM node."""

    ae_title: Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[!-\[\]-~]([ -\[\]-~]*[!-\[\]-~])?$")]
    """As it calls itself."""
    host: Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9.:_-]*$")] = ""
    """Where it listens; empty: it only comes to us."""
    port: Annotated[int, Field(ge=1, le=65535)] = 104
    """Where it listens."""
    addresses: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=64)]
    """Networks that it comes from: `10.1.2.3`, `10.1.2.0/24`."""
    tls: bool = False
    """Whether we speak TLS to it, and it to us."""
    fingerprint: Annotated[str, Field(max_length=95, pattern="^[0-9A-Fa-f:]+$")] | None = None
    """SHA-256 of its TLS certificate; null: any that the settings' authority signed."""


class Web(Body):
    """A server that is reached by HTTP."""

    url: Annotated[str, Field(min_length=8, max_length=1024, pattern=r"^https?://[!-~]+$")]
    """`https://host/path`; the host is on the list `send_to` of the settings."""
    token: Annotated[str, Field(max_length=4096, pattern=r"^[!-~]*$")] | None = None
    """Sent as a bearer token (what goes to a webhook is signed with it instead), and never shown; null keeps the one
    that is there, an empty one takes it away."""


class Receiver(Body):
    """An HL7 v2 receiver over MLLP."""

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")]
    """On the list `send_to` of the settings."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Where it listens."""
    tls: bool = False
    """Whether we speak TLS to it."""


class NewPeer(Body):
    """A peer. Exactly the settings of its kind are given."""

    name: Label
    """What people call it; rules name it so."""
    kind: Kind
    """`dimse`: a DICOM node; `dicomweb`, `fhir`, `webhook`: by HTTP; `mllp`: HL7 v2."""
    project: Id = "default"
    """Id of the project that the studies belong to that it sends, and whose studies alone it sees."""
    enabled: bool = True
    """Whether anything goes to it or comes from it."""
    rights: Annotated[list[Right], Field(max_length=6)] = Field(default_factory=list)
    """What a DICOM node may ask for."""
    dimse: Node | None = None
    """Of a DICOM node."""
    web: Web | None = None
    """Of `dicomweb`, `fhir` and `webhook`."""
    mllp: Receiver | None = None
    """Of an HL7 v2 receiver."""


class Named(Answer):
    """A peer by name."""

    id: str
    """For ever."""
    name: str
    """What people call it."""
    kind: Kind
    """How it is reached."""
    enabled: bool
    """Whether anything goes to it or comes from it."""


class Peer(Named):
    """A peer with its settings."""

    project: str
    """Id of the project that the studies belong to that it sends."""
    rights: list[Right]
    """What a DICOM node may ask for."""
    settings: dict[str, Any]
    """Of its kind, without secrets."""
    has_token: bool
    """Whether a token is sent to it."""


class Wanted(Body):
    """What is fetched."""

    study: Uid
    """Study Instance UID."""
    series: Uid | None = None
    """Series Instance UID; null is the whole study."""


class Search(Body):
    """What is searched for at a peer; `*` and `?` stand for anything. It is kept sealed."""

    patient_name: Word = ""
    """As DICOM writes it: `Zhang^San*`."""
    patient_id: Word = ""
    """Number of the patient."""
    accession_number: Word = ""
    """Of the order."""
    study_date: Annotated[str, Field(pattern=r"^([0-9]{8})?(-[0-9]{8}|[0-9]{0})$|^[0-9]{8}-$")] = ""
    """`20260501`, or a range `20260501-20260507`."""
    modality: Annotated[str, Field(max_length=16, pattern=r"^[A-Z0-9_]*$")] = ""
    """`CT`."""
    study: Uid | None = None
    """Study Instance UID."""


class Answers(Answer):
    """What a peer has."""

    job: Job
    """The question; there are answers when it is done."""
    items: list[dict[str, str]]
    """One for each study, DICOM keyword to text. They name patients."""
    more: bool
    """Whether the peer has more than are told."""


@router.get("", openapi_extra=operation("peers.list"))
def list_peers(asked: Who, paging: Paged) -> Page[Named]:
    """Peers by name."""
    return listed(asked, select(table), (table.c.name,), paging, Named.model_validate)


@router.post("", status_code=201, openapi_extra=operation("peers.write"))
def make_peer(asked: Who, once: Once, body: NewPeer) -> Peer:
    """Make a peer."""

    def work() -> Peer:
        made = _peer(asked, body, peers.new_id(), "")
        return _shown(peers.keep(asked.service, made, asked.caller.actor, asked.caller.address, new=True))

    return once.through(Peer, work)


@router.get("/{peer}", openapi_extra=operation("peers.read"))
def read_peer(asked: Who, peer: InPath) -> Peer:
    """A peer with its settings."""
    return _shown(_found(asked, peer))


@router.put("/{peer}", openapi_extra=operation("peers.write"))
def change_peer(asked: Who, once: Once, peer: InPath, body: NewPeer) -> Peer:
    """Put other settings in the place of a peer's."""
    old = _found(asked, peer)
    if old.kind != body.kind:
        raise Conflict("a peer stays of its kind", given=body.kind, todo="Make a new one")

    def work() -> Peer:
        changed = _peer(asked, body, peer, str(old.settings.get("token", "")))
        return _shown(peers.keep(asked.service, changed, asked.caller.actor, asked.caller.address, new=False))

    return once.through(Peer, work)


@router.delete("/{peer}", status_code=204, openapi_extra=operation("peers.write"))
def remove_peer(asked: Who, peer: InPath) -> None:
    """Forget a peer; what it sent stays."""
    peers.remove(asked.service, _found(asked, peer), asked.caller.actor, asked.caller.address)


@router.post("/{peer}/echo", status_code=202, openapi_extra=operation("peers.echo"))
def echo_peer(asked: Who, once: Once, peer: InPath) -> Job:
    """Ask whether a peer answers; the job says what came of it."""
    found = _found(asked, peer)
    return _put(asked, once, "echo", found, "peer.echoed", {"peer": found.id})


@router.post("/{peer}/queries", status_code=202, openapi_extra=operation("peers.query"))
def query_peer(asked: Who, once: Once, peer: InPath, body: Search) -> Job:
    """Search a peer for studies; when the job is done, ask for the answers."""
    found = _within(asked, peer)
    keys = {key: value for key, value in body.model_dump().items() if value}
    if not keys:
        raise BadUsage("nothing was searched for", todo="Give a name, a number, a date or a UID")
    return _put(asked, once, "query", found, "peer.queried", {"peer": found.id, **sealed(asked.service, keys)})


@router.get("/{peer}/queries/{job}", openapi_extra=operation("peers.query"))
def read_answers(asked: Who, peer: InPath, job: InPath) -> Answers:
    """What a peer answered; for whoever asked it, and nobody else."""
    found = _within(asked, peer)
    with asked.service.database.reading() as connection:
        row = connection.execute(select(jobs).where((jobs.c.id == job) & (jobs.c.kind == "query"))).mappings().first()
    if row is None or row["payload"].get("peer") != found.id or row["by"] != asked.caller.actor:
        raise NotFound("there is no such question of yours", given=job)
    answer = row["result"]
    if answer is None:
        return Answers(job=job_shown(row), items=[], more=False)
    asked.service.audit.tell(asked.event("identity.read", f"job:{job}", project=found.project, count=answer["count"]))
    return Answers(job=job_shown(row), items=opened(asked.service, answer), more=answer["more"])


@router.post("/{peer}/retrieve", status_code=202, openapi_extra=operation("peers.retrieve"))
def retrieve(asked: Who, once: Once, peer: InPath, body: Wanted) -> Job:
    """Fetch a study or series from a peer."""
    found = _within(asked, peer)
    wanted = {key: value for key, value in body.model_dump().items() if value}
    return _put(asked, once, "pull", found, "peer.retrieved", {"peer": found.id, **wanted})


def _put(asked: Asked, once: Once, kind: str, peer: peers.Peer, action: str, payload: dict[str, Any]) -> Job:
    service, caller = asked.service, asked.caller

    def work(connection: Connection) -> Job:
        made = service.queue.put(connection, kind, payload, project=peer.project, by=caller.actor)
        detail = {"job": made, "peer": peer.name}
        asked.record(connection, action, payload.get("study", f"peer:{peer.id}"), peer.project, **detail)
        return job_shown(connection.execute(select(jobs).where(jobs.c.id == made)).mappings().one())

    answer = once.change(Job, work)
    service.stirred.set()
    return answer


def _found(asked: Asked, peer: str) -> peers.Peer:
    with asked.service.database.reading() as connection:
        return peers.peer_of(connection, peer)


def _within(asked: Asked, peer: str) -> peers.Peer:
    """The peer, for members of its project."""
    found = _found(asked, peer)
    asked.on(found.project, f"peer:{found.id}")
    return found


def _peer(asked: Asked, body: NewPeer, peer: str, token: str) -> peers.Peer:
    given = {"dimse": body.dimse, "mllp": body.mllp}.get(body.kind, body.web)
    if given is None or sum(one is not None for one in (body.dimse, body.web, body.mllp)) != 1:
        raise BadUsage("a peer has the settings of its kind and no others", given=body.kind)
    content = given.model_dump()
    if isinstance(given, Web):
        content["token"] = token if given.token is None else peers.sealed_token(asked.service, peer, given.token)
    try:
        settings = peers.SETTINGS[body.kind].model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadUsage(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    rights = frozenset(body.rights) if body.kind == "dimse" else frozenset[str]()
    return peers.Peer(peer, body.name, body.kind, settings.to_json(), rights, body.project, body.enabled)


def _shown(peer: peers.Peer) -> Peer:
    settings = dict(peer.settings)
    token = settings.pop("token", "")
    told = {"settings": settings, "rights": sorted(peer.rights), "has_token": bool(token)}
    return Peer.model_validate({**vars(peer), **told})
