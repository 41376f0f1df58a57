"""Parts of networks that read samples or letters in order: (B, C, T) with a place for what is not there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.core.errors import BadUsage
from diascope.models import InputSpec

KINDS = frozenset({"signal", "sequence"})
"""Kinds of input that such networks take."""


def in_order(spec: InputSpec, name: str) -> int:
    """The length T of an input.

    Raises:
        BadUsage: When the input has no such order.
    """
    if spec.kind not in KINDS or spec.dimensions != 1:
        raise BadUsage(f"the model {name} encodes signals and sequences", given=f"an input of kind {spec.kind!r}")
    return spec.shape[2]


def valid(x: Tensor, kind: str) -> Tensor:
    """(B, 1, T), 1 where an input (B, C, T) has a sample or a letter: the last channel of a signal says so."""
    there = x[:, -1:] if kind == "signal" else x.abs().amax(dim=1, keepdim=True)
    return (there > 0).to(x.dtype)


def thinned(there: Tensor, length: int) -> Tensor:
    """The same at another length: a step counts where any of the samples under it does."""
    return functional.adaptive_max_pool1d(there, length)


def mean_and_most(x: Tensor, there: Tensor) -> Tensor:
    """(B, C, T) to (B, 2 C): mean and maximum of each channel over what is there, 0 where nothing is."""
    count = there.sum(dim=2)
    mean = (x * there).sum(dim=2) / count.clamp_min(1)
    most = torch.where(there > 0, x, x.new_full((), -torch.inf)).amax(dim=2)
    return torch.cat([mean, torch.where(count > 0, most, torch.zeros_like(most))], dim=1)


class ConvNorm1d(nn.Module):
    """Convolution that keeps the length but for its stride, batch normalisation, ReLU."""

    def __init__(self, channels: tuple[int, int], kernel: int, stride: int = 1, activated: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(*channels, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        self.norm = nn.BatchNorm1d(channels[1])
        self.activated = activated

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, D, T / stride, rounded up)."""
        y: Tensor = self.norm(self.convolution(x))
        return functional.relu(y, inplace=True) if self.activated else y


class Residual1d(nn.Module):
    """Two convolutions beside a shortcut that averages where the block strides (arXiv:1611.06455, arXiv:1706.02677)."""

    def __init__(self, channels: tuple[int, int], kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNorm1d(channels, kernel, stride)
        self.second = ConvNorm1d((channels[1], channels[1]), kernel, activated=False)
        # The block starts as its shortcut.
        nn.init.zeros_(self.second.norm.weight)
        shortcut: list[nn.Module] = [nn.AvgPool1d(stride, ceil_mode=True)] if stride > 1 else []
        if channels[0] != channels[1]:
            shortcut.append(ConvNorm1d(channels, 1, activated=False))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, D, T / stride, rounded up)."""
        return functional.relu(self.second(self.first(x)) + self.shortcut(x), inplace=True)


class Attention(nn.Module):
    """A weighted mean over steps, the weights learnt from each step (additive attention, Yang et al. 2016).

    Args:
        width: Numbers of each step.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, steps: Tensor, there: Tensor) -> Tensor:
        """Steps (B, T, D), of which (B, T) are there, to (B, D); 0 where none is."""
        scores = self.score(torch.tanh(self.hidden(steps)))[..., 0]
        # A finite number: of rows in which nothing is there, infinities would make nan.
        weights = torch.softmax(scores.masked_fill(there <= 0, -1e4), dim=1) * there
        return (weights[..., None] * steps).sum(dim=1)


class Recurrent(nn.Module):
    """A bidirectional GRU or LSTM, and attention over its steps.

    Args:
        entering: Numbers of each step.
        width: Numbers of each direction.
        layers: One above the other.
        cell: `gru` (Cho et al. 2014) or `lstm` (Hochreiter and Schmidhuber 1997).

    Raises:
        BadUsage: When the cell is neither.
    """

    def __init__(self, entering: int, width: int, layers: int, cell: str) -> None:
        super().__init__()
        cells = {"gru": nn.GRU, "lstm": nn.LSTM}
        if cell not in cells:
            raise BadUsage("the option cell is gru or lstm", given=cell)
        self.steps = cells[cell](entering, width, layers, batch_first=True, bidirectional=True)
        self.attention = Attention(2 * width)
        self.channels = (2 * width,)

    def forward(self, steps: Tensor, there: Tensor) -> Tensor:
        """Steps (B, T, C), of which (B, T) are there, to (B, 2 width)."""
        said, _ = self.steps(steps)
        found: Tensor = self.attention(said, there)
        return found


def recurrent_macs(entering: int, width: int, layers: int, cell: str, steps: int) -> float:
    """Multiplications and additions of `Recurrent`, forward: the counter of torch does not see them."""
    gates = {"gru": 3, "lstm": 4}[cell]
    inner = [entering, *[2 * width] * (layers - 1)]
    return steps * (sum(2 * gates * width * (size + width) for size in inner) + 4 * width * (width + 1))


def strides_to(length: int, most: int, step: int) -> list[int]:
    """Strides of at most `step` that bring a length to at most `most`."""
    found = []
    while length > most:
        stride = min(step, -(-length // most))
        found.append(stride)
        length = -(-length // stride)
    return found


def total(strides: Sequence[int]) -> int:
    """By how much strides shorten together."""
    found = 1
    for stride in strides:
        found *= stride
    return found
