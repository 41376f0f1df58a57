"""What a peer may ask for: presentation contexts by right."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from pynetdicom.presentation import (
    AllStoragePresentationContexts,
    PresentationContext,
    StoragePresentationContexts,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"

PLAIN = (EXPLICIT, IMPLICIT)
"""Every peer knows one of them; implicit VR is the default of DICOM (PS3.5 10.1)."""

SYNTAXES = (
    *PLAIN,
    "1.2.840.10008.1.2.2",  # explicit VR big endian: retired, still sent
    DEFLATED,
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.4.100",  # MPEG-2
    "1.2.840.10008.1.2.4.102",  # MPEG-4 AVC
    "1.2.840.10008.1.2.4.103",  # MPEG-4 AVC, BD compatible
)
"""What is taken, the first that a peer offers first: what is not compressed needs no decoder that may be missing."""

FIND = {
    str(PatientRootQueryRetrieveInformationModelFind): "PATIENT",
    str(StudyRootQueryRetrieveInformationModelFind): "STUDY",
}
GET = {
    str(PatientRootQueryRetrieveInformationModelGet): "PATIENT",
    str(StudyRootQueryRetrieveInformationModelGet): "STUDY",
}
MOVE = {
    str(PatientRootQueryRetrieveInformationModelMove): "PATIENT",
    str(StudyRootQueryRetrieveInformationModelMove): "STUDY",
}
"""SOP class to the highest level of its model (PS3.4 C.6)."""

VERIFICATION, WORKLIST = str(Verification), str(ModalityWorklistInformationFind)


@cache
def storage_classes() -> tuple[str, ...]:
    """Every storage class that pynetdicom knows: an acceptor has no limit, the requestor has 128 a request."""
    return tuple(str(context.abstract_syntax) for context in AllStoragePresentationContexts)


@cache
def common_storage_classes() -> tuple[str, ...]:
    """The 120 or so that are asked for where all are too many (C-GET)."""
    return tuple(str(context.abstract_syntax) for context in StoragePresentationContexts)[:120]


def supported(rights: Collection[str]) -> list[PresentationContext]:
    """Contexts that are accepted of a peer with these rights."""
    contexts = [a_context(VERIFICATION, PLAIN)]
    if "store" in rights or "get" in rights:
        for name in storage_classes():
            context = a_context(name, SYNTAXES)
            if "get" in rights:  # over the same association we are the one who sends
                context.scu_role, context.scp_role = True, "store" in rights
            contexts.append(context)
    for right, classes in (("find", FIND), ("get", GET), ("move", MOVE)):
        if right in rights:
            contexts += [a_context(name, PLAIN) for name in classes]
    return contexts


def a_context(name: str, syntaxes: Collection[str]) -> PresentationContext:
    """One context."""
    context = PresentationContext()
    context.abstract_syntax = name
    context.transfer_syntax = list(syntaxes)
    return context
