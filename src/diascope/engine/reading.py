"""Reading prepared cases with a trained network (or an ensemble of them), by any back end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diascope.backends import Runner
from diascope.core import registry
from diascope.core.plan import Plan
from diascope.engine.arms import Arms, arms_of
from diascope.engine.batch import Example, Output
from diascope.engine.network import Reduce
from diascope.engine.orienting import Turn
from diascope.engine.sliding import predict_labels, predict_values
from diascope.engine.stretches import long_input, read_whole
from diascope.engine.tiling import tiled
from diascope.engine.windows import Placement, WindowPlan

BUFFER_SHARE = 0.4
"""Of the memory that may be used: the rest is for the network, the image and the program."""

WINDOWED = ("dense", "values")
"""What is said of every voxel: images of any size are read window by window, one after the other."""


def buffer_bytes(memory_gb: float) -> int:
    """Bytes that the buffers of reading may take."""
    return int(memory_gb * BUFFER_SHARE * 1e9)


class Reader:
    """Networks made ready for reading. The outputs of several are averaged; of generators the first is used.

    Args:
        networks: The members, in `eval()`.
        plan: `patch`, `overlap`, `mirror_reading`, `read_batch`, `skip_empty` are read from it.
        backend: Name of the plug-in in `backends/`.
        precision: `fp32` or `bf16`.
        memory_bytes: Bound for the sliding window's buffers; None is unbounded.
    """

    def __init__(
        self, networks: Sequence[nn.Module], plan: Plan, backend: str, precision: str, memory_bytes: int | None = None
    ) -> None:
        self.output = str(networks[0].output)
        # The mean of two made pictures is a blurred one that no generator would make.
        self.networks = tuple(networks[:1] if self.output == "image" else networks)
        self.plan, self.backend, self.precision, self.memory_bytes = plan, backend, precision, memory_bytes
        self.arms = arms_of(plan) if self.output == "vector" else None
        self._runners: dict[tuple[int, ...], Runner] = {}

    @property
    def windowed(self) -> bool:
        """Whether an image is read window by window, and not whole."""
        return self.output in WINDOWED or (self.output == "boxes" and not self.plan["whole"])

    def answer(self, images: Tensor) -> Tensor:
        """The raw output for images (B, C, Z, Y, X): outputs and features side by side."""
        return self._runner(images)(images)

    def read(self, example: Example) -> Output:
        """What the networks say about one case."""
        return next(self.read_all([example]))

    def read_all(self, examples: Iterable[Example], under: bool = True) -> Iterator[Output]:
        """The same for many; those that are seen whole are read in batches.

        Args:
            examples: Prepared cases.
            under: Whether rows are also read under each treatment, where the plan names one.
        """
        if self.windowed:
            read = self._dense if self.output in WINDOWED else self._tiled
            yield from (read(example) for example in examples)
            return
        waiting: list[Example] = []
        for example in examples:
            waiting.append(example)
            if len(waiting) == self.plan["read_batch"]:
                yield from self._vectors(waiting, under)
                waiting = []
        if waiting:
            yield from self._vectors(waiting, under)

    def together(self, example: Example) -> int:
        """How many cases like this one are best read at once.

        A batch of images is filled up to `read_batch` in any case; flat ones are small enough to wait for each other.
        """
        flat = set(example.inputs) == {"image"} and example.inputs["image"].shape[1] == 1
        return int(self.plan["read_batch"]) if flat and not self.windowed else 1

    def _vectors(self, examples: Sequence[Example], under: bool) -> list[Output]:
        """The batch is filled up to one fixed size: every back end runs one shape, and batch size changes nothing."""
        if (long := long_input(self.plan)) is not None:
            arrays = [example.inputs[long] for example in examples]
            return [Output(values) for values in read_whole(self.networks, long, arrays, self.plan)]
        size = self.plan["read_batch"]
        inputs = {
            name: torch.from_numpy(np.stack([example.inputs[name] for example in examples]))
            for name in examples[0].inputs
        }
        if set(inputs) != {"image"}:
            return self._rows(inputs, self.arms if under else None)
        images = inputs["image"]
        full = (
            torch.cat([images, images[-1:].expand(size - len(images), *images.shape[1:])])
            if len(images) < size
            else images
        )
        answer = self._viewed(full)[: len(images)]
        return _split_outputs(answer, self.networks[0], inputs)

    def _viewed(self, images: Tensor) -> Tensor:
        """The mean answer to images and their mirrored views, where those are read."""
        answer = self._runner(images)(images)
        # Pictures have a place: two of them, one made of the mirrored input, have no mean.
        if self.plan["mirror_reading"] and self.output in ("vector", "boxes"):
            for axis in self.plan["mirror_axes"]:
                mirrored = self._runner(images)(images.flip(2 + axis).contiguous())
                answer = answer + self._back(mirrored, axis)
            answer = answer / (1 + len(self.plan["mirror_axes"]))
        return answer

    def _tiled(self, example: Example) -> Output:
        """Boxes of a volume, from its windows."""
        network: Any = self.networks[0]
        z, y, x = self.plan["patch"]
        volume = torch.from_numpy(example.inputs["image"])
        with torch.inference_mode():
            said = tiled(volume, self._viewed, network.places, (z, y, x), self.plan["overlap"])
        return Output(said.detach().float().numpy())

    def _back(self, answer: Tensor, axis: int) -> Tensor:
        """What was said about a mirrored image, as if of the image: boxes change sides, a vector has none."""
        network: Any = self.networks[0]
        found: Tensor = network.mirrored(answer, axis) if self.output == "boxes" else answer
        return found

    def _rows(self, inputs: dict[str, Tensor], arms: Arms | None) -> list[Output]:
        """Rows, and where there are arms what would be said under each."""

        def said(rows: dict[str, Tensor]) -> list[Output]:
            return _split_outputs(_mean([_joined(one, rows) for one in self.networks]), self.networks[0], rows)

        found = said(inputs)
        if arms is None:
            return found
        other = {word: said(arms.under(inputs, code)) for word, code in arms.codes.items()}
        return [
            replace(one, under={word: outputs[place].values for word, outputs in other.items()})
            for place, one in enumerate(found)
        ]

    def _dense(self, example: Example) -> Output:
        volume = torch.from_numpy(example.inputs["image"])
        patch = tuple(self.plan["patch"])
        window = WindowPlan(
            patch=patch,
            overlap=self.plan["overlap"],
            mirror_axes=tuple(self.plan["mirror_axes"]) if self.plan["mirror_reading"] else (),
            skip_empty=self.plan["skip_empty"],
            memory_bytes=self.memory_bytes,
        )
        runner = self._runner(torch.zeros((1, volume.shape[0], *patch)))
        turn = Turn.of(*example.original) if example.original else Turn()
        if self.output == "values":
            made = predict_values(volume, runner, window, _placed(example, volume))
            return Output(turn.back(made.values), spread=None if made.spread is None else turn.back(made.spread))
        reduce: Reduce = self.networks[0].reduce  # type: ignore[assignment]
        result = predict_labels(volume, runner, reduce, window, _placed(example, volume))
        return Output(turn.back(np.asarray(result.labels)), dict(result.confidence))

    def _runner(self, example: Tensor) -> Runner:
        """One compiled call a shape; it averages the members."""
        key = tuple(example.shape)
        if key not in self._runners:
            backend = registry.get("backends", self.backend)
            members = [backend.compile(Flat(network), example, self.precision) for network in self.networks]
            self._runners[key] = members[0] if len(members) == 1 else lambda images: _mean([m(images) for m in members])
        return self._runners[key]


def _placed(example: Example, volume: Tensor) -> Placement:
    z, y, x = volume.shape[1:]
    if example.original is None or example.geometry is None:
        return Placement.same_box((z, y, x), (z, y, x))
    turn = Turn.of(*example.original)
    return Placement.between(example.geometry, turn.geometry(*example.original), turn.shape(example.original[1]))


class Flat(nn.Module):
    """A network as back ends want it: one tensor in, one tensor out (outputs and features side by side)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, Z, Y, X) to (B, K, Z, Y, X), or to (B, K + D)."""
        return _joined(self.network, {"image": image})


def _joined(network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    if network.output != "vector":
        return network(inputs)  # type: ignore[no-any-return]
    features = network.features(inputs)  # type: ignore[operator]
    answer = getattr(network, "answer", None)
    return torch.cat([network(inputs) if answer is None else answer(features), features], dim=1)


def _split_outputs(answer: Tensor, network: nn.Module, inputs: dict[str, Tensor]) -> list[Output]:
    answer = answer.detach().float()
    if answer.ndim > 2:
        return [Output(one.numpy()) for one in answer]
    of_head = getattr(getattr(network, "head", None), "out_features", answer.shape[1])
    width = int(getattr(network, "outputs", of_head))
    return [Output(one[:width].numpy().copy(), {}, one[width:].numpy().copy()) for one in answer]


def _mean(answers: Sequence[Tensor]) -> Tensor:
    total = answers[0].clone()
    for answer in answers[1:]:
        total += answer
    return total / len(answers)
