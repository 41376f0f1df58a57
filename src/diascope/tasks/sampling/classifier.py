"""A small classifier: a feature space of the training part, and a trial of what made pictures teach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.tasks.sampling.spaces import CHUNK, Bytes, Floats, scaled

WIDTHS = (16, 32, 64, 64)
STEPS = 600
BATCH = 32
RATE = 5e-3
DECAY = 0.05
SHIFTED = 4
"""Pixels that a picture is moved by at most, while it is learnt from."""


class Network(nn.Module):
    """Four strided convolutions, the mean over space, one linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for entered, left in zip((channels, *WIDTHS[:-1]), WIDTHS, strict=True):
            convolution = nn.Conv2d(entered, left, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight)
            layers += [convolution, nn.BatchNorm2d(left), nn.ReLU()]
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(WIDTHS[-1], classes)

    def features(self, images: Tensor) -> Tensor:
        """(B, C, Y, X) to (B, 64)."""
        maps: Tensor = self.layers(images)
        return maps.mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, Y, X) to (B, K)."""
        said: Tensor = self.head(self.features(images))
        return said


@dataclass(frozen=True)
class Classifier:
    """A trained network, and the features of what it was trained on.

    Args:
        network: In `eval()`.
        middle: (64,) mean of the features in training.
        spread: (64,) their standard deviation.
    """

    network: Network
    middle: Floats
    spread: Floats

    def features(self, pictures: Bytes) -> Floats:
        """(N, 64), standardised by the training part."""
        return (_features(self.network, pictures) - self.middle) / self.spread

    def probabilities(self, pictures: Bytes) -> Floats:
        """(N, K)."""
        with torch.no_grad():
            parts = [self.network(scaled(some)).softmax(dim=1) for some in _chunks(pictures)]
        return torch.cat(parts).double().numpy()


def trained(pictures: Bytes, classes: npt.NDArray[np.intp], count: int, axes: tuple[int, ...], seed: int) -> Classifier:
    """Train on pictures (N, C, Y, X) and classes (N,): the same recipe whatever they are, so that sets compare.

    Args:
        pictures: Real ones, or made ones.
        classes: Of each.
        count: K.
        axes: Along which pictures may be mirrored (1 = y, 2 = x).
        seed: Of weights and batches.
    """
    images, truth = scaled(pictures), torch.from_numpy(np.asarray(classes, np.int64))
    frequency = np.maximum(np.bincount(classes, minlength=count), 1) / len(classes)
    weights = torch.tensor(1 / np.sqrt(frequency * count), dtype=torch.float32)
    # Its own stream of random numbers: what is drawn here must not change what is drawn elsewhere.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(pictures.shape[1], count)
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=STEPS)
        for _ in range(STEPS):
            chosen = torch.randint(len(images), (BATCH,))
            optimiser.zero_grad()
            said = network(_varied(images[chosen], axes))
            functional.cross_entropy(said, truth[chosen], weights, label_smoothing=0.05).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    network.eval()
    features = _features(network, pictures)
    return Classifier(network, features.mean(axis=0), features.std(axis=0) + 1e-6)


def _varied(images: Tensor, axes: tuple[int, ...]) -> Tensor:
    for axis in axes:
        if axis > 0:
            turned = torch.rand(len(images)) < 0.5
            images = torch.where(turned[:, None, None, None], images.flip(axis + 1), images)
    down, across = (int(torch.randint(-SHIFTED, SHIFTED + 1, ())) for _ in range(2))
    return images.roll((down, across), dims=(2, 3))


def _features(network: Network, pictures: Bytes) -> Floats:
    with torch.no_grad():
        return torch.cat([network.features(scaled(some)) for some in _chunks(pictures)]).double().numpy()


def _chunks(pictures: Bytes) -> list[Bytes]:
    return [pictures[at : at + CHUNK] for at in range(0, len(pictures), CHUNK)]
