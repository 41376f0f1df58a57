"""How unsure one may be of a series: a small logistic regression on what was labelled, or what a release says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

FEWEST = 3
"""Series of each class before anything is learnt."""
STRENGTH = 10.0
"""scikit-learn's `C`, of vectors whose mean square length is 1 after centring."""


def said(answer: Mapping[str, Any]) -> frozenset[str] | None:
    """The labels that an answer holds; None where it does not tell without its voxels (drawings)."""
    if "classes" in answer:
        return frozenset(answer["classes"])
    if "boxes" in answer:
        return frozenset(one["label"] for one in answer["boxes"])
    return None


def uncertainties(
    labels: Sequence[str],
    exclusive: bool,
    labelled: Sequence[tuple[int, frozenset[str]]],
    vectors: Mapping[int, Floats],
    wanted: Sequence[int],
) -> dict[int, float]:
    """Id to entropy over its largest value, 0 to 1, of the series that wait; nothing as long as too little is labelled.

    Args:
        labels: That are asked for.
        exclusive: Whether one of them holds; else each may or may not, and the least sure one counts.
        labelled: Id of a series and the labels that a reader gave it.
        vectors: Id to what it looks like.
        wanted: Ids of those that wait.
    """
    known = [(one, given) for one, given in labelled if one in vectors]
    pool = [one for one in wanted if one in vectors]
    if not known or not pool:
        return {}
    there, here = (np.stack([vectors[one] for one in some]) for some in ([one for one, _ in known], pool))
    there, here = _scaled(there, here)
    if exclusive:
        sets = [np.array([_place(given, labels) for _, given in known])]
    else:
        sets = [np.array([int(label in given) for _, given in known]) for label in labels]
    found = [_entropy(_learnt(there, one, here)) for one in sets if _is_enough(one, len(labels) if exclusive else 2)]
    if not found:
        return {}
    return {one: float(value) for one, value in zip(pool, np.round(np.max(found, axis=0), 6), strict=True)}


def of_probabilities(probabilities: Sequence[float]) -> float | None:
    """Entropy, 0 to 1, of what a release said: of several findings the least sure one counts; None without any."""
    if not probabilities:
        return None
    both = np.array([[one, 1 - one] for one in np.clip(probabilities, 0, 1)])
    return round(float(_entropy(both).max()), 6)


def _place(given: frozenset[str], labels: Sequence[str]) -> int:
    return next((number for number, label in enumerate(labels) if label in given), 0)


def _is_enough(classes: npt.NDArray[Any], expected: int) -> bool:
    counts = np.bincount(classes, minlength=expected)
    return bool((counts >= FEWEST).all())


def _scaled(there: Floats, here: Floats) -> tuple[Floats, Floats]:
    """Centred, and of mean square length 1, so that one strength fits every kind of vector."""
    middle = np.concatenate([there, here]).mean(axis=0)
    there, here = there - middle, here - middle
    size = float(np.sqrt(np.mean(np.sum(np.concatenate([there, here]) ** 2, axis=1))))
    return there / max(size, 1e-12), here / max(size, 1e-12)


def _learnt(there: Floats, classes: npt.NDArray[Any], here: Floats) -> npt.NDArray[np.float64]:
    """(N, K) probabilities; without a random start, so that the same answers give the same order."""
    from sklearn.linear_model import LogisticRegression  # it takes seconds to import, and routes ask for this module

    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300)
    probabilities: npt.NDArray[np.float64] = model.fit(there, classes).predict_proba(here)
    return probabilities


def _entropy(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N,) entropy of rows, over that of equal shares."""
    safe = np.clip(probabilities, 1e-12, 1)
    found: npt.NDArray[np.float64] = -(safe * np.log(safe)).sum(axis=1) / np.log(probabilities.shape[1])
    return np.clip(found, 0, 1)
