"""How well two readers agree: series that two labelled, statistics of them, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping

from diascope.core.errors import DiascopeError
from diascope.core.finding import Measure
from diascope.evidence.agreement import of_boxes, of_classes, of_values, paired_boxes
from diascope.metrics.dice import dice
from diascope.serve.access.refusals import Missing
from diascope.serve.labelling.cases import Given
from diascope.serve.service import Service
from diascope.serve.viewing.drawings import drawing_row, named, voxels_of

MOST_MASKS = 40
"""Pairs of masks that are compared, the newest: each is two reads of the archive."""

_OVERLAPS: dict[tuple[str, str], dict[str, float]] = {}
"""Ids of two drawings to what was found: drawings never change, and a page that is looked at again need not wait."""
MOST_KEPT = 10_000


@dataclass(frozen=True)
class Pair:
    """A series that two readers labelled.

    Args:
        one: Of the reader whose id comes first: who read first says nothing, and kappa needs an order.
        other: Of the other.
    """

    one: Given
    other: Given

    @property
    def is_sure(self) -> bool:
        """Whether neither says "can't tell"."""
        return not (self.one.unsure or self.other.unsure)


@dataclass(frozen=True)
class Agreement:
    """How well two readers agree.

    Args:
        pairs: Series that two readers labelled.
        unsure: Of those, how many at least one of them could not tell: they are in no statistic.
        measures: Name to value with interval.
        differ: Pairs with another answer, the newest first: for masks those with the least overlap first.
        left_out: Pairs of masks that were not compared: older than the newest 40, or their voxels can't be read.
    """

    pairs: int
    unsure: int
    measures: Mapping[str, Measure]
    differ: Sequence[Pair]
    left_out: int = 0


def pairs_of(given: Sequence[Given]) -> list[Pair]:
    """Of each series the first two readers, in the order in which the second answered."""
    first: dict[int, Given] = {}
    found: dict[int, Pair] = {}
    for one in given:
        if one.series in found:
            continue
        if one.series in first:
            early = first[one.series]
            mine, theirs = sorted((early, one), key=lambda each: each.reader)
            found[one.series] = Pair(mine, theirs)
        first.setdefault(one.series, one)
    return list(found.values())


def agreement(service: Service, labelling: RowMapping, given: Sequence[Given]) -> Agreement:
    """How well two readers agree in a labelling.

    Args:
        service: Whose archive holds the masks.
        labelling: Its row.
        given: What counts of the answers.
    """
    pairs = pairs_of(given)
    sure = [one for one in pairs if one.is_sure]
    unsure = len(pairs) - len(sure)
    labels = labelling["labels"]
    one_can_not_tell = [one for one in reversed(pairs) if one.one.unsure != one.other.unsure]
    if not sure:
        return Agreement(len(pairs), unsure, {}, one_can_not_tell)
    if labelling["asks"] == "classes":
        found = _classes(sure, labels, labelling["exclusive"])
        differ = [one for one in reversed(sure) if _held(one.one) != _held(one.other)]
        return Agreement(len(pairs), unsure, found, differ + one_can_not_tell)
    if labelling["asks"] == "boxes":
        found = _boxes(sure, labels)
        differ = [one for one in reversed(sure) if not _same_boxes(one, labels)]
        return Agreement(len(pairs), unsure, found, differ + one_can_not_tell)
    found, differ, left_out = _masks(service, sure, labels)
    return Agreement(len(pairs), unsure, found, differ + one_can_not_tell, left_out)


def _held(one: Given) -> frozenset[str]:
    return frozenset(one.answer.get("classes", ()))


def _patients(pairs: Sequence[Pair]) -> list[str]:
    # Without a patient's number nobody knows whether two series are of one patient: each then counts for itself.
    return [one.one.patient or f"series {one.one.series}" for one in pairs]


def _classes(pairs: Sequence[Pair], labels: Sequence[str], exclusive: bool) -> dict[str, Measure]:
    one, other = ([_held(each) for each in some] for some in ([p.one for p in pairs], [p.other for p in pairs]))
    return of_classes(one, other, labels, exclusive, _patients(pairs))


def _counts(pair: Pair, label: str) -> tuple[int, int, int]:
    one, other = (_rows(given, label) for given in (pair.one, pair.other))
    return paired_boxes(one, other), len(one), len(other)


def _rows(given: Given, label: str) -> npt.NDArray[np.float64]:
    rows = [[*one["start"], *one["stop"]] for one in given.answer.get("boxes", ()) if one["label"] == label]
    return np.array(rows, np.float64).reshape(-1, 6)


def _boxes(pairs: Sequence[Pair], labels: Sequence[str]) -> dict[str, Measure]:
    patients, found = _patients(pairs), dict[str, Measure]()
    for label in labels:
        found |= of_boxes(f"f1/{label}", [_counts(pair, label) for pair in pairs], patients)
    return found


def _same_boxes(pair: Pair, labels: Sequence[str]) -> bool:
    return all(len({*_counts(pair, label)}) == 1 for label in labels)


def _masks(
    service: Service, pairs: Sequence[Pair], labels: Sequence[str]
) -> tuple[dict[str, Measure], list[Pair], int]:
    compared: list[tuple[Pair, dict[str, float]]] = []
    for pair in pairs[-MOST_MASKS:]:
        values = _overlap(service, pair, labels)
        if values is not None:
            compared.append((pair, values))
    patients, found = _patients([pair for pair, _ in compared]), dict[str, Measure]()
    for label in labels:
        found |= of_values(f"dice/{label}", [values[label] for _, values in compared], patients)
    differ = [(least, pair) for pair, values in compared if (least := _least(values)) < 1]
    differ.sort(key=lambda one: one[0])
    return found, [pair for _, pair in differ], len(pairs) - len(compared)


def _least(values: Mapping[str, float]) -> float:
    return min((one for one in values.values() if not np.isnan(one)), default=1.0)


def _overlap(service: Service, pair: Pair, labels: Sequence[str]) -> dict[str, float] | None:
    """Label to Dice, nan where neither drew it; None where the masks can't be compared."""
    key = (str(pair.one.answer.get("drawing", "")), str(pair.other.answer.get("drawing", "")))
    if key in _OVERLAPS:
        return _OVERLAPS[key]
    try:
        one, other = (dict(_layers(service, given.answer)) for given in (pair.one, pair.other))
    except DiascopeError:  # gone, an archive that does not answer, or another's bytes: counted as left out
        return None
    shape = next((each.shape for each in [*one.values(), *other.values()]), (0,))
    if any(each.shape != shape for each in [*one.values(), *other.values()]):
        return None
    nothing = np.zeros(shape, bool)
    found = {label: dice(one.get(label, nothing), other.get(label, nothing)) for label in labels}
    if len(_OVERLAPS) < MOST_KEPT:
        _OVERLAPS[key] = found
    return found


def _layers(service: Service, answer: Mapping[str, Any]) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    drawing = str(answer.get("drawing", ""))
    row = drawing_row(service, drawing)
    if row is None:
        raise Missing("drawing", drawing)
    voxels = voxels_of(service, row)
    for one in named(row):
        yield one.name, voxels == one.value
