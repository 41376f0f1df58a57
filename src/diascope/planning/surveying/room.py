"""How many processes may read at once: each keeps the arrays of the archives that it reads from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.case import Case, FileRef
from diascope.core.errors import DoesNotFit
from diascope.formats import npz

SHARE = 0.8
"""Share of the free memory that all readers together may fill with such arrays."""


def kept_bytes(cases: Sequence[Case], root: Path) -> int:
    """Bytes that one reader keeps of archives: the largest arrays of them, as many as it holds at a time."""
    wanted = {
        (path, (ref.item or "").partition(":")[0])
        for case in cases
        for ref in (*case.inputs.values(), *case.targets.values())
        if isinstance(ref, FileRef) and ref.format == "npz"
        for path in ref.paths
    }
    sizes = sorted((npz.unpacked_bytes(root / path, name) for path, name in wanted), reverse=True)
    return sum(sizes[: npz.KEPT])


def readers(wanted: int, kept: int, available: int) -> int:
    """Number of processes that read.

    Args:
        wanted: As many as there are processors, or as the caller said.
        kept: Bytes that each of them keeps.
        available: Bytes of memory that are free.

    Raises:
        DoesNotFit: When there is no room for even one.
    """
    if kept > available:
        raise DoesNotFit(
            f"the arrays of the archive take {_size(kept)} of memory once unpacked",
            given=f"{_size(available)} are free",
            todo="Free some memory, or split the archive into files of one image each",
        )
    return min(wanted, max(1, int(SHARE * available / kept))) if kept else wanted


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"
