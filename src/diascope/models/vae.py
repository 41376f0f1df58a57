"""A conditional variational autoencoder for small pictures: steady to train, and smoother than what it learns from.

The width of the noise on its pixels is set to the best one for each batch, so that nothing weighs sharpness against
order by hand (Kingma & Welling 2014; Rybkin et al. 2021, arXiv:2006.13202).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.models import Cost, Gives, InputSpec, ModelOfSamples, Part
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.making import GROUPS, WIDEST, Maker, finer_sizes
from diascope.models.blocks.topology import spatial

PART = "autoencoder"
LEAST_ERROR = 1e-6
"""Of the mean squared error: its logarithm must stay finite for pictures that are alike."""
MOST_LOG_VARIANCE = 10.0


class Encoder(nn.Module):
    """A picture to the mean and the logarithm of the variance of its noise."""

    def __init__(self, spec: InputSpec, noise: int, width: int) -> None:
        super().__init__()
        sizes = finer_sizes(spec.shape[1:])
        widths = [min(width * 2**step, WIDEST * width) for step in range(len(sizes))]
        self.coarsest = sizes[0]
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        for entered, left in pairwise(widths):
            norm = nn.GroupNorm(max(1, left // GROUPS), left)
            layers += [nn.Conv2d(entered, left, 3, stride=2, padding=1), norm, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * self.coarsest[0] * self.coarsest[1], 2 * noise)
        self.of_class = nn.Embedding(spec.outputs, 2 * noise) if spec.outputs else None

    def forward(self, pictures: Tensor, classes: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, C, Y, X) and (B,) to two (B, D)."""
        maps = functional.adaptive_avg_pool2d(self.layers(pictures), self.coarsest)
        said = self.head(maps.flatten(1))
        if self.of_class is not None and classes is not None:
            said = said + self.of_class(classes)
        mean, log_variance = said.float().chunk(2, dim=1)
        return mean, log_variance.clamp(-MOST_LOG_VARIANCE, MOST_LOG_VARIANCE)


class Autoencoder(nn.Module):
    """Encoder and decoder.

    Args:
        spec: Of the pictures; `outputs` is how many classes they have.
        noise: Numbers that a picture is made of.
        width: Channels at full size, of both.
    """

    gives: Gives = "samples"
    training_parts = ("encoder",)

    def __init__(self, spec: InputSpec, noise: int, width: int) -> None:
        super().__init__()
        self.noise, self.channels = noise, (spec.channels,)
        self.encoder = Encoder(spec, noise, width)
        self.decoder = Maker(noise, spec.outputs, spec.channels, (spec.shape[1], spec.shape[2]), width)

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, D) and (B,) to (B, C, 1, Y, X) in -1..1."""
        made: Tensor = self.decoder(noise, classes)
        return made

    def moves(self, part: str) -> Iterable[nn.Parameter]:
        """Everything."""
        return self.parameters()

    def loss(self, part: str, images: Tensor, classes: Tensor | None) -> Tensor:
        """The bound on the negative log-likelihood, a pixel."""
        mean, log_variance = self.encoder(images.squeeze(2), classes)
        noise = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        error = (self.decoder(noise, classes).float() - images.float()).square().mean()
        apart = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        bound: Tensor = 0.5 * (error + LEAST_ERROR).log() + apart / images[0].numel()
        return bound


class _Step(nn.Module):
    """A whole training step as one forward pass, to estimate what it costs."""

    def __init__(self, network: Autoencoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, 1, Y, X) to the loss."""
        return self.network.loss(PART, images, None)


class VaeModel:
    """Flat pictures of any size."""

    takes = frozenset({"image"})
    dimensions = frozenset({2})
    gives: Gives = "samples"
    fitted: Literal["gradient", "once"] = "gradient"
    # It plays against nobody, so that it may learn as fast as other networks of its size do.
    parts: tuple[Part, ...] = (Part(PART, rate=4.0),)

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"width": 32, "noise": 64}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        spatial(spec, "vae")
        return Autoencoder(spec, int(options["noise"]), int(options["width"]))

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: _Step(Autoencoder(spec, int(options["noise"]), int(options["width"]))), spec)


MODEL: ModelOfSamples = VaeModel()
