"""A two-player game (Goodfellow 2014): a generator makes pictures, a critic tells them from those of the data set.

Nothing is said about a case, so there is no target. What it shows is that one loop trains two phases against each
other, and that a release may write pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from math import prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.figure import Figure, Gallery
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import input_specs
from diascope.engine.network import OutputShape
from diascope.engine.task import Phase, Prediction, Scores, Statistic, Task
from diascope.models import Gives, InputSpec
from diascope.reports.pictures import slice_picture

NOTHING = Target(name="pictures", kind="none", columns=())
NOISE = 16
"""Numbers that a picture is made of."""
TURNS = 40.0
"""Radians of phase per deviation of a projection: two pictures that differ a little give unrelated noise."""
GRID = 4
"""The feature space of the score: means of GRID x GRID parts of the normalised picture, each channel apart."""
SHOWN = 8
Floats = npt.NDArray[np.float64]


class Game(nn.Module):
    """Both players.

    In training the noise is fresh. At reading it is a fixed function of the case's picture, so that the same input
    gives the same answer whatever else is in its batch.
    """

    output: OutputShape = "image"
    projection: Tensor

    def __init__(self, critic: nn.Module, generator: nn.Module, pixels: int) -> None:
        super().__init__()
        self.critic, self.generator = critic, generator
        self.head = nn.Linear(critic.channels[0], 1)  # type: ignore[index,arg-type]
        self.register_buffer("projection", torch.randn(pixels, NOISE) / pixels**0.5)

    def judge(self, images: Tensor) -> Tensor:
        """(B,): above 0 where the critic takes a picture for one of the data set."""
        return self.head(self.critic(images))[:, 0]  # type: ignore[no-any-return]

    def make(self, images: Tensor) -> Tensor:
        """A picture for each of (B, C, 1, Y, X), from noise of mean 0 and deviation 1 that is drawn from it."""
        noise = 2**0.5 * torch.sin(TURNS * images.flatten(1).float() @ self.projection)
        return self.generator(noise)  # type: ignore[no-any-return]

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, C, 1, Y, X)."""
        return self.make(inputs["image"])


class ToyGan:
    """Two phases a step, the critic first; the score is a distance between made and real pictures."""

    summary = "pictures like those of the data set, by two networks that play against each other"
    needs: Gives = "vector"
    writes: tuple[str, ...] = ("findings", "picture", "images")

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        return (NOTHING,)

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        return []

    def stratum(self, case: Case, target: Target) -> str:
        return ""

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        return {
            "whole": Choice(value=True, kind="fixed", reason="the whole picture is made at once"),
            "model": Choice(value="toy_critic", kind="fixed", reason="judges; what it reads is the data set"),
            "generator": Choice(value="toy_generator", kind="fixed", reason="makes pictures of noise"),
            "learning_rate": Choice(value=2e-3, kind="fixed", reason="small networks"),
            "betas": Choice(value=[0.5, 0.99], kind="fixed", reason="little momentum: the opponent moves (DCGAN)"),
            "augment": Choice(value="none", kind="fixed", reason="what is changed would be learnt and made"),
            "foreground": Choice(value=0.0, kind="fixed", reason="no patches"),
        }

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        return {}

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        real = input_specs(plan)["image"]
        spec = InputSpec("none", channels=NOISE, dimensions=0, shape=real.shape, outputs=real.channels)
        maker = registry.get("models", plan["generator"])
        return Game(encoders["image"], maker.build(spec, maker.options(spec)), real.channels * prod(real.shape))

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        return (
            Phase("critic", _critic_parameters, _critic_loss),
            Phase("generator", lambda network: cast(Game, network).generator.parameters(), _generator_loss),
        )

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        made = output.values.astype(np.float32)
        return {
            "case": example.case.id,
            "real": features(example.inputs["image"]),
            "made": features(made),
            "picture": made,
        }

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        return {}

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        return row

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        real, made = (np.array([row[name] for row in rows], dtype=float) for name in ("real", "made"))
        statistics = (
            Statistic("frechet_4x4", partial(distance, real, made), better="lower"),
            Statistic("spread", partial(_spread, real, made), better="nearer"),
        )
        return Scores(statistics, ("frechet_4x4", "spread"), np.full(len(rows), np.nan))

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        chosen = rows[:: max(1, len(rows) // SHOWN)][:SHOWN]
        pictures = tuple(slice_picture(_image(row["picture"]), case=row["case"]) for row in chosen)
        return (Gallery(title="Samples", pictures=pictures, note="made of noise; no picture of a patient"),)

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        return Prediction((), images=(_image(output.values),))


def _critic_parameters(network: nn.Module) -> Iterable[nn.Parameter]:
    game = cast(Game, network)
    return chain(game.critic.parameters(), game.head.parameters())


def _critic_loss(network: nn.Module, batch: Batch) -> Tensor:
    game, real = cast(Game, network), batch.inputs["image"]
    with torch.no_grad():
        made = game.make(torch.randn_like(real))
    return functional.softplus(-game.judge(real)).mean() + functional.softplus(game.judge(made)).mean()


def _generator_loss(network: nn.Module, batch: Batch) -> Tensor:
    """The non-saturating form: the generator wants the critic to be wrong."""
    game = cast(Game, network)
    return functional.softplus(-game.judge(game.make(torch.randn_like(batch.inputs["image"])))).mean()


def features(picture: npt.NDArray[np.float32]) -> list[float]:
    """(C, Z, Y, X) to C x 16 means, see `GRID`."""
    pooled = functional.adaptive_avg_pool3d(torch.from_numpy(np.ascontiguousarray(picture)), (1, GRID, GRID))
    return [float(value) for value in pooled.flatten()]


def distance(real: Floats, made: Floats, index: npt.NDArray[np.intp]) -> float:
    """Squared Fréchet distance of two normal distributions whose features (N, D) are independent (Dowson 1982)."""
    if not len(index):
        return float("nan")
    one, other = real[index], made[index]
    return float(((one.mean(0) - other.mean(0)) ** 2 + (one.std(0) - other.std(0)) ** 2).sum())


def _spread(real: Floats, made: Floats, index: npt.NDArray[np.intp]) -> float:
    """How much made pictures differ from each other, as a share of how much real ones do."""
    wanted = float(real[index].std(axis=0).mean()) if len(index) else 0.0
    return float(made[index].std(axis=0).mean()) / wanted if wanted else float("nan")


def _image(values: npt.NDArray[Any]) -> Image:
    return Image(np.asarray(values, dtype=np.float32), Geometry.unknown())


TASK: Task = ToyGan()
