"""Masked images: learns without labels, by filling in blocks that were hidden; leaves an encoder to start from.

A plain masked autoencoder around the network for every voxel: blocks of the input are set to 0, and the network is
asked for what was there (He 2022; for residual U-Nets Wald 2024, arXiv:2410.23132). Encoder and decoder are learnt.
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

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.figure import Figure
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import input_specs
from diascope.engine.network import OutputShape
from diascope.engine.task import Phase, Prediction, Scores, Statistic, Task
from diascope.models import Gives

NOTHING = Target(name="images", kind="none", columns=())
SMALLEST_BLOCK, LARGEST_BLOCK = 2, 16
"""Voxels of an edge of a hidden block."""
BLOCKS = 6
"""Blocks along an axis, about."""
READING_SEED = 20_000
"""Of what is hidden when an image is read to be scored: the same for every network."""
Floats = npt.NDArray[np.float64]
Shape = tuple[int, int, int]


class Masked(nn.Module):
    """A network for every voxel with a head that gives the image back.

    In evaluation its answer is two numbers an image, of the hidden voxels of its middle patch: the mean squared error,
    and the mean square of their distance from their own mean.

    Args:
        encoder: Gives `dense` maps, full resolution first.
        channels: C, of the image.
        patch: (Z, Y, X) that is seen at once.
        share: Of the blocks that are hidden.
    """

    output: OutputShape = "vector"
    outputs = 2
    hidden: Tensor

    def __init__(self, encoder: nn.Module, channels: int, patch: Shape, share: float) -> None:
        super().__init__()
        widths: Sequence[int] = encoder.channels  # type: ignore[assignment]
        self.encoder, self.patch, self.share = encoder, patch, share
        self.head = nn.Conv3d(widths[0], channels, kernel_size=1)
        generator = torch.Generator().manual_seed(READING_SEED)
        self.register_buffer("hidden", blocks((1, *patch), share, generator), persistent=False)

    def rebuilt(self, images: Tensor, hidden: Tensor) -> Tensor:
        """(B, C, Z, Y, X) of images whose `hidden` voxels (B, 1, Z, Y, X) are not seen."""
        maps: list[Tensor] = self.encoder(images * ~hidden)
        found: Tensor = self.head(maps[0])
        return found

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """None: (B, 0)."""
        return inputs["image"].new_zeros((len(inputs["image"]), 0))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, 2), see above."""
        images = middle(inputs["image"], self.patch)
        weight = self.hidden / (self.hidden.sum() * images.shape[1])
        axes = (1, 2, 3, 4)
        error = ((self.rebuilt(images, self.hidden) - images).square() * weight).sum(dim=axes)
        mean = (images * weight).sum(dim=axes, keepdim=True)
        return torch.stack([error, ((images - mean).square() * weight).sum(dim=axes)], dim=1)


class MaskedImages:
    """Hidden blocks are filled in; the score is the share of their variance that is explained."""

    summary = "without labels: hidden blocks are filled in, and the encoder is kept"
    needs: Gives = "dense"
    writes: tuple[str, ...] = ("encoder",)

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return (NOTHING,)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        return []

    def stratum(self, case: Case, target: Target) -> str:
        return case.site or ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        return {
            "whole": Choice(value=False, kind="fixed", reason="learns from patches on the working grid"),
            "model": Choice(value="residual_unet", kind="rule", reason="the network that masks are learnt with"),
            "hidden_share": Choice(value=0.6, kind="rule", reason="so much that neighbours alone do not give it away"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no mask says where to look"),
            "learning_rate": Choice(value=2e-3, kind="rule", reason="AdamW with cosine decay on a U-Net"),
            "augment": Choice(value="light", kind="rule", reason="hiding changes the image enough"),
            "backend": Choice(value="torch", kind="fixed", reason="nothing is read with it but to score it"),
            "read_precision": Choice(value="fp32", kind="fixed", reason="of that back end"),
            "read_batch": Choice(value=1, kind="fixed", reason="images of any size are read one by one"),
            "mirror_reading": Choice(value=False, kind="fixed", reason="the answer is an error, and has no side"),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        return {}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        z, y, x = plan["patch"]
        return Masked(encoders["image"], input_specs(plan)["image"].channels, (z, y, x), plan["hidden_share"])

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (Phase("network", lambda network: network.parameters(), _loss),)

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        error, spread = (float(value) for value in output.values)
        return {"case": example.case.id, "error": error, "spread": spread}

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        return row

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        error, spread = (np.array([row[name] for row in rows], dtype=float) for name in ("error", "spread"))
        metrics = {name: registry.get("metrics", name) for name in ("r2", "rmse")}
        statistics = (
            Statistic("r2", partial(_explained, error, spread), better=metrics["r2"].better),
            Statistic("rmse", partial(_root, error), better=metrics["rmse"].better),
        )
        return Scores(statistics, ("r2", "rmse"), -error)

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        return ()

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        return Prediction(())


def _loss(network: nn.Module, batch: Batch) -> Tensor:
    """Smooth L1 of the hidden voxels; drawn anew each step, from torch's generator, which the loop seeds."""
    images = batch.inputs["image"]
    masked: Masked = network  # type: ignore[assignment]
    hidden = blocks((len(images), *images.shape[2:]), masked.share).to(images.device)
    asked = hidden.expand_as(images)
    return functional.smooth_l1_loss(masked.rebuilt(images, hidden)[asked], images[asked])


def blocks(shape: tuple[int, ...], share: float, generator: torch.Generator | None = None) -> Tensor:
    """(B, 1, Z, Y, X) bool, True in blocks that are hidden; the grid of blocks begins anywhere.

    Args:
        shape: (B, Z, Y, X).
        share: Of the blocks that are hidden, in each image.
        generator: Of the draw; torch's own without one.
    """
    edges = [edge(side) for side in shape[1:]]
    counts = [-(-side // size) + (1 if side > 1 else 0) for side, size in zip(shape[1:], edges, strict=True)]
    drawn = torch.rand((shape[0], int(np.prod(counts))), generator=generator)
    chosen = drawn.argsort(dim=1) < max(1, round(share * drawn.shape[1]))
    hidden = chosen.reshape(shape[0], 1, *counts)
    starts = [int(torch.randint(size, (1,), generator=generator)) for size in edges]
    for axis, size in enumerate(edges):
        hidden = hidden.repeat_interleave(size, dim=axis + 2)
    (a, b, c), (z, y, x) = starts, shape[1:]
    return hidden[:, :, a if z > 1 else 0 :][:, :, :z, b : b + y, c : c + x]


def edge(side: int) -> int:
    """Voxels of a block along an axis of so many."""
    return 1 if side == 1 else min(max(side // BLOCKS, SMALLEST_BLOCK), LARGEST_BLOCK)


def middle(images: Tensor, patch: Shape) -> Tensor:
    """The middle patch of (B, C, Z, Y, X); what is smaller is filled up with its lowest value."""
    low = images.amin(dim=(2, 3, 4), keepdim=True)
    return torch.cat([_cut(image - least, patch)[None] + least for image, least in zip(images, low, strict=True)])


def _cut(image: Tensor, patch: Shape) -> Tensor:
    pads: list[int] = []
    for have, want in reversed(list(zip(image.shape[1:], patch, strict=True))):
        start = (want - have) // 2
        pads += [start, want - have - start]
    return functional.pad(image, pads)


def _explained(error: Floats, spread: Floats, index: npt.NDArray[np.intp]) -> float:
    total = float(spread[index].sum())
    return 1 - float(error[index].sum()) / total if total else float("nan")


def _root(error: Floats, index: npt.NDArray[np.intp]) -> float:
    return float(np.sqrt(error[index].mean())) if len(index) else float("nan")


TASK: Task = MaskedImages()
