"""Promises of what torch runs: losses, models, transforms, explainers, back ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.core.geometry import Geometry
from diascope.explainers import kind_taken
from diascope.losses import LossKind
from diascope.models import Gives, InputSpec
from diascope.testing.keeping import kept
from diascope.transforms import SpatialTransform

SPECS = (
    InputSpec("image", channels=3, dimensions=2, shape=(1, 24, 32)),
    InputSpec("image", channels=1, dimensions=3, shape=(16, 8, 24)),
    InputSpec("table", channels=5, dimensions=0, outputs=2),
    InputSpec("signal", channels=3, dimensions=1, shape=(1, 1, 40), outputs=2),
    InputSpec("sequence", channels=4, dimensions=1, shape=(1, 1, 30), outputs=2),
    InputSpec("text", 1, 1, (1, 1, 60), outputs=2, alphabet=tuple(range(97, 123)), names=("effusion", "nodule")),
    InputSpec("none", channels=6, dimensions=0, shape=(1, 8, 12), outputs=2),
)
WORDS = ("effusion", "no", "nodule", "lung", "clear", "heart.")
PARAMS: Mapping[str, Mapping[str, Any]] = {
    "resample": {"shape": (5, 6, 7)},
    "crop_pad": {"shape": (5, 9, 7)},
    "intensity": {"rule": "z-score"},
    "mirror": {"axes": (0, 1, 2)},
}
"""For transforms that do nothing, or are meaningless, without params."""


def loss(name: str, plugin: Any, folder: Path) -> None:
    """A finite scalar with finite gradients whatever the logits, lowest when right."""
    kept(plugin.kind in get_args(LossKind), f"{name}.kind is one of its family's", plugin.kind)
    size = (2, 4, 5, 6) if plugin.kind in ("mask", "image") else (6,)
    target = torch.randint(0, 3, size, generator=torch.Generator().manual_seed(0))
    if plugin.kind in ("number", "image"):
        right = target[:, None].float()
        guess, wrong = right + 1, right - 5
    elif plugin.kind in ("hazards", "labels"):
        target = nn.functional.one_hot(target, 3).float()
        right, wrong = target * 60 - 30, 30 - target * 60
        guess = torch.zeros_like(right)
    else:
        right = nn.functional.one_hot(target, 3).movedim(-1, 1).float() * 30
        guess, wrong = torch.randn(right.shape, generator=torch.Generator().manual_seed(1)), right.roll(1, dims=1)
    values = [float(plugin(logits, target, {})) for logits in (right, guess, wrong)]
    kept(values[0] < values[1] < values[2], f"{name} is lowest when right and highest when wrong", values)
    for scale in (1e4, 1e30):
        logits = (right * scale).requires_grad_()
        value = plugin(logits, target, {})
        value.backward()
        kept(value.shape == () and torch.isfinite(value), f"{name} is a finite scalar for extreme logits", scale)
        gradient = logits.grad
        kept(gradient is not None and torch.isfinite(gradient).all(), f"{name}'s gradient is finite", scale)


def model(name: str, plugin: Any, folder: Path) -> None:
    """Any size its stride divides, the same answer twice, equal when saved and reloaded, an honest estimate."""
    fitting = [spec for spec in SPECS if spec.kind in plugin.takes and spec.dimensions in plugin.dimensions]
    kept(plugin.gives in get_args(Gives), f"{name}.gives", plugin.gives)
    kept(plugin.fitted in ("gradient", "once"), f"{name}.fitted", plugin.fitted)
    for spec in fitting:
        options = plugin.options(spec)
        torch.manual_seed(0)
        try:
            module = plugin.build(spec, options)
        except BadUsage:
            continue  # what is built from a file must be told which
        if plugin.fitted == "once":
            _fit(plugin, module, spec, options)
        example = _example(plugin, spec, options) if plugin.gives != "samples" else _noise(module)
        first, second = (_answers(module.eval(), example) for _ in range(2))
        kept(all(map(torch.equal, first, second)), f"{name} gives the same answer twice")
        kept(all(bool(torch.isfinite(one).all()) for one in first), f"{name}'s answer is finite")
        if spec.kind == "none":
            kept(first[0].shape == (2, spec.outputs, *spec.shape), f"{name} makes the size asked for", first[0].shape)
        if plugin.gives == "samples":
            _makes(name, plugin, module, spec, first[0])
        other = plugin.build(spec, options)
        other.load_state_dict(load(save({key: value.contiguous() for key, value in module.state_dict().items()})))
        kept(all(map(torch.equal, first, _answers(other.eval(), example))), f"{name} saved and reloaded is equal")
        cost = plugin.cost(spec, options)
        kept(cost.gflop >= 0 and cost.activation_bytes >= 0, f"{name} estimates its cost")


def _noise(module: Any) -> Tensor:
    return torch.randn((2, module.noise), generator=torch.Generator().manual_seed(1))


def _makes(name: str, plugin: Any, module: Any, spec: InputSpec, made: Tensor) -> None:
    """What is made has the size of what is learnt from; each part of a step moves something, by a finite loss."""
    kept(made.shape == (2, spec.channels, *spec.shape), f"{name} makes the size that it learns from", made.shape)
    kept(float(made.abs().max()) <= 1, f"{name} makes values in -1..1")
    kept(plugin.parts, f"{name} has parts of a step")
    images = torch.rand((4, spec.channels, *spec.shape), generator=torch.Generator().manual_seed(2)) * 2 - 1
    module.train()
    for part in plugin.parts:
        loss = module.loss(part.name, images, None)
        loss.backward()
        kept(loss.shape == () and torch.isfinite(loss), f"{name}'s loss of {part.name!r} is a finite scalar")
        moved = [one.grad for one in module.moves(part.name) if one.grad is not None]
        kept(moved and all(bool(torch.isfinite(one).all()) for one in moved), f"{name}: {part.name!r} moves something")
    module.eval()


def _fit(plugin: Any, module: nn.Module, spec: InputSpec, options: Mapping[str, Any]) -> None:
    rows, first = training_rows(spec, 40)
    target = {
        "class": (first > 0).astype(np.int64),
        "time": np.exp(-first),
        "event": np.ones(40, np.int64),
    }
    plugin.fit(module, rows, target, options)


def training_rows(spec: InputSpec, count: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Inputs to fit a model to, and a number of each that they tell."""
    if spec.kind == "text":
        rows = texts(count, spec.shape[2])
        return rows, (rows[:, 0] == ord(WORDS[0][0])) - 0.5
    size = (count, spec.channels, *spec.shape[2:][: spec.dimensions])
    rows = np.random.default_rng(0).normal(size=size).astype(np.float32)
    if spec.dimensions == 0:
        rows[3, 1] = np.nan
    return rows, rows.reshape(count, -1)[:, 0].astype(float)


def texts(count: int, length: int) -> npt.NDArray[np.int32]:
    """(N, L) code points of a few words each, 0 after the end."""
    rng, found = np.random.default_rng(0), np.zeros((count, length), np.int32)
    for row in found:
        letters = " ".join(rng.choice(WORDS, rng.integers(3, 9)))[:length]
        row[: len(letters)] = [ord(one) for one in letters]
    return found


def _example(plugin: Any, spec: InputSpec, options: Mapping[str, Any]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if spec.dimensions == 0:
        return torch.randn((2, spec.channels), generator=generator)
    if spec.dimensions == 1:
        return in_order(spec, 27)
    size = [step * 3 if spec.dimensions == 3 or axis else 1 for axis, step in enumerate(plugin.stride(options))]
    return torch.randn((2, spec.channels, *size), generator=generator)


def in_order(spec: InputSpec, length: int) -> Tensor:
    """(2, C, T) samples or letters, the second shorter than the first: the last channel of a signal says where.

    Of texts (2, T) code points.
    """
    if spec.kind == "text":
        return torch.from_numpy(texts(2, length))
    values = torch.randn((2, spec.channels, length), generator=torch.Generator().manual_seed(1))
    there = torch.ones(2, length)
    there[1, length * 2 // 3 :] = 0
    if spec.kind == "signal":
        values[:, -1] = 1
    else:
        values = nn.functional.one_hot(values.argmax(1), spec.channels).movedim(-1, 1).float()
    return values * there[:, None]


def _answers(module: nn.Module, example: Tensor) -> list[Tensor]:
    with torch.no_grad():
        answer = module(example)
    return list(answer) if isinstance(answer, list | tuple) else [answer]


def transform(name: str, plugin: Any, folder: Path) -> None:
    """It leaves its input as it was, keeps masks masks, and replays what was drawn."""
    kept(plugin.scope in ("case", "batch"), f"{name}.scope is one of its family's", plugin.scope)
    images = torch.randn((4, 2, 6, 8, 10), generator=torch.Generator().manual_seed(0))
    masks = (images[:, :1] > 0).to(torch.uint8) * 3
    before = images.clone(), masks.clone()
    params = PARAMS.get(name, {})
    if plugin.scope == "case":
        place = Geometry.from_spacing((2.0, 1.0, 0.5))
        image, there = plugin.apply(images[0], place, params, is_mask=False)
        mask, also_there = plugin.apply(masks[0], place, params, is_mask=True)
        kept(image.shape[1:] == mask.shape[1:] and there.is_close(also_there), f"{name} keeps image and mask together")
    else:
        drawn = plugin.draw(np.random.default_rng(5), 4, (6, 8, 10), {**params, "probability": 1.0})
        image, mask = plugin.apply(images, masks, drawn)
        kept(torch.equal(image, plugin.apply(images, masks, drawn)[0]), f"{name} replays what was drawn")
        kept(plugin.spatial or torch.equal(mask, masks), f"{name} moves masks only where it says so")
        if isinstance(plugin, SpatialTransform):
            _moves_points(name, plugin, params)
    kept(set(mask.unique().tolist()) <= {0, 3}, f"{name} keeps the values of masks")
    kept(torch.equal(images, before[0]) and torch.equal(masks, before[1]), f"{name} leaves its input as it was")


def _moves_points(name: str, plugin: SpatialTransform, params: Mapping[str, Any]) -> None:
    """What lies at a point lies where the point goes."""
    shape, place = (1, 24, 32), np.array([[[0.5, 9.5, 12.5]]] * 4)
    images = torch.zeros((4, 1, *shape))
    images[:, :, 0, 8:11, 11:14] = 1
    drawn = plugin.draw(np.random.default_rng(2), 4, shape, {**params, "probability": 1.0})
    moved, _ = plugin.apply(images, None, drawn)
    for image, (point,) in zip(moved.numpy(), plugin.move(place, shape, drawn), strict=True):
        if not (3 < point[1] < 21 and 3 < point[2] < 29):
            continue  # it left the image, or touches its border
        weight = image[0, 0]
        rows, columns = np.mgrid[:24, :32] + 0.5
        middle = np.array([(weight * rows).sum(), (weight * columns).sum()]) / weight.sum()
        kept(np.abs(middle - point[1:]).max() < 1, f"{name} moves points with the image", (middle, point))


class Small(nn.Module):
    """Two convolutions and a pooled answer: for explainers (a mapping of inputs) and for back ends (one tensor)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv3d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv3d(6, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        """(B, 2)."""
        image = inputs["image"] if isinstance(inputs, dict) else inputs
        scores: Tensor = self.head(self.encoder(image).flatten(2).mean(2))
        return scores


def _network() -> tuple[nn.Module, Tensor]:
    """Fresh weights, and noise with a bright block in another place of each image."""
    torch.manual_seed(11)
    images = torch.randn((3, 1, 6, 10, 12), generator=torch.Generator().manual_seed(2)) * 0.1
    for number in range(3):
        images[number, :, 1:4, 2 + number : 6 + number, 3 * number : 3 * number + 4] += 5
    network = Small().eval()
    with torch.no_grad():
        network.head.weight.abs_()  # More of anything raises the answer, so that there is something to explain.
    return network, images


def explainer(name: str, plugin: Any, folder: Path) -> None:
    """A map of the input's size, unchanged by the rest of the batch; the network is left as it was."""
    if kind_taken(plugin) in EXPLAINED:
        EXPLAINED[kind_taken(plugin)](name, plugin)
        return
    network, images = _network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    maps = plugin.explain(network, images, 1)
    kept(maps.shape == (3, 6, 10, 12), f"{name} gives a map of the image's size", maps.shape)
    kept(bool(maps.min() >= 0 and maps.max() <= 1), f"{name}'s maps lie in 0..1")
    alone = plugin.explain(network, images[1:2], 1)[0]
    kept(np.allclose(maps[1], alone, atol=1e-4), f"{name}'s map of one image does not depend on the others")
    same = all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    kept(same and not network.training, f"{name} leaves the network as it was")


class Reading(nn.Module):
    """A tiny network of texts (B, L): one output counts a letter, the other is its opposite."""

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(B, 2)."""
        count = (inputs["image"] == ord("x")).sum(dim=1).float()
        return torch.stack([-count, count], dim=1)


def _explains_texts(name: str, plugin: Any) -> None:
    network, texts = Reading().eval(), torch.zeros((2, 30), dtype=torch.int32)
    for row, words in zip(texts, ("the xylem, a box", "nothing here"), strict=True):
        row[: len(words)] = torch.tensor([ord(one) for one in words], dtype=torch.int32)
    maps = plugin.explain(network, texts, 1)
    kept(maps.shape == (2, 30), f"{name} gives a map of the text's size", maps.shape)
    kept(bool(maps.min() >= -1 and maps.max() <= 1), f"{name}'s maps lie in -1..1")
    kept(maps[0, 4] > 0 and maps[0, 0] == 0, f"{name} finds the word that led to the answer", maps[0, :9])
    kept(bool((plugin.explain(network, texts, 0)[0, 4:9] <= 0).all()), f"{name} tells what speaks against an output")
    kept(np.allclose(maps[1], plugin.explain(network, texts[1:], 1)[0]), f"{name}'s map does not depend on others")


class Weighing(nn.Module):
    """A tiny network of rows (B, D): one output is the first column less the second, the other its opposite."""

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(B, 2)."""
        known = torch.nan_to_num(inputs["image"])
        said = known[:, 0] - known[:, 1]
        return torch.stack([-said, said], dim=1)


def _explains_rows(name: str, plugin: Any) -> None:
    network = Weighing().eval()
    rows = torch.tensor([[3.0, 1.0, 9.0], [float("nan"), 2.0, 1.0]])
    maps = plugin.explain(network, rows, 1)
    kept(maps.shape == (2, 3), f"{name} gives a number for each column", maps.shape)
    kept(bool(maps.min() >= -1 and maps.max() <= 1), f"{name}'s maps lie in -1..1")
    kept(maps[0, 0] == 1 and maps[0, 1] < 0 and maps[0, 2] == 0, f"{name} finds what led to the answer", maps[0])
    kept(maps[1, 0] == 0, f"{name} says nothing by what is missing", maps[1])
    kept(np.allclose(plugin.explain(network, rows, 0), -maps, atol=1e-5), f"{name} tells what speaks against an output")
    kept(np.allclose(maps[1], plugin.explain(network, rows[1:], 1)[0]), f"{name}'s map does not depend on others")


EXPLAINED: Mapping[str, Callable[[str, Any], None]] = {"text": _explains_texts, "table": _explains_rows}
"""Kinds of inputs that are no images, to what is promised of them."""


def backend(name: str, plugin: Any, folder: Path) -> None:
    """Float32 gives what torch gives, for any number of examples."""
    if not plugin.is_available():
        return
    network, images = _network()
    expected = registry.get("backends", "torch").compile(network, images, "fp32")(images)
    found = plugin.compile(network, images, "fp32")(images)
    kept(torch.allclose(expected, found, atol=1e-4), f"{name} in float32 gives what torch gives")
