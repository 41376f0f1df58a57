"""Parts that explainers share: evaluation mode for the time of an explanation, and maps of the image's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn import functional

from diascope.core.errors import BadUsage


@contextmanager
def in_eval(network: nn.Module) -> Iterator[None]:
    """Put the network into evaluation mode (no dropout, stored norms), and each module back as it was afterwards."""
    training = {name: module.training for name, module in network.named_modules()}
    network.eval()
    try:
        yield
    finally:
        for name, module in network.named_modules():
            module.training = training[name]


def answer(network: nn.Module, images: Tensor, output: int) -> Tensor:
    """Output number `output` (B,) of the network for images (B, C, Z, Y, X).

    Raises:
        BadUsage: When the network does not give a vector with that output.
    """
    given: Tensor = network({"image": images})
    if given.ndim != 2 or not 0 <= output < given.shape[1]:
        raise BadUsage(
            f"an explanation needs a network that answers with a vector (B, K) with output {output}",
            given=f"an answer of shape {tuple(given.shape)}",
        )
    return given[:, output]


class InOrder(nn.Module):
    """A network of one signal as one of images: explainers cover a stretch of it as they cover a part of a picture.

    Args:
        network: `network({name: (B, C, T)}) -> (B, K)`.
        name: Of its input.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) of `image` (B, C, 1, 1, T)."""
        given: Tensor = self.network({self.name: inputs["image"][:, :, 0, 0]})
        return given


class InLetters(nn.Module):
    """A network of one text as one of an `image`: explainers and checks ask it as they ask others.

    Args:
        network: `network({name: (B, L)}) -> (B, K)`.
        name: Of its input.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    @property
    def shares(self) -> Callable[[str, int], npt.NDArray[np.float64]] | None:
        """Of a model whose score is a sum over the text: what each character adds to an output, exactly."""
        return getattr(getattr(self.network, "estimator", None), "shares", None)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) of `image` (B, L)."""
        given: Tensor = self.network({self.name: inputs["image"]})
        return given


class InColumns(nn.Module):
    """A network of one row of a table as one of an `image`: explainers and checks ask it as they ask others.

    Args:
        network: `network({name: (B, D)}) -> (B, K)`.
        name: Of its input.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) of `image` (B, D)."""
        given: Tensor = self.network({self.name: inputs["image"]})
        return given


def finished(cells: Tensor, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Maps (B, Z, Y, X) in 0..1 from coarse maps (B, z, y, x): negative parts cut, enlarged, each with maximum 1.

    A map without any positive part stays all 0.
    """
    # Weights of each image are found alone, hence no image changes another's map.
    large = functional.interpolate(cells.float().clamp(min=0)[:, None], size=shape, mode="trilinear")[:, 0]
    highest = large.amax(dim=(1, 2, 3), keepdim=True)
    scaled = large / highest.where(highest > 0, highest.new_ones(()))
    return np.asarray(scaled.detach().cpu().numpy(), np.float32)
