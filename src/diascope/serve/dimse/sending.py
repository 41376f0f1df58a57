"""What we ask of others: echo, send objects, query, and have objects sent to us (C-GET, C-MOVE)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext

from diascope.core.errors import BadUsage, Tampered, Unavailable
from diascope.serve.audit import Event
from diascope.serve.database.tables import instances, studies
from diascope.serve.dimse import contexts, security
from diascope.serve.dimse.association import Link, Outgoing
from diascope.serve.dimse.commands import StoreRequest
from diascope.serve.dimse.contexts import IMPLICIT, PLAIN, a_context
from diascope.serve.dimse.entity import an_entity
from diascope.serve.dimse.identifiers import Item, encoded, read
from diascope.serve.dimse.objects import Giving, Object, Sent, objects, told_export, unavailable, wanted_contexts
from diascope.serve.dimse.peers import Peer
from diascope.serve.dimse.storing import Receives, Storing
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.incoming.receiving import Origin
from diascope.serve.service import Service

SUCCESS, CANCELLED = 0x0000, 0xFE00
CONNECT, ANSWER = 10.0, 60.0
"""Seconds until a peer accepts, and until it answers."""

MOST_ANSWERS = 10_000
"""Of one query."""

STUDY_FIND, STUDY_GET, STUDY_MOVE = (
    next(name for name, root in each.items() if root == "STUDY")
    for each in (contexts.FIND, contexts.GET, contexts.MOVE)
)


def echo(service: Service, peer: Peer) -> None:
    """Ask a peer whether it is there.

    Raises:
        Unavailable: When it is not, or does not want us; says which.
    """
    with opened(service, peer, [a_context(contexts.VERIFICATION, PLAIN)]) as link:
        message = C_ECHO()
        message.MessageID, message.AffectedSOPClassUID = 1, contexts.VERIFICATION
        _last(link.ask(_context(link, contexts.VERIFICATION), message), peer)


def send_instances(service: Service, peer: Peer, uids: Sequence[str], by: str) -> list[Sent]:
    """Send objects of the archive to a peer.

    Args:
        service: The service.
        peer: To whom.
        uids: SOP instance UIDs.
        by: Who does it, as the audit trail names them.

    Returns:
        What became of each one that the archive has; the order may differ.

    Raises:
        BadUsage: When the peer has no host.
    """
    found = objects(service, instances.c.uid.in_(uids))
    told_export(service, found, Event("study.exported", by, project=peer.project, detail={"to": peer.name}))
    return _sent(service, peer, found)


def send_study(service: Service, peer: Peer, study_uid: str, by: str) -> list[Sent]:
    """Send a whole study; arguments and errors as `send_instances`."""
    found = objects(service, studies.c.uid == study_uid)
    told_export(service, found, Event("study.exported", by, project=peer.project, detail={"to": peer.name}))
    return _sent(service, peer, found)


def _sent(service: Service, peer: Peer, found: Sequence[Object]) -> list[Sent]:
    answers: list[Sent] = []
    for wanted in wanted_contexts(found) if found else []:
        classes = {str(context.abstract_syntax) for context in wanted}
        some = [one for one in found if one.sop_class in classes]
        at = len(answers)
        try:
            with opened(service, peer, wanted) as link:
                giving = Giving(service, strict_decoder(), link)
                for one in some:
                    answers.append(giving.send(one))
        except Unavailable as error:
            answers += unavailable(error, some[len(answers) - at :])
    return answers


def query(service: Service, peer: Peer, keys: Mapping[str, Any], by: str) -> list[Item]:
    """Ask a PACS what it has (C-FIND, study root).

    Args:
        service: The service.
        peer: The PACS.
        keys: Keyword to value, "" where it is only asked for; with QueryRetrieveLevel.
        by: Who does it.

    Raises:
        Unavailable: When it can't be asked, or fails.
        UnreadableFile: When an answer can't be parsed.
    """
    asked = {"keys": ",".join(sorted(keys)), "of": peer.name}
    service.audit.tell(Event("study.queried", by, project=peer.project, detail=asked))
    return found(service, peer, STUDY_FIND, keys)


def found(service: Service, peer: Peer, sop_class: str, keys: Mapping[str, Any]) -> list[Item]:
    """Answers to a C-FIND; arguments and errors as `query`, which audits."""
    with opened(service, peer, [a_context(sop_class, PLAIN)]) as link:
        context = _context(link, sop_class)
        syntax = str(context.transfer_syntax[0])
        message = C_FIND()
        message.MessageID, message.AffectedSOPClassUID, message.Priority = 1, sop_class, 2
        message.Identifier = BytesIO(encoded({"SpecificCharacterSet": "ISO_IR 192", **keys}, syntax == IMPLICIT))
        answers = []
        for answer in link.ask(context, message):
            if answer.Status in (0xFF00, 0xFF01) and answer.Identifier is not None:
                answers.append(answer.Identifier.getvalue())
                if len(answers) > MOST_ANSWERS:
                    raise BadUsage(f"more than {MOST_ANSWERS} answers", todo="Ask for less")
            elif answer.Status != SUCCESS:
                raise _refused(peer, answer)
    return [read(strict_decoder(), one, syntax) for one in answers]


def pull(service: Service, peer: Peer, receiving: Receives, keys: Mapping[str, str], by: str) -> int:
    """Have a PACS send objects over the same association (C-GET).

    Args:
        service: The service.
        peer: The PACS.
        receiving: Keeps them.
        keys: QueryRetrieveLevel and the UIDs.
        by: Who does it.

    Returns:
        How many it sent.

    Raises:
        Unavailable: When it can't be asked, or fails.
    """
    _told_pull(service, peer, keys, by)
    classes = contexts.common_storage_classes()
    wanted = [a_context(STUDY_GET, PLAIN), *(a_context(name, contexts.SYNTAXES) for name in classes)]
    origin = Origin(by, peer.settings.host, peer.project, peer.id)
    storing = Storing(service, receiving)

    def on_store(
        _: Link, request: StoreRequest, context: PresentationContext, data: Iterator[memoryview]
    ) -> tuple[int, str]:
        return storing.store(origin, request, context, data)

    with opened(service, peer, wanted, on_store, classes) as link:
        message = C_GET()
        return _retrieved(link, message, STUDY_GET, keys, peer)


def pull_by_move(service: Service, peer: Peer, keys: Mapping[str, str], by: str) -> int:
    """Have a PACS send objects to our node (C-MOVE): it must know our AE title, and be a peer that may store.

    Arguments and errors as `pull`.
    """
    _told_pull(service, peer, keys, by)
    with opened(service, peer, [a_context(STUDY_MOVE, PLAIN)]) as link:
        message = C_MOVE()
        message.MoveDestination = service.settings.ae_title
        return _retrieved(link, message, STUDY_MOVE, keys, peer)


def _told_pull(service: Service, peer: Peer, keys: Mapping[str, str], by: str) -> None:
    detail = {"from": peer.name, "level": keys.get("QueryRetrieveLevel", ""), "pull": True}
    service.audit.tell(Event("study.queried", by, project=peer.project, detail=detail))


def _retrieved(link: Outgoing, message: Any, sop_class: str, keys: Mapping[str, str], peer: Peer) -> int:
    context = _context(link, sop_class)
    message.MessageID, message.AffectedSOPClassUID, message.Priority = 1, sop_class, 2
    message.Identifier = BytesIO(encoded(keys, str(context.transfer_syntax[0]) == IMPLICIT))
    answer = _last(link.ask(context, message), peer)
    return int(answer.NumberOfCompletedSuboperations or 0)


def _last(answers: Iterator[Any], peer: Peer) -> Any:
    *_, answer = answers
    if answer.Status not in (SUCCESS, 0xB000):
        raise _refused(peer, answer)
    return answer


def _refused(peer: Peer, answer: Any) -> Unavailable:
    return Unavailable(f"{peer.name} did not do it", given=f"status 0x{answer.Status:04X}", todo="Look into its log")


def _context(link: Outgoing, sop_class: str) -> PresentationContext:
    context = link.accepted(sop_class, PLAIN)
    if context is None:
        raise Unavailable("the peer does not offer this service", given=sop_class, todo="See what it may be asked for")
    return context


def _not_asked(*_: Any) -> tuple[int, str]:
    return 0x0124, "nothing was asked for"


def connected(service: Service, peer: Peer, sent: Sequence[Object]) -> Any:
    """An association for objects, as many of their classes as one holds; raises as `opened`."""
    return opened(service, peer, wanted_contexts(sent)[0])


@contextmanager
def opened(
    service: Service,
    peer: Peer,
    wanted: Sequence[PresentationContext],
    on_store: Callable[..., tuple[int, str]] = _not_asked,
    roles: Collection[str] = (),
) -> Iterator[Outgoing]:
    """An association with a peer, released at the end.

    Raises:
        BadUsage: When the peer has no host.
        Unavailable: When it can't be reached or does not want us.
        Tampered: When it shows another certificate than the one that is written down.
    """
    settings = peer.settings
    if not settings.host:
        raise BadUsage(f"the peer {peer.name} has no host", todo="Set it, or let it come to us")
    tls: ssl.SSLContext | None = security.asking(service.settings) if settings.tls else None
    link = Outgoing(an_entity(service.settings.ae_title, CONNECT, ANSWER), on_store)
    link.open((settings.host, settings.port), settings.ae_title, wanted, tls, roles)
    try:
        shown = link.certificate()
        if settings.fingerprint and shown != settings.fingerprint:
            raise Tampered(
                f"{peer.name} shows another certificate than the one that is written down",
                given=shown or "none",
                todo="Find out why before you change its fingerprint",
            )
        yield link
    finally:
        link.close()
