"""A network that makes images of noise, by class: what training, evaluation and `synthesize` ask of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from diascope.core.plan import Plan
from diascope.engine.network import OutputShape
from diascope.models import Sampling
from diascope.transforms.intensity import limits


class SampleNetwork(nn.Module):
    """A model of samples, between the scale of the working grid and that of the model (-1..1).

    Args:
        model: A `Sampling`.
        classes: How many; 0 where nothing is said about an image.
        ends: (low, high) of each channel on the working grid.
    """

    output: OutputShape = "image"
    low: Tensor
    high: Tensor

    def __init__(self, model: nn.Module, classes: int, ends: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.model, self.classes = model, classes
        low, high = torch.tensor(list(ends), dtype=torch.float32).T.reshape(2, -1, 1, 1, 1)
        self.register_buffer("low", low.clone())
        self.register_buffer("high", high.clone())

    @property
    def sampling(self) -> Sampling:
        """The model, as what it is."""
        return cast(Sampling, self.model)

    @property
    def training_parts(self) -> tuple[str, ...]:
        """Names of submodules that no release holds."""
        return tuple(f"model.{name}" for name in self.sampling.training_parts)

    def standard(self, images: Tensor) -> Tensor:
        """Images (B, C, Z, Y, X) of the working grid to -1..1."""
        return (2 * (images - self.low) / (self.high - self.low) - 1).clamp(-1, 1)

    def make(self, noise: Tensor, classes: Tensor | None) -> Tensor:
        """(B, D) normal numbers and (B,) classes to images (B, C, Z, Y, X) on the scale of the working grid."""
        return self.low + (self.sampling(noise, classes).float() + 1) / 2 * (self.high - self.low)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """For each image (B, C, Z, Y, X) one made image of each class, (B, K C, Z, Y, X).

        Their noise is drawn from the image's own bytes: the same input gives the same answer, whatever else is in its
        batch, and what is made has nothing to do with what is on the image.
        """
        images = inputs["image"]
        noise = torch.stack([noise_of(image, self.sampling.noise) for image in images]).to(images.device)
        made = [self.make(noise, classes) for classes in self._each(len(images), images.device)]
        return torch.cat(made, dim=1)

    def _each(self, count: int, device: torch.device) -> Iterable[Tensor | None]:
        if not self.classes:
            return [None]
        return [torch.full((count,), label, dtype=torch.long, device=device) for label in range(self.classes)]


def noise_of(image: Tensor, numbers: int) -> Tensor:
    """Normal numbers (D,) that depend on every bit of an image and resemble nothing of it."""
    digest = hashlib.sha256(image.detach().float().cpu().contiguous().numpy().tobytes()).digest()
    return drawn(int.from_bytes(digest[:8], "little") >> 1, 1, numbers)[0]


def drawn(seed: int, count: int, numbers: int) -> Tensor:
    """Normal numbers (count, numbers) of a seed; the first ones do not depend on how many are asked for."""
    source = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(numbers, generator=source) for _ in range(count)])


def ends_of(plan: Plan) -> list[tuple[float, float]]:
    """Between which values each channel of the working grid lies, by the intensity rule of its input."""
    return [pair for name, count in plan["channels"].items() for pair in limits(plan["intensity"][name], count)]


def grey(images: Tensor, ends: Sequence[tuple[float, float]]) -> Tensor:
    """Images (..., C, Z, Y, X) of the working grid as bytes 0..255."""
    low, high = torch.tensor(list(ends), dtype=torch.float32).T.reshape(2, -1, 1, 1, 1)
    levels: Tensor = (255 * (images.float() - low) / (high - low)).round().clamp(0, 255)
    return levels.to(torch.uint8)
