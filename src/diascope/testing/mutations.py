"""Files that are broken in the ways that files break: seven mutators of DICOM objects (RELIABILITY B1).

Each takes bytes and a generator, and gives bytes; the same seed gives the same file. They know the layout of explicit
and implicit little endian just enough to hit lengths, tags and value representations, not only pixels.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

from diascope.testing.objects import SEED_INSTANCE

HEAD = 132
"""Bytes before the meta header."""

LENGTHS = (0, 1, 2, 7, 8, 0xFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
LONG = (b"OB", b"OD", b"OF", b"OL", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT")
KINDS = (*LONG, b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH")
OTHERS = (b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US", b"\x00\x00", b"ZZ")
GROUPS = (0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0040, 0x0070, 0x7FE0)

IMAGE = {
    b"\x28\x00\x10\x00": (0, 1, 39, 41, 0x7FFF, 0xFFFF),
    b"\x28\x00\x11\x00": (0, 1, 35, 37, 0x7FFF, 0xFFFF),
    b"\x28\x00\x00\x01": (0, 1, 8, 12, 16, 32, 64, 0xFFFF),
    b"\x28\x00\x01\x01": (0, 1, 7, 12, 17, 0xFFFF),
    b"\x28\x00\x02\x00": (0, 1, 2, 3, 4, 0xFFFF),
    b"\x28\x00\x03\x01": (0, 1, 2, 0xFFFF),
    b"\x28\x00\x06\x00": (0, 1, 2, 0xFFFF),
}
"""Rows, columns, bits allocated and stored, samples, sign, planar configuration: tag to values that may not fit."""


def flipped_bits(content: bytes, rng: random.Random) -> bytes:
    """1 to 64 bits are turned, most of them in the first 2 KiB."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 2, 4, 8, 16, 64))):
        within = len(out) if rng.random() < 0.4 else min(len(out), 2048)
        out[rng.randrange(min(128, within - 1), within)] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncated(content: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return content[: rng.randrange(len(content))]


def wrong_lengths(content: bytes, rng: random.Random) -> bytes:
    """1 to 4 elements say that they are of another length."""
    out = bytearray(content)
    for at in _some(content, rng, 4):
        if content[at + 4 : at + 6] in LONG or not content[at + 4 : at + 6].isalpha():
            place = at + 8 if content[at + 4 : at + 6] in LONG else at + 4
            out[place : place + 4] = struct.pack("<L", rng.choice((*LENGTHS, len(content))))
        else:
            out[at + 6 : at + 8] = struct.pack("<H", rng.choice(LENGTHS) & 0xFFFF)
    return bytes(out)


def swapped_kinds(content: bytes, rng: random.Random) -> bytes:
    """1 to 6 elements are of another value representation than they were."""
    out = bytearray(content)
    for at in _some(content, rng, 6):
        out[at + 4 : at + 6] = rng.choice(KINDS + OTHERS)
    return bytes(out)


def reordered(content: bytes, rng: random.Random) -> bytes:
    """Two elements change places, or an element gets the tag of another."""
    places = _elements(content)
    if len(places) < 4:
        return flipped_bits(content, rng)
    a, b, c, d = sorted(rng.sample(places, 4))
    if rng.random() < 0.5:
        return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]
    return content[:d] + content[a : a + 4] + content[d + 4 :]


def repeated(content: bytes, rng: random.Random) -> bytes:
    """A piece is there twice, or many times."""
    start = rng.randrange(min(HEAD, len(content) - 1), len(content))
    piece = content[start : start + rng.choice((1, 8, 64, 1024))]
    return content[:start] + piece * rng.choice((2, 3, 50)) + content[start + len(piece) :]


def disagreeing(content: bytes, rng: random.Random) -> bytes:
    """The header says something else of the pixels than they are."""
    out = bytearray(content)
    for tag in rng.sample(sorted(IMAGE), rng.choice((1, 1, 2, 3))):
        at = content.find(tag, HEAD)
        if at > 0:
            out[at + 8 : at + 10] = struct.pack("<H", rng.choice(IMAGE[tag]))
    at = content.find(b"\x28\x00\x08\x00IS", HEAD)
    if at > 0 and rng.random() < 0.5:
        text = rng.choice((b"2147483647", b"-1", b"0", b"1e9", b"99999"))
        length = struct.unpack_from("<H", content, at + 6)[0]
        out[at + 6 : at + 8 + length] = struct.pack("<H", len(text) + len(text) % 2) + text + b" " * (len(text) % 2)
    return bytes(out)


MUTATORS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flipped_bits,
    truncated,
    wrong_lengths,
    swapped_kinds,
    reordered,
    repeated,
    disagreeing,
)


def mutated(seeds: list[tuple[str, bytes]], count: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of `count` broken files: every mutator meets every seed before one of them meets it twice.

    Each has an instance UID of its own, else all but the first of a seed were refused for that (not the deflated ones).

    Args:
        seeds: Name and bytes of sound files.
        count: How many.
    """
    pairs = [(mutator, seed) for seed in seeds for mutator in MUTATORS]
    random.Random(0).shuffle(pairs)
    for number in range(count):
        mutator, (name, content) = pairs[number % len(pairs)]
        rng = random.Random(number)
        own = content.replace(str(SEED_INSTANCE).encode(), str(SEED_INSTANCE + number).encode())
        yield f"{number}: {mutator.__name__} of {name}", mutator(own, rng)


def _elements(content: bytes) -> list[int]:
    """Where elements probably begin: a group that is used, and a kind or a small length after the tag."""
    found = []
    for at in range(HEAD, min(len(content) - 12, 65536), 2):
        group, _ = struct.unpack_from("<HH", content, at)
        if group not in GROUPS:
            continue
        kind = content[at + 4 : at + 6]
        if kind in KINDS or kind in OTHERS[:-2] or struct.unpack_from("<L", content, at + 4)[0] < 1024:
            found.append(at)
    return found


def _some(content: bytes, rng: random.Random, most: int) -> list[int]:
    places = _elements(content)
    return rng.sample(places, min(len(places), rng.randint(1, most)))
