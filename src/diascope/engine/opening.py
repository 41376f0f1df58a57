"""From an opened release to a reader with its own back end."""

from __future__ import annotations

from diascope.engine.fit import load_weights
from diascope.engine.reading import Reader, buffer_bytes
from diascope.store.releases import OpenRelease


def reader_of(opened: OpenRelease) -> Reader:
    """A reader of all members, with the back end and precision that the decision was fitted with."""
    release, plan = opened.release, opened.plan
    networks = [load_weights(plan, opened.folder / member) for member in release.members]
    return Reader(networks, plan, release.backend, release.precision, buffer_bytes(plan["memory_gb"]))
