"""What the numbers of a file mean, as log-probabilities of classes or log odds of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit, log_softmax, logit

from diascope.core.errors import DataRefused

Floats = npt.NDArray[np.float64]
FLOOR = 1e-7
"""The least probability that is believed: a file that says 0 has no logarithm."""
NEAR = 0.01
"""Probabilities of all classes may add up to so much more or less than 1: half precision."""


def scores(answers: npt.NDArray[Any], options: Mapping[str, Any]) -> Floats:
    """(B, N) numbers of a file to (B, K) log-probabilities of the classes, or log odds of the labels.

    Args:
        answers: Of the file.
        options: `activation`, `applied`, `picks` (which number is that of each label; None: of two classes the one
            that has no output), `labels`, see `models/given.py`.

    Raises:
        DataRefused: When they are not what the manifest says.
    """
    values = checked(np.asarray(answers, np.float64), options)
    picks: Sequence[int | None] = options["picks"]
    if options["activation"] == "softmax":
        found = np.log(values.clip(FLOOR)) if options["applied"] else log_softmax(values, axis=1)
    else:
        found = logit(values.clip(FLOOR, 1 - FLOOR)) if options["applied"] else values
        if not options["labels"] and None not in picks:
            # Each class for itself: that they add up to 1 is for the softmax that calibration ends in.
            found = log_expit(found)
    # Of two classes of which one has log odds, the other has 0.
    return np.stack([np.zeros(len(found)) if pick is None else found[:, pick] for pick in picks], axis=1)


def checked(values: Floats, options: Mapping[str, Any]) -> Floats:
    """The numbers, where they are what the manifest says.

    Raises:
        DataRefused: When some are not finite, are no probabilities where they should be, or the other way round.
    """
    if not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).any(axis=1).sum())
        raise DataRefused(
            f"the model answers {wrong} of {len(values)} cases with numbers that are not finite",
            given=_some(values[~np.isfinite(values).all(axis=1)][0]),
            todo="See that `intensity` in the manifest is how the images of its training were scaled",
        )
    inside = bool(((values >= -NEAR) & (values <= 1 + NEAR)).all())
    adds_up = values.shape[1] > 1 and bool(np.allclose(values.sum(axis=1), 1, atol=NEAR))
    softmax = options["activation"] == "softmax"
    if options["applied"] and (not inside or (softmax and not adds_up)):
        raise DataRefused(
            "the model does not answer with probabilities, and the manifest says that the activation is applied",
            given=_some(values[0]),
            todo='Write "applied": false, or another activation',
        )
    if not options["applied"] and softmax and inside and adds_up:
        raise DataRefused(
            "the model answers with probabilities already, and the manifest says that no activation is applied",
            given=_some(values[0]),
            todo='Write "applied": true',
        )
    return values


def _some(values: Floats) -> str:
    return ", ".join(f"{value:.4g}" for value in values[:5]) + (", ..." if len(values) > 5 else "")
