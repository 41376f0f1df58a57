"""A treatment that stands in a column: who is comparable with those who got it, and what is said of like cases.

What is said under another treatment is only as good as the cases like this one that got it. The propensity (Rosenbaum
and Rubin 1983), a logistic model of the treatment on all other columns, tells how often like cases got each one. Where
hardly any did, nothing is said (Crump 2009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from diascope.core.plan import Fingerprint, Plan
from diascope.engine.arms import Arms

NAMES = (
    *("treatment", "treat", "treated", "trt", "rx", "arm", "therapy", "regimen", "horth", "hormone_therapy"),
    *("chemotherapy", "chemo", "radiotherapy", "surgery", "drug", "治疗", "治疗方式", "化疗", "放疗", "手术"),
)
"""Columns that hold a treatment, in lower case; of several the first in this list."""
MOST_VALUES = 4
"""Of a treatment."""
FEWEST = 20
"""Cases of a treatment below which nobody can say who is comparable."""
LEAST_CHANCE = 0.05
"""A treatment that fewer of the like cases got is not spoken of,"""
TAIL = 0.01
"""nor one that a case is less likely to get than all but so few of those who got it."""
RIDGE = 1e-2
FURTHEST = 5.0
"""Spreads from the middle at which a number is cut off."""
Floats = npt.NDArray[np.float64]


def treatments_in(facts: Fingerprint) -> tuple[str, dict[str, list[Any]]]:
    """The column that is named like a treatment (empty where none is), and the values of all that could be one.

    Args:
        facts: Columns of words are those with at most `MOST_VALUES`; of numbers those of two neighbouring whole ones.
    """
    found: dict[str, list[Any]] = {}
    for one in (column for facts_of in facts.inputs.values() for column in facts_of.table):
        if one.kind == "category" and 2 <= len(one.values) <= MOST_VALUES:
            found[one.name] = list(one.values)
        elif one.kind == "number" and _two_valued(one.quantiles):
            found[one.name] = [int(one.quantiles[0]), int(one.quantiles[-1])]
    plain = {name.strip().lower().replace(" ", "_"): name for name in found}
    return next((plain[name] for name in NAMES if name in plain), ""), found


def _two_valued(quantiles: Sequence[float]) -> bool:
    low, *_, high = quantiles
    # Of as many of one as of the other, the median lies between them.
    return float(low).is_integer() and high - low == 1 and set(quantiles) <= {low, (low + high) / 2, high}


@dataclass(frozen=True)
class Others:
    """The columns beside the treatment, as a logistic model takes them.

    Args:
        numbers: Place, middle and spread of each column of numbers.
        words: Place of each column of words, and how many it has.
    """

    numbers: tuple[tuple[int, float, float], ...]
    words: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, plan: Plan, arms: Arms) -> Others:
        """From the plan's scales and categories."""
        numbers, words = [], []
        settings = plan["readings"][arms.input]
        for place, column in enumerate(settings["columns"]):
            known = settings["categories"].get(column)
            if place == arms.place:
                continue
            if known is None:
                middle, spread = settings["scales"][column]
                numbers.append((place, float(middle), float(spread) or 1.0))
            else:
                words.append((place, len(known)))
        return cls(tuple(numbers), tuple(words))

    def design(self, rows: npt.ArrayLike) -> Floats:
        """(N, D) rows with nan for missing to (N, P): a constant, numbers, what is missing, words one by one."""
        table = np.atleast_2d(np.asarray(rows, float))
        parts = [np.ones(len(table))]
        for place, middle, spread in self.numbers:
            value = (table[:, place] - middle) / spread
            parts += [np.nan_to_num(np.clip(value, -FURTHEST, FURTHEST)), np.isnan(value).astype(float)]
        for place, count in self.words:
            parts += [(table[:, place] == number).astype(float) for number in range(count)]
        return np.column_stack(parts)


def fit_propensity(design: Floats, arm: npt.NDArray[np.intp], names: Sequence[str]) -> dict[str, Any]:
    """A ridge multinomial logistic model of the treatment, and the least chance at which each is spoken of.

    Args:
        design: (N, P).
        arm: (N,) number of the treatment.
        names: Of the treatments.

    Returns:
        `weights` (P, A) and `least` (A,); only a `reason` where a treatment has too few cases.
    """
    counts = np.bincount(arm, minlength=len(names))
    few = [f"{count} with {name}" for name, count in zip(names, counts, strict=True) if count < FEWEST]
    if few:
        return {"reason": f"fewer than {FEWEST} cases tell who is comparable: {', '.join(few)}"}
    truth = np.eye(len(names))[arm]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(design.shape[1], len(names))
        free = np.r_[0.0, np.ones(len(weights) - 1)][:, None]
        scores = design @ weights
        value = -(truth * log_softmax(scores, axis=1)).sum() / len(design) + RIDGE / 2 * float(
            (free * weights**2).sum()
        )
        gradient = design.T @ (softmax(scores, axis=1) - truth) / len(design) + RIDGE * free * weights
        return float(value), gradient.ravel()

    found = minimize(loss, np.zeros(design.shape[1] * len(names)), jac=True, method="L-BFGS-B")
    weights = found.x.reshape(design.shape[1], len(names))
    own = softmax(design @ weights, axis=1)
    least = [max(LEAST_CHANCE, float(np.quantile(own[arm == n, n], TAIL))) for n in range(len(names))]
    return {"weights": np.round(weights, 8).tolist(), "least": np.round(least, 6).tolist()}


def chances(design: Floats, fitted: Mapping[str, Any]) -> Floats:
    """(N, A) how often cases like each got each treatment."""
    return np.asarray(softmax(design @ np.asarray(fitted["weights"], float), axis=1))
