"""Boosted trees of a row or a signal: scikit-learn's histogram boosting, the number of iterations cross-validated."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from diascope.core.errors import BadUsage, DiascopeError
from diascope.core.presence import LABELS
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.estimators.answers import CERTAIN, MEANINGS, Answer, Floats, Part
from diascope.models.estimators.columns import cleaned, counted
from diascope.models.estimators.flattened import ORDERED, Flattened, columns_of
from diascope.models.estimators.folds import Rows, choose, deal
from diascope.models.estimators.trees import Ints, TreeArrays, Trees

MOST_VALUES = 255
"""Of a category: scikit-learn puts each into a bin of its own."""
FEW_ITERATIONS = 50
"""Where the cases are too few to choose by."""
ROWS_A_LEAF, LEAVES = 100, (4, 31)
"""Training rows for each leaf of a tree, and the fewest and the most leaves. Small trees had the least log loss on
eight clinical tables of 155 to 768 rows, large ones on thousands of invented rows with interactions."""
GROWTH = ("learning_rate", "max_depth", "max_leaf_nodes", "min_samples_leaf", "l2_regularization", "max_features")
COMPARED, SAME = 1000, 1e-9
"""Training rows whose scores must be scikit-learn's own, up to this share of the largest."""


class Boosted(nn.Module):
    """Scores of `Trees`, and the answer that they make.

    Args:
        spec: Columns, categories and outputs.
        options: `ordered`, `labels`, `uncertain`, `max_depth`.

    Raises:
        BadUsage: When a category has more values than scikit-learn can tell apart.
    """

    gives: Gives = "answer"
    categories: Tensor

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.flattened, own = Flattened(spec), columns_of(spec)
        counts = counted(own)
        most = max(counts, default=0)
        if most > MOST_VALUES:
            raise BadUsage(
                f"boosting takes categories of at most {MOST_VALUES} values",
                given=f"{most} values in column {counts.index(most)}",
                todo="Leave that column out, or choose the model linear",
            )
        self.channels = (spec.outputs,)
        self.answer = Answer.of(spec, options)
        self.trees = Trees(own.channels, most, self.answer.scores, int(options["max_depth"]))
        self.register_buffer("categories", torch.tensor(counts), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D), or (B, C, T) in order, to (B, K) log-probabilities or log odds of labels, or to (B, 1) values."""
        return self.answer.finish(self.trees(cleaned(self.flattened(rows), self.categories)))


class Boosting:
    """Many shallow trees that each see some of the columns: clinical tables have hundreds of rows.

    Options: of the numbers of iterations up to `most_iterations` the one with the least log loss (or squared error) in
    an inner cross-validation of `folds` folds is taken. `max_leaf_nodes` of a tree are chosen by the number of rows
    where they are None. `learning_rate`, `max_depth`, `min_samples_leaf`, `l2_regularization` and `max_features` (share
    of the columns that each split may choose from) are scikit-learn's; `seed` is that of folds and columns; `ordered`,
    whether classes are to be seen as ordered; `labels` and `uncertain` as in `linear`: each label has trees of its own.
    """

    takes = ORDERED | {"table"}
    dimensions = frozenset({0, 1})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"category", "number", "ordered", LABELS})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {
            "most_iterations": 500,
            "learning_rate": 0.05,
            "max_depth": 6,
            "max_leaf_nodes": None,
            "min_samples_leaf": 5,
            "l2_regularization": 1.0,
            "max_features": 0.3,
            "folds": 5,
            "seed": 0,
            **MEANINGS,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Boosted(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        # The most that may be: of all trees the nodes, and the steps from root to leaf.
        trees, leaves = options["most_iterations"] * Answer.of(spec, options).scores, options["max_leaf_nodes"]
        return Cost(
            parameters=trees * 2 * (leaves or LEAVES[1]),
            gflop=8e-9 * trees * options["max_depth"],
            activation_bytes=64 * trees + 8 * columns_of(spec).channels,
        )

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[np.float32],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Fill the buffers from (N, D) rows, or (N, C, T) in order, and `class` (N,), `value` (N,) or `labels` (N, K).

        Raises:
            DataRefused: When the cases are of one class, or all alike in each label.
            DiascopeError: When scikit-learn keeps its trees in another way than is known here.
        """
        if not isinstance(module, Boosted):
            raise DiascopeError("this is not the module that boosting builds", given=type(module).__name__)
        answer, truth = module.answer, module.answer.truth(target)
        # float64 of the same float32: thresholds then part the rows as they will when predicting.
        rows = cleaned(module.flattened(torch.from_numpy(inputs)), module.categories).numpy()
        categorical, shown = module.categories.numpy() > 0, rows[:COMPARED]
        arrays = TreeArrays(module.trees)
        said = np.tile(answer.untold(truth), (len(shown), 1))
        arrays.baseline[:] = said[0]
        # Sums of several threads differ in their last bits, and with them the trees.
        with threadpool_limits(limits=1, user_api="openmp"):
            for part in answer.parts(truth):
                patients = None if "patient" not in target else target["patient"][part.rows]
                forest = tuned(part, rows[part.rows], categorical, patients, options)
                *_, scores = forest.staged(shown)
                said[:, list(part.places)] = scores[:, list(part.own)]
                forest.add_to(arrays, dict(zip(part.own, part.places, strict=True)))
        arrays.close()
        refuse_other_trees(module.trees, shown, said)


def tuned(
    part: Part,
    rows: Floats,
    categorical: npt.NDArray[np.bool_],
    patients: npt.NDArray[np.int64] | None,
    options: Mapping[str, Any],
) -> Forest:
    """Trees for (n, D) rows, with the number of iterations that is best out of fold."""
    answer, truth, most = part.answer, part.truth, int(options["most_iterations"])
    leaves = options["max_leaf_nodes"] or np.clip(len(rows) // ROWS_A_LEAF, *LEAVES)
    settings = {**options, "max_leaf_nodes": int(leaves)}

    def grown(some: Rows | slice, iterations: int) -> Forest:
        return Forest(answer, categorical, settings).fit(rows[some], truth[some], iterations)

    def held(train: Rows, test: Rows) -> Iterator[Floats]:
        return grown(train, most).staged(rows[test])

    dealt = deal(answer, truth, int(options["folds"]), int(options["seed"]), patients)
    place = choose(answer, truth, dealt, held) if dealt else min(FEW_ITERATIONS, most) - 1
    return grown(slice(None), place + 1)


def refuse_other_trees(trees: Trees, rows: Floats, said: Floats) -> None:
    """Refuse stored trees that do not say what scikit-learn's own say.

    Args:
        trees: Stored.
        rows: (B, D).
        said: (B, R) scores of scikit-learn's.

    Raises:
        DiascopeError: When they differ.
    """
    found = trees(torch.from_numpy(rows)).numpy()
    if np.abs(found - said).max() > SAME * max(1.0, np.abs(said).max()):
        raise DiascopeError(
            "this release of scikit-learn keeps its trees in another way than is known here",
            todo="Choose another model, or install another release of scikit-learn",
        )


class Forest:
    """Scikit-learn's estimators for all scores, on the columns that it can take.

    Args:
        answer: What the scores mean.
        categorical: (D,) which columns are categories.
        options: Those of the model.
    """

    def __init__(self, answer: Answer, categorical: npt.NDArray[np.bool_], options: Mapping[str, Any]) -> None:
        self.answer, self.categorical, self.options = answer, categorical, options
        self.columns: Ints = np.zeros(0, dtype=np.int64)
        self.known: list[Ints] = []
        self.baseline = np.zeros(answer.scores)
        self.iterations = 0
        self.estimators: list[tuple[Any, tuple[int, ...]]] = []

    def fit(self, rows: Floats, truth: Floats, iterations: int) -> Forest:
        """Grow trees on (N, D) rows, nan where a value is missing, and (N,) class numbers or values."""
        # Scikit-learn has no bins for a column without values. It sorts categories to the front.
        valued = np.flatnonzero(~np.isnan(rows).all(axis=0))
        self.columns = valued[np.argsort(~self.categorical[valued], kind="stable")]
        categories = [column for column in self.columns if self.categorical[column]]
        self.known = [np.unique(rows[:, c][~np.isnan(rows[:, c])]).astype(np.int64) for c in categories]
        table, self.iterations = self._table(rows), iterations

        def grow(kind: Any, truth: npt.NDArray[Any], places: Sequence[int]) -> None:
            estimator = kind(max_iter=iterations, **self._settings()).fit(table, truth)
            self.estimators.append((estimator, tuple(places)))

        if self.answer.kind == "number":
            grow(HistGradientBoostingRegressor, truth, (0,))
        elif self.answer.kind == "category":
            seen = np.unique(truth).astype(int)
            self.baseline[np.setdiff1d(np.arange(self.answer.classes), seen)] = -CERTAIN
            if len(seen) < 2:  # a fold may leave one class alone
                return self
            # Of two classes the second alone has a score; that of the first is 0.
            grow(HistGradientBoostingClassifier, truth, tuple(seen if len(seen) > 2 else seen[1:]))
        else:
            for cut in range(self.answer.scores):
                above = truth > cut
                if above.all() or not above.any():
                    self.baseline[cut] = CERTAIN if above.all() else -CERTAIN
                else:
                    grow(HistGradientBoostingClassifier, above, (cut,))
        return self

    def staged(self, rows: Floats) -> Iterator[Floats]:
        """Scores (B, R) after each iteration."""
        table = self._table(rows)
        if not self.estimators:
            yield from itertools.repeat(np.tile(self.baseline, (len(rows), 1)), self.iterations)
        for parts in zip(*(_staged(estimator, table) for estimator, _ in self.estimators), strict=True):
            scores = np.tile(self.baseline, (len(rows), 1))
            for (_, places), part in zip(self.estimators, parts, strict=True):
                scores[:, list(places)] = part
            yield scores

    def store(self, trees: Trees) -> None:
        """Fill the buffers of the module that predicts."""
        arrays = TreeArrays(trees)
        self.add_to(arrays)
        arrays.close()

    def add_to(self, arrays: TreeArrays, places: Mapping[int, int] | None = None) -> None:
        """Add the trees to those of the module that predicts.

        Args:
            arrays: To be added to.
            places: Own score to its place there; None where they are the same.
        """
        places = places or {score: score for score in range(self.answer.scores)}
        for own, place in places.items():
            arrays.baseline[place] = self.baseline[own]
        arrays.columns, arrays.known = self.columns, self.known
        for estimator, scores in self.estimators:
            arrays.add(estimator, [places[score] for score in scores])

    def _table(self, rows: Floats) -> Floats:
        # A column of zeros where there is none: scikit-learn wants one, and can split nothing by it.
        return rows[:, self.columns] if len(self.columns) else np.zeros((len(rows), 1))

    def _settings(self) -> dict[str, Any]:
        return {
            **{name: self.options[name] for name in GROWTH},
            "categorical_features": list(range(len(self.known))) or None,
            "early_stopping": False,
            "random_state": int(self.options["seed"]),
        }


def _staged(estimator: Any, table: Floats) -> Iterator[Floats]:
    """(B, T) scores after each iteration, T of them for each row."""
    step = estimator.staged_decision_function if hasattr(estimator, "classes_") else estimator.staged_predict
    for scores in step(table):
        yield scores.reshape(len(table), -1)


MODEL: FittedAtOnce = Boosting()
