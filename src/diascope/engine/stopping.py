"""Ctrl-C between steps: the step under way is finished first, so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, Self

PATIENCE = 2.0
"""Seconds after the first Ctrl-C from which another one interrupts at once (launchers send it twice)."""


class Stopping:
    """Within `with`, a first Ctrl-C only sets `wanted`; outside the main thread nothing is changed."""

    def __init__(self) -> None:
        self.wanted = False
        self._since = 0.0
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.wanted and time.monotonic() - self._since > PATIENCE:
            raise KeyboardInterrupt
        if not self.wanted:
            self.wanted, self._since = True, time.monotonic()
