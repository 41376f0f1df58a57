"""Weights of a file that somebody else wrote: arrays alone, never code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.serialization import pickle as archive  # type: ignore[attr-defined]

from diascope.core.errors import UnreadableFile
from diascope.store.releases import safe_bytes

SAFE = ".safetensors"
ARCHIVES = (".pth", ".pt", ".bin", ".ckpt", ".tar")
DEPTH = 3
"""Levels at which the weights may lie in what a training program saved beside them."""


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Every weight of a file by its name, on the CPU.

    Args:
        path: A safetensors file; or what `torch.save` wrote, of which arrays and plain values alone are read, so that
            nothing in it is run (`weights_only`).

    Raises:
        UnreadableFile: When it is neither, holds something else than arrays, or a weight is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableFile(path, "there is no such file", "Give a local file: nothing is downloaded")
    if path.suffix.lower() == SAFE:
        found = _safe(path)
    elif path.suffix.lower() in ARCHIVES:
        found = _weights(_archive(path)) or {}
    else:
        raise UnreadableFile(
            path, f"weights are read from files that end with {', '.join((SAFE, *ARCHIVES))}", "Give such a file"
        )
    if not found:
        raise UnreadableFile(path, "it holds no weights by name", "Give a file with the state of a network")
    broken = [name for name, one in found.items() if one.is_floating_point() and not bool(torch.isfinite(one).all())]
    if broken:
        raise UnreadableFile(path, f"the weight {broken[0]} is not finite")
    return found


def _safe(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load(safe_bytes(path)))
    except (ValueError, TypeError, KeyError, SafetensorError) as error:
        raise UnreadableFile(path, f"{type(error).__name__} {error}") from error


def _archive(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, TypeError, archive.UnpicklingError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnreadableFile(
            path, f"more than arrays would have to be loaded, or it is damaged ({why})",
            "Save the state of the network alone, best as safetensors",
        ) from error  # fmt: skip


def _weights(content: Any, depth: int = DEPTH) -> dict[str, Tensor] | None:
    """The mapping of names to arrays that holds most of them, at any level."""
    if not isinstance(content, Mapping):
        return None
    own = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    inner = [_weights(value, depth - 1) for value in content.values()] if depth else []
    return max([own, *(one for one in inner if one)], key=len) or None
