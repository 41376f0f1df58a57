"""Memory that a process and its child share: a memfd, or an unlinked temporary file."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shared_memory(length: int) -> Iterator[int]:
    """Descriptor of `length` zeroed bytes that can be passed to a child."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("diascope")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        os.ftruncate(descriptor, length)
        yield descriptor
    finally:
        os.close(descriptor)


def mapped(descriptor: int, length: int) -> mmap.mmap:
    """That memory, privately: what this process (or a fork of it) writes stays its own."""
    return mmap.mmap(descriptor, length, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
