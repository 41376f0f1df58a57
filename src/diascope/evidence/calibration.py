"""Do probabilities mean what they say? Offsets and temperature, the reliability curve, slope and intercept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from diascope.core.errors import BadUsage
from diascope.core.finding import Measure
from diascope.core.record import Record
from diascope.evidence.intervals import measure
from diascope.evidence.proportions import proportion
from diascope.metrics import recalibration
from diascope.metrics.bins import equal_mass

LOWEST, HIGHEST = 0.1, 10.0
"""Temperatures outside are not believed."""
_EDGE = 1.01
FEWEST_FOR_OFFSETS = 10
"""Cases of the rarest class below which the offsets of the classes are not learnt from the cases."""


class Temperature(Record):
    """One number that the logits are divided by (Guo 2017)."""

    value: float
    """1 leaves the probabilities as they are."""
    loss_before: float | None
    """Mean cross-entropy with the smoothed truth at temperature 1, in nats; None where it could not be computed."""
    loss_after: float | None
    """The same at `value`."""
    cases: int
    note: str = ""
    """Why the temperature was left at 1, where it was."""


class ReliabilityBin(Record):
    """Cases of similar probability: what was said against what was true."""

    lowest: float
    """Smallest probability in the bin."""
    highest: float
    """Largest probability in the bin."""
    said: float
    """Mean probability."""
    true: Measure
    """Share of positive cases, with its interval (Wilson, by patient)."""
    cases: int


def fit_temperature(logits: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Temperature:
    """The temperature of the least cross-entropy with the smoothed truth; left at 1, with a note, where none is sound.

    The truth is smoothed as Platt (1999) does, with the half case of Krichevsky and Trofimov in place of his whole one:
    for a class of n cases it is (n + 1/2) / (n + 1), the other classes share the rest. So there is a best temperature
    also where every case is on the right side (plain likelihood would call for 0), nearer to certainty the more cases
    say so; with many cases nothing changes.

    Args:
        logits: (N, K); (N,) or (N, 1) for a single logit of the positive class.
        truth: (N,) class numbers.

    Raises:
        BadUsage: When the shapes do not fit.
    """
    scores, classes = _scores(logits), np.asarray(truth).astype(np.intp)
    if classes.shape != (len(scores),) or (classes.size and not 0 <= classes.min() <= classes.max() < scores.shape[1]):
        raise BadUsage(
            "temperature scaling needs one class number below K for each row of logits (N, K)",
            given=f"logits {np.shape(logits)}, truth {np.shape(truth)}",
        )
    count = len(scores)
    if not count or not np.isfinite(scores).all():
        return _left(None, count, "some logits are not finite" if count else "there are no cases")

    wanted = _smoothed(classes, scores.shape[1])

    def loss(log_temperature: float) -> float:
        said = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-(wanted * said).sum(axis=1).mean())

    before = loss(0.0)
    # The loss is convex in 1 / T, hence has one minimum in log T.
    found = minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6, "maxiter": 200}
    )
    value, after = float(np.exp(found.x)), float(found.fun)
    if not after < before:
        return _left(before, count, "no temperature is better")
    if not LOWEST * _EDGE < value < HIGHEST / _EDGE:
        return _left(before, count, f"the best temperature is not between {LOWEST:g} and {HIGHEST:g}")
    return Temperature(value=value, loss_before=before, loss_after=after, cases=count)


def fit_offsets(
    logits: npt.NDArray[Any], truth: npt.NDArray[Any], weights: Sequence[float] | None = None
) -> npt.NDArray[np.float64]:
    """What is added to the logits before the temperature, so that classes are as frequent as they are said to be.

    A loss that weighs class k by w answers w times too often: log w is taken back. Where every class has
    `FEWEST_FOR_OFFSETS` cases, the offsets are learnt, together with the temperature, in the same loss as
    `fit_temperature` (bias-corrected temperature scaling, Alexandari 2020).

    Args:
        logits: (N, K).
        truth: (N,) class numbers.
        weights: (K,) of the classes in the loss of the training; None is one for all.

    Returns:
        (K,) with mean 0.
    """
    scores, classes = np.asarray(logits, np.float64), np.asarray(truth).astype(np.intp)
    number = scores.shape[1]
    known = -np.log(np.ones(number) if weights is None else np.asarray(weights, np.float64))
    known -= known.mean()
    if np.bincount(classes, minlength=number).min() < FEWEST_FOR_OFFSETS or not np.isfinite(scores).all():
        return np.asarray(known)
    wanted = _smoothed(classes, number)

    def loss(values: npt.NDArray[Any]) -> tuple[float, npt.NDArray[Any]]:
        """Of the inverse temperature and the offsets divided by the temperature, in which it is convex."""
        lines = values[0] * scores + values[1:]
        excess = (softmax(lines, axis=1) - wanted) / len(scores)
        slope = np.concatenate([[(excess * scores).sum()], excess.sum(axis=0)])
        return float(-(wanted * log_softmax(lines, axis=1)).sum(axis=1).mean()), slope

    bounds = [(1 / HIGHEST, 1 / LOWEST)] + [(None, None)] * number
    found = minimize(loss, np.concatenate([[1.0], known]), jac=True, method="L-BFGS-B", bounds=bounds).x
    if not _EDGE / HIGHEST < found[0] < 1 / (LOWEST * _EDGE):
        return np.asarray(known)
    offsets = found[1:] / found[0]
    return np.asarray(offsets - offsets.mean())


def probabilities(logits: npt.NDArray[Any], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Calibrated probabilities (N, K) of logits (N, K); a single logit becomes two classes."""
    return np.asarray(softmax(_scores(logits) / temperature, axis=1), np.float64)


def reliability(
    truth: npt.NDArray[Any], probability: npt.NDArray[Any], patients: Sequence[str]
) -> tuple[ReliabilityBin, ...]:
    """The reliability curve: bins of equal mass, as in `metrics/ece.py`.

    Args:
        truth: (N,) bool.
        probability: (N,) of the positive class.
        patients: (N,) patient key of each case.

    Returns:
        Bins by ascending probability; none without cases.
    """
    if not len(probability):
        return ()
    order = np.argsort(probability, kind="stable")
    ordered = np.asarray(probability, np.float64)[order]
    bins = []
    for part in np.split(np.arange(order.size), equal_mass(ordered)[1:]):
        members = order[part]
        value, low, high = proportion(np.asarray(truth)[members], [patients[index] for index in members])
        bins.append(
            ReliabilityBin(
                lowest=float(ordered[part[0]]),
                highest=float(ordered[part[-1]]),
                said=float(ordered[part].mean()),
                true=Measure(value=value, low=low, high=high),
                cases=len(part),
            )
        )
    return tuple(bins)


def slope_and_intercept(
    truth: npt.NDArray[Any],
    probability: npt.NDArray[Any],
    patients: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Measure, Measure]:
    """Calibration slope (1 is right) and calibration in the large (0 is right), with 95 % intervals by patient.

    Args:
        truth: (N,) bool.
        probability: (N,) of the positive class.
        patients: (N,) patient key of each case.
        resamples: Number of resamples.
        seed: Of the resamples.
    """
    truth, probability = np.asarray(truth).astype(bool), np.asarray(probability)

    def slope(cases: npt.NDArray[np.intp]) -> float:
        return recalibration.slope_and_intercept(truth[cases], probability[cases])[0]

    def intercept(cases: npt.NDArray[np.intp]) -> float:
        return recalibration.offset(truth[cases], probability[cases])

    return (
        measure(slope, patients, counts=truth, resamples=resamples, seed=seed),
        measure(intercept, patients, counts=truth, resamples=resamples, seed=seed),
    )


def _left(loss: float | None, cases: int, why: str) -> Temperature:
    return Temperature(value=1.0, loss_before=loss, loss_after=loss, cases=cases, note=f"left at 1: {why}")


def _smoothed(classes: npt.NDArray[np.intp], number: int) -> npt.NDArray[np.float64]:
    """Target probabilities (N, K): half a case of another class is added to those of each class."""
    cases = np.bincount(classes, minlength=number)[classes][:, None]
    others = np.broadcast_to(0.5 / (cases + 1) / max(number - 1, 1), (len(classes), number))
    own = np.arange(number) == classes[:, None]
    return np.asarray(np.where(own, (cases + 0.5) / (cases + 1), others))


def _scores(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    scores = np.asarray(logits, np.float64)
    scores = scores[:, None] if scores.ndim == 1 else scores
    return np.concatenate([np.zeros_like(scores), scores], axis=1) if scores.shape[1] == 1 else scores
