"""Which pictures are the same, or look alike: a perceptual hash proposes, fine structure decides.

The hash is the sign of 64 low frequencies of the cosine transform of the thumbnail (Zauner 2010, pHash). All pairs of
hashes are compared as products of matrices, some rows at a time. Coarse structure is the same in all films of one
body part, so a candidate is verified by the correlation of the *high-passed* thumbnails, less what all pictures of the
set share; where 128 random projections of them already differ, that is not even computed. Measured on 13.5 million
pairs of 5,206 different chest films: at 224² none is even a look-alike, at 28² 4 are, and none is called a copy. Copies
stored as JPEG of quality 70, resized to 90 %, or brightened by 25 of 255 have a likeness of at least 0.967 (5th
percentile; films, ultrasound, dermoscopy, MR, and films at 28²).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from diascope.planning.surveying.measuring import SIDE

ALIKE_HASH, SAME_HASH = 10, 8
"""Bits of 64 by which the hashes of look-alikes, and of the same picture, may differ."""
ALIKE, SAME = 0.85, 0.94
"""Correlations of fine structure from which two pictures look alike (adjacent frames), or are the same one."""
# Few pixels hold little fine structure, so that neighbours look the same. Of 779 breast ultrasound pictures 66 pairs
# are the same at 256 pixels. At 28 pixels 0.94 calls 169 pairs the same, 0.975 calls 86 and 0.98 loses 4 of the 66. At
# 40 and 48 pixels 0.94 calls 139 and 114, 0.965 calls 82 and 66 (0 and 3 of the 66 lost); at 64 0.94 calls 52, all of
# them among the 66. The price at 28 pixels: of 150 films that were stored as JPEG of quality 70, or brightened by 25,
# all stay the same from 0.975, of those resized to 90 % 71 %; of 150 ultrasound pictures all that were brightened, or
# stored as JPEG of quality 90, 3 % of those of quality 70 and 17 % of those resized. The others are look-alikes.
SMALL = ((36, 0.975), (64, 0.965))
"""Pixels of the shorter side, and the correlation from which smaller pictures are the same one."""
COARSE = 4.0
"""Pixels of the Gaussian that is subtracted from a thumbnail of 64 x 64."""
FLAT = 0.5
"""Grey levels of fine structure below which a picture is too flat to be compared."""
FEWEST = 8
"""Pictures from which on what they have in common is subtracted."""
LITTLE = 0.1
"""Share of a picture's fine structure that must be its own to be compared."""
ROWS, PAIRS = 1024, 4096
"""Pictures that are prepared, and pairs that are compared, at a time."""
BLOCK = 64_000_000
"""Bytes of the largest table of hashes against hashes."""
PROJECTED = 128
"""Numbers that stand for the fine structure of a picture in a first comparison."""
# The cosine of two projections spreads by (1 - ALIKE**2) / sqrt(PROJECTED) = 0.025 about the correlation: six of that.
# Of 561 pairs of look-alikes (ultrasound at 256, 128 and 28 pixels, films at 28) none is lost, the lowest has 0.795; of
# the 46,039 pairs of films that hashes propose 1,186 are left, at 0.2 us in place of 15 us a pair.
NEAR = 0.7
"""Cosine of projections below which two pictures are not compared further."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.floating[Any]]
Halves = npt.NDArray[np.float16]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class _Prints:
    """What is compared first.

    Args:
        hashes: (N, 64) of -1 and 1.
        projected: (N, `PROJECTED`) fine structure, of unit length.
    """

    hashes: Floats
    projected: Floats


@dataclass(frozen=True)
class Pair:
    """Two pictures that look alike.

    Args:
        first: Index of the first.
        second: Index of the second.
        likeness: Correlation of fine structure.
        mirrored: Whether the second is the mirror image of the first (left and right).
        same: Whether they are the same picture, stored differently.
    """

    first: int
    second: int
    likeness: float
    mirrored: bool
    same: bool


def alike(thumbnails: npt.NDArray[np.uint8], sides: npt.ArrayLike | None = None) -> list[Pair]:
    """All pairs that look alike, most alike first.

    Args:
        thumbnails: (N, 64, 64).
        sides: (N,) pixels of the shorter side of the pictures themselves; None where all are 64 or more.

    Returns:
        Pairs with a likeness of at least `ALIKE`; a pair appears once, mirrored or not.
    """
    if len(thumbnails) < 2:
        return []
    details = _details(thumbnails)
    plain = _Prints(_hashes(thumbnails), _projected(details, mirrored=False))
    same_from = _same_from(np.full(len(thumbnails), SIDE) if sides is None else np.asarray(sides))
    found: dict[tuple[int, int], Pair] = {}
    for mirrored in (False, True):
        other = _Prints(_hashes(thumbnails[:, :, ::-1]), _projected(details, mirrored)) if mirrored else plain
        for first, second, bits in _candidates(plain, other):
            needed = np.where(bits <= SAME_HASH, np.maximum(same_from[first], same_from[second]), np.inf)
            for pair in _verified(details, (first, second), needed, mirrored):
                known = found.get((pair.first, pair.second))
                if known is None or known.likeness < pair.likeness:
                    found[pair.first, pair.second] = pair
    return sorted(found.values(), key=lambda pair: (-pair.likeness, pair.first, pair.second))


def clusters(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of two or more of `count` items, in the order of their first member."""
    if not pairs:
        return []
    rows, columns = np.asarray(pairs, dtype=np.int64).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(count, count))
    _, names = connected_components(graph, directed=False)
    members: dict[int, list[int]] = {}
    for index, name in enumerate(names):
        members.setdefault(int(name), []).append(index)
    return [group for group in members.values() if len(group) > 1]


def _hashes(thumbnails: npt.NDArray[np.uint8]) -> Floats:
    """(N, 64) of -1 and 1; the constant frequency is left out, so that brightness does not matter."""
    low = np.concatenate(
        [
            dctn(thumbnails[start : start + ROWS].astype(np.float32), axes=(1, 2))[:, :9, :9].reshape(-1, 81)
            for start in range(0, len(thumbnails), ROWS)
        ]
    )[:, 1:65]
    return np.where(low > np.median(low, axis=1, keepdims=True), 1, -1).astype(np.float32)


def _details(thumbnails: npt.NDArray[np.uint8]) -> Halves:
    """(N, 4096) fine structure of unit length; zero where there is none. Half precision: 8 kB a picture.

    What all pictures of a set have in common (the round edge of a fundus photograph, a printed frame) is subtracted
    first: it makes different patients look the same.
    """
    fine = np.empty((len(thumbnails), SIDE * SIDE), np.float16)
    for start in range(0, len(fine), ROWS):
        fine[start : start + ROWS] = _fine(thumbnails[start : start + ROWS])
    shared = fine.mean(axis=0, dtype=np.float32) if len(fine) >= FEWEST else np.float32(0)
    for start in range(0, len(fine), ROWS):
        own = fine[start : start + ROWS].astype(np.float32)
        flat = ~own.any(axis=1, keepdims=True)
        own -= shared
        length = np.linalg.norm(own, axis=1, keepdims=True)
        fine[start : start + ROWS] = np.where(flat | (length < LITTLE), 0, own / np.maximum(length, 1e-6))
    return fine


def _fine(thumbnails: npt.NDArray[np.uint8]) -> Halves:
    """(N, 4096) high-passed thumbnails of unit length; zero for flat ones."""
    grey = thumbnails.astype(np.float32)
    fine = (grey - gaussian_filter(grey, (0, COARSE, COARSE))).reshape(len(grey), -1)
    fine -= fine.mean(axis=1, keepdims=True)
    length = np.linalg.norm(fine, axis=1, keepdims=True)
    flat = length < FLAT * np.sqrt(fine.shape[1])
    return np.where(flat, 0, fine / np.maximum(length, 1e-6)).astype(np.float16)


def _same_from(sides: Integers) -> Doubles:
    """(N,) likeness from which a picture of that many pixels is the same as another."""
    return np.select([sides < side for side, _ in SMALL], [same for _, same in SMALL], SAME)


def _projected(details: Halves, mirrored: bool) -> Floats:
    """(N, `PROJECTED`) of unit length: random projections (Johnson & Lindenstrauss 1984), the same in every run.

    Mirroring the directions is mirroring the pictures.
    """
    directions = np.random.default_rng(0).standard_normal((SIDE, SIDE, PROJECTED), dtype=np.float32)
    flat = (directions[:, ::-1] if mirrored else directions).reshape(-1, PROJECTED)
    made = np.empty((len(details), PROJECTED), np.float32)
    for start in range(0, len(details), ROWS):
        np.matmul(details[start : start + ROWS].astype(np.float32), flat, out=made[start : start + ROWS])
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-6)
    return made


def _candidates(own: _Prints, other: _Prints) -> Iterator[tuple[Integers, Integers, Doubles]]:
    """Indices of pictures that may look alike, the first below the second, and the bits by which hashes differ."""
    count = len(own.hashes)
    height = max(1, min(ROWS, BLOCK // (own.hashes.itemsize * count)))
    for start in range(0, count, height):
        agreeing = own.hashes[start : start + height] @ other.hashes[start:].T
        rows, columns = np.nonzero(agreeing >= 64 - 2 * ALIKE_HASH)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        bits = (64 - agreeing[rows, columns]) / 2
        for begin in range(0, len(rows), PAIRS):
            part = slice(begin, begin + PAIRS)
            first, second = start + rows[part], start + columns[part]
            near = np.einsum("ij,ij->i", own.projected[first], other.projected[second]) >= NEAR
            yield first[near], second[near], bits[part][near]


def _verified(details: Halves, indices: tuple[Integers, Integers], needed: Doubles, mirrored: bool) -> Iterator[Pair]:
    """The candidates that look alike; they are the same from the likeness that each of them needs."""
    own, other = (details[of].reshape(-1, SIDE, SIDE) for of in indices)
    likeness = np.einsum("iyx,iyx->i", own, other[:, :, ::-1] if mirrored else other, dtype=np.float32)
    for index in np.flatnonzero(likeness >= ALIKE):
        first, second = (int(of[index]) for of in indices)
        yield Pair(first, second, float(likeness[index]), mirrored, same=bool(likeness[index] >= needed[index]))
