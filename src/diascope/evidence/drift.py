"""Has something changed? Tests of recent cases against a reference whose false alarms are as rare as is stated.

One look at a page holds many tests. Each is done at the level `level(tests)`, so that a look at which nothing has
changed gives an alarm at most as often as `FALSE_ALARMS` says (Bonferroni). All of them count cases as independent:
give one case of each patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc, betaincinv

from diascope.core.errors import BadUsage
from diascope.core.finding import Measure

FALSE_ALARMS = 0.01
"""Share of looks, at which nothing has changed, with any alarm."""
FEWEST = 20
"""Patients on each side below which nothing is tested."""
DRAWS = 9999
"""Of the permutation test: its smallest p is 1 in 10,000."""


def level(tests: int, rate: float = FALSE_ALARMS) -> float:
    """From which p on down one of several tests is an alarm.

    Args:
        tests: How many are done at one look.
        rate: Of looks with a false alarm.

    Raises:
        BadUsage: When there is no test, or the rate is no probability.
    """
    if tests < 1 or not 0 < rate < 1:
        raise BadUsage("a level needs tests, and a rate between 0 and 1", given=f"{tests} tests, rate {rate}")
    return rate / tests


def counts_differ(reference: Sequence[int], recent: Sequence[int], seed: int = 0) -> float:
    """P that two samples of classes are of the same distribution: chi-squared, by permutation.

    No cell is too small for it: tables with the same margins are drawn, and the p counts the given one, so that it is
    never too small (Phipson and Smyth 2010).

    Args:
        reference: (K,) number of cases of each class.
        recent: (K,) the same of the other sample.
        seed: Of the draws.

    Raises:
        BadUsage: When the numbers do not fit, or a sample is empty.
    """
    one, other = np.asarray(reference, np.int64), np.asarray(recent, np.int64)
    if one.shape != other.shape or one.ndim != 1 or (one < 0).any() or (other < 0).any():
        raise BadUsage("two samples of classes need a count of each class", given=f"{reference}, {recent}")
    if not one.sum() or not other.sum():
        raise BadUsage("a sample is empty", given=f"{reference}, {recent}")
    margin = one + other
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(margin, int(other.sum()), size=DRAWS)
    share = margin * (other.sum() / margin.sum())
    there = margin > 0  # with fixed margins chi-squared is a multiple of this sum

    def apart(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.asarray((((counts - share)[..., there]) ** 2 / share[there]).sum(axis=-1))

    as_far = np.count_nonzero(apart(drawn) >= apart(other) - 1e-9)
    return float((as_far + 1) / (DRAWS + 1))


def values_differ(reference: npt.NDArray[Any], recent: npt.NDArray[Any]) -> float:
    """P that two samples of numbers are of the same distribution: Kolmogorov and Smirnov, two-sided.

    Ties make it larger, never too small.

    Args:
        reference: (N,) finite.
        recent: (M,) finite.

    Raises:
        BadUsage: When a sample is empty or a number is not finite.
    """
    # Not above: it takes a second to import, and the service listens before.
    from scipy.stats import ks_2samp

    one, other = np.asarray(reference, np.float64), np.asarray(recent, np.float64)
    if not one.size or not other.size or not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise BadUsage("two samples of finite numbers are needed", given=f"{one.size} and {other.size} numbers")
    return float(ks_2samp(one, other, method="auto").pvalue)


def more_than(happened: int, cases: int, rate: float) -> float:
    """P that something happens no more often than a rate says: the upper tail of the binomial distribution.

    Args:
        happened: Number of cases where it did.
        cases: All of them.
        rate: That is stated.

    Raises:
        BadUsage: When the numbers do not fit.
    """
    _check(happened, cases)
    return 1.0 if happened == 0 else float(bdtrc(happened - 1, cases, rate))


def exact_share(happened: int, cases: int) -> Measure:
    """A share of independent cases with its exact 95 % interval (Clopper and Pearson 1934).

    Raises:
        BadUsage: When the numbers do not fit.
    """
    _check(happened, cases)
    low = 0.0 if happened == 0 else float(betaincinv(happened, cases - happened + 1, 0.025))
    high = 1.0 if happened == cases else float(betaincinv(happened + 1, cases - happened, 0.975))
    return Measure(value=happened / cases, low=low, high=high)


def _check(happened: int, cases: int) -> None:
    if cases < 1 or not 0 <= happened <= cases:
        raise BadUsage("a share needs cases, and no more of them than there are", given=f"{happened} of {cases}")
