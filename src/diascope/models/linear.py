"""Linear models of a row or a signal with a tuned ridge: logistic (of labels one each), least squares, ordered."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn

from diascope.core.errors import BadUsage, DiascopeError
from diascope.core.presence import LABELS
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.estimators.answers import CERTAIN, MEANINGS, Answer, Floats, Part
from diascope.models.estimators.columns import Design, counted
from diascope.models.estimators.flattened import ORDERED, Flattened, columns_of
from diascope.models.estimators.folds import Rows, choose, deal

STRENGTHS = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
CLOSE, NEAR = 1e-8, 1e-6
"""Newton's method and L-BFGS stop when no entry of the mean loss's gradient is larger."""
MOST_STEPS = 10_000
WIDEST = 300
"""Coefficients up to which Newton's method is the quicker; beyond, L-BFGS."""


class Linear(nn.Module):
    """Scores that are linear in the columns of `Design`, and the answer that they make.

    Args:
        spec: Columns and outputs.
        options: `ordered`, `labels`, `uncertain`.
    """

    gives: Gives = "answer"
    weights: Tensor
    intercepts: Tensor

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.channels = (spec.outputs,)
        self.answer, self.flattened = Answer.of(spec, options), Flattened(spec)
        self.design = Design(columns_of(spec))
        scores, columns = self.answer.scores, self.design.columns
        self.register_buffer("weights", torch.zeros((scores, columns), dtype=torch.float64))
        self.register_buffer("intercepts", torch.zeros(scores, dtype=torch.float64))

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D), or (B, C, T) in order, to (B, K) log-probabilities or log odds of labels, or to (B, 1) values."""
        return self.answer.finish(self.design(self.flattened(rows)) @ self.weights.T + self.intercepts)


class LinearModel:
    """Scikit-learn's logistic regression and ridge regression on columns that are fit for them.

    Options: `strengths` of the ridge that are tried, as in `Ridge(alpha=...)` and `LogisticRegression(C=1 / ...)`;
    `folds` of the inner cross-validation that chooses the one with the least log loss (or squared error); `seed` of how
    cases are dealt to folds; `ordered`, whether classes are to be seen as ordered; `labels`, whether outputs are labels
    of which any may be present, and `uncertain`, what is then made of uncertain ones (`ignore`, `positive`,
    `negative`).
    """

    takes = ORDERED | {"table"}
    dimensions = frozenset({0, 1})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"category", "number", "ordered", LABELS})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"strengths": list(STRENGTHS), "folds": 5, "seed": 0, **MEANINGS}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Linear(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        spec = columns_of(spec)
        columns, scores = 2 * spec.channels + sum(counted(spec)), Answer.of(spec, options).scores
        return Cost(
            parameters=scores * (columns + 1), gflop=2e-9 * scores * columns, activation_bytes=8 * (columns + scores)
        )

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[np.float32],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Fill the buffers from (N, D) rows, or (N, C, T) in order, and `class` (N,), `value` (N,) or `labels` (N, K).

        Medians and scales are those of all rows; they know nothing of the target.

        Raises:
            BadUsage: When a strength is not positive.
            DataRefused: When the cases are of one class, or all alike in each label.
            DiascopeError: When a fit does not settle.
        """
        if not isinstance(module, Linear):
            raise DiascopeError("this is not the module that linear builds", given=type(module).__name__)
        strengths = sorted(map(float, options["strengths"]), reverse=True)
        if not strengths or strengths[-1] <= 0:
            raise BadUsage("the option strengths holds positive numbers", given=options["strengths"])
        answer, truth = module.answer, module.answer.truth(target)
        columns = module.design.fit(module.flattened(torch.from_numpy(inputs)))
        # What is constant has no weight; one column is kept where all are, for scikit-learn wants one.
        varies = columns.max(axis=0) > columns.min(axis=0)
        varies[0] |= not varies.any()
        varying = columns[:, varies]
        module.weights.zero_()
        module.intercepts.copy_(torch.from_numpy(answer.untold(truth)))
        for part in answer.parts(truth):
            patients = None if "patient" not in target else target["patient"][part.rows]
            weights, intercepts = tuned(part, varying[part.rows], strengths, patients, options)
            for own, place in zip(part.own, part.places, strict=True):
                module.weights[place, torch.from_numpy(varies)] = torch.from_numpy(weights[own])
                module.intercepts[place] = float(intercepts[own])


def tuned(
    part: Part,
    columns: Floats,
    strengths: Sequence[float],
    patients: npt.NDArray[np.int64] | None,
    options: Mapping[str, Any],
) -> tuple[Floats, Floats]:
    """Weights (R, P) and intercepts (R,) with the strength of the ridge that is best out of fold."""
    answer, truth = part.answer, part.truth

    def held(train: Rows, test: Rows) -> Iterator[Floats]:
        for strength in strengths:
            weights, intercepts = solved(answer, columns[train], truth[train], strength)
            yield columns[test] @ weights.T + intercepts

    dealt = deal(answer, truth, int(options["folds"]), int(options["seed"]), patients)
    place = choose(answer, truth, dealt, held) if dealt and len(strengths) > 1 else len(strengths) // 2
    return solved(answer, columns, truth, strengths[place])


def solved(answer: Answer, columns: Floats, truth: Floats, strength: float) -> tuple[Floats, Floats]:
    """Weights (R, P) and intercepts (R,) that minimise the loss of all cases together and the ridge.

    Raises:
        DiascopeError: When scikit-learn's solver does not settle.
    """
    weights, intercepts = np.zeros((answer.scores, columns.shape[1])), np.zeros(answer.scores)
    if answer.kind == "number":
        fitted = settled(Ridge(alpha=strength), columns, truth)
        return fitted.coef_.reshape(weights.shape), np.atleast_1d(fitted.intercept_)
    if answer.kind == "category":
        seen = np.unique(truth).astype(np.int64)
        intercepts[np.setdiff1d(np.arange(answer.classes), seen)] = -CERTAIN
        if len(seen) < 2:  # a fold may leave one class alone
            return weights, intercepts
        fitted = logistic(columns, truth, strength)
        # Of two classes the second alone has a score; that of the first is 0.
        scored = seen[-len(fitted.coef_) :]
        weights[scored], intercepts[scored] = fitted.coef_, fitted.intercept_
        return weights, intercepts
    for cut in range(answer.scores):
        above = truth > cut
        if above.all() or not above.any():
            intercepts[cut] = CERTAIN if above.all() else -CERTAIN
            continue
        fitted = logistic(columns, above, strength)
        weights[cut], intercepts[cut] = fitted.coef_[0], fitted.intercept_[0]
    return weights, intercepts


def logistic(columns: Floats, truth: npt.NDArray[Any], strength: float) -> LogisticRegression:
    """Scikit-learn's, fitted: by Newton's method where that is quick, else by L-BFGS.

    Raises:
        DiascopeError: When it does not settle.
    """
    classes = len(np.unique(truth))
    if columns.shape[1] * (classes if classes > 2 else 1) <= WIDEST:
        try:
            return settled(LogisticRegression(C=1 / strength, solver="newton-cholesky", tol=CLOSE), columns, truth)
        except DiascopeError:
            # It cannot take a step from the optimum, where it starts if no column says anything.
            pass
    return settled(LogisticRegression(C=1 / strength, tol=NEAR, max_iter=MOST_STEPS), columns, truth)


def settled(estimator: Any, columns: Floats, truth: npt.NDArray[Any]) -> Any:
    """The estimator, fitted; a warning that it did not get there is an error."""
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, LinAlgWarning):
            warnings.simplefilter("error", category)
        try:
            return estimator.fit(columns, truth)
        except (ConvergenceWarning, LinAlgWarning) as warning:
            raise DiascopeError(
                f"{type(estimator).__name__} did not settle: {warning}",
                todo="Leave the smallest numbers out of the option strengths",
            ) from warning


MODEL: FittedAtOnce = LinearModel()
