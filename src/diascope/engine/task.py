"""The TASK protocol: everything the system needs to know about a task, asked in one place.

The loop, the stages, the reports and the command line ask these questions and never which task answers.
Decision 0004 says how it was found (four tasks at once) and froze it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Stratum, Target
from diascope.core.figure import Figure
from diascope.core.finding import Finding
from diascope.core.image import Image
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.core.problem import Problem
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.evidence.delong import Ranking
from diascope.models import Gives


@dataclass(frozen=True)
class Phase:
    """One part of a training step: whose parameters move, by which loss.

    Args:
        name: For the log.
        parameters: Picks the parameters out of the network.
        loss: Network and batch to a scalar.
        every: The phase runs at steps that this divides.
        rate: Factor on the plan's learning rate.
    """

    name: str
    parameters: Callable[[nn.Module], Iterable[nn.Parameter]]
    loss: Callable[[nn.Module, Batch], Tensor]
    every: int = 1
    rate: float = 1.0


@dataclass(frozen=True)
class Statistic:
    """A metric that can be computed on any choice of cases, so that evidence can resample it.

    Args:
        name: Key in the evaluation (`auroc`, `dice/anterior`).
        of: Indices of cases (with repeats) to a value; nan where undefined.
        unit: UCUM.
        better: Which way is better; `nearer` to the metric's best value, for those that can overshoot.
        interval: Its own 95 % interval from patient keys (clustered DeLong), instead of the bootstrap; None otherwise.
        counts: (N,) stratum of each case where a class count limits what may be claimed; None otherwise.
        ranking: Of an AUROC, the truth and scores that it is made of, so that two models' are compared by DeLong.
    """

    name: str
    of: Callable[[npt.NDArray[np.intp]], float]
    unit: str = "1"
    better: Literal["higher", "lower", "nearer"] = "higher"
    interval: Callable[[Sequence[str]], tuple[float, float]] | None = None
    counts: npt.NDArray[Any] | None = None
    ranking: Ranking | None = None


@dataclass(frozen=True)
class Audit:
    """What a task finds when what its network gives is laid beside the cases that the network learnt from.

    Args:
        statistics: Further metrics, on the cases that were scored.
        headline: Names of the most important ones.
        figures: Further figures.
        blocks: Why what was trained must not be released, one line each; empty where nothing speaks against it.
    """

    statistics: tuple[Statistic, ...] = ()
    headline: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """What a task measures on cases.

    Args:
        statistics: Every metric; the first `headline` names come first in a report.
        headline: Names of the most important metrics, most important first; the first one is watched in training.
        per_case: (N,) score of each case, to rank them (nan where undefined).
        values: Of statistics that are means over cases: name to what each case has alone (N,), nan where undefined.
        audit: Of tasks that must be laid beside their training cases before anything is released: rows of the training
            cases (made by `observe`, decided) to what is found. Asked once, after training; None for all others.
    """

    statistics: tuple[Statistic, ...]
    headline: tuple[str, ...]
    per_case: npt.NDArray[np.float64]
    values: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    audit: Callable[[Sequence[Row]], Audit] | None = None


@dataclass(frozen=True)
class Prediction:
    """What leaves: findings; a mask, boxes or an image that was made, on the grid of the input as it was read; images.

    `made` is the image that a program made of the input, in its unit, and `error` what it is expected to be wrong by.
    `features` (D,) float32 is what the encoder made of the input, where there is such a vector, and
    `distance` how far that is from the training cases, where the gate measures it; no task fills them in.
    """

    findings: tuple[Finding, ...]
    mask: Image | None = None
    images: tuple[Image, ...] = ()
    boxes: Boxes | None = None
    made: Image | None = None
    error: Image | None = None
    features: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    distance: float | None = field(default=None, compare=False)


class Task(Protocol):
    """What a file in `tasks/` provides as `TASK`.

    It may also have `several`: True where several networks answer by rule, each fitted without one fold of the training
    cases, as for rows of tables; and `as_said(plan)`: a decision that no case took part in (probabilities as they are,
    the most probable class), so that a recalibration can be held against it.
    """

    summary: str
    """What it does, one line."""
    needs: Gives
    """What its network needs from an encoder (`answer` models need no network at all)."""
    writes: tuple[str, ...]
    """What can leave: `findings`, `picture`, `mask`, `images`, `boxes`, `made`; `encoder` where it learns from
    images alone, so that other tasks start from its encoder (`diascope pretrain`)."""

    def claim(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Those of the possible targets that it can learn (an empty target for tasks that need none)."""
        ...

    def problems(self, cases: Sequence[Case], target: Target) -> list[Problem]:
        """What is wrong with the target: missing, outside the declared labels, too few of a class."""
        ...

    def stratum(self, case: Case, target: Target) -> Stratum:
        """What to balance a split by; all of it where a case is of several strata at once."""
        ...

    def choices(self, fingerprint: Fingerprint, target: Target) -> dict[str, Choice]:
        """The task's part of a plan: `model`, `loss`, `whole` (whole image or patches), `mirror`, ... with reasons.

        `answer` holds options that an estimator needs to answer this task, beside its own (`{"ordered": True}`); one
        that is called as a field of the plan takes that field's value, also where it was set by hand. `outputs` is how
        many numbers an answer is, where it is not one for each label.

        Of whole images it may say `longest_side` (pixels), or `grids` (longest sides that are tried, largest first),
        `enough_steps` (how long a schedule should be where there is time) and `passes` (over the training cases, at
        most); `audit_seconds` is what its audit takes, beside reading the training cases once more.

        Of texts it may choose `readings` itself, and add `whole` to that of a text: of every character something is
        said then. Training takes stretches as long as `patch`, and all windows are read (`engine/stretches.py`).
        """
        ...

    def encode(self, case: Case, masks: Mapping[str, npt.NDArray[Any]], target: Target) -> dict[str, npt.NDArray[Any]]:
        """The target of one case as arrays.

        Args:
            case: Holds the scalar targets, and boxes on the same grid as the masks.
            masks: Target column to (Z, Y, X) label map (of a target image its values) on the working grid (or the
                original one, for scoring).
            target: What is learnt.
        """
        ...

    def network(self, plan: Plan, encoders: Mapping[str, nn.Module]) -> nn.Module:
        """The network: `forward(inputs: dict[str, Tensor])` gives one tensor in `eval()`.

        `output` on the module says what that is: `vector` (B, K), `dense` (B, K, Z, Y, X), `image` (B, C, Z, Y, X),
        `boxes` (B, P, 6 + K): a candidate at each of P fixed positions, start and stop (z, y, x) in voxels of the
        working grid, then the score of each label, 0 to 1. A network of boxes also has `mirrored(candidates, axis)`,
        which brings what was said about a mirrored image back, and, where patches are learnt from, `places` (P, 3): the
        positions, by which windows are put together (`engine/tiling.py`). A dense network also has
        `reduce(logits (K, Z, Y, X)) -> (labels uint8, probability of the label)`. `values` is (B, 1, Z, Y, X): a number
        for every voxel, read window by window as `dense` is. `tokens` is (B, K, L + any number of columns): K scores of
        each place of an input in order, then columns that belong to no place.
        """
        ...

    def phases(self, plan: Plan) -> tuple[Phase, ...]:
        """The parts of one training step."""
        ...

    def observe(self, output: Output, example: Example, truth: Mapping[str, npt.NDArray[Any]], plan: Plan) -> Row:
        """What is kept of one case for calibration and scoring."""
        ...

    def fit_decision(self, rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
        """Calibration and operating point from validation rows, as JSON types."""
        ...

    def decide(self, row: Row, decision: Mapping[str, Any], plan: Plan) -> Row:
        """The row with calibrated values and calls added."""
        ...

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        """Decided rows to metrics."""
        ...

    def figures(self, rows: Sequence[Row], plan: Plan, decision: Mapping[str, Any]) -> tuple[Figure, ...]:
        """Curves, matrices, tables of decided rows."""
        ...

    def decode(self, output: Output, example: Example, decision: Mapping[str, Any], plan: Plan) -> Prediction:
        """What is said about one case."""
        ...
