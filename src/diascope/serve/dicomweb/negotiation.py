"""What a client would have: `Accept` headers with transfer syntaxes (PS3.18 8.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diascope.core.errors import DiascopeError
from diascope.serve.dicomweb.multipart import MediaType, media_type

EXPLICIT = "1.2.840.10008.1.2.1"
"""Explicit VR little endian: what is sent where a client names no syntax (PS3.18 8.7.3.5.2)."""

DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = frozenset({"1.2.840.10008.1.2", EXPLICIT, "1.2.840.10008.1.2.2", DEFLATED})

FRAME_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}
"""Transfer syntax to the media type of one of its frames (PS3.18 Table 8.7.3-5)."""

OCTETS = "application/octet-stream"
DICOM = "application/dicom"
LONGEST_ACCEPT = 4096


class NotAcceptable(DiascopeError):
    """What was asked for can't be answered in any of the forms that were named."""


@dataclass(frozen=True)
class Wanted:
    """One form that a client takes.

    Args:
        kind: Media type of the content, `*/*` where any.
        syntax: Transfer syntax; `*` is the stored one, "" where none was named.
        single: Whether it is asked for alone, and not as a part.
        weight: `q`.
    """

    kind: str
    syntax: str
    single: bool
    weight: float = 1.0


def wanted(accept: str) -> list[Wanted]:
    """The forms that an `Accept` header names, best first; all of them where there is none."""
    entries = _split(accept[:LONGEST_ACCEPT]) or ["*/*"]
    found = [_wanted(media_type(entry)) for entry in entries]
    return sorted((one for one in found if one.weight > 0), key=lambda one: -one.weight)


def chosen(accept: str, kinds: Sequence[str]) -> str:
    """The first of our media types that a client takes.

    Raises:
        NotAcceptable: When it takes none.
    """
    for one in wanted(accept):
        for kind in kinds:
            if _covers(one.kind, kind):
                return kind
    raise _refused(accept, kinds)


def syntax_for(accept: str, stored: str) -> tuple[str, bool]:
    """In which transfer syntax an instance is sent.

    Args:
        accept: Header.
        stored: Its transfer syntax.

    Returns:
        The syntax (the stored one, or explicit little endian) and whether the instance is asked for alone.

    Raises:
        NotAcceptable: When neither is taken.
    """
    for one in wanted(accept):
        if not _covers(one.kind, DICOM):
            continue
        if one.syntax in ("*", stored):
            return stored, one.single
        if one.syntax in ("", EXPLICIT):
            return EXPLICIT, one.single
    raise _refused(accept, (f"{DICOM}; transfer-syntax={stored}", f"{DICOM}; transfer-syntax={EXPLICIT}"))


def frame_for(accept: str, stored: str) -> tuple[str, str]:
    """In which form frames are sent.

    Args:
        accept: Header.
        stored: Transfer syntax of the instance.

    Returns:
        Media type of a part, and the transfer syntax that it is in.

    Raises:
        NotAcceptable: When none is taken.
    """
    kind = FRAME_TYPES.get(stored, OCTETS)
    for one in wanted(accept):
        compressed = kind != OCTETS
        if compressed and _covers(one.kind, kind) and one.kind != "*/*" and one.syntax in ("", "*", stored):
            return kind, stored
        if compressed and one.kind in (OCTETS, "*/*") and one.syntax in ("*", stored):
            return (OCTETS if one.kind == OCTETS else kind), stored
        if _covers(one.kind, OCTETS) and one.syntax in ("", "*", EXPLICIT):
            return OCTETS, EXPLICIT
    raise _refused(accept, (kind, OCTETS))


def _wanted(entry: MediaType) -> Wanted:
    parameters = entry.parameters
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 1.0
    syntax = parameters.get("transfer-syntax", "")
    if entry.name == "multipart/related":
        return Wanted(parameters.get("type", "*/*").lower(), syntax, False, weight)
    return Wanted(entry.name, syntax, entry.name != "*/*", weight)


def _covers(range_: str, kind: str) -> bool:
    group, _, rest = range_.partition("/")
    return range_ in ("*/*", kind) or (rest == "*" and kind.startswith(f"{group}/"))


def _split(accept: str) -> list[str]:
    """The entries of a list; a comma in quotes separates nothing."""
    entries, current, quoted = [], "", False
    for letter in accept:
        quoted ^= letter == '"'
        if letter == "," and not quoted:
            entries.append(current)
            current = ""
        else:
            current += letter
    return [entry.strip() for entry in [*entries, current] if entry.strip()]


def _refused(accept: str, kinds: Iterable[str]) -> NotAcceptable:
    return NotAcceptable("none of the media types that were asked for can be sent", given=accept[:200] or None,
                         todo=f"Ask for {' or '.join(kinds)}")  # fmt: skip
