"""search: reports that hold certain words, English or Chinese, in a data set or at any place that a source lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diascope import formats
from diascope.core.case import Case, Dataset, FileRef
from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.core.record import hash_of
from diascope.core.text import Text
from diascope.engine.progress import Tell, silent
from diascope.sources import Request
from diascope.sources.publicsets.listing import listing_of
from diascope.sources.publicsets.locating import located
from diascope.store.files import file_digest
from diascope.store.text_index import Hit, build, find
from diascope.store.text_query import parsed
from diascope.store.workspace import Workspace

FOLDER = "search"
"""Of the workspace's cache: an index can be made again."""
MOST = 10
"""Reports that are shown."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        query: As it was asked.
        texts: How many reports were searched.
        total: How many of them hold what was asked.
        hits: The best of these.
        unreadable: Case id to the reason why its text could not be read.
    """

    query: str
    texts: int
    total: int
    hits: tuple[Hit, ...]
    unreadable: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """What `diascope search --json` prints."""
        return asdict(self)


def search(workspace: Workspace, request: Request, query: str, most: int = MOST, tell: Tell = silent) -> Found:
    """Look for words in reports; the index is built on the first search and kept as long as the data stays as it is.

    Args:
        workspace: Where the index is kept, and data sets are looked up by name.
        request: Which data: the name of a data set of the workspace, or a place that a source lists.
        query: Words that must all occur, `"a phrase"`, `a OR b`, `-left out`, `beginning*`.
        most: Reports that are shown.
        tell: Told about progress.

    Raises:
        BadUsage: When nothing is looked for, or `most` is below 1.
        DataRefused: When the data holds no text.
    """
    wanted = parsed(query)
    if most < 1:
        raise BadUsage("at least one report must be shown", given=f"--most {most}")
    root, cases = _cases(workspace, request, tell)
    texts = [(case, name, ref) for case in cases for name, ref in _texts(case)]
    if not texts:
        raise DataRefused(f"{request.location} holds no texts", todo="Name a data set of reports: docs/how-to/texts.md")
    unreadable: dict[str, str] = {}
    path = workspace.cache / FOLDER / f"{_key(root, texts)}.sqlite"
    if not path.exists():
        tell({"event": "phase", "message": f"building an index of {len(texts)} texts"})
        build(path, _read(root, texts, unreadable, tell))
    total, hits = find(path, wanted, most)
    return Found(query, len(texts) - len(unreadable), total, tuple(hits), unreadable)


def _cases(workspace: Workspace, request: Request, tell: Tell) -> tuple[Path, Sequence[Case]]:
    """The cases of a data set in the workspace, or of a source."""
    if not Path(request.location).exists():
        try:
            folder = workspace.find("datasets", request.location)
        except DiascopeError as error:
            if not any(workspace.datasets.iterdir()):
                raise
            place = located(request.location, tell)  # a public set, or the end
            if place.location == request.location:
                raise error
        else:
            dataset = Dataset.read(folder / "dataset.json")
            return Path(dataset.root), dataset.cases
    listing = listing_of(request, tell)
    return listing.root, listing.cases


def _texts(case: Case) -> Iterator[tuple[str, FileRef]]:
    for name, ref in case.inputs.items():
        if isinstance(ref, FileRef) and ref.kind == "text":
            yield name, ref


def _key(root: Path, texts: Sequence[tuple[Case, str, FileRef]]) -> str:
    """Of where the texts stand and what their files hold: another index for other bytes."""
    files = sorted({path for _, _, ref in texts for path in ref.paths})
    places = [[case.id, name, ref.format, list(ref.paths), ref.item] for case, name, ref in texts]
    digests = {path: file_digest([root / path]) for path in files if (root / path).is_file()}
    return hash_of([str(root), places, digests])[:16]


def _read(
    root: Path, texts: Sequence[tuple[Case, str, FileRef]], unreadable: dict[str, str], tell: Tell
) -> Iterator[tuple[str, str, str]]:
    for number, (case, name, ref) in enumerate(texts, start=1):
        tell({"event": "progress", "what": "indexing", "done": number, "total": len(texts)})
        try:
            found = formats.read_input(ref, root)
        except DataRefused as error:
            unreadable[case.id] = str(error)
            continue
        if isinstance(found, Text) and not found.is_empty:
            yield case.id, name, found.text
