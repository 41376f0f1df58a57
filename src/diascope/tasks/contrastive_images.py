"""Contrastive images: learns without labels, by finding changed copies of an image among others (SimCLR, Chen 2020).

For networks that make one vector of an image; leaves an encoder to start from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.core.case import Case, Target
from diascope.core.figure import Figure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.network import OutputShape
from diascope.engine.task import Phase, Prediction, Scores, Statistic, Task
from diascope.models import Gives
from diascope.transforms.augmentation.recipe import augment

NOTHING = Target(name="images", kind="none", columns=())
EMBEDDED = 64
"""Numbers of the embedding in which images are compared."""
KEPT = 0.8
"""Of each edge, in the changed copy that an image is compared with when it is scored."""
Floats = npt.NDArray[np.float64]


class Contrastive(nn.Module):
    """Encoders, and two layers whose output is compared; these are left behind.

    In evaluation its answer is the embedding of the image and of one changed copy, side by side: its middle, enlarged,
    with less contrast.

    Args:
        encoders: Input name to a module that maps it to (B, D).
    """

    output: OutputShape = "vector"
    outputs = 2 * EMBEDDED

    def __init__(self, encoders: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        width = sum(encoder.channels[0] for encoder in encoders.values())  # type: ignore[index,misc]
        self.project = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, EMBEDDED))

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, D) of the encoder."""
        found: Tensor = self.encoders["image"](inputs["image"])
        return found

    def embedded(self, images: Tensor) -> Tensor:
        """(B, E) of length 1."""
        return functional.normalize(self.project(self.encoders["image"](images)).float(), dim=1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, 2 E), see above."""
        images = inputs["image"]
        return torch.cat([self.embedded(images), self.embedded(changed(images))], dim=1)


class ContrastiveImages:
    """Two augmented copies of an image attract each other, all others repel; the score is how often they are found."""

    summary = "without labels: changed copies of an image are found again, and the encoder is kept"
    needs: Gives = "vector"
    writes: tuple[str, ...] = ("encoder",)

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return (NOTHING,)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        return []

    def stratum(self, case: Case, target: Target) -> str:
        return case.site or ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole image is seen at once"),
            "model": Choice(value="resnet", kind="rule", reason="the network that classes are learnt with"),
            "contrast_temperature": Choice(value=0.2, kind="fixed", reason="how sharply the others repel"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
            "learning_rate": Choice(value=1e-3, kind="rule", reason="AdamW with cosine decay"),
            "augment": Choice(value="none", kind="fixed", reason="both copies are augmented where they are compared"),
            "backend": Choice(value="torch", kind="fixed", reason="nothing is read with it but to score it"),
            "read_precision": Choice(value="fp32", kind="fixed", reason="of that back end"),
            "mirror_reading": Choice(value=False, kind="fixed", reason="the answer is an embedding"),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        return {}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        return Contrastive(encoders)

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        loss = partial(_loss, views=views(plan), temperature=plan["contrast_temperature"])
        return (Phase("network", lambda network: network.parameters(), loss),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        return {"case": example.case.id, "embedded": [round(float(value), 6) for value in output.values]}

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        return row

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        both = np.array([row["embedded"] for row in rows], dtype=float).reshape(len(rows), 2, EMBEDDED)
        alike = both[:, 0] @ both[:, 1].T
        found = (alike.argmax(axis=1) == np.arange(len(rows))).astype(float) if len(rows) else np.zeros(0)
        return Scores((Statistic("accuracy", partial(_mean, found)),), ("accuracy",), found)

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        return ()

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        return Prediction(())


def views(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """How a copy is changed: moved, enlarged, mirrored where that is allowed, and in its grey values."""
    z, y, x = plan["patch"]
    side = min(size for size in (z, y, x) if size > 1)
    return [
        ("affine_elastic", {"probability": 0.9, "rotation": 20.0, "scale": [0.8, 2.0], "translation": 0.1 * side}),
        ("mirror", {"axes": plan["mirror_axes"]}),
        ("brightness_contrast", {"probability": 0.8, "brightness": [0.6, 1.4], "contrast": [0.6, 1.4]}),
        ("gamma", {"probability": 0.5, "exponent": [0.6, 1.6]}),
        ("blur", {"probability": 0.3}),
        ("noise", {"probability": 0.3}),
    ]


def changed(images: Tensor) -> Tensor:
    """(B, C, Z, Y, X): the middle of each, enlarged to the size of the whole, with less contrast."""
    size = images.shape[2:]
    inner = [max(1, round(KEPT * side)) for side in size]
    z, y, x = (slice((side - part) // 2, (side - part) // 2 + part) for side, part in zip(size, inner, strict=True))
    enlarged = functional.interpolate(images[:, :, z, y, x], size=size, mode="trilinear", align_corners=False)
    return KEPT * enlarged


def _loss(
    network: nn.Module, batch: Batch, views: Sequence[tuple[str, Mapping[str, Any]]], temperature: float
) -> Tensor:
    """Cross-entropy of finding the other copy among all copies of the batch (NT-Xent)."""
    images = batch.inputs["image"]
    # The loop seeds torch's generator for each step; augmentations draw from numpy's.
    rng = np.random.default_rng(int(torch.randint(2**31, (1,))))
    copies = torch.cat([augment(rng, images, None, views)[0] for _ in range(2)])
    contrastive: Contrastive = network  # type: ignore[assignment]
    embedded = contrastive.embedded(copies)
    alike = embedded @ embedded.T / temperature
    alike = alike.masked_fill(torch.eye(len(copies), dtype=torch.bool, device=alike.device), -torch.inf)
    other = torch.arange(len(copies), device=alike.device).roll(len(images))
    return functional.cross_entropy(alike, other)


def _mean(values: Floats, index: npt.NDArray[np.intp]) -> float:
    return float(values[index].mean()) if len(index) else float("nan")


TASK: Task = ContrastiveImages()
