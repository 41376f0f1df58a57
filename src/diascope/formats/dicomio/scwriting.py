"""A picture of the answer as a secondary capture, for viewers that show neither segmentations nor reports."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from pydicom.sr.codedict import codes

from diascope.core.errors import DataRefused
from diascope.core.finding import Finding, Findings
from diascope.core.result import NO_DEVICE, Made, number, said_with, words
from diascope.formats.dicomio.derived import Source, quietly, series_number

WIDTH = 512
"""Pixels that a picture has at least, so that the words under it can be read."""
SIZE, LINE, EDGE = 15, 20, 8
SHOWN = 12
"""Findings that are written under the picture; the report has all."""
COMMENTS = 10240
"""Characters of a long text (LT, PS3.5 6.2)."""


def capture_of(findings: Findings, source: Source, made: Made) -> Any:
    """The secondary capture as a highdicom object, without the patient.

    Raises:
        DataRefused: When no capture can refer to this source.
    """
    pixels = drawn(findings, made)
    first = source.datasets[0]
    try:
        with quietly():
            capture: Any = hd.sc.SCImage.from_ref_dataset(
                ref_dataset=first,
                pixel_array=pixels,
                photometric_interpretation="RGB",
                bits_allocated=8,
                coordinate_system="PATIENT",
                series_instance_uid=made.uid("sc series"),
                series_number=series_number(first) + 2,
                sop_instance_uid=made.uid("sc"),
                instance_number=1,
                manufacturer="Diascope",
                patient_orientation=("L", "P"),
            )
            capture.Laterality = capture.PatientOrientation = ""  # the picture may show any plane and side
            capture.ImageType = ["DERIVED", "SECONDARY"]
            capture.SourceImageSequence = references(source.datasets)
            capture.DerivationDescription = f"Answer of {made.algorithm.label}. {made.state}. {NO_DEVICE}"[:1024]
            capture.ImageComments = "\r\n".join(told(findings, made))[:COMMENTS]
            # What stands in the pixels of the source may identify; what is written under them does not.
            burned = {str(one.get("BurnedInAnnotation", "")) for one in source.datasets}
            if burned <= {"NO"} or "YES" in burned:
                capture.BurnedInAnnotation = "YES" if "YES" in burned else "NO"
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataRefused(f"no secondary capture can refer to this source: {error}") from error
    return capture


def references(datasets: Sequence[Any]) -> list[Any]:
    """Every input, as a source of image processing."""
    found = []
    for one in datasets:
        item = pydicom.Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
        purpose = hd.sr.CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
        item.PurposeOfReferenceCodeSequence = [purpose]
        found.append(item)
    return found


def told(findings: Findings, made: Made) -> list[str]:
    """What made the result, and each finding with what must be told with it, a line each."""
    lines = [f"{name}: {said}" for name, said in made.by().items()]
    for one in findings.findings:
        facts = [f"{name}: {number(measure)}" for name, measure in one.measures.items()]
        lines.append(
            "; ".join([one.concept, *facts, *(f"{key}: {said}" for key, said in said_with(one, made).items())])
        )
    return lines


def drawn(findings: Findings, made: Made) -> npt.NDArray[np.uint8]:
    """The picture with a strip of words under it, (Y, X, 3)."""
    picture = _picture(made)
    width = max(WIDTH, picture.width)
    lines = strip(findings, made)
    whole = Pillow.new("RGB", (width, picture.height + 2 * EDGE + LINE * len(lines)), "black")
    whole.paste(picture, ((width - picture.width) // 2, 0))
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(SIZE)
    for place, line in enumerate(lines):
        draw.text((EDGE, picture.height + EDGE + place * LINE), _fitting(line, width, font), fill="white", font=font)
    return np.asarray(whole, dtype=np.uint8)


def picture_of(content: bytes, findings: Findings, made: Made) -> bytes:
    """The picture of a capture that we wrote, without the strip under it, as a PNG.

    Args:
        content: The file.
        findings: That it shows.
        made: By what; the strip has as many lines before a review as after it.
    """
    with quietly():
        pixels = pydicom.dcmread(io.BytesIO(content)).pixel_array
    under = 2 * EDGE + LINE * len(strip(findings, made))
    written = io.BytesIO()
    Pillow.fromarray(pixels[: pixels.shape[0] - under]).save(written, "PNG")
    return written.getvalue()


def strip(findings: Findings, made: Made) -> list[str]:
    """The words under the picture: what made it, that nobody reviewed it, and the findings."""
    one = made.algorithm
    lines = [f"{one.label} {one.seal[:12]}", _plain(made.state), NO_DEVICE, ""]
    lines += [_line(finding) for finding in findings.findings[:SHOWN]]
    more = len(findings.findings) - SHOWN
    return [*lines, f"and {more} more: see the report"] if more > 0 else lines


def _line(finding: Finding) -> str:
    numbers = [f"{name} {number(one)}" for name, one in finding.measures.items()]
    return f"{_plain(finding.concept)}: {', '.join([_plain(words(finding)), *numbers])}"


def _plain(text: str) -> str:
    """Text in letters that the built-in font has; another script is named, and stands in the report."""
    shown = "".join(letter if ord(letter) < 0x250 else "?" for letter in text)
    return text if shown == text else f"{shown} (in full in the report)"


def _fitting(line: str, width: int, font: Any) -> str:
    while line and font.getlength(line) > width - 2 * EDGE:
        line = f"{line[:-4]}..." if len(line) > 4 else ""
    return line


def _picture(made: Made) -> Pillow.Image:
    """The picture of the answer; nothing where there is none."""
    if made.picture is None:
        return Pillow.new("RGB", (WIDTH, 0))
    with Pillow.open(io.BytesIO(made.picture), formats=("PNG",)) as opened:
        return opened.convert("RGB")
