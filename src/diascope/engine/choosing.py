"""Which back end reads: the fastest that is installed and says the same as plain torch on a few cases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from diascope.core import registry
from diascope.core.plan import Plan
from diascope.engine.batch import Example
from diascope.engine.devices import capabilities
from diascope.engine.feeding import crop
from diascope.engine.network import Reduce
from diascope.engine.reading import Reader
from diascope.engine.sliding import argmax_labels

SAME_LABELS = 0.995
"""Share of voxels that must get the same label."""
MOVED = 0.04
"""Voxels of a structure that may be lost or won, as a share of its size (a Dice of about 0.98): a small structure in a
large background may not vanish."""
FEW = 8
"""Voxels that may always change: the rim of a structure of a few voxels."""
SAME_VALUES = 0.02
"""Largest difference of a probability-like output, as a share of the outputs' range."""
SAME_IMAGE = 5e-4
"""Largest difference of a voxel of an image that is made, as a share of the image's range."""
SAID = 0.1
"""Score from which on a candidate box may become one that is said."""
SAME_SCORE = 0.05
"""Largest difference of the scores of such a candidate."""
SAME_PLACE = 0.85
"""Least overlap of its boxes."""
CANDIDATES = (("openvino", "bf16"), ("openvino", "fp32"), ("torch", "bf16"))


def choose_backend(networks: Sequence[nn.Module], plan: Plan, examples: Sequence[Example]) -> dict[str, str]:
    """Try each back end on a patch of a few cases; take the fastest that agrees.

    Returns:
        `backend`, `precision`, `agreement` (in words).
    """
    if "backend" in plan.choices:
        return {"backend": plan["backend"], "precision": plan["read_precision"], "agreement": "chosen by hand"}
    reference = Reader(networks[:1], plan, "torch", "fp32")
    images = [reference_image(example, plan) for example in examples if "image" in example.inputs]
    if not images or plan["readings"] or reference.output == "image":
        return {"backend": "torch", "precision": "fp32", "agreement": "the reference itself"}
    batch = images[:1] if reference.windowed else [torch.cat(images)]
    expected, slowest = _timed(reference, images, batch[0])
    best = ("torch", "fp32", slowest, "the reference itself")
    for name, precision in CANDIDATES:
        if not usable(name, precision):
            continue
        answer, seconds = _timed(Reader(networks[:1], plan, name, precision), images, batch[0])
        agrees, words = (
            same_values(expected.numpy(), answer.numpy())
            if reference.output == "values"
            else agreement(expected, answer, getattr(networks[0], "reduce", argmax_labels))
        )
        if agrees and seconds < 0.9 * best[2]:
            best = (name, precision, seconds, f"{words}; {slowest / seconds:.1f} times as fast as torch fp32")
    return {"backend": best[0], "precision": best[1], "agreement": best[3]}


def usable(name: str, precision: str) -> bool:
    """Whether a back end is installed and this processor has the arithmetic."""
    if name not in registry.names("backends") or not registry.get("backends", name).is_available():
        return False
    return precision != "bf16" or capabilities().amx or capabilities().avx512_bf16 or capabilities().cuda > 0


def reference_image(example: Example, plan: Plan) -> torch.Tensor:
    """The image of an example (1, C, Z, Y, X), or its central patch where patches are read."""
    image = example.inputs["image"]
    if not plan["whole"]:
        size = tuple(plan["patch"])
        start = tuple((have - want) // 2 for have, want in zip(image.shape[1:], size, strict=True))
        image = crop(image, (start[0], start[1], start[2]), size)
    return torch.from_numpy(np.ascontiguousarray(image))[None]


def agreement(expected: torch.Tensor, answer: torch.Tensor, reduce: Reduce = argmax_labels) -> tuple[bool, str]:
    """Whether two back ends say the same: the label of each voxel, the boxes, or the numbers.

    Args:
        expected: (B, K, Z, Y, X) scores, (B, P, 6 + K) candidate boxes, or (B, K) numbers.
        answer: Likewise.
        reduce: What makes labels of the scores (K, Z, Y, X) of one case.
    """
    if expected.ndim == 5:
        labels = [np.stack([reduce(one)[0].numpy() for one in scores]) for scores in (expected, answer)]
        return same_labels(labels[0], labels[1])
    if expected.ndim == 3:
        return same_boxes(expected.double().numpy(), answer.double().numpy())
    spread = max(1.0, float(expected.max() - expected.min()))
    apart = float((answer - expected).abs().max()) / spread
    return apart <= SAME_VALUES, f"outputs differ by at most {100 * apart:.2f} % of their range"


def same_values(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> tuple[bool, str]:
    """Whether two back ends make the same image, but for what no window shows: a value of 1,000 HU is one of 0.1 HU."""
    spread = float(np.ptp(expected)) or 1.0
    apart = float(np.abs(found - expected).max()) / spread
    return apart <= SAME_IMAGE, f"values differ by at most {100 * apart:.3f} % of their range"


def same_labels(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> tuple[bool, str]:
    """Whether two label maps are the same but for a few voxels, over all and of each structure."""
    share = float((expected == found).mean())
    for value in np.unique(expected):
        was, now = expected == value, found == value
        if int((was ^ now).sum()) > max(FEW, MOVED * int(was.sum())):
            return False, f"{100 * share:.2f} % of voxels have the same label, and {value} covers other voxels"
    return share >= SAME_LABELS, f"{100 * share:.2f} % of voxels have the same label"


def same_boxes(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> tuple[bool, str]:
    """Whether the candidates (B, P, 6 + K) that may be said have the same scores, and lie in the same place."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return False, "other candidates, or some that are not finite"
    some = np.maximum(expected[..., 6:], found[..., 6:]).max(axis=-1) >= SAID
    one, other = expected[some], found[some]
    apart = float(np.abs(one[:, 6:] - other[:, 6:]).max(initial=0.0))
    low, high = np.maximum(one[:, :3], other[:, :3]), np.minimum(one[:, 3:6], other[:, 3:6])
    inside = np.clip(high - low, 0, None).prod(axis=1)
    sizes = [(boxes[:, 3:6] - boxes[:, :3]).clip(0).prod(axis=1) for boxes in (one, other)]
    least = float((inside / np.maximum(sizes[0] + sizes[1] - inside, 1e-12)).min(initial=1.0))
    words = f"scores differ by at most {100 * apart:.1f} %, boxes overlap by at least {100 * least:.0f} %"
    return apart <= SAME_SCORE and least >= SAME_PLACE, words


def _timed(reader: Reader, images: Sequence[torch.Tensor], batch: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Outputs for each image, and the least seconds of three calls (the first call compiles)."""
    with torch.no_grad():
        outputs = torch.cat([reader.answer(image) for image in images])
        reader.answer(batch)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            reader.answer(batch)
            times.append(time.perf_counter() - began)
    return outputs, min(times)
