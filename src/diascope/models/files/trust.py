"""Files that run code are opened only where a person said so, for each file by its hash."""

from __future__ import annotations

import os

from diascope.core.errors import BadUsage

VARIABLE = "DIASCOPE_TRUST"
"""Environment variable: hashes (SHA-256, at least `FEWEST` digits of each) of the files that may run code."""
FEWEST = 12
_TRUSTED: set[str] = set()


def trust(digest: str) -> None:
    """Let the file with this SHA-256 run code, in this process."""
    _TRUSTED.add(digest)


def is_trusted(digest: str) -> bool:
    """Whether a person said that the file with this SHA-256 may run code."""
    named = os.environ.get(VARIABLE, "").replace(",", " ").split()
    return digest in _TRUSTED or any(len(one) >= FEWEST and digest.startswith(one.lower()) for one in named)


def refuse_untrusted(digest: str) -> None:
    """Refuse a file that runs code and that nobody trusts here.

    Raises:
        BadUsage: Says how to trust it.
    """
    if not is_trusted(digest):
        raise BadUsage(
            "this model is TorchScript: opening it runs code of whoever made it",
            given=f"SHA-256 {digest}",
            todo=f"If you trust where it came from, set {VARIABLE}={digest[:FEWEST]} "
            "(diascope adopt: --trust); an ONNX file runs no code",
        )
