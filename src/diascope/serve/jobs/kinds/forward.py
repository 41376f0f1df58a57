"""forward: the originals of a study to a peer, with the identity that they have."""

from __future__ import annotations

from diascope.core.errors import DataRefused
from diascope.serve.dimse.delivering import node_of
from diascope.serve.dimse.sending import send_study
from diascope.serve.jobs.kinds.echo import asked
from diascope.serve.jobs.queue import Job
from diascope.serve.jobs.worker import Context
from diascope.serve.outgoing.telling import NotDelivered
from diascope.serve.service import Service

TRIES = 20
LANE = "sending"


def run(service: Service, job: Job, context: Context) -> None:
    """Send the study of the payload to its peer.

    Raises:
        DataRefused: When the study or the peer is gone, or the peer is no DICOM node.
        NotDelivered: When it did not take everything; another try may help.
    """
    peer = asked(service, job.payload["peer"])
    if peer.kind != "dimse":
        raise DataRefused("originals are sent to DICOM nodes only", given=peer.kind)
    sent = send_study(service, node_of(service, peer), job.payload["study"], job.by)
    if not sent:
        raise DataRefused("there is nothing of the study in the archive", given=job.payload["study"])
    failed = [one for one in sent if not one.is_there]
    if failed:
        first = failed[0]
        raise NotDelivered(
            f"{peer.name} did not take {len(failed)} of {len(sent)} objects: "
            f"{first.reason or f'status 0x{first.status:04X}'}"
        )
    context.done(job, {"instances": len(sent)})
