"""Invented recordings as DICOM waveforms, and a release that has learnt which of them has a late wave."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydicom.dataset import Dataset
from torch import Tensor, nn
from torch.nn import functional

from diascope.core.case import Label, Target
from diascope.core.evaluation import Gate
from diascope.core.plan import Plan
from diascope.engine.building import build_network
from diascope.serve.service import Service
from diascope.testing.objects import a_dataset, as_bytes
from diascope.testing.releases import a_plan, a_release

RHYTHMS = "rhythms@1"
"""Label of the release."""
TWELVE_LEAD, GENERAL, AMBULATORY, EEG = (f"1.2.840.10008.5.1.4.1.1.9.{end}" for end in ("1.1", "1.2", "1.3", "7.4"))
"""SOP classes."""
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
HEIGHTS = {
    "I": (0.7, 0.2), "II": (1.1, 0.3), "III": (0.4, 0.1), "aVR": (-0.9, -0.25), "aVL": (0.2, 0.06), "aVF": (0.75, 0.2),
    "V1": (-0.8, -0.1), "V2": (-1.1, 0.45), "V3": (0.4, 0.5), "V4": (1.5, 0.5), "V5": (1.4, 0.35), "V6": (1.0, 0.25),
}  # fmt: skip
"""Of each lead: the tall narrow wave and the wide one after it, mV."""
BEAT = 0.8
"""Seconds from one beat to the next."""
STEP = 0.005
"""mV of one stored number."""
RATE, SECONDS = 100.0, 3.0
"""Of the recordings that the release has learnt from."""
TAUGHT = ("I", "aVR")
"""Leads that it reads."""
TARGET = Target(
    name="rhythm", kind="category", columns=("rhythm",), positive="late",
    labels=(Label(name="late", value=0), Label(name="normal", value=1)),
)  # fmt: skip
SETTINGS = {
    "kind": "signal", "rate": RATE, "length": round(RATE * SECONDS), "channels": list(TAUGHT), "units": ["mV", "mV"],
    "least_rate": RATE, "mean": [0.0, 0.0], "std": [0.2, 0.2], "low": [-0.3, -1.2], "high": [1.0, 0.3],
}  # fmt: skip
"""How the release reads a recording (`kinds/signal.py`)."""


def waves(
    late: bool = False, seconds: float = SECONDS, rate: float = RATE, seed: int = 0, leads: Sequence[str] = LEADS
) -> npt.NDArray[np.float32]:
    """Beats with noise in mV, (samples, leads): a wide wave follows each narrow one, after 0.2 s or after 0.35 s."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    since = (time + rng.uniform(0, BEAT)) % BEAT - 0.2
    tall = np.exp(-((since / 0.02) ** 2))
    wide = np.exp(-(((since - (0.35 if late else 0.2)) / 0.05) ** 2))
    small = 0.12 * np.exp(-(((since + 0.15) / 0.03) ** 2))
    found = [HEIGHTS[lead][0] * tall + HEIGHTS[lead][1] * wide + small * np.sign(HEIGHTS[lead][0]) for lead in leads]
    return (np.stack(found, axis=1) + rng.normal(0, 0.015, (len(time), len(leads)))).astype(np.float32)


def a_group(
    values: npt.NDArray[Any], names: Sequence[str], rate: float = RATE, unit: str = "mV", **elements: Any
) -> Dataset:
    """A multiplex group of a waveform.

    Args:
        values: (samples, channels) in the unit; nan becomes the padding value.
        names: Of the channels.
        rate: Hz.
        unit: UCUM code; empty where the file does not say.
        **elements: Keyword to value; set last.
    """
    group = Dataset()
    group.NumberOfWaveformSamples, group.NumberOfWaveformChannels = values.shape
    group.SamplingFrequency, group.WaveformOriginality, group.MultiplexGroupLabel = str(rate), "ORIGINAL", "RHYTHM"
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformPaddingValue = np.int16(-32768).tobytes()
    stored = np.where(np.isfinite(values), np.round(np.nan_to_num(values) / STEP), -32768)
    group.WaveformData = stored.astype("<i2").tobytes()
    group.ChannelDefinitionSequence = [_channel(name, unit) for name in names]
    for name, value in elements.items():
        setattr(group, name, value)
    return group


def a_recording(number: int, *groups: Dataset, instance: int = 1, **elements: Any) -> bytes:
    """A waveform object of patient `number` as bytes; `elements` are set last, None leaves one out."""
    empty = np.zeros((0, 0), np.uint8)
    plain: dict[str, Any] = {
        "SOPClassUID": TWELVE_LEAD, "Modality": "ECG", "BodyPartExamined": "HEART", "StudyDescription": "resting ECG",
        "SeriesDescription": "12 leads", "SliceThickness": None, "PixelSpacing": None, "ImagePositionPatient": None,
        "ImageOrientationPatient": None, "WaveformSequence": list(groups),
    }  # fmt: skip
    return as_bytes(a_dataset(number, 1, instance, empty, **{**plain, **elements}))


def an_ecg(
    number: int, late: bool = False, seconds: float = SECONDS, rate: float = RATE, leads: Sequence[str] = LEADS
) -> list[bytes]:
    """The resting ECG of patient `number`: one object."""
    return [a_recording(number, a_group(waves(late, seconds, rate, number, leads), leads, rate))]


def a_rhythm_release(service: Service, label: str = RHYTHMS, **changes: Any) -> Path:
    """A signed classification release of the service that says `late` where the wide wave comes late.

    Args:
        service: Whose.
        label: `name@version`.
        **changes: Fields of `Release` to set otherwise.
    """
    name, version = label.split("@")
    weights = _taught()
    plain = {"name": name, "version": version, "gate": Gate(rules=()), "signed_by": "Dr. Test"}
    folder = service.workspace.releases / label
    return a_release(folder, _plan(), teach=lambda one: one.load_state_dict(weights), **{**plain, **changes})


def _channel(name: str, unit: str) -> Dataset:
    channel, source = Dataset(), Dataset()
    source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = "2:1", "MDC", f"Lead {name}"
    channel.ChannelSourceSequence = [source]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = str(STEP), "1"
    channel.ChannelBaseline, channel.ChannelSampleSkew, channel.WaveformBitsStored = "0", "0", 16
    channel.FilterLowFrequency, channel.FilterHighFrequency, channel.NotchFilterFrequency = "0.05", "150", "50"
    if unit:
        one = Dataset()
        one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = unit, "UCUM", unit
        channel.ChannelSensitivityUnitsSequence = [one]
    return channel


def _plan() -> Plan:
    options = {"blocks": 1, "kernel": 7, "stem": [3], "strides": [1, 2, 2], "width": 16}
    return a_plan(
        TARGET, (1, 1, round(RATE * SECONDS)), image_inputs=[], channels={}, intensity={}, prepare=[], mirror_axes=[],
        readings={"signal": SETTINGS}, model="cnn1d", model_options=options,
    )  # fmt: skip


@cache
def _taught() -> dict[str, Tensor]:
    """Weights that tell late waves from others."""
    torch.manual_seed(0)
    network: nn.Module = build_network(_plan())
    generator = torch.Generator().manual_seed(1)
    arrays = np.stack([waves(number % 2 == 0, seed=1000 + number, leads=TAUGHT) for number in range(64)])
    scaled = torch.from_numpy(arrays).movedim(-1, 1) / 0.2
    signals = torch.cat([scaled, torch.ones(len(scaled), 1, scaled.shape[-1])], dim=1)
    truth = torch.arange(64) % 2
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(40):
        chosen = torch.randint(len(signals), (16,), generator=generator)
        optimiser.zero_grad()
        loss = functional.cross_entropy(network({"signal": signals[chosen]}), truth[chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {name: one.detach().clone() for name, one in network.state_dict().items()}
