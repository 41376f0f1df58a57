"""What goes to a peer, and who the peer is: the same for every protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Peer:
    """Who gets something.

    Args:
        id: Of the row.
        name: Its name here.
        kind: dimse, dicomweb, mllp, fhir, webhook.
        settings: Of the kind.
        project: Id.
    """

    id: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    project: str


@dataclass(frozen=True)
class Parcel:
    """What it gets.

    Args:
        result: Id.
        kind: seg, sr, sc, pdf; oru, fhir, webhook.
        study_uid: Of the source.
        uid: SOP instance UID; "" where it is no object.
        sop_class: Of the object.
        syntax: Its transfer syntax.
        key: In the archive.
        sha256: Of its bytes.
    """

    result: str
    kind: str
    study_uid: str
    uid: str = ""
    sop_class: str = ""
    syntax: str = ""
    key: str = ""
    sha256: str = ""
