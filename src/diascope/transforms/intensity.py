"""Intensity to what a network likes, by the rule of the modality (`modalities.IntensityRule`)."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from diascope.core.errors import BadUsage, UnknownName
from diascope.core.geometry import Geometry
from diascope.transforms import Params

SMALLEST_STD = 1e-6
"""A constant image becomes 0 and not infinite."""


def _numbers(params: Params, key: str, volume: Tensor, default: float | None = None) -> Tensor:
    """The numbers of `key` as (C, 1, 1, 1), one a channel (one number counts for all)."""
    value: Any = params.get(key, default)
    if value is None:
        raise BadUsage(f"the intensity rule {params['rule']!r} needs {key!r}", given=dict(params))
    numbers = torch.as_tensor(value, dtype=volume.dtype, device=volume.device).flatten()
    if len(numbers) not in (1, volume.shape[0]):
        raise BadUsage(f"{key!r} has {len(numbers)} numbers for an image of {volume.shape[0]} channels", given=value)
    return numbers.reshape(-1, 1, 1, 1)


def _standard(volume: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (volume - mean).div_(std.clamp(min=SMALLEST_STD))


def _window(volume: Tensor, params: Params) -> Tensor:
    low, high = _numbers(params, "low", volume), _numbers(params, "high", volume)
    mean, std = _numbers(params, "mean", volume), _numbers(params, "std", volume)
    # One copy, whatever the volume's size: it is as large as all that reading holds besides.
    clipped = torch.maximum(volume, low)
    torch.minimum(clipped, high, out=clipped)
    return clipped.sub_(mean).div_(std.clamp(min=SMALLEST_STD))


def _windows(volume: Tensor, params: Params) -> Tensor:
    """Each channel once in each display window, -1 (below) to 1 (above): what a reader sees by turning the window."""
    if "windows" not in params:
        raise BadUsage("the intensity rule 'windows' needs 'windows'", given=dict(params))
    return torch.cat([((volume - centre) / (width / 2)).clamp(-1, 1) for centre, width in params["windows"]])


def _z_score(volume: Tensor, params: Params) -> Tensor:
    std, mean = torch.std_mean(volume, dim=(1, 2, 3), correction=0, keepdim=True)
    return _standard(volume, mean, std)


def _series(volume: Tensor, params: Params) -> Tensor:
    """All channels by one mean and one deviation: of frames over time, what changes between them is what counts."""
    std, mean = torch.std_mean(volume, correction=0)
    return _standard(volume, mean, std)


def _scale(volume: Tensor, params: Params) -> Tensor:
    ends = np.percentile(volume.cpu().numpy(), [0.5, 99.5], axis=(1, 2, 3))
    low, high = torch.from_numpy(ends).to(volume).reshape(2, -1, 1, 1, 1)
    return _standard(volume, low, high - low).clamp_(0, 1)


def _fixed(volume: Tensor, params: Params) -> Tensor:
    low, high = _numbers(params, "low", volume, 0.0), _numbers(params, "high", volume, 255.0)
    mean, std = _numbers(params, "mean", volume, 0.0), _numbers(params, "std", volume, 1.0)
    return (volume - low).div_(high - low).clamp_(0, 1).sub_(mean).div_(std)


RULES: MappingProxyType[str, Callable[[Tensor, Params], Tensor]] = MappingProxyType(
    {
        "window": _window,
        "windows": _windows,
        "z-score": _z_score,
        "series": _series,
        "scale": _scale,
        "grey": _fixed,
        "rgb": _fixed,
    }
)

POINTWISE = ("window", "windows", "grey", "rgb")
"""Rules that ask no value about another one: a volume may be scaled part by part."""


NEARLY_ALL = 3.0
"""Standard deviations: between them lie 99.7 % of a normal distribution."""
EXTREME = 1e30


def limits(params: Params, channels: int) -> list[tuple[float, float]]:
    """Between which values each channel lies after the rule; of z-scores, between which nearly all of them lie.

    Args:
        params: As of `Intensity`.
        channels: C of the image before the rule.

    Raises:
        UnknownName: When there is no such rule.
    """
    extremes = torch.tensor([-EXTREME, EXTREME]).repeat(channels, 1, 1, 1)
    if params["rule"] == "z-score":
        after = extremes.clamp(-NEARLY_ALL, NEARLY_ALL)
    elif params["rule"] == "scale":
        after = extremes.clamp(0, 1)
    else:
        after, _ = TRANSFORM.apply(extremes, Geometry.unknown(), params, False)
    return [(float(low), float(high)) for low, high in after.reshape(-1, 2)]


class Intensity:
    """Params: `rule`, and numbers, each one or one a channel.

    `windows`: a list of (centre, width); the channels are repeated, once in each window, from -1 to 1.
    `window`: clip to `low`..`high`, subtract `mean`, divide by `std`. `z-score`: mean and deviation of the image;
    `series`: those of all channels together.
    `scale`: the image's 0.5 and 99.5 percentiles to 0 and 1, clipped. `grey`, `rgb`: `low`..`high` (default 0..255) to
    0..1, then `mean` and `std` (default 0 and 1) of that.
    """

    scope: Literal["case"] = "case"

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        rule = params["rule"]
        if rule not in RULES:
            raise UnknownName("intensity rule", rule, RULES)
        return (volume if is_mask else RULES[rule](volume, params)), geometry


TRANSFORM = Intensity()
