"""Whether the columns of a table are the samples of a signal, and which: by their names and by how smoothly they run.

Neither is enough alone. `gene_1` to `gene_2000` are named like samples and are none; a table of lung function, year by
year, is smooth. So columns must be named as running samples (or have no names at all), and neighbours must be alike as
samples are that follow each other. Of two exchangeable columns they are not: on eleven clinical tables, radiomic
features and invented gene counts the successive difference (`SUCCESSIVE`) was 1.2 to 2.7, on heart beats 0.14.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diascope.core.errors import DiascopeError
from diascope.formats.tables.encoding import head_of
from diascope.formats.waveforms.numbers import SUFFIXES, Numbers, head_of_numbers
from diascope.sources.tables.columns import plain

FEWEST = 16
"""Samples that make a signal; without names a table needs more of them."""
FEWEST_NAMELESS = 24
SUCCESSIVE = 1.0
"""Von Neumann's ratio of a row: mean squared step over variance. It is 2 where neighbours have nothing to do with each
other, and below 1 where they correlate by more than a half (von Neumann 1941)."""
ALIKE = 0.5
"""Correlation of neighbouring columns over the rows, at least."""
SPREAD, SPREAD_OF_MOST = 2.0, 6.0
"""Ratio of the spreads of neighbouring columns, at most: in the middle, and of nine in ten."""
ENOUGH_ROWS = 8
"""Rows below which columns are not correlated."""
MOST_CLASSES = 20
TARGET_NAME = "class"
"""What the class of a table without names is called: one of the names that mean a target."""
ROWS, HEAD = 200, 1 << 22
"""Rows, and characters, that are looked at."""
NO_SAMPLES = ("pixel", "px", "gene", "feature", "feat", "snp", "cg", "rs", "probe", "topic", "emb", "embedding")
"""Stems of running columns that are something else, however smooth."""

Floats = npt.NDArray[np.float64]

_RUNNING = re.compile(r"(?P<stem>.*?)[\s_.\-]*(?P<number>\d+)")


@dataclass(frozen=True)
class Samples:
    """Where the samples of a table stand.

    Args:
        spans: First and last column of each channel, by their place.
        header: Whether the columns have names.
        names: Names of all columns; `column_1`, ... where they have none, and `class` for the one that is it.
        why: In words.
    """

    spans: tuple[tuple[int, int], ...]
    header: bool
    names: tuple[str, ...]
    why: str

    @property
    def others(self) -> tuple[int, ...]:
        """Places of the columns that are no samples."""
        taken = {place for first, last in self.spans for place in range(first, last + 1)}
        return tuple(place for place in range(len(self.names)) if place not in taken)


def samples_in(path: Path) -> Samples | None:
    """Where the samples of a table stand, None where it holds none. Looks at its beginning only; never raises."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    try:
        table = head_of_numbers(path, head_of(path, HEAD), ROWS)
    except (OSError, ValueError, DiascopeError):
        return None
    if len(table.names) < FEWEST:
        return None
    return _named(table) if table.header else _nameless(table)


def _named(table: Numbers) -> Samples | None:
    spans = [span for span in _runs(table.names) if _run_smoothly(table, [span])]
    longest = max((last - first for first, last in spans), default=0)
    spans = [span for span in spans if span[1] - span[0] == longest]
    if not spans:
        return None
    first, last = spans[0]
    channels = "" if len(spans) == 1 else f" in {len(spans)} channels"
    why = (
        f"the columns {table.names[first]!r} to {table.names[last]!r} run on smoothly: {longest + 1} samples{channels}"
    )
    return Samples(tuple(spans), True, table.names, why)


def _runs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Columns that are called alike but for a number that counts up by one."""
    parts = [_RUNNING.fullmatch(name.strip()) for name in names]
    found: list[tuple[int, int]] = []
    start = 0
    for place in range(1, len(names) + 1):
        before, here = parts[place - 1], parts[place] if place < len(names) else None
        if before and here and before["stem"] == here["stem"] and int(here["number"]) == int(before["number"]) + 1:
            continue
        stem = plain(before["stem"]) if before else ""
        if place - start >= FEWEST and stem not in NO_SAMPLES:
            found.append((start, place - 1))
        start = place
    return found


def _nameless(table: Numbers) -> Samples | None:
    """The columns of a table of nothing but numbers, but for a class that stands first or last."""
    width = len(table.names)
    if width < FEWEST_NAMELESS + 1:
        return None
    classes = [place for place in (0, width - 1) if _is_class(table, place)]
    for place in (*classes, None):
        first, last = (1 if place == 0 else 0), (width - 2 if place == width - 1 else width - 1)
        if _run_smoothly(table, [(first, last)]):
            named = {} if place is None else {place: TARGET_NAME}
            names = tuple(named.get(column, f"column_{column + 1}") for column in range(width))
            where = "" if place is None else f", and a class that stands {'last' if place else 'first'}"
            why = f"{last - first + 1} columns without names run on smoothly: samples{where}"
            return Samples(((first, last),), False, names, why)
    return None


def _is_class(table: Numbers, place: int) -> bool:
    """Whether a column holds few whole numbers, or few words, that come again."""
    cells = [one for one in table.cells(place) if one is not None]
    known = table.values[:, place][np.isfinite(table.values[:, place])]
    whole = bool(len(known)) and bool((known == np.rint(known)).all())
    few = 1 <= len(set(cells)) <= min(MOST_CLASSES, max(1, len(cells) // 2))
    return few and (whole or place in table.words)


def _run_smoothly(table: Numbers, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether neighbours among these columns are alike as samples are that follow each other."""
    for first, last in spans:
        if any(place in table.words for place in range(first, last + 1)):
            return False
        values = table.values[:, first : last + 1]
        values = values[np.isfinite(values).sum(axis=1) >= FEWEST // 2]
        if not len(values) or not _successive(values) < SUCCESSIVE:
            return False
        if len(values) >= ENOUGH_ROWS and not (_alike(values) > ALIKE and _even(values)):
            return False
    return True


def _successive(values: Floats) -> float:
    """Von Neumann's ratio in the middle of the rows; of rows that are flat nothing is known."""
    steps = np.diff(values, axis=1)
    centred = values - np.nanmean(values, axis=1, keepdims=True)
    spread = np.nansum(centred**2, axis=1) / np.isfinite(values).sum(axis=1)
    told = (spread > 0) & (np.isfinite(steps).sum(axis=1) > 0)
    if not told.any():
        return float("nan")
    step = np.nansum(steps[told] ** 2, axis=1) / np.isfinite(steps[told]).sum(axis=1)
    return float(np.median(step / spread[told]))


def _alike(values: Floats) -> float:
    """Correlation of neighbouring columns, in the middle."""
    known = np.isfinite(values)
    both = known[:, 1:] & known[:, :-1]
    left, right = np.where(both, values[:, :-1], np.nan), np.where(both, values[:, 1:], np.nan)
    enough = both.sum(axis=0) >= ENOUGH_ROWS
    if not enough.any():
        return float("nan")
    left, right = (side[:, enough] - np.nanmean(side[:, enough], axis=0) for side in (left, right))
    scale = np.sqrt(np.nansum(left**2, axis=0) * np.nansum(right**2, axis=0))
    told = scale > 0
    found = np.nansum(left * right, axis=0)[told] / scale[told]
    return float(np.median(found)) if told.any() else float("nan")


def _even(values: Floats) -> bool:
    """Whether the spread of the columns changes little from one to the next."""
    enough = np.isfinite(values).sum(axis=0) >= ENOUGH_ROWS
    spread = np.nanstd(values[:, enough], axis=0)
    spread = spread[spread > 0]
    if len(spread) < 2:
        return False
    ratio = np.exp(np.abs(np.diff(np.log(spread))))
    return bool(np.median(ratio) <= SPREAD and np.quantile(ratio, 0.9) <= SPREAD_OF_MOST)
