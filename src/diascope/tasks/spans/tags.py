"""Spans as one tag a character, and back: BIOES (Ratinov and Roth 2009).

Tag 0 is outside of every span. Label v (1, 2, ...) has four tags: the first character of a span, one within, the last,
and the only one of a span of one character. What may follow what is a property of the tags alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.bool_]
FIRST, WITHIN, LAST, ALONE = 1, 2, 3, 4
"""Places of a tag within the four of its label."""


def tag_count(labels: int) -> int:
    """Tags of so many labels."""
    return 1 + 4 * labels


def tag_of(label: int, place: int) -> int:
    """The tag of a label (1, 2, ...) at a place of its spans."""
    return 4 * (label - 1) + place


def parts_of(tag: int) -> tuple[int, int]:
    """Label and place of a tag; (0, 0) outside."""
    return ((tag - 1) // 4 + 1, (tag - 1) % 4 + 1) if tag else (0, 0)


def tags_of(label: Tensor, first: Tensor) -> Tensor:
    """Tags (B, L) of characters.

    Args:
        label: (B, L) label of the span that a character lies in; 0 outside.
        first: (B, L) whether a span starts there.
    """
    label, first = label.long(), first.bool()
    inside = label > 0
    goes_on = torch.zeros_like(inside)
    goes_on[:, :-1] = inside[:, :-1] & (label[:, 1:] == label[:, :-1]) & ~first[:, 1:]
    place = torch.where(
        first, torch.where(goes_on, FIRST, ALONE), torch.where(goes_on, torch.full_like(label, WITHIN), LAST)
    )
    return torch.where(inside, 4 * (label - 1) + place, 0)


def spans_of(tags: Sequence[int]) -> list[tuple[int, int, int]]:
    """Start, stop and label of each span of a path of tags that may follow each other."""
    found, start = [], 0
    for place, tag in enumerate(tags):
        label, part = parts_of(int(tag))
        if part in (FIRST, ALONE):
            start = place
        if part in (LAST, ALONE):
            found.append((start, place + 1, label))
    return found


def may_follow(labels: int) -> Array:
    """(K, K) whether the column's tag may stand after the row's."""
    count = tag_count(labels)
    found = np.zeros((count, count), dtype=bool)
    for before in range(count):
        for after in range(count):
            (label, place), (next_label, next_place) = parts_of(before), parts_of(after)
            if place in (FIRST, WITHIN):
                found[before, after] = next_label == label and next_place in (WITHIN, LAST)
            else:
                found[before, after] = next_place in (0, FIRST, ALONE)
    return found


def may_begin(labels: int) -> Array:
    """(K,) whether a text may begin with a tag."""
    return np.array([parts_of(tag)[1] in (0, FIRST, ALONE) for tag in range(tag_count(labels))])


def may_end(labels: int) -> Array:
    """(K,) whether a text may end with a tag."""
    return np.array([parts_of(tag)[1] in (0, LAST, ALONE) for tag in range(tag_count(labels))])
