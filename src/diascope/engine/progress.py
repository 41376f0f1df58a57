"""How work tells how far it is: one small protocol, shown by the command line and stored by nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Tell = Callable[[Mapping[str, Any]], None]
"""Called with `{"event": "phase"|"progress"|"warning"|"schedule", ...}`; see `cli.py` for what is shown."""


def silent(_: Mapping[str, Any]) -> None:
    """Tell nobody."""
