"""A format of files with marked texts: what differs is how a file is parsed, and how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.errors import BadUsage
from diascope.core.image import Image
from diascope.core.text import Text
from diascope.formats import Extent
from diascope.formats.annotated.notes import Parse, text_at
from diascope.formats.files.reading import ends_with


class AnnotatedTexts:
    """The item is the number of the text in its file; the first is 1.

    Args:
        parse: Every text of a file, with its spans.
        suffixes: Of such files.
    """

    kind = "text"
    writes: bool = False

    def __init__(self, parse: Parse, suffixes: tuple[str, ...]) -> None:
        self.parse, self.suffixes = parse, suffixes

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Text:
        """Read one text.

        Raises:
            UnreadableFile: When the file cannot be read, or has no such text.
        """
        return text_at(list(paths), item, self.parse)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("annotated texts are only read", given=path, todo="Write .nii.gz, .nrrd or .png")
