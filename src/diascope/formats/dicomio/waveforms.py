"""Sampled curves in a DICOM object (Waveform Module, PS3.3 C.10.9); runs in the decoder child."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.formats.dicomio.parsing import BrokenFileError

STORED = {("SB", 8): "i1", ("UB", 8): "u1", ("SS", 16): "i2", ("US", 16): "u2", ("SL", 32): "i4", ("UL", 32): "u4"}
"""Waveform Sample Interpretation (5400,1006) and bits allocated to what is stored; G.711 audio is not read."""

LARGEST = 1 << 30
"""Samples that one group may have."""


def facts(dataset: Any) -> dict[str, Any]:
    """What each multiplex group holds, without its samples.

    Returns:
        `groups`: for each its `label`, `original`, `rate` (Hz), `samples`, `start` (s), and `channels` with `name`,
        `unit` and `filters`.

    Raises:
        BrokenFileError: When there is none, or one contradicts itself.
    """
    found = dataset.get("WaveformSequence") or []
    if not found:
        raise BrokenFileError(f"it holds no waveform (modality {dataset.get('Modality') or 'unknown'})")
    return {"groups": [_group(one) for one in found]}


def decode(dataset: Any, number: int, out: npt.NDArray[np.float32]) -> None:
    """The samples of one group in the units of its channels; nan where the header says that there is none.

    Args:
        dataset: The object.
        number: Of the group, from 0.
        out: (samples, channels).

    Raises:
        BrokenFileError: When they are not all there.
    """
    group = dataset.WaveformSequence[number]
    bits, kind = int(group.get("WaveformBitsAllocated") or 0), str(group.get("WaveformSampleInterpretation") or "")
    if (kind, bits) not in STORED:
        raise BrokenFileError(f"samples of {bits} bits, stored as {kind or 'nothing'}, are not read")
    order = "<" if dataset.original_encoding[1] else ">"
    dtype = np.dtype(order + STORED[kind, bits])
    content = bytes(group.get("WaveformData") or b"")
    if len(content) < out.size * dtype.itemsize:
        raise BrokenFileError(f"truncated: {len(content)} of {out.size * dtype.itemsize} bytes of samples are there")
    steps = np.frombuffer(content, dtype, out.size).reshape(out.shape)
    gap = group.get("WaveformPaddingValue")
    padding = None if gap is None else _padding(gap, dtype)
    for column, channel in enumerate(group.ChannelDefinitionSequence):
        slope = _number(channel, "ChannelSensitivity", 1.0) * _number(
            channel, "ChannelSensitivityCorrectionFactor", 1.0
        )
        # PS3.3 C.10.9.1.4.2: the baseline is the value of the stored 0.
        values = steps[:, column] * slope + _number(channel, "ChannelBaseline", 0.0)
        out[:, column] = np.where(steps[:, column] == padding, np.nan, values) if padding is not None else values
        skew = round(_number(channel, "ChannelSampleSkew", 0.0))
        if skew:
            out[:, column] = _moved(out[:, column], skew)


def _group(group: Any) -> dict[str, Any]:
    channels, samples = (int(group.get(f"NumberOfWaveform{what}") or 0) for what in ("Channels", "Samples"))
    defined = group.get("ChannelDefinitionSequence") or []
    rate = _number(group, "SamplingFrequency", 0.0)
    if channels < 1 or samples < 1 or channels * samples > LARGEST or rate <= 0:
        raise BrokenFileError(f"no usable waveform: {channels} channels of {samples} samples at {rate:g} Hz")
    if len(defined) != channels:
        raise BrokenFileError(f"{channels} channels, of which {len(defined)} are described")
    return {
        "label": str(group.get("MultiplexGroupLabel") or ""),
        "original": str(group.get("WaveformOriginality") or "") != "DERIVED",
        "rate": rate,
        "samples": samples,
        "start": _number(group, "MultiplexGroupTimeOffset", 0.0) / 1000,
        "channels": [{"name": _name(one), "unit": _unit(one), "filters": _filters(one)} for one in defined],
    }


def _filters(channel: Any) -> dict[str, float | None]:
    """What the device had filtered away, Hz: below `low`, above `high`, around `notch`; None where it does not say."""
    keywords = {"low": "FilterLowFrequency", "high": "FilterHighFrequency", "notch": "NotchFilterFrequency"}
    return {name: _number(channel, word, 0.0) or None for name, word in keywords.items()}


def _name(channel: Any) -> str:
    source = next(iter(channel.get("ChannelSourceSequence") or []), None)
    meaning = str(source.get("CodeMeaning") or "") if source is not None else ""
    return (meaning or str(channel.get("ChannelLabel") or "")).strip()


def _unit(channel: Any) -> str:
    unit = next(iter(channel.get("ChannelSensitivityUnitsSequence") or []), None)
    return str(unit.get("CodeValue") or "").strip() if unit is not None else ""


def _number(item: Any, keyword: str, otherwise: float) -> float:
    value = item.get(keyword)
    if value in (None, ""):
        return otherwise
    number = float(value)
    if not np.isfinite(number):
        raise BrokenFileError(f"{keyword} is {number}")
    return number


def _padding(given: Any, dtype: np.dtype[Any]) -> int:
    """The stored value that stands for no sample; a file may keep it as bytes (OB, OW)."""
    if isinstance(given, bytes):
        return int(np.frombuffer(given[: dtype.itemsize], dtype)[0])
    return int(given)


def _moved(values: npt.NDArray[np.float32], skew: int) -> npt.NDArray[np.float32]:
    """A channel that was sampled so many samples late (early where negative), in its place."""
    moved = np.full_like(values, np.nan)
    if skew > 0:
        moved[skew:] = values[:-skew]
    else:
        moved[:skew] = values[-skew:]
    return moved
