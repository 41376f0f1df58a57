"""A service on a temporary folder, for tests of its parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diascope.serve.service import Service
from diascope.serve.settings import Settings
from diascope.store.workspace import Workspace


class Clock:
    """Time that only a test moves.

    Args:
        now: Seconds since 1970.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def a_service(folder: Path, clock: Callable[[], float] | None = None, **settings: Any) -> Service:
    """A service that was just opened, with its keys in the same folder.

    Args:
        folder: Of the workspace; made where it does not exist.
        clock: Of the service.
        **settings: Fields of `Settings`.
    """
    plain = {"keys": folder / "keys.json", "port": 0, "dicom_port": 0, "keep_free_gb": 0.0}
    chosen = Settings.model_validate({**plain, **settings})
    return Service.open(Workspace(folder), chosen, clock or Clock(), migrate=False)
