"""Sources of cases: each module recognises one layout of a folder (or an address) and lists its cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.problem import Problem
from diascope.core.record import Record


class SourceOptions(Record):
    """What the user said about a source."""

    target: str | None = None
    """Name of the target column."""
    patient: str | None = None
    """Name of the column that holds the patient."""
    site: str | None = None
    """Name of the column that holds the site."""
    without: tuple[str, ...] = ()
    """Columns that are not looked at: neither learnt from, nor learnt, nor shown."""
    reads: tuple[str, ...] = ()
    """Columns that describe cases and that the model reads beside their other inputs."""
    inputs: tuple[str, ...] = ()
    """Inputs that are used; empty for all that most cases have."""
    columns: tuple[str, ...] = ()
    """Columns of a table that a release reads: they are given whatever else they look like in this table."""
    seed: int = 0


class Request(Record):
    """What the user said about a data set; kept beside it as `request.json`."""

    SCHEMA: ClassVar[int] = 1
    location: str
    """Folder, file, address or name of a public set."""
    source: str | None = None
    """Name of the source plug-in; None: the one that recognises the location."""
    task: str = "auto"
    options: SourceOptions = SourceOptions()
    folds: int | None = None
    """Number of folds by hand; None: by rule."""
    seed: int = 0
    accept: tuple[str, ...] = ()
    """Checks whose refusal a person accepts."""
    adopted: str = ""
    """Manifest of a model that was made elsewhere: nothing is learnt from the data, and every case is tested."""


@dataclass(frozen=True)
class Listing:
    """What a source holds: cases, what could be learnt from them, and what was noticed.

    Args:
        root: Folder that relative paths in the cases start at.
        cases: Without reading any pixels, as far as possible.
        targets: Every column or mask that could be a target; the user or a task chooses.
        notes: What the user should know (series chosen and why, columns taken as patient, ...).
        problems: What was already found wrong while listing (unreadable headers, ...).
        licence: What may be done with the data, as it says itself; empty where it says nothing.
    """

    root: Path
    cases: tuple[Case, ...]
    targets: tuple[Target, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    licence: str = ""


class Source(Protocol):
    """What a file in this folder provides as `SOURCE`."""

    def recognises(self, location: str) -> str | None:
        """Why this looks like its layout, in one line; None where it does not. Cheap, never raises."""
        ...

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the cases.

        Raises:
            DataRefused: When there are none, or the layout contradicts itself.
            UnknownName: When a column that the user named does not exist; names those that do.
        """
        ...


def recognise(location: str, name: str | None = None) -> str:
    """Name of the one source that recognises a location.

    Raises:
        BadUsage: When the location does not exist or several recognise it; names the candidates.
        DataRefused: When none does.
    """
    if name is not None:
        registry.get("sources", name)
        return name
    found = {key: why for key, plugin in registry.each("sources") if (why := plugin.recognises(location))}
    # Who installs a package wants it: its source goes before built-in ones that fit as well.
    chosen = [key for key in found if registry.is_installed("sources", key)] or list(found)
    if len(chosen) == 1:
        return chosen[0]
    if found:
        reasons = "; ".join(f"{key}: {why}" for key, why in found.items())
        raise BadUsage(f"{location} could be read in {len(found)} ways: {reasons}", todo="Choose one with --source")
    if not Path(location).exists():
        raise BadUsage(
            f"no such file or folder: {location}", todo="Check the path, or name a public set of diascope list sets"
        )
    if Path(location).is_dir() and not any(Path(location).iterdir()):
        raise DataRefused(f"the folder is empty: {location}", todo="Point to the folder that holds the images")
    raise DataRefused(
        f"no source recognises the layout of {location}",
        given=", ".join(registry.names("sources")),
        todo="See docs/how-to/layouts.md, or write a CSV manifest with the columns image, patient and a target",
    )
