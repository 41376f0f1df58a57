"""Long inputs in order (texts): which stretch of one a network learns from, and how the whole of it is read.

An input whose reading is `whole` is as long as it is, and no shorter than the plan's patch. What lies on it place by
place (its targets, what is said about it) is as long: the last axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.plan import Plan

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Piece:
    """A stretch of one case that an epoch holds once.

    Args:
        case: Its number.
        start: First place; moved a little each time.
    """

    case: int
    start: int = 0


def long_input(plan: Plan) -> str | None:
    """Name of the input that is read stretch by stretch; None where every input is seen whole."""
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"] if "readings" in plan.choices else {}
    return next((name for name, settings in readings.items() if settings.get("whole")), None)


def pieces_of(lengths: Sequence[int], size: int) -> tuple[Piece, ...]:
    """As many evenly spaced stretches of each case as cover it."""
    return tuple(Piece(case, start) for case, length in enumerate(lengths) for start in starts_of(length, size, size))


def starts_of(length: int, size: int, step: int) -> list[int]:
    """Where stretches start that cover a length, at most `step` apart, the last one at the end."""
    over = max(0, length - size)
    count = -(-over // max(1, step)) + 1
    return [round(place) for place in np.linspace(0, over, count)]


def moved(start: int, length: int, size: int, rng: np.random.Generator) -> int:
    """A start up to a quarter of a stretch away, within the input: no place is always at an edge."""
    away = int(rng.integers(-(size // 4), size // 4 + 1))
    return min(max(start + away, 0), max(0, length - size))


def cut(arrays: Mapping[str, Array], name: str, start: int, size: int) -> dict[str, Array]:
    """One stretch of the input `name` and of every target, which lie on it; 0 behind the end."""
    return {
        key: _padded(array[..., start : start + size], size)
        if key == f"input/{name}" or key.startswith("target/")
        else array
        for key, array in arrays.items()
    }


def _padded(array: Array, size: int) -> Array:
    missing = size - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]) if missing else array


def read_whole(networks: Sequence[nn.Module], name: str, inputs: Sequence[Array], plan: Plan) -> list[Array]:
    """What networks say about inputs of any length: windows that overlap, averaged, the middle of each counting most.

    Args:
        networks: Each maps windows (B, L) to (B, K, L + any number of columns that belong to no place).
        name: Of the input.
        inputs: (T,) each, T at least the patch.
        plan: `patch`, `overlap` and `read_batch` are read from it.

    Returns:
        (K, T + those columns) float32 of each, averaged over the networks.
    """
    size, step = int(plan["patch"][2]), max(1, round(int(plan["patch"][2]) * (1 - plan["overlap"])))
    windows = [(n, start) for n, array in enumerate(inputs) for start in starts_of(len(array), size, step)]
    weight = torch.from_numpy(np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)).astype(np.float32))
    sums: dict[int, Tensor] = {}
    ends = torch.zeros((0, 0))
    for at in range(0, len(windows), plan["read_batch"]):
        some = windows[at : at + plan["read_batch"]]
        batch = torch.from_numpy(np.stack([inputs[n][start : start + size] for n, start in some]))
        said = _answers(networks, name, batch)
        places, ends = said[..., :size], said[0, :, size:]
        for (n, start), one in zip(some, places, strict=True):
            total = sums.setdefault(n, torch.zeros((one.shape[0] + 1, len(inputs[n]))))
            total[:-1, start : start + size] += weight * one
            total[-1, start : start + size] += weight
    return [torch.cat([sums[n][:-1] / sums[n][-1], ends], dim=1).numpy() for n in range(len(inputs))]


def _answers(networks: Sequence[nn.Module], name: str, batch: Tensor) -> Tensor:
    with torch.no_grad():
        answers = [network({name: batch}).float() for network in networks]
    return torch.stack(answers).mean(dim=0)
