"""Waiting for what another thread or process does: for a condition, with a limit, and never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 60.0) -> T:
    """What a condition gives, once it is true.

    Raises:
        AssertionError: When it does not come true in time.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"it did not come true within {seconds:.0f} s"
        time.sleep(0.02)
    return found
