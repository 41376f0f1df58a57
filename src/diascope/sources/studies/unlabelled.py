"""Cases of a data set whose answers do not matter: as a source lists them, or the images alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.plan import Plan
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, images_in, without_masks
from diascope.sources.folders.pairs import IMAGE_FOLDERS, MASK_FOLDERS, TARGET_FOLDERS, plain
from diascope.sources.studies.channels import of_files
from diascope.sources.studies.unseen import Incoming
from diascope.sources.tables.reading import completed
from diascope.store.releases import OpenRelease

DEPTH = 4
"""Folders inside folders in which images are looked for: a part, its images, a class, a patient."""


def listed(location: str, source: str, opened: OpenRelease) -> Iterator[Incoming]:
    """The cases that a source lists. Where it cannot without a target, the release's own; else the images alone.

    Raises:
        BadUsage: When the source asks for a choice, and there are no images, or the release needs rows of tables.
    """
    try:
        listing = _listing(location, source, opened)
    except BadUsage as error:
        alone = [] if opened.plan["readings"] else list(_images_alone(Path(location), opened, error.wrong))
        if not alone:
            raise
        yield from alone
        return
    for case in completed(listing.cases, columns_beside(opened.plan)):
        yield Incoming(case.model_copy(update={"targets": {}}), listing.root)


def _listing(location: str, source: str, opened: OpenRelease) -> Listing:
    plugin = registry.get("sources", source)
    columns = columns_read(opened.plan)
    try:
        found: Listing = plugin.list(location, SourceOptions(columns=columns))
    except BadUsage as ambiguous:
        try:
            found = plugin.list(location, SourceOptions(target=opened.plan.target.name, columns=columns))
        except (BadUsage, DataRefused):
            raise ambiguous from None
    return found


def columns_read(plan: Plan) -> tuple[str, ...]:
    """Columns of tables that a release reads."""
    return tuple(column for one in plan["readings"].values() for column in one.get("columns", ()))


def columns_beside(plan: Plan) -> tuple[str, ...]:
    """Those of a release that reads further inputs: columns that describe a case."""
    several = len(plan["readings"]) + bool(plan["image_inputs"]) > 1
    return columns_read(plan) if several else ()


def _images_alone(root: Path, opened: OpenRelease, why: str) -> Iterator[Incoming]:
    """The images below a folder; of folders that are named as those of images are, only theirs."""
    places = _places(root) if root.is_dir() else []
    named = [place for place in places if any(plain(part) in IMAGE_FOLDERS for part in place.split("/"))]
    names = [f"{place}{name}" for place in named or places for name in without_masks(images_in(root / place))[0]]
    note = f"the images alone were read, without masks and tables: {why}"
    for one in of_files(root, names, opened):
        yield Incoming(one.case, one.root, (*one.notes, note), one.refused)


def _places(root: Path, prefix: str = "", depth: int = DEPTH) -> list[str]:
    """Prefixes of the folder and of those below it, without folders of masks."""
    below = contents(root / prefix)[0] if depth else []
    inner = [name for name in below if plain(name) not in (*MASK_FOLDERS, *TARGET_FOLDERS)]
    return [prefix, *(place for name in inner for place in _places(root, f"{prefix}{name}/", depth - 1))]
