"""Which back end reads: the fastest that is installed and says the same as plain torch on a few cases."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from diascope.core import registry
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Output
from diascope.engine.reading import Reader

SAME_LABELS = 0.995
"""Share of voxels that must get the same label."""
SAME_VALUES = 0.02
"""Largest difference of a probability-like output, as a share of the outputs' range."""
CANDIDATES = (("openvino", "bf16"), ("openvino", "fp32"), ("torch", "bf16"))


def choose_backend(networks: Sequence[nn.Module], plan: Plan, examples: Sequence[Example]) -> dict[str, str]:
    """Try each back end on a few cases; take the fastest that agrees.

    Returns:
        `backend`, `precision`, `agreement` (in words).
    """
    if "backend" in plan.choices:
        return {"backend": plan["backend"], "precision": plan["read_precision"], "agreement": "chosen by hand"}
    reference = Reader(networks[:1], plan, "torch", "fp32")
    # Rows of tables are read by torch, and so are images beside them.
    usable = plan["image_inputs"] and not plan["table_inputs"] and reference.output != "image" and examples
    if not usable:
        return {"backend": "torch", "precision": "fp32", "agreement": "the reference itself"}
    expected, slowest = _timed(reference, examples)
    best = ("torch", "fp32", slowest, "the reference itself")
    for name, precision in CANDIDATES:
        if name not in registry.names("backends") or not registry.get("backends", name).is_available():
            continue
        answer, seconds = _timed(Reader(networks[:1], plan, name, precision), examples)
        agrees, words = agreement(expected, answer)
        if agrees and seconds < 0.9 * best[2]:
            best = (name, precision, seconds, f"{words}; {slowest / seconds:.1f} times as fast as torch fp32")
    return {"backend": best[0], "precision": best[1], "agreement": best[3]}


def agreement(expected: Sequence[Output], answer: Sequence[Output]) -> tuple[bool, str]:
    """Whether two back ends say the same: labels of voxels, or numbers."""
    if expected[0].values.dtype == np.uint8:
        same = float(np.mean([np.mean(a.values == b.values) for a, b in zip(expected, answer, strict=True)]))
        return same >= SAME_LABELS, f"{100 * same:.2f} % of voxels have the same label"
    one, other = np.stack([o.values for o in expected]), np.stack([o.values for o in answer])
    spread = max(1.0, float(np.ptp(one)))
    apart = float(np.abs(one - other).max()) / spread
    return apart <= SAME_VALUES, f"outputs differ by at most {100 * apart:.2f} % of their range"


def _timed(reader: Reader, examples: Sequence[Example]) -> tuple[list[Output], float]:
    """Outputs, and the seconds of a second pass (the first one compiles)."""
    with torch.no_grad():
        outputs = list(reader.read_all(examples))
        began = time.perf_counter()
        list(reader.read_all(examples))
    return outputs, time.perf_counter() - began
