"""A job `send` over DICOM's own protocol: one object of a result to one peer."""

from __future__ import annotations

from diascope.core.errors import DataRefused
from diascope.serve.dimse.peers import Peer as Node
from diascope.serve.dimse.peers import all_peers
from diascope.serve.dimse.sending import send_instances
from diascope.serve.outgoing.parcel import Parcel, Peer
from diascope.serve.outgoing.telling import NotDelivered
from diascope.serve.service import Service


def deliver(service: Service, peer: Peer, parcel: Parcel) -> None:
    """Send an object; returns when the peer has it.

    Raises:
        NotDelivered: When it has not; sending again may help.
    """
    sent = send_instances(service, node_of(service, peer), [parcel.uid], "service")
    if not sent:
        raise DataRefused("the object is not in the archive any more", given=parcel.uid)
    if not sent[0].is_there:
        raise NotDelivered(f"{peer.name} did not take it: {sent[0].reason or f'status 0x{sent[0].status:04X}'}")


def node_of(service: Service, peer: Peer) -> Node:
    """The DICOM node that a peer is.

    Raises:
        DataRefused: When there is none any more.
    """
    for one in all_peers(service):
        if one.id == peer.id:
            return one
    raise DataRefused("the peer is no DICOM node any more", given=peer.name)
