"""Sliding-window inference that streams: class scores never exist at full resolution for the whole volume.

Windows are visited layer by layer along the longest axis of the volume. Their blended outputs live in a buffer that is
one window (and one row) deep; as soon as no later window touches a row, it is interpolated to the rows of the original
grid, reduced to labels, and its place is used again. Where even that buffer does not fit the memory that is allowed,
the volume is done in strips across another axis, at the price of running some windows twice.

Blending weights are a product of one vector an axis, divided by their sum over all windows, so they add up to 1 at
every voxel and no map of counts is needed (one is kept only where empty windows are skipped).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.backends import Runner
from diascope.core.errors import DoesNotFit
from diascope.engine.gathering import Labels, Reduce, Values
from diascope.engine.windows import Placement, Rows, Shape, WindowPlan, axis_weights, window_starts

__all__ = [
    "DenseResult",
    "DenseValues",
    "Placement",
    "Reduce",
    "WindowPlan",
    "argmax_labels",
    "predict_labels",
    "predict_values",
]

TINY = 1e-20
"""Far below the smallest product of blending weights (about 1e-11): keeps voxels that no window covers finite."""
CHUNK_BYTES = 1 << 25
"""Scores at the original resolution that exist at once (less where little memory is allowed)."""


@dataclass(frozen=True)
class DenseResult:
    """What was found.

    Args:
        labels: (Z, Y, X) uint8 on the original grid; 0 where no window was run.
        confidence: Label to the mean probability of its voxels.
        windows: Windows that were run (again in each strip).
        skipped: Windows that were empty.
        peak_bytes: Estimate of what was held at once: volume, labels, buffer, outputs; not the network itself.
    """

    labels: npt.NDArray[np.uint8]
    confidence: Mapping[int, float]
    windows: int
    skipped: int
    peak_bytes: int


def predict_labels(
    volume: Tensor, runner: Runner, reduce: Reduce, plan: WindowPlan, original: Placement | Shape
) -> DenseResult:
    """Label every voxel of the original grid.

    Args:
        volume: (C, Z, Y, X) float32 on the working grid.
        runner: (B, C, *patch) to scores (B, K, *patch).
        reduce: Scores of a part of the original grid to labels and their probability.
        plan: Windows, blending, memory.
        original: Where the original grid lies in the working grid; only its (Z, Y, X) where both fill the same box.

    Raises:
        DoesNotFit: When not even a strip of one row fits `plan.memory_bytes`.
    """
    z, y, x = volume.shape[1:]
    place = original if isinstance(original, Placement) else Placement.same_box((z, y, x), original)
    with torch.inference_mode():
        windows, kept = _Windows(volume, runner, plan), Labels(place.shape, reduce)
        held = _Sweep(windows, kept, place).run()
    found = np.flatnonzero(kept.counts)
    return DenseResult(
        labels=kept.found,
        confidence={int(label): float(kept.sums[label] / kept.counts[label]) for label in found},
        windows=windows.run_count,
        skipped=windows.skip_count,
        peak_bytes=windows.volume.nbytes + kept.found.nbytes + held,
    )


@dataclass(frozen=True)
class DenseValues:
    """What was found where every voxel gets a number.

    Args:
        values: (Z, Y, X) float32 on the original grid; nan where no window was run.
        spread: (Z, Y, X) float32, how much the answers to the mirrored views differ; None without mirrored views.
    """

    values: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32] | None


def predict_values(volume: Tensor, runner: Runner, plan: WindowPlan, original: Placement | Shape) -> DenseValues:
    """A number for every voxel of the original grid, blended over the windows.

    Args:
        volume: (C, Z, Y, X) float32 on the working grid.
        runner: (B, C, *patch) to numbers (B, 1, *patch).
        plan: Windows, blending, memory; no window is skipped.
        original: As in `predict_labels`.

    Raises:
        DoesNotFit: When not even a strip of one row fits `plan.memory_bytes`.
    """
    z, y, x = volume.shape[1:]
    place = original if isinstance(original, Placement) else Placement.same_box((z, y, x), original)
    mirrored = bool(plan.mirror_axes)
    kept = Values(place.shape, 2 if mirrored else 1)
    windows = _Windows(volume, runner, replace(plan, skip_empty=False), with_spread=mirrored)
    with torch.inference_mode():
        _Sweep(windows, kept, place).run()
    variance = kept.found[1] if mirrored else None
    return DenseValues(kept.found[0], None if variance is None else np.sqrt(variance, out=variance))


def argmax_labels(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The usual `Reduce` of K <= 256 classes that exclude each other: the largest score, its softmax probability."""
    largest, labels = scores.max(dim=0)
    probability = (scores - largest).exp_().sum(dim=0).reciprocal_()
    return labels.to(torch.uint8), probability


class _Windows:
    """The windows of a volume, and what the network says of them."""

    def __init__(self, volume: Tensor, runner: Runner, plan: WindowPlan, with_spread: bool = False) -> None:
        z, y, x = volume.shape[1:]
        self.with_spread = with_spread
        self.size, self.patch, self.runner, self.plan = (z, y, x), plan.patch, runner, plan
        self.margin = [max(0, p - n) // 2 for p, n in zip(plan.patch, self.size, strict=True)]
        self.volume = _padded(volume, self.margin, plan.patch)
        lengths = zip(self.volume.shape[1:], plan.patch, self.margin, strict=True)
        self.starts = [[s - m for s in window_starts(n, p, plan.overlap)] for n, p, m in lengths]
        self.weights = [axis_weights(s, p, plan.blend) for s, p in zip(self.starts, plan.patch, strict=True)]
        self.floor = float(self.volume[0].min()) if plan.empty_below is None else plan.empty_below
        self.run_count = self.skip_count = 0
        self.kept: dict[Shape, Tensor] = {}

    def classes(self) -> int | None:
        """Number of classes, from the first window, whose scores are kept for its turn; None: all are empty."""
        for z, y, x in itertools.product(*self.starts):
            if not self._is_empty((z, y, x)):
                self.kept[z, y, x] = self._run([(z, y, x)])[0]
                return int(self.kept[z, y, x].shape[0])
        return None

    def scores(self, starts: Sequence[Shape]) -> Iterator[tuple[Shape, Tensor]]:
        """Each window that is not empty with its scores (K, *patch), in the order given but for the kept one."""
        waiting = []
        for start in starts:
            if start in self.kept:
                yield start, self.kept.pop(start)
            elif self._is_empty(start):
                self.skip_count += 1
            else:
                waiting.append(start)
        for first in range(0, len(waiting), self.plan.batch):
            batch = waiting[first : first + self.plan.batch]
            yield from zip(batch, self._run(batch), strict=True)

    def weight(self, start: Shape, low: Shape, high: Shape) -> Tensor:
        """Blending weight of the part low..high of a window."""
        parts = zip(self.weights, start, low, high, strict=True)
        z, y, x = (weights[s][a - s : b - s] for weights, s, a, b in parts)
        return z[:, None, None] * y[:, None] * x

    def _patch(self, start: Shape) -> Tensor:
        corner = (s + m for s, m in zip(start, self.margin, strict=True))
        z, y, x = (slice(c, c + p) for c, p in zip(corner, self.patch, strict=True))
        return self.volume[:, z, y, x]

    def _is_empty(self, start: Shape) -> bool:
        return self.plan.skip_empty and not bool((self._patch(start)[0] > self.floor).any())

    def _run(self, starts: Sequence[Shape]) -> Tensor:
        """Scores (B, K, *patch), averaged over the mirrored views; then, where asked, their variance over these."""
        self.run_count += len(starts)
        batch = torch.stack([self._patch(start) for start in starts])
        axes = [axis + 2 for axis in self.plan.mirror_axes]
        views = [view for count in range(len(axes) + 1) for view in itertools.combinations(axes, count)]
        if len(views) == 1:
            return self.runner(batch)
        if self.with_spread:
            answers = torch.stack([self.runner(batch.flip(view)).flip(view) for view in views])
            return torch.cat([answers.mean(dim=0), answers.var(dim=0, correction=0)], dim=1)
        total = self.runner(batch)
        for view in views[1:]:
            total = total + self.runner(batch.flip(view)).flip(view)
        return total / len(views)


class _Buffer:
    """Scores of some rows along one axis, used in turns like a ring.

    Args:
        layers: Classes (and a last layer for the sum of weights, where `counts`).
        low: First working voxel of the region.
        shape: (z, y, x) of what is held.
        axis: The axis of the ring.
    """

    def __init__(self, layers: int, low: Shape, shape: Shape, axis: int) -> None:
        self.data = torch.empty((layers, *shape))
        self.low, self.depth, self.axis, self.top = low, shape[axis], axis, low[axis]

    def reach(self, row: int) -> None:
        """Make room up to `row`: what stood in its place is forgotten."""
        for _, place in self._pieces(self.top, row):
            self.data.narrow(self.axis + 1, place.start, place.stop - place.start).zero_()
        self.top = max(self.top, row)

    def add(self, low: Shape, high: Shape, scores: Tensor, weight: Tensor) -> None:
        """Add weighted scores (K, z, y, x) to the box low..high."""
        for part, place in self._pieces(low[self.axis], high[self.axis]):
            box, source = self._box(low, high, place), [slice(None)] * 3
            source[self.axis] = part
            share = weight[*source]
            self.data[: len(scores), *box].addcmul_(scores[:, *source], share)
            if len(self.data) > len(scores):
                self.data[-1][*box].add_(share)

    def read(self, low: Shape, high: Shape) -> Tensor:
        """(layers, z, y, x) of a box: a view where it is in one piece."""
        pieces = [
            self.data[:, *self._box(low, high, place)] for _, place in self._pieces(low[self.axis], high[self.axis])
        ]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=self.axis + 1)

    def _pieces(self, first: int, stop: int) -> Iterator[tuple[slice, slice]]:
        """Rows first..stop as (part of the request, place in the ring), at most two."""
        row = first
        while row < stop:
            place = (row - self.low[self.axis]) % self.depth
            length = min(stop - row, self.depth - place)
            yield slice(row - first, row - first + length), slice(place, place + length)
            row += length

    def _box(self, low: Shape, high: Shape, place: slice) -> list[slice]:
        box = [slice(a - at, b - at) for a, b, at in zip(low, high, self.low, strict=True)]
        box[self.axis] = place
        return box


class _Sweep:
    """One prediction: regions, layers, rows."""

    def __init__(self, windows: _Windows, kept: Labels | Values, place: Placement) -> None:
        self.windows, self.kept, self.plan, self.place = windows, kept, windows.plan, place
        self.size = windows.size
        self.axis = max(range(3), key=lambda axis: self.size[axis])

    def run(self) -> int:
        """Fill `kept`; the bytes that were held for it."""
        rows = [self.place.rows_inside(axis, self.size[axis]) for axis in range(3)]
        classes = self.windows.classes() if all(first < stop for first, stop in rows) else None
        held = 0
        if classes is not None:
            regions, held = self._regions(rows, classes)
            for region in regions:
                self._sweep(region, classes)
        return held

    def _regions(self, rows: list[Rows], classes: int) -> tuple[list[list[Rows]], int]:
        """Original rows (z, y, x) of the whole, or of strips that fit the allowed memory; and the bytes for one."""
        across = max((axis for axis in range(3) if axis != self.axis), key=lambda axis: self.size[axis])
        first, stop = rows[across]
        need = 0
        for strips in range(1, stop - first + 1):
            edges = np.linspace(first, stop, strips + 1).round().astype(int).tolist()
            regions = [[*rows[:across], edge, *rows[across + 1 :]] for edge in itertools.pairwise(edges)]
            need = max(self._bytes(region, classes) for region in regions)
            if self.plan.memory_bytes is None or need <= self.plan.memory_bytes:
                return regions, need
        raise DoesNotFit(
            f"one strip of windows of {self.plan.patch} with {classes} classes needs {need / 2**20:.0f} MiB",
            given=f"{(self.plan.memory_bytes or 0) / 2**20:.0f} MiB",
            todo="Allow more memory, or train with a smaller patch",
        )

    def _span(self, region: Sequence[Rows]) -> tuple[Shape, Shape]:
        """Working box low..high that original rows are interpolated from."""
        (a, d), (b, e), (c, f) = (self.place.needed(axis, region[axis], self.size[axis]) for axis in range(3))
        return (a, b, c), (d, e, f)

    def _held(self, low: Shape, high: Shape) -> Shape:
        sizes = [b - a for a, b in zip(low, high, strict=True)]
        # One row more than a window: the last final row is still needed to interpolate towards the next one.
        sizes[self.axis] = min(sizes[self.axis], self.plan.patch[self.axis] + 1)
        return sizes[0], sizes[1], sizes[2]

    def _chunk(self, region: Sequence[Rows], classes: int) -> tuple[int, int]:
        """Original rows that are reduced at once, and the bytes of one."""
        widths = [stop - first for axis, (first, stop) in enumerate(region) if axis != self.axis]
        one = 4 * classes * int(np.prod(widths))
        limit = CHUNK_BYTES if self.plan.memory_bytes is None else min(CHUNK_BYTES, self.plan.memory_bytes // 16)
        first, stop = region[self.axis]
        return min(stop - first, max(1, limit // one)), one

    def _bytes(self, region: Sequence[Rows], classes: int) -> int:
        """Buffer, scores of a batch of windows (twice for mirrored views), and three copies of a chunk of rows."""
        buffer = 4 * (classes + self.plan.skip_empty) * int(np.prod(self._held(*self._span(region))))
        views = 3 if self.plan.mirror_axes else 1
        rows, one = self._chunk(region, classes)
        return buffer + 4 * classes * views * self.plan.batch * int(np.prod(self.plan.patch)) + 3 * rows * one

    def _sweep(self, region: list[Rows], classes: int) -> None:
        """Visit the layers of windows along the axis; write rows as soon as they are final."""
        axis, patch = self.axis, self.plan.patch
        low, high = self._span(region)
        buffer = _Buffer(classes + self.plan.skip_empty, low, self._held(low, high), axis)
        starts = [
            [s for s in mine if s < b and s + p > a]
            for mine, p, a, b in zip(self.windows.starts, patch, low, high, strict=True)
        ]
        done, last = region[axis]
        for layer, following in itertools.zip_longest(starts[axis], starts[axis][1:], fillvalue=high[axis]):
            buffer.reach(min(layer + patch[axis], high[axis]))
            choices = [[layer] if other == axis else starts[other] for other in range(3)]
            for start, scores in self.windows.scores([(z, y, x) for z, y, x in itertools.product(*choices)]):
                self._blend(buffer, start, scores, (low, high))
            stop = self.place.rows_final(axis, (done, last), self.size[axis], following)
            self._write(buffer, region, (done, stop), classes)
            done = stop

    def _blend(self, buffer: _Buffer, start: Shape, scores: Tensor, region: tuple[Shape, Shape]) -> None:
        """Add what a window says of the region."""
        ends = [(max(s, a), min(s + p, b)) for s, p, a, b in zip(start, self.plan.patch, *region, strict=True)]
        (a, d), (b, e), (c, f) = ends
        inside = [slice(low - s, high - s) for s, (low, high) in zip(start, ends, strict=True)]
        weight = self.windows.weight(start, (a, b, c), (d, e, f))
        buffer.add((a, b, c), (d, e, f), scores[:, *inside].cpu(), weight)

    def _write(self, buffer: _Buffer, region: list[Rows], rows: Rows, classes: int) -> None:
        """Interpolate final rows to the original grid, reduce them, keep labels and confidence."""
        step, _ = self._chunk(region, classes)
        for first in range(*rows, step):
            part = list(region)
            part[self.axis] = (first, min(first + step, rows[1]))
            scores = buffer.read(*self._span(part))
            for axis in sorted(range(3), key=lambda axis: -self.place.scale[axis]):
                scores = self.place.interpolate(scores, axis, part[axis], self.size[axis])
            uncovered = None
            if self.plan.skip_empty:
                covered = scores[-1]
                uncovered, scores = covered <= 0, scores[:-1] / covered.clamp(min=TINY)
            self.kept.take(scores, uncovered, part)


def _padded(volume: Tensor, margin: list[int], patch: Shape) -> Tensor:
    """At least as large as a window, filled with the smallest value of each channel."""
    size = volume.shape[1:]
    whole = [max(n, p) for n, p in zip(size, patch, strict=True)]
    if whole == list(size):
        return volume
    padded = volume.amin(dim=(1, 2, 3), keepdim=True).expand(-1, *whole).clone()
    z, y, x = (slice(m, m + n) for m, n in zip(margin, size, strict=True))
    padded[:, z, y, x] = volume
    return padded
