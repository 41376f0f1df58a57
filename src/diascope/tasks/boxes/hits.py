"""What makes a box hit: in pictures the overlaps of COCO, in volumes those of nnDetection and LUNA16's rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diascope.evidence.boxes.matching import IN_VOLUMES, OVERLAPS, Matches, by_centre, matched

FIRST = 0
"""Level of the hits that probabilities, thresholds and counts go by."""


@dataclass(frozen=True)
class Hits:
    """Levels of hits, and which figures are read from which of them.

    Args:
        overlaps: From which a box hits, level by level.
        precision: Average precision by name: the levels that it is the mean over.
        free: FROC score by name: its level; the one after the overlaps goes by where the middle of a box lies.
        headline: The most important figures.
    """

    overlaps: tuple[float, ...]
    precision: Mapping[str, slice]
    free: Mapping[str, int]
    headline: tuple[str, ...]

    @property
    def centre(self) -> int | None:
        """The level of hits by the middle; None where there is none."""
        return next((level for level in self.free.values() if level >= len(self.overlaps)), None)

    def matches(self, row: Mapping[str, Any], number: int) -> Matches:
        """The boxes of one label in the image of a row against its truth, at every level."""
        mine, truth = row["labels"] == number, row["truth"][row["truth"][:, 6] == number]
        said = (row["corners"][mine], row["scores"][mine], truth[:, :6].astype(np.float64), truth[:, 7] != 0)
        found = matched(*said, least=self.overlaps)
        if self.centre is None:
            return found
        other = by_centre(*said)
        hits, ignored = np.concatenate([found.hits, other.hits]), np.concatenate([found.ignored, other.ignored])
        return Matches(found.scores, hits, ignored, found.truths)


IN_PICTURE = Hits(
    OVERLAPS,
    {"map50": slice(0, 1), "map50_95": slice(0, len(OVERLAPS))},
    {"froc": 0},
    ("map50", "map50_95", "froc", "sensitivity", "false_positives"),
)
IN_VOLUME = Hits(
    IN_VOLUMES,
    {"map10": slice(0, 1), "map50": slice(len(IN_VOLUMES) - 1, len(IN_VOLUMES)), "map10_50": slice(0, len(IN_VOLUMES))},
    {"froc": 0, "froc_centre": len(IN_VOLUMES)},
    ("map10", "map50", "froc", "froc_centre", "sensitivity", "false_positives"),
)
