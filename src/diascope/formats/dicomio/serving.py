"""What DICOMweb hands out of one object: its header as JSON, bulk data, frames, a plain copy; inside the decoder child.

What is long is written to a file that the parent has opened; the answer says what was written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.encaps import get_frame
from pydicom.uid import ExplicitVRLittleEndian

from diascope.formats.dicomio import nesting
from diascope.formats.dicomio.drawing import draw
from diascope.formats.dicomio.exporting import pseudonymised
from diascope.formats.dicomio.parsing import PIXEL_TAGS, BrokenFileError, Parsed, frame_count
from diascope.formats.dicomio.pixels import stored_frames
from diascope.formats.dicomio.transcoding import transcode

BULK = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"))
"""Value representations whose longer values are not written into the JSON model (PS3.18 F.2.2)."""

INLINE = 256
"""Bytes up to which such a value is."""

LONGEST_INLINE = 1 << 20
"""Bytes up to which any other value is."""


def metadata(parsed: Parsed) -> dict[str, Any]:
    """The header as DICOM JSON (PS3.18 F).

    A `BulkDataURI` is the element's path in the data set, such as `00281201` or `52009229/0/00281201`.

    Raises:
        BrokenFileError: With the reason.
    """
    nesting.check_depth(parsed.dataset)
    model = _model(parsed.dataset, "")
    if parsed.pixel_bytes and not any(f"{tag:08X}" in model for tag in PIXEL_TAGS):
        bits = int(parsed.dataset.get("BitsAllocated") or 0)
        compressed = parsed.syntax.is_encapsulated
        model["7FE00010"] = {"vr": "OB" if compressed or bits <= 8 else "OW", "BulkDataURI": "7FE00010"}
    return model


def bulk(parsed: Parsed, request: dict[str, Any], out: BinaryIO) -> dict[str, Any]:
    """One value, at the path `element` that `metadata` gave."""
    if request["element"] in {f"{tag:08X}" for tag in PIXEL_TAGS}:
        return frames(parsed, {"frames": None, "stored": False}, out)
    dataset, path = parsed.dataset, request["element"].split("/")
    for tag, item in zip(path[:-1:2], path[1:-1:2], strict=True):
        dataset = _element(dataset, tag).value[int(item)]
    value = _element(dataset, path[-1]).value
    if not isinstance(value, bytes):
        raise BrokenFileError("this element is no bulk data")
    return {"lengths": [out.write(value)]}


def frames(parsed: Parsed, request: dict[str, Any], out: BinaryIO) -> dict[str, Any]:
    """Frames: `frames` (from 0; None is all of them), compressed as they are where `stored` is true, else decoded."""
    dataset = parsed.load_pixels()
    count = frame_count(dataset)
    wanted = list(range(count)) if request["frames"] is None else request["frames"]
    if any(not 0 <= one < count for one in wanted):
        raise BrokenFileError(f"it has {count} frames")
    if request["stored"] and parsed.syntax.is_encapsulated:
        contents: Iterator[bytes] = (get_frame(dataset.PixelData, one, number_of_frames=count) for one in wanted)
    else:
        contents = _decoded(parsed, dataset, wanted)
    return {"lengths": [out.write(content) for content in contents]}


def plain(parsed: Parsed, _: dict[str, Any], out: BinaryIO) -> dict[str, Any]:
    """The whole object, uncompressed, in explicit VR little endian."""
    transcode(parsed, out, ExplicitVRLittleEndian)
    return {}


WRITERS: dict[str, Callable[[Parsed, dict[str, Any], BinaryIO], dict[str, Any]]] = {
    "bulk": bulk,
    "frames": frames,
    "plain": plain,
    "pseudonymised": pseudonymised,
    "draw": draw,
}
"""What can be asked for, by name."""


def write(parsed: Parsed, request: dict[str, Any], descriptor: int) -> dict[str, Any]:
    """Write what `request["what"]` names into a file.

    Raises:
        BrokenFileError: With the reason.
    """
    with os.fdopen(os.dup(descriptor), "wb") as out:
        return WRITERS[request["what"]](parsed, request, out)


def _decoded(parsed: Parsed, dataset: Any, wanted: list[int]) -> Iterator[bytes]:
    plain_frames = parsed.plain_frames()
    if plain_frames is not None:
        yield from (plain_frames[one].tobytes() for one in wanted)
        return
    arrays = {}
    for index, frame in stored_frames(parsed, dataset, sorted(set(wanted))):
        arrays[index] = _octets(frame, int(dataset.BitsAllocated))
        while wanted and wanted[0] in arrays:
            yield arrays[wanted[0]]
            wanted = wanted[1:]


def _octets(frame: npt.NDArray[Any], bits: int) -> bytes:
    """A frame as PS3.18 8.7.3.3 has it: little endian, colours by pixel, single bits packed."""
    if bits == 1:
        return np.packbits(frame.ravel(), bitorder="little").tobytes()
    return np.ascontiguousarray(frame.astype(frame.dtype.newbyteorder("<"), copy=False)).tobytes()


def _element(dataset: Any, tag: str) -> Any:
    try:
        return dataset[int(tag, 16)]
    except KeyError as error:
        raise BrokenFileError("it has no such element") from error


def _model(dataset: Any, path: str) -> dict[str, Any]:
    model = {}
    for tag, element in sorted(dataset._dict.items()):
        if tag.element == 0:
            continue  # group lengths say nothing that stays true (PS3.5 7.2)
        key = f"{tag:08X}"
        model[key] = _entry(dataset, tag, element, f"{path}{key}")
    return model


def _entry(dataset: Any, tag: Any, element: Any, path: str) -> dict[str, Any]:
    vr = _representation(tag, element)
    try:
        if vr == "SQ":
            items = dataset[tag].value or []
            return {"vr": "SQ", "Value": [_model(item, f"{path}/{at}/") for at, item in enumerate(items)]}
        length = _length(element)
        if length > (INLINE if vr in BULK else LONGEST_INLINE):
            return {"vr": vr if len(vr) == 2 else "OW", "BulkDataURI": path}
        found: dict[str, Any] = dataset[tag].to_json_dict(None, LONGEST_INLINE)
    except Exception:  # pydicom raises what its converters raise; the value can't be said, that it is there can
        return {"vr": vr if len(vr) == 2 else "UN"}
    if any(isinstance(one, float) and not math.isfinite(one) for one in found.get("Value", ())):
        return {"vr": found["vr"]}  # JSON has no such numbers
    return found


def _representation(tag: Any, element: Any) -> str:
    if element.VR and str(element.VR) != "UN":
        return str(element.VR)
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _length(element: Any) -> int:
    if isinstance(element, RawDataElement):
        return len(element.value) if element.value is not None else int(element.length)
    return len(element.value) if isinstance(element.value, (bytes, str)) else 0
