"""Reading one foreign file: whatever a library raises becomes `UnreadableFile` with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from diascope.core.errors import DiascopeError, UnreadableFile


def ends_with(path: Path, suffixes: Sequence[str]) -> bool:
    """Whether a file's name has one of the endings, in whatever case."""
    return path.name.lower().endswith(tuple(suffixes))


def only(paths: Sequence[Path]) -> Path:
    """The one file that these formats are made of.

    Raises:
        UnreadableFile: When there are none or several.
    """
    if len(paths) != 1:
        listed = ", ".join(map(str, paths[:3])) or "no files"
        raise UnreadableFile(
            listed, f"one file is one image here, {len(paths)} were given", "Give one file for each input"
        )
    return Path(paths[0])


@contextmanager
def foreign(path: Path) -> Iterator[None]:
    """Guard around a library's reader: libraries raise anything at all on broken bytes.

    Raises:
        UnreadableFile: Instead of any other exception, with its text as the reason.
    """
    try:
        yield
    except DiascopeError as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(path, error.wrong) from error
    except MemoryError as error:
        raise UnreadableFile(path, "it needs more memory than there is") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableFile(path, reason[:300]) from error


def numbered(item: str | None, key: str, count: int, path: Path) -> int | None:
    """The number in an item such as `channel:2`; None where there is no item.

    Raises:
        UnreadableFile: When the item is not `key:N`, or N is not below `count`.
    """
    if item is None:
        return None
    name, _, number = item.partition(":")
    if name != key or not number.isdecimal():
        raise UnreadableFile(path, f"there is no item {item!r}", f"Use {key}:0 to {key}:{count - 1}")
    if int(number) >= count:
        raise UnreadableFile(path, f"{item!r} was asked for, the last one is {key}:{count - 1}")
    return int(number)
