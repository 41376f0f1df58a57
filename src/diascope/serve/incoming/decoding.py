"""The decoder of what comes over the network: its children have less time and memory than those of the command line.

Bars (RELIABILITY B1, B3): no answer later than 5 s, no child above 1 GiB.
"""

from __future__ import annotations

import atexit
import os
from functools import cache
from pathlib import Path

from diascope.formats.dicomio.decoder import Decoder

SECONDS = 4.0
"""For one file; it gets one second more for each MB that it has."""

MEMORY = 1 << 30
"""Bytes of address space of a child, so that its resident memory stays below."""


READY = 3
"""Children that wait: two files in a row may end theirs, and the third is answered while others start (B4)."""


def new_decoder() -> Decoder:
    """A decoder with the limits for what arrives."""
    return Decoder(max(READY, min(os.cpu_count() or 1, 4)), SECONDS, MEMORY, spare=READY)


@cache
def strict_decoder() -> Decoder:
    """The decoder of this process for what arrives; its children are closed at exit."""
    shared = new_decoder()
    atexit.register(shared.close)
    os.register_at_fork(after_in_child=shared.forget)
    return shared


def check(path: Path) -> int:
    """Decode every frame of a file into nothing, within the limits for what arrives.

    Returns:
        How many frames there are; 0 for an object without pixels.

    Raises:
        UnreadableFile: When they can't be decoded, with the reason.
    """
    return strict_decoder().check(path)
