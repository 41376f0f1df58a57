"""Feeding the loop: prepared cases in one memory-mapped file, and batches that depend on the seed and the step alone.

Nothing here remembers where it was: the batch of step n is computed from (seed, n), so a run that was killed goes on
with exactly the batches that it would have seen (Philox counters, "Parallel random numbers: as easy as 1, 2, 3", SC11).
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.plan import Plan
from diascope.engine import boxes as of_boxes
from diascope.engine.batch import Batch, Example
from diascope.engine.stretches import Piece, cut, long_input, moved, pieces_of

ON_GRID = ("input/image", "target/mask", "target/image")
"""What lies on the working grid, and is cut where a patch is."""
PLACES = 4096
"""Voxels of each label of a case that a patch may be cut around."""


@dataclass(frozen=True)
class Stored:
    """One prepared case: arrays by `input/<name>` or `target/<name>`, memory-mapped or in memory."""

    case: str
    arrays: Mapping[str, npt.NDArray[Any]]


class Pack:
    """Prepared cases of one split, in one file that is mapped into memory.

    Args:
        path: File of the arrays, one after the other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[tuple[str, dict[str, tuple[int, tuple[int, ...], str]]]] = []
        self._stream = path.open("wb")
        self._position = 0

    def add(self, example: Example) -> None:
        """Append a prepared case."""
        entry = {}
        named = [(f"input/{k}", v) for k, v in example.inputs.items()] + [
            (f"target/{k}", v) for k, v in example.target.items()
        ]
        for key, array in named:
            content = np.ascontiguousarray(array)
            self._stream.write(content.tobytes())
            entry[key] = (self._position, array.shape, content.dtype.str)
            self._position += content.nbytes
        self._entries.append((example.case.id, entry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind, whatever happened; what was mapped stays mapped."""
        with contextlib.suppress(OSError):
            self._stream.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> tuple[Stored, ...]:
        """Finish writing; the cases, mapped. The file's name may go: what is mapped stays until it is let go."""
        self._stream.close()
        if not self._position:
            return tuple(Stored(case, {k: np.zeros(s, d) for k, (_, s, d) in e.items()}) for case, e in self._entries)
        mapped = np.memmap(self.path, dtype=np.uint8, mode="c")
        stored = []
        for case, entry in self._entries:
            arrays = {}
            for key, (start, shape, dtype) in entry.items():
                count = int(np.prod(shape)) * np.dtype(dtype).itemsize
                arrays[key] = mapped[start : start + count].view(dtype).reshape(shape)
            stored.append(Stored(case, arrays))
        return tuple(stored)


def generator(seed: int, *key: int) -> np.random.Generator:
    """A generator that depends on the seed and a key alone."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *key])))


class Feed:
    """Batches of a training part.

    Args:
        cases: Prepared cases.
        plan: `batch`, `patch`, `whole`, `foreground`, `recipe`, `balance` are read from it.
        rank: Which slice of each global batch this process sees, and of how many.
    """

    def __init__(self, cases: Sequence[Stored], plan: Plan, rank: tuple[int, int] = (0, 1)) -> None:
        if not cases:
            raise DataRefused("no case to train on", todo="Run diascope check to see what was excluded")
        self.cases, self.plan, self.rank = tuple(cases), plan, rank
        self.batch: int = plan["batch"]
        if self.batch % rank[1]:
            raise BadUsage(
                f"a batch of {self.batch} cannot be shared equally by {rank[1]} processes",
                todo=f"Plan again with --set batch={-(-self.batch // rank[1]) * rank[1]}",
            )
        self.long = long_input(plan)
        self.pieces = self._pieces()
        self._order: tuple[int, npt.NDArray[np.intp]] = (-1, np.zeros(0, np.intp))
        self._foreground: dict[str, npt.NDArray[np.intp]] = {}

    def _pieces(self) -> tuple[Piece, ...]:
        """What an epoch is made of: the cases, or the stretches of long ones."""
        if self.long is None:
            return tuple(Piece(number) for number in range(len(self.cases)))
        lengths = [stored.arrays[f"input/{self.long}"].shape[-1] for stored in self.cases]
        return pieces_of(lengths, int(self.plan["patch"][2]))

    def indices(self, step: int) -> list[int]:
        """Which pieces the global batch of a step holds: epochs are permutations, one after the other."""
        chosen = []
        for position in range(step * self.batch, (step + 1) * self.batch):
            epoch, place = divmod(position, len(self.pieces))
            if self._order[0] != epoch:
                self._order = (epoch, generator(self.plan.seed, 1, epoch).permutation(len(self.pieces)))
            chosen.append(int(self._order[1][place]))
        return chosen

    def make(self, step: int) -> Batch:
        """The batch of a step (this rank's slice of it)."""
        pieces = [self.pieces[index] for index in self.indices(step)]
        share = len(pieces) // self.rank[1]
        mine = range(self.rank[0] * share, (self.rank[0] + 1) * share)
        parts = [self._part(pieces[place], step, place) for place in mine]
        inputs = {k[6:]: _stacked([p[k] for p in parts]) for k in parts[0] if k.startswith("input/")}
        target = {k[7:]: _stacked([p[k] for p in parts]) for k in parts[0] if k.startswith("target/")}
        if "image" in inputs:
            inputs["image"], on_image = self._augmented(inputs["image"], target, step, mine)
            target |= on_image
        return Batch(inputs, target, tuple(self.cases[pieces[place].case].case for place in mine), step)

    def batches(self, start: int, stop: int, ahead: bool = False) -> Iterator[Batch]:
        """Batches of steps start..stop - 1.

        Args:
            start: First step.
            stop: Step after the last.
            ahead: Make them in a thread while an accelerator computes. On the CPU this would be slower: two pools of
                OpenMP threads on the same cores wait for each other (a step of 100 ms took 180).
        """
        return self._ahead(start, stop) if ahead else map(self.make, range(start, stop))

    def _ahead(self, start: int, stop: int) -> Iterator[Batch]:
        ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=2)
        stopped = threading.Event()

        def work() -> None:
            for step in range(start, stop):
                if stopped.is_set():
                    return
                try:
                    made: Batch | BaseException = self.make(step)
                except Exception as error:
                    made = error
                while not stopped.is_set():
                    try:
                        ready.put(made, timeout=0.2)
                        break
                    except queue.Full:
                        continue

        thread = threading.Thread(target=work, daemon=True, name="feed")
        thread.start()
        try:
            for _ in range(start, stop):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            thread.join()

    def _part(self, piece: Piece, step: int, place: int) -> dict[str, npt.NDArray[Any]]:
        stored = self.cases[piece.case]
        if self.long is not None:
            length, size = stored.arrays[f"input/{self.long}"].shape[-1], int(self.plan["patch"][2])
            start = moved(piece.start, length, size, generator(self.plan.seed, 2, step, place))
            return cut(stored.arrays, self.long, start, size)
        if self.plan["whole"] or "input/image" not in stored.arrays:
            return dict(stored.arrays)
        rng = generator(self.plan.seed, 2, step, place)
        corner = self._corner(stored, rng)
        patch = tuple(self.plan["patch"])
        part = {key: crop(array, corner, patch) if key in ON_GRID else array for key, array in stored.arrays.items()}
        if "target/boxes" in part:
            part["target/boxes"] = part["target/boxes"] - np.array([*corner, *corner, 0, 0], np.float32)
        return part

    def _corner(self, stored: Stored, rng: np.random.Generator) -> tuple[int, int, int]:
        """Where the patch starts: around a random voxel of a random structure, around a box, or anywhere."""
        shape, patch = stored.arrays["input/image"].shape[1:], self.plan["patch"]
        low = [min(0, (full - size) // 2) for full, size in zip(shape, patch, strict=True)]
        high = [
            max(0, full - size) if full >= size else (full - size) // 2 for full, size in zip(shape, patch, strict=True)
        ]
        corner = [int(rng.integers(lo, hi + 1)) if hi > lo else lo for lo, hi in zip(low, high, strict=True)]
        if rng.random() < self.plan["foreground"]:
            voxel = self._voxel(stored, rng)
            if voxel is not None:
                aim = [
                    v - min(int(rng.integers(size // 4, size - size // 4 + 1)), size - 1)
                    for v, size in zip(voxel, patch, strict=True)
                ]
                corner = [min(max(a, lo), hi) for a, lo, hi in zip(aim, low, high, strict=True)]
        return corner[0], corner[1], corner[2]

    def _voxel(self, stored: Stored, rng: np.random.Generator) -> tuple[int, ...] | None:
        if "target/boxes" in stored.arrays:
            return of_boxes.middle_of_one(stored.arrays["target/boxes"], rng)
        mask = stored.arrays.get("target/mask")
        if mask is None:
            return None
        if stored.case not in self._foreground:
            ignored = self.plan.target.ignore
            keep = np.flatnonzero((mask > 0) & (mask != (-1 if ignored is None else ignored)))
            self._foreground[stored.case] = _thinned(keep, mask.reshape(-1)[keep], generator(self.plan.seed, 3))
        places = self._foreground[stored.case]
        if not len(places):
            return None
        values = mask.reshape(-1)[places]
        label = rng.choice(np.unique(values))
        return tuple(int(v) for v in np.unravel_index(int(rng.choice(places[values == label])), mask.shape))

    def _augmented(
        self, images: Tensor, target: Mapping[str, Tensor], step: int, mine: range
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Images, and the targets that lie on them, `mask`, `image` and `boxes`.

        Draws for the whole global batch, then applies this rank's rows: any number of ranks sees the same batch.
        """
        z, y, x = images.shape[2:]
        lying = next((name for name in ("mask", "image") if name in target), None)
        masks = target[lying][:, None] if lying else None
        boxes = target["boxes"].numpy() if "boxes" in target else None
        for number, (name, params) in enumerate(self.plan["recipe"]):
            transform = registry.get("transforms", name)
            drawn = transform.draw(generator(self.plan.seed, 4, step, number), self.batch, (z, y, x), params)
            rows = {
                k: v[mine.start : mine.stop] if k != "axes" and _is_row(v, self.batch) else v for k, v in drawn.items()
            }
            images, masks = transform.apply(images, masks, rows)
            boxes = None if boxes is None else of_boxes.moved(boxes, transform, rows, (z, y, x))
        found = {lying: masks[:, 0]} if lying and masks is not None else {}
        if boxes is not None:
            found["boxes"] = torch.from_numpy(of_boxes.seen(boxes, (z, y, x)))
        return images, found


def _thinned(places: npt.NDArray[np.intp], values: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """At most `PLACES` places of each label: a small structure beside a large one keeps its own."""
    chosen = []
    for label in np.unique(values):
        own = places[values == label]
        chosen.append(own[np.sort(rng.permutation(len(own))[:PLACES])])
    return np.concatenate(chosen) if chosen else places


def _is_row(value: object, count: int) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0 and len(value) == count


def _stacked(arrays: Sequence[npt.NDArray[Any]]) -> Tensor:
    """One tensor of the arrays of all examples; those of different lengths (boxes) are filled up with nan."""
    several = len({one.shape for one in arrays}) > 1 and arrays[0].dtype.kind == "f"
    return torch.from_numpy(of_boxes.stacked(arrays) if several else np.stack(arrays))


def crop(array: npt.NDArray[Any], start: tuple[int, int, int], size: tuple[int, ...]) -> npt.NDArray[Any]:
    """A patch (..., Z, Y, X) from `start` (may be negative) of `size`; outside is the lowest value (0 for masks)."""
    inside = tuple(slice(max(s, 0), max(s, 0) + n - max(-s, 0)) for s, n in zip(start, size, strict=True))
    whole: tuple[Any, ...] = (Ellipsis, *inside)
    part: npt.NDArray[Any] = array[whole]
    before = [max(-s, 0) for s in start]
    after = [n - b - have for n, b, have in zip(size, before, part.shape[-3:], strict=True)]
    if not any(before) and not any(after):
        return part
    pads = [(0, 0)] * (array.ndim - 3) + list(zip(before, after, strict=True))
    if array.dtype.kind != "f" or array.ndim == 3:
        return np.pad(part, pads, constant_values=array.min() if array.dtype.kind == "f" else 0)
    # Each channel has a lowest value of its own, as in sliding windows.
    channels = zip(part, array, strict=True)
    return np.stack([np.pad(one, pads[1:], constant_values=whole.min()) for one, whole in channels])
