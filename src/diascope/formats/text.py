"""Plain text files (.txt): UTF-8, UTF-16 with its mark, GB 18030, and Western (Windows-1252)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.image import Image
from diascope.core.text import Text, language_of
from diascope.formats import Extent
from diascope.formats.files.reading import ends_with, foreign, only
from diascope.formats.tables.encoding import decoded


class PlainText:
    """A whole file is one text."""

    kind = "text"
    suffixes: tuple[str, ...] = (".txt",)
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Text:
        """Read the text of a file.

        Raises:
            UnreadableFile: When it is empty, in no encoding that can be told, or no text.
        """
        path = only(paths)
        if item is not None:
            raise UnreadableFile(path, f"a text file has no items, {item!r} was asked for")
        with foreign(path):
            text, _ = decoded(path, path.read_bytes())
        if not text.strip():
            raise UnreadableFile(path, "the file is empty", "Fill it in or remove it")
        plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        return Text(plain, language_of(plain))

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("text files are only read", given=path, todo="Write .nii.gz, .nrrd or .png")


FORMAT = PlainText()
