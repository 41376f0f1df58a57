"""Functions that look into data without a release: search, radiomics, longitudinal."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from diascope.api.places import WORKSPACE
from diascope.asked import DataOptions, Location, request
from diascope.engine.progress import Tell, silent
from diascope.stages.longitudinal import Asked, Followed
from diascope.stages.radiomics import Grid, Measured
from diascope.stages.search import Found
from diascope.store.workspace import Workspace


def search(
    data: Location,
    query: str,
    workspace: Location = WORKSPACE,
    most: int = 10,
    tell: Tell = silent,
    **options: Unpack[DataOptions],
) -> Found:
    """Find reports by their words, English or Chinese.

    Args:
        data: Folder or file of reports, or the name of a data set of the workspace.
        query: Words that must all occur, `"a phrase"`, `a OR b`, `-left out`, `beginning*`.
        workspace: Folder that keeps the index.
        most: Reports that are given.
        tell: Told about progress.
        **options: See `DataOptions`.

    Raises:
        BadUsage: When nothing is looked for.
        DataRefused: When the data holds no text.
    """
    from diascope.stages.search import search as run

    return run(Workspace(Path(workspace)), request(data, options), query, most, tell)


def radiomics(
    data: Location,
    out: Location,
    grid: Grid | None = None,
    tell: Tell = silent,
    **options: Unpack[DataOptions],
) -> Measured:
    """Measure marked structures (radiomics), as a table that `fit` reads.

    Args:
        data: Folder or file of images with masks.
        out: New CSV; how it was measured stands in a JSON file beside it.
        grid: Grey levels and spacing; None: 25 HU, elsewhere 32 levels, on the images' own grids.
        tell: Told about progress.
        **options: See `DataOptions`.

    Raises:
        BadUsage: When there are several masks and none was named, or the table exists.
        DataRefused: When no case has an image and a mask that can be read.
    """
    from diascope.stages.radiomics import radiomics as run

    return run(request(data, options), Path(out), grid or Grid(), tell)


def longitudinal(table: Location, out: Location, asked: Asked, tell: Tell = silent) -> Followed:
    """Add what a patient's earlier visit was, and how fast it changed, to a table that `fit` reads.

    Args:
        table: Manifest or table; one row a visit.
        out: New CSV.
        asked: Columns, and what is done with images.
        tell: Told about progress.

    Raises:
        BadUsage: When `out` exists, or is no CSV.
        UnknownName: When a column that was named is not there.
        DataRefused: When nothing says who or when, or nobody came twice.
    """
    from diascope.stages.longitudinal import longitudinal as run

    return run(Path(table), Path(out), asked, tell)
