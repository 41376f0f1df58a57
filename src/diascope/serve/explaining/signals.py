"""A map of what led to a finding in a recording, on its leads and samples, and its check with randomised weights."""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope import formats
from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.errors import DataRefused
from diascope.core.plan import Plan
from diascope.core.signal import Signal
from diascope.engine.batch import Example
from diascope.explainers.occlusion import Occlusion
from diascope.explainers.sanity import checked
from diascope.serve.explaining.asking import FOR_SIGNALS
from diascope.serve.explaining.mapping import LEVEL, STEPS, Look, Map

KIND = "signal"
CELLS = 24
"""Stretches of each lead that occlusion covers, one after the other; each of up to so many leads alone."""

Floats = npt.NDArray[np.float32]


class InLeads(nn.Module):
    """A network of one recording as one of a picture whose rows are leads: explainers cover a stretch of one lead.

    Args:
        network: `network({name: (B, C + 1, T)}) -> (B, K)`; the last channel says where there are samples.
        name: Of its input.
        there: (1, T) that last channel, which is no part of the picture.
    """

    def __init__(self, network: nn.Module, name: str, there: Tensor) -> None:
        super().__init__()
        self.network, self.name, self.there = network, name, there

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) of `image` (B, 1, 1, C, T)."""
        leads = inputs["image"][:, 0, 0]
        there = self.there.expand(len(leads), -1, -1)
        given: Tensor = self.network({self.name: torch.cat([leads, there], dim=1)})
        return given


@dataclass(frozen=True)
class Traced:
    """Where a map lies: the recording as its file has it.

    Args:
        name: Of the input of the release.
        rows: Of each lead that the release reads, its place among those of the recording.
        leads: Number of leads of the recording.
        samples: Of each lead, as far as the release reads.
        ratio: Samples of the release for one of the recording.
    """

    name: str
    rows: tuple[int, ...]
    leads: int
    samples: int
    ratio: float


def signal_input(plan: Plan) -> str | None:
    """Name of the one input where it is a recording; None where it is none, or not alone."""
    readings: Mapping[str, Mapping[str, object]] = plan["readings"]
    if plan["image_inputs"] or len(readings) != 1:
        return None
    return next((name for name, settings in readings.items() if settings["kind"] == KIND), None)


def why_not(network: nn.Module) -> str:
    """Why there is no map of what a network says of a recording; empty where there is one."""
    if str(network.output) != "vector":
        return "this release says where by itself: there is nothing to explain with a map"
    if next(network.parameters(), None) is None:
        return "this release holds a network that was made elsewhere and is run as it is: no map can be made of it"
    return ""


def traced(name: str, example: Example, root: Path, plan: Plan) -> Traced:
    """Where the map of a case lies.

    Args:
        name: Of `signal_input`.
        example: The case as the network saw it.
        root: Folder that its files lie in.
        plan: Of the release.

    Raises:
        DataRefused: When the case has no recording.
    """
    ref, settings = example.case.inputs.get(name), plan["readings"][name]
    signal = formats.read_input(ref, root) if isinstance(ref, FileRef) else None
    if not isinstance(signal, Signal):
        raise DataRefused("this case has no recording that a map could lie on")
    ratio = settings["rate"] / signal.rate if settings["rate"] and signal.rate else 1.0
    samples = min(signal.length, math.ceil(settings["length"] / ratio))
    rows = tuple(signal.channels.index(one) for one in settings["channels"])
    return Traced(name, rows, len(signal.channels), samples, ratio)


def mapped(network: nn.Module, example: Example, setting: tuple[str, int], lies: Traced, look: Look) -> Map:
    """Explain one case.

    Args:
        network: Of the release; nobody else may use it meanwhile.
        example: The case as the network saw it.
        setting: Name of the explainer; number of the output.
        lies: Where the map is to lie.
        look: Told how far it is; may raise, to stop.

    Returns:
        A map of the shape (1, leads, samples).

    Raises:
        DataRefused: When the explainer is none for recordings.
        DiascopeError: When it can't explain this network; says why.
    """
    name, output = setting
    if name not in FOR_SIGNALS:
        raise DataRefused(f"the explainer {name!r} explains no recordings", given=", ".join(FOR_SIGNALS))
    explainer = registry.get("explainers", name)
    if isinstance(explainer, Occlusion):
        explainer = replace(explainer, cells_flat=CELLS)
    array = torch.from_numpy(example.inputs[lies.name])
    rows = array[None, None, None, :-1]
    maps, sanity = checked(InLeads(network, lies.name, array[-1:]), explainer, rows, output, look=look)
    voxels = on_samples(maps[0, 0], lies)
    return Map((1, *voxels.shape), gzip.compress(voxels.tobytes(), LEVEL, mtime=0), sanity)


def on_samples(heat: Floats, lies: Traced) -> npt.NDArray[np.uint8]:
    """A map on what the network saw, brought to the leads and samples of the recording; what it did not see is 0.

    Args:
        heat: (C, T) in 0..1: leads and samples of the release.
        lies: Where it is to lie.

    Returns:
        (leads, samples) uint8, multiples of 5.
    """
    found = np.zeros((lies.leads, lies.samples), np.uint8)
    at = np.arange(lies.samples) * lies.ratio
    for row, values in zip(lies.rows, heat, strict=True):
        seen = np.interp(at, np.arange(len(values)), values, right=0.0)
        found[row] = np.round(np.clip(seen, 0, 1) * STEPS).astype(np.uint8) * (255 // STEPS)
    return found
