"""A conditional GAN for small sets of pictures: two networks that play against each other, one makes and one judges.

Hinge loss with spectral normalisation (arXiv:1802.05957), a projection of the class (arXiv:1802.05637), and
differentiable augmentation (arXiv:2006.10738), without which a few hundred pictures are learnt by heart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from diascope.models import Cost, Gives, InputSpec, ModelOfSamples, Part
from diascope.models.blocks.differentiable import augmented, draw
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.making import WIDEST, Maker, finer_sizes
from diascope.models.blocks.topology import spatial

CRITIC, GENERATOR = "critic", "generator"
SEEKING = 10.0
"""Weight of being as varied as real pictures of a class are, in the generator's loss."""
COARSE = 4
"""Pixels of a side that are averaged before pictures are compared: grain is no variety."""
RATES = {CRITIC: 2.0, GENERATOR: 1.0}
"""The judge learns faster, in place of several steps for each of the other (two time scales, arXiv:1706.08500)."""


class Coarser(nn.Module):
    """Two convolutions beside a shortcut, then the mean of each 2 x 2 pixels."""

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        entered, left = channels
        self.first = spectral_norm(nn.Conv2d(entered, entered, 3, padding=1))
        self.second = spectral_norm(nn.Conv2d(entered, left, 3, padding=1))
        self.shortcut = spectral_norm(nn.Conv2d(entered, left, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, Y, X) to (B, D, Y / 2, X / 2), rounded up."""
        changed = self.second(functional.leaky_relu(self.first(functional.leaky_relu(maps, 0.2)), 0.2))
        coarser: Tensor = _halved(changed) + self.shortcut(_halved(maps))
        return coarser


class Critic(nn.Module):
    """Above 0 where a picture is taken for a real one of its class; any size, the sum over space comes last.

    It has no normalisation over the batch, which would tell real from made pictures by their company. The last map
    gets one channel that says how much the pictures of the batch differ (arXiv:1710.10196), against a generator that
    always makes the same.
    """

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        steps = len(finer_sizes(spec.shape[1:])) - 1
        widths = [min(width * 2**step, WIDEST * width) for step in range(steps + 1)]
        self.first = spectral_norm(nn.Conv2d(spec.channels, widths[0], 3, padding=1))
        self.steps = nn.Sequential(*(Coarser(pair) for pair in pairwise(widths)))
        self.last = spectral_norm(nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1))
        self.head = spectral_norm(nn.Linear(widths[-1], 1))
        self.of_class = spectral_norm(nn.Embedding(spec.outputs, widths[-1])) if spec.outputs else None

    def forward(self, pictures: Tensor, classes: Tensor | None) -> Tensor:
        """(B, C, Y, X) and (B,) to (B,)."""
        maps = self.steps(self.first(pictures))
        maps = functional.leaky_relu(self.last(torch.cat([maps, _spread(maps)], dim=1)), 0.2)
        # The sum, as the paper has it: a mean of normalised maps stays far inside of the hinge's margin.
        features = maps.sum(dim=(2, 3))
        said: Tensor = self.head(features)[:, 0]
        if self.of_class is not None and classes is not None:
            said = said + (self.of_class(classes) * features).sum(dim=1)
        return said


class Game(nn.Module):
    """Both players.

    Args:
        spec: Of the pictures; `outputs` is how many classes they have.
        noise: Numbers that a picture is made of.
        width: Channels at full size, of both.
    """

    gives: Gives = "samples"
    training_parts = ("critic",)

    def __init__(self, spec: InputSpec, noise: int, width: int) -> None:
        super().__init__()
        self.noise, self.channels = noise, (spec.channels,)
        self.generator = Maker(noise, spec.outputs, spec.channels, (spec.shape[1], spec.shape[2]), width)
        self.critic = Critic(spec, width)

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, D) and (B,) to (B, C, 1, Y, X) in -1..1."""
        made: Tensor = self.generator(noise, classes)
        return made

    def moves(self, part: str) -> Iterable[nn.Parameter]:
        """Each part moves one player."""
        return self.critic.parameters() if part == CRITIC else self.generator.parameters()

    def loss(self, part: str, images: Tensor, classes: Tensor | None) -> Tensor:
        """The hinge loss of one player; real and made pictures are augmented by the same draws."""
        noise = torch.randn((len(images), self.noise), device=images.device)
        if part == GENERATOR:
            with frozen(self.critic):
                made = self.generator(noise, classes).squeeze(2)
                wanted: Tensor = -self.critic(augmented(made, draw(made)), classes).mean()
            return wanted + SEEKING * sameness(made, images.squeeze(2).to(made.dtype), classes)
        with torch.no_grad():
            made = self.generator(noise, classes).squeeze(2)
        real = images.squeeze(2)
        drawn = draw(real)
        # Apart, not as one batch: the spread within a batch is what tells a collapsed generator.
        on_real = self.critic(augmented(real, drawn), classes)
        on_made = self.critic(augmented(made.to(real.dtype), drawn), classes)
        found: Tensor = functional.relu(1 - on_real).mean() + functional.relu(1 + on_made).mean()
        return found


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it no gradient of the module's parameters is recorded: a third of the judge's arithmetic is saved."""
    wanted = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


def sameness(made: Tensor, real: Tensor, classes: Tensor | None) -> Tensor:
    """How far made pictures of a class are from being as different from each other as real ones: 0, up to 1.

    A critic that knows the classes is content with one good picture of each. Seeking modes as in arXiv:1903.05628; the
    difference of the real pictures says when it is enough. Brightness and contrast of a picture do not count.

    Args:
        made: (B, C, Y, X).
        real: (B, C, Y, X) of the same classes.
        classes: (B,); None where there are none.
    """
    order = torch.arange(len(made), device=made.device) if classes is None else classes.argsort()
    one, other = order[:-1], order[1:]
    if classes is not None:
        same = classes[one] == classes[other]
        one, other = one[same], other[same]
    if not len(one):
        return made.new_zeros(())
    apart = [(plain[one] - plain[other]).abs().mean() for plain in (_plain(made), _plain(real))]
    return functional.relu(1 - apart[0] / apart[1].clamp_min(1e-3))


def _plain(pictures: Tensor) -> Tensor:
    """Coarse pictures of mean 0 and deviation 1."""
    coarse = functional.avg_pool2d(pictures, min(COARSE, *pictures.shape[2:]), ceil_mode=True)
    middle = coarse.mean(dim=(1, 2, 3), keepdim=True)
    return (coarse - middle) / (coarse.std(dim=(1, 2, 3), keepdim=True) + 1e-3)


def _halved(maps: Tensor) -> Tensor:
    return functional.avg_pool2d(maps, 2, ceil_mode=True)


def _spread(maps: Tensor) -> Tensor:
    """(B, 1, Y, X): the mean standard deviation over the batch; 0 for a batch of one."""
    spread = (maps.var(dim=0, correction=0) + 1e-8).sqrt().mean()
    return spread.expand(len(maps), 1, *maps.shape[2:])


class _Turn(nn.Module):
    """One part of a step as a forward pass, to estimate what it costs."""

    def __init__(self, game: Game, part: str) -> None:
        super().__init__()
        self.game, self.part = game, part

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, 1, Y, X) to the loss."""
        return self.game.loss(self.part, images, None)


class GanModel:
    """Flat pictures of any size."""

    takes = frozenset({"image"})
    dimensions = frozenset({2})
    gives: Gives = "samples"
    fitted: Literal["gradient", "once"] = "gradient"
    parts = tuple(Part(name, rate) for name, rate in RATES.items())

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"width": 32, "noise": 64}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        spatial(spec, "gan")
        return Game(spec, int(options["noise"]), int(options["width"]))

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        turns = [estimate(partial(_turn, part, spec, options), spec) for part in RATES]
        # One after the other: their arithmetic adds up, what is kept for the backward pass does not.
        most = max(turn.activation_bytes for turn in turns)
        return Cost(turns[0].parameters, sum(turn.gflop for turn in turns), most)


def _turn(part: str, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
    return _Turn(Game(spec, int(options["noise"]), int(options["width"])), part)


MODEL: ModelOfSamples = GanModel()
