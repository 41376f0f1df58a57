"""Models: each module builds one network (or estimator) that encodes an input. Tasks put heads on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

Gives = Literal["vector", "pyramid", "dense", "image", "answer", "samples", "tokens"]


@dataclass(frozen=True)
class InputSpec:
    """What a network is built for.

    Args:
        kind: "image", "table", ...; "none" for a generator, which reads no input of a case but (B, channels) noise.
        channels: Channels of an image (all image inputs of a case stacked), columns of a table, numbers of noise.
        dimensions: 2, 3; 1 for signals, sequences and texts, 0 for inputs without any order.
        shape: (Z, Y, X) of one training example, or of what a generator makes; (1, 1, T) with one dimension,
            (1, 1, 1) without.
        spacing: Steps (z, y, x) of the working grid, to choose anisotropic kernels by.
        categories: For each column of a table, how many different values a category has, 0 for a number; empty where
            all are numbers. A category is given as the index of its value, nan where it is missing or was never seen.
        scales: For each column of a table, the middle and the spread of its values in training ((0, 1) for categories);
            empty where nothing is known.
        outputs: How many numbers a model that is fitted at once may answer with: classes, or 1 where there are none.
            For a generator: channels of what it makes. For a model of samples: how many classes there are, or 0.
        alphabet: Of a text, the code points of the training part, the most frequent first.
        names: Of the labels that the outputs are about, in their order; empty where the target has none.
    """

    kind: str
    channels: int
    dimensions: Literal[0, 1, 2, 3]
    shape: tuple[int, int, int] = (1, 1, 1)
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    outputs: int = 0
    categories: tuple[int, ...] = ()
    scales: tuple[tuple[float, float], ...] = ()
    alphabet: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """A model's own estimate for one example, forward and backward, float32."""

    parameters: int
    gflop: float
    activation_bytes: int


class Model(Protocol):
    """What a file in this folder provides as `MODEL`, whichever way it is fitted.

    A built module has `gives` and `channels`: for `vector` it maps (B, C, Z, Y, X) to (B, D), `channels == (D,)`; for
    `pyramid` to a list of maps fine to coarse; for `dense` to a list of decoder maps, full resolution first, one
    for each entry of `channels` (coarser ones are used for deep supervision in training; in `eval()` it returns the
    first only, still in a list); for `image` it makes images; an `answer` is what the task's loss wants, headless;
    for `tokens` it maps an input in order to (B, D, L), something of each place, `channels == (D,)`;
    for `samples` see `ModelOfSamples`. A module whose stages can be frozen has `stages`: an `nn.ModuleList` from the
    input on (what is registered before it belongs to the first), or lists of modules.
    2-D models take Z = 1 arrays as well: (B, C, 1, Y, X) in, and dense maps come out with Z = 1.
    """

    takes: frozenset[str]
    """Kinds of input."""
    dimensions: frozenset[int]
    gives: Gives
    fitted: Literal["gradient", "once"]

    def options(self, spec: InputSpec) -> dict[str, Any]:
        """The options that rules choose for an input (JSON types), each with a sensible default."""
        ...

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        ...

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        """What (Z, Y, X) of an input must be divisible by."""
        ...

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        """Estimate of memory and arithmetic."""
        ...


class FittedAtOnce(Model, Protocol):
    """A model whose state is computed from all training cases in one call (`fitted == "once"`).

    It may also have `learns`: False where it was made elsewhere and comes as it is. `fit` is then given no case, and
    the one network that it makes is measured on every fold (decision 0014).
    """

    target_kinds: frozenset[str]
    """Kinds of target that it can answer (`category`, `time_to_event`, ...)."""

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[np.float32],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Fill the built module's buffers from (N, D) inputs (nan is missing) and the encoded target."""
        ...


def learns(model: Model) -> bool:
    """Whether a model learns from cases; False for one that was made elsewhere and comes as it is."""
    return bool(getattr(model, "learns", True))


@dataclass(frozen=True)
class Part:
    """One part of a training step that a model brings itself.

    Args:
        name: For the log.
        rate: Factor on the plan's learning rate.
        every: The part runs at steps that this divides.
    """

    name: str
    rate: float = 1.0
    every: int = 1


class ModelOfSamples(Model, Protocol):
    """A model of how images are distributed (`gives == "samples"`): it makes images of noise, and brings its losses.

    It is built for the images that it learns from. The module is a `Sampling`.
    """

    parts: tuple[Part, ...]
    """Of one training step, in order."""


class Sampling(Protocol):
    """What a model of samples builds: an `nn.Module` that also has this."""

    noise: int
    """D: how many numbers an image is made of."""
    training_parts: tuple[str, ...]
    """Names of submodules that only train, and that no release holds: a judge, an encoder."""

    def __call__(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, D) normal numbers, and (B,) class indices where there are classes, to (B, C, Z, Y, X) in -1..1."""
        ...

    def moves(self, part: str) -> Iterable[nn.Parameter]:
        """The parameters that a part of the step changes."""
        ...

    def loss(self, part: str, images: Tensor, classes: Tensor | None) -> Tensor:
        """The loss of a part on real images (B, C, Z, Y, X) in -1..1 and their classes (B,)."""
        ...
