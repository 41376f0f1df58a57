"""A service on a temporary folder, for tests of its parts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diascope.serve.service import Service
from diascope.serve.settings import Settings
from diascope.store.workspace import Workspace
from diascope.testing.postgres import VARIABLE, a_database


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
    if VARIABLE in os.environ:
        plain |= {"database": an_address(folder, "index"), "identities": an_address(folder, "identities")}
    chosen = Settings.model_validate({**plain, **settings})
    return Service.open(Workspace(folder), chosen, clock or Clock(), migrate=False)


def an_address(folder: Path, name: str) -> str:
    """The address of a database of a folder, the same one each time: SQLite, or PostgreSQL where the tests run on it."""
    server = os.environ.get(VARIABLE)
    if server is None:
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder / f'{name}.sqlite'}"
    kept = folder / f"{name}.address"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(a_database(server), encoding="utf-8")
    return kept.read_text(encoding="utf-8")
