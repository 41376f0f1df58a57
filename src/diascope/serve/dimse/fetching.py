"""A job `pull` over DICOM's own protocol: a study or a series from a PACS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diascope.core.errors import DataRefused
from diascope.formats.dicomio.uids import is_uid
from diascope.serve.dimse.delivering import node_of
from diascope.serve.dimse.sending import pull as pull_by_get
from diascope.serve.dimse.sending import pull_by_move
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.outgoing.parcel import Peer
from diascope.serve.service import Service


def pull(service: Service, peer: Peer, wanted: Mapping[str, Any], by: str) -> dict[str, int]:
    """Have a PACS send what is wanted.

    Args:
        service: The service.
        peer: The PACS.
        wanted: `study` and, for one series of it, `series`: UIDs; `move` true asks with C-MOVE instead of C-GET.
        by: Who asked.

    Raises:
        DataRefused: When a UID is none.
        Unavailable: When the PACS can't be asked, or fails.
    """
    keys = {"QueryRetrieveLevel": "SERIES" if wanted.get("series") else "STUDY"}
    for name, keyword in (("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID")):
        uid = wanted.get(name)
        if name == "study" or uid:
            if not isinstance(uid, str) or not is_uid(uid):
                raise DataRefused(f"the {name} to pull is no UID", given=str(uid)[:64])
            keys[keyword] = uid
    node = node_of(service, peer)
    if wanted.get("move"):
        return {"sent": pull_by_move(service, node, keys, by)}
    return {"sent": pull_by_get(service, node, Receiving(service), keys, by)}
