"""What may be said about data and work: the options of the Python functions, written down once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from diascope.core.errors import UnknownName
from diascope.planning.budget import DEFAULT_MINUTES, Budget
from diascope.sources import Request, SourceOptions

Location = str | Path


class DataOptions(TypedDict, total=False):
    """What may be said about a data set."""

    source: str
    """Layout, where several fit: a name of `diascope list sources`."""
    task: str
    """What to learn: a name of `diascope list tasks`, or `auto`."""
    target: str
    """Column or mask to learn."""
    patient: str
    """Column that holds the patient."""
    site: str
    """Column that holds the site."""
    without: Sequence[str]
    """Columns that are not looked at."""
    read: Sequence[str]
    """Columns that describe cases and that the model reads beside the images."""
    inputs: Sequence[str]
    """Inputs that are used, of several."""
    folds: int
    """Cross-validate with this many folds."""
    seed: int
    """Of all randomness."""
    accept: Sequence[str]
    """Findings of the data check that are accepted; recorded in the evaluation."""


class FitOptions(DataOptions, total=False):
    """What may be said about a data set and about the work."""

    minutes: float
    """Wall-clock minutes for everything."""
    memory: float
    """Peak memory, GB."""
    settings: Mapping[str, Any]
    """Plan fields set by hand."""
    start: Location
    """Release, or pretrained encoder, whose weights are started from: its name or folder."""


def request(location: Location, options: Mapping[str, Any]) -> Request:
    """What the user said about a data set, as the record that the stages take.

    Raises:
        UnknownName: When there is no such option; names the closest.
    """
    known = {*DataOptions.__annotations__, *FitOptions.__annotations__}
    for name in options:
        if name not in known:
            raise UnknownName("option", name, known)
    of_source = {name: options[name] for name in ("target", "patient", "site", "seed") if name in options}
    of_request = {name: options[name] for name in ("source", "task", "folds", "seed") if name in options}
    for name, field in {"without": "without", "read": "reads", "inputs": "inputs"}.items():
        of_source[field] = tuple(options.get(name, ()))
    accept = tuple(options.get("accept", ()))
    return Request(location=str(location), options=SourceOptions(**of_source), accept=accept, **of_request)


def budget(options: FitOptions) -> Budget:
    """What the work may take."""
    return Budget(
        minutes=options.get("minutes", DEFAULT_MINUTES), memory_gb=options.get("memory"), folds=options.get("folds")
    )
