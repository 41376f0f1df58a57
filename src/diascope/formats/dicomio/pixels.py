"""Decoding one file into shared memory; runs inside the decoder child."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

from diascope.formats.dicomio.parsing import BrokenFileError, Parsed, frame_count

DECODERS = {
    "1.2.840.10008.1.2.4.50": ("gdcm", "pillow"),
    "1.2.840.10008.1.2.4.51": ("gdcm", "pillow"),
    "1.2.840.10008.1.2.4.57": ("gdcm",),
    "1.2.840.10008.1.2.4.70": ("gdcm",),
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.90": ("gdcm", "pylibjpeg"),
    "1.2.840.10008.1.2.4.91": ("gdcm", "pylibjpeg"),
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),
}
"""Transfer syntax to decoders, the fastest correct one first (measured: PERFORMANCE 9); the next is tried where it
fails: both are bit-exact for lossless syntaxes."""


def as_array(memory: mmap.mmap, shape: list[int], dtype: str) -> npt.NDArray[Any]:
    """The shared memory as an array (slices, rows, columns[, 3])."""
    return np.frombuffer(memory, dtype=np.dtype(dtype), count=int(np.prod(shape))).reshape(shape)


def decode(parsed: Parsed, job: dict[str, Any], out: npt.NDArray[Any]) -> None:
    """Decode the frames of one file into their slices of `out`.

    Args:
        parsed: The file.
        job: `frames` (0-based), and as long: `at` (slices of `out`), `slopes`, `intercepts`; `inverted`.
        out: (slices, rows, columns) or (slices, rows, columns, 3).

    Raises:
        BrokenFileError: With the reason.
    """
    plain = parsed.plain_frames()
    dataset = parsed.dataset if plain is not None else parsed.load_pixels()
    where = dict(zip(job["frames"], zip(job["at"], job["slopes"], job["intercepts"], strict=True), strict=True))
    frames = stored_frames(parsed, dataset, job["frames"]) if plain is None else ((k, plain[k]) for k in job["frames"])
    for index, frame in frames:
        at, slope, intercept = where[index]
        values = meant_values(dataset, frame, job["inverted"])
        if values.shape != out.shape[1:]:
            raise BrokenFileError(f"a frame of shape {values.shape} where the header says {out.shape[1:]}")
        _scale(values, slope, intercept, out[at])


def decode_each(parsed: Parsed) -> int:
    """Decode every frame and keep none.

    Returns:
        How many there are.

    Raises:
        BrokenFileError: With the reason; no text of the file is in it.
    """
    dataset, count = parsed.load_pixels(), frame_count(parsed.dataset)
    decoder = get_decoder(parsed.syntax)
    for plugin in DECODERS.get(str(parsed.syntax), ("",)):
        try:
            done = sum(1 for _ in decoder.iter_array(dataset, decoding_plugin=plugin))
        except (ValueError, RuntimeError, AttributeError, NotImplementedError):
            continue
        if done == count:
            return done
    raise BrokenFileError(f"the pixel data cannot be decoded ({parsed.syntax.name})")


def stored_frames(parsed: Parsed, dataset: Any, wanted: list[int]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Index and stored values of the wanted frames."""
    decoder = get_decoder(parsed.syntax)
    plugins = DECODERS.get(str(parsed.syntax), ("",))
    every = len(wanted) == frame_count(dataset) and wanted == sorted(wanted)
    failures = []
    for plugin in plugins:
        done = 0
        try:
            if every:
                for index, (frame, _) in enumerate(decoder.iter_array(dataset, decoding_plugin=plugin)):
                    yield index, frame
                    done += 1
            else:
                for index in wanted:
                    yield index, decoder.as_array(dataset, index=index, decoding_plugin=plugin)[0]
        except (ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
            failures.append(f"{plugin or 'numpy'}: {str(error).splitlines()[-1].strip() if str(error) else error!r}")
            continue
        if not every or done == len(wanted):
            return
        failures.append(f"{plugin or 'numpy'}: {done} of {len(wanted)} frames")
    raise BrokenFileError(f"the pixel data cannot be decoded ({parsed.syntax.name}; {'; '.join(failures)})")


def meant_values(dataset: Any, frame: npt.NDArray[Any], inverted: bool) -> npt.NDArray[Any]:
    """Stored values as they are meant: unused bits removed, palette applied, MONOCHROME1 turned."""
    photometric = str(dataset.get("PhotometricInterpretation"))
    if frame.dtype.kind == "f":
        return frame
    if photometric == "PALETTE COLOR" and "RedPaletteColorLookupTableDescriptor" in dataset:
        colours = apply_color_lut(frame, dataset)
        return (colours >> 8).astype(np.uint8) if colours.dtype.itemsize == 2 else colours
    if frame.ndim == 3:
        return frame
    bits = int(dataset.get("BitsStored") or 0)
    signed = int(dataset.get("PixelRepresentation") or 0) == 1
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if frame.size and bits < frame.dtype.itemsize * 8 and (frame.min() < low or frame.max() > high):
        # PS3.5 8.1.1: bits above High Bit may hold anything (overlays in old files); sign-extend what remains.
        frame = (
            ((frame.astype(np.int64) & ((1 << bits) - 1)) ^ (1 << bits - 1)) - (1 << bits - 1)
            if signed
            else (frame & frame.dtype.type(high))
        )
    if inverted:
        frame = (low + high) - frame.astype(np.int64)
    return apply_modality_lut(frame, dataset) if dataset.get("ModalityLUTSequence") else frame


def _scale(values: npt.NDArray[Any], slope: float, intercept: float, out: npt.NDArray[Any]) -> None:
    """`values * slope + intercept` into `out`, whose dtype the parent chose so that the result fits."""
    if slope == 1 and intercept == 0:
        out[...] = values
    elif out.dtype.kind in "iu":
        # Wrap-around arithmetic is exact here, because the result is known to fit.
        values = values.astype(out.dtype, copy=False)
        if slope != 1:
            values = values * out.dtype.type(int(slope))
        np.add(values, out.dtype.type(int(intercept)), out=out)
    else:
        out[...] = values.astype(np.float64) * slope + intercept
