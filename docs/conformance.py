"""The DICOM conformance statement, made from what the node and the web services accept (PS3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydicom.uid import UID

from diascope.formats.dicomio import indexing
from diascope.serve.dicomweb import matching, negotiation, stow
from diascope.serve.dimse import contexts, querying, storing
from diascope.serve.dimse.peers import RIGHTS
from diascope.serve.settings import Settings

STATUSES = {
    "unparsable": "cannot understand: the object cannot be parsed, or a part of it is beyond what a decoder may use",
    "mismatch": "data set does not match: UIDs or class differ from those announced, or its study is known as another "
    "patient's, or its series as part of another study",
    "duplicate": "duplicate SOP instance: other bytes have this UID already; the first stay",
    "out_of_resources": "out of resources: disk full, quota reached, too many at a time, or too large",
    "forbidden": "not authorized: no right to store, or the study belongs to another project",
    "class_not_supported": "SOP class not supported",
}


def statement() -> str:
    """The page, in Markdown."""
    settings = Settings()
    return f"""# DICOM conformance statement

Product: Diascope, a second reader for medical images. Not a medical device. This page follows PS3.2 in its parts; its tables are made from the code
that accepts (`docs/conformance.py`), so that they are what the program does.

## Overview

| service | role | over |
|---|---|---|
| Verification (C-ECHO) | SCU, SCP | DIMSE |
| Storage (C-STORE) | SCU, SCP | DIMSE, DICOMweb (STOW-RS) |
| Query (C-FIND, QIDO-RS) | SCU, SCP | DIMSE, DICOMweb |
| Retrieve (C-MOVE, C-GET, WADO-RS) | SCU, SCP | DIMSE, DICOMweb |
| Modality worklist (C-FIND) | SCU | DIMSE |

What is received is kept byte for byte, but for the 128 bytes of the preamble, which are set to zero. What is written (segmentation, structured report, secondary
capture, encapsulated PDF) belongs to the study that was read and to a new series.

## Networking

One application entity. Its title (default `{settings.ae_title}`), address and port (default {settings.dicom_port}) are settings; it listens on loopback until told otherwise.

- **Association acceptance.** The called title must be ours, the calling title that of a peer which an administrator has entered, and the connection must come from one of
  that peer's networks (and, with TLS, show its certificate). Anything else is rejected (A-ASSOCIATE-RJ, permanent). A title alone is no identification.
- **Rights** of a peer: {", ".join(f"`{right}`" for right in RIGHTS)}. Presentation contexts beyond them are not accepted. A peer sees the studies of its project only; names and numbers in answers need `identity`.
- **TLS.** PS3.15 B.9 (BCP 195): TLS 1.2 and later, forward secrecy and authenticated encryption only; client certificates where `client_ca` is set.
- **Acknowledgement.** Status 0000 of a C-STORE, and 200 of STOW-RS, are sent after the object was written and synchronised to disk, indexed and audited in a durable transaction.

### Storage as SCP

All {len(contexts.storage_classes())} storage classes of the standard that the program knows are accepted, in these transfer syntaxes:

{_syntaxes(contexts.SYNTAXES)}

Objects are kept in the syntax in which they came. The same UID with the same bytes is a success and one copy.

| status of C-STORE, failure reason of STOW-RS | when |
|---|---|
| 0000 | stored durably, or there already |
{_rows({f"{storing.STATUS[name]:04X}": words for name, words in STATUSES.items()})}
| {stow.COERCED:04X} | STOW-RS only: stored, with a warning |
| {stow.PROCESSING_FAILURE:04X} | STOW-RS only: a part that failed for another reason |

### Query and retrieve as SCP

| information model | C-FIND | C-MOVE | C-GET |
|---|---|---|---|
| Patient root | {_one(contexts.FIND, "PATIENT")} | {_one(contexts.MOVE, "PATIENT")} | {_one(contexts.GET, "PATIENT")} |
| Study root | {_one(contexts.FIND, "STUDY")} | {_one(contexts.MOVE, "STUDY")} | {_one(contexts.GET, "STUDY")} |

Hierarchical queries; matching by single value, list of UIDs, wildcards and ranges (PS3.4 C.2.2.2). Answers are in UTF-8 (`ISO_IR 192`), at most {querying.MOST}, then B001 (warning).
Retrieval sends the stored syntax where the receiver takes it, and else explicit VR little endian.

| level | keys |
|---|---|
{_keys()}
| with the right `identity` | {", ".join(f"`{key}`" for key in sorted(querying.SECRET))} |

C-MOVE goes to peers that are entered with an address, and to no other.

## DICOMweb

At `/dicom-web`, for users and tokens with the permission named in [permissions](permissions.md). PS3.18 clauses 10.4 to 10.6.

| service | |
|---|---|
| STOW-RS | `POST studies`, `studies/{{study}}`: `multipart/related; type="application/dicom"`, streamed; 200, 202, 400, 409, 415, 507 |
| QIDO-RS | studies, series, instances, at every level; `limit`, `offset`, `includefield`, `fuzzymatching` |
| WADO-RS | study, series, instance, metadata, bulk data, frames, rendered (JPEG, PNG), thumbnail |

Attributes that can be searched for:

| | |
|---|---|
{_searched()}

Names, numbers, birth dates and accession numbers are searched and answered for those who may see identities; others get and search the pseudonym as `PatientID`.

Frames are given uncompressed (`application/octet-stream`) or as they are stored:

| transfer syntax | media type of a frame |
|---|---|
{_rows({f"{UID(uid).name}": kind for uid, kind in negotiation.FRAME_TYPES.items()})}

## What is written

| object | SOP class |
|---|---|
| segmentation | Segmentation Storage (binary), on the slices of its source, in its frame of reference |
| findings | Comprehensive 3D SR or Enhanced SR, TID 1500, the release as device observer |
| picture | Secondary Capture Image Storage |
| report | Encapsulated PDF Storage |
| signed report of a study | Comprehensive SR Storage, TID 2000, verified by its reader; Encapsulated PDF Storage |

Each names the release with version and hash, the UIDs of what was read, and "not reviewed", or who reviewed it. UIDs are `2.25.` and a UUID made from the result, so that a
repeated send is the same object. A reader's decision makes new objects with UIDs of their own; the report is then verified (or not, where it was rejected or amended) and names the
earlier one in Predecessor Documents Sequence. The signed report is of a study, and its UIDs are made from the signature; an addendum names the report before it. Patient and study attributes are those of the source.

## Character sets

Received: all that the DICOM standard defines, GB18030 and GBK among them. Written: `ISO_IR 192`.

## Security

TLS and rights as above; see [the how-to for PACS engineers](../how-to/pacs.md) for back-up, keys and the audit trail. Files that arrive are parsed and decoded in processes of their own with limits on time
and memory. There is no DICOM audit over syslog; the trail is exported as PS3.15 A.5 messages.
"""


def _syntaxes(uids: Iterable[str]) -> str:
    return "\n".join(["| transfer syntax | UID |", "|---|---|", *(f"| {UID(uid).name} | {uid} |" for uid in uids)])


def _rows(of: Mapping[str, str]) -> str:
    return "\n".join(f"| {name} | {words} |" for name, words in of.items())


def _one(models: Mapping[str, str], level: str) -> str:
    return next(uid for uid, highest in models.items() if highest == level)


def _keys() -> str:
    levels: dict[str, list[str]] = {}
    for keyword, (level, _) in querying.PLAIN.items():
        levels.setdefault(level.lower(), []).append(f"`{keyword}`")
    return _rows({level: ", ".join(words) for level, words in levels.items()})


def _searched() -> str:
    own = {
        "study": matching.KNOWN["study"],
        "series": matching.OF_SERIES | {*indexing.SERIES},
        "instance": matching.OF_INSTANCE | {*indexing.INSTANCE},
    }
    return _rows({level: ", ".join(f"`{word}`" for word in sorted(words)) for level, words in own.items()})
