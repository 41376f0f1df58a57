"""Which public sets there are: `catalogue.json`, one entry a set. A set without a published checksum is not in it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlsplit

from diascope.core.record import Record

FILE = Path(__file__).with_name("catalogue.json")


class PublicSet(Record):
    """A data set that its authors published: one file, with its checksum and licence."""

    SCHEMA: ClassVar[int] = 1
    name: str
    """`collection/set`, as it is named on the command line."""
    url: str
    """Where its authors (or who hosts it for them) offer the file."""
    md5: str
    """Of the file, as published."""
    md5_stated: str
    """Where the checksum is published."""
    bytes: int | None = None
    """Size of the file; None where no source gives it exactly."""
    folder: str | None = None
    """The folder in the archive that holds the set; None where the file is the set."""
    layout: str
    """Name of the source plug-in that reads it."""
    licence: str
    """SPDX identifier."""
    licence_stated: str
    """Where the licence is stated."""
    citation: str
    """What a publication that uses the set should cite."""
    labels: tuple[str, ...] = ()
    """What the numbers 0, 1, ... of its labels (or of its label columns) mean, where the file does not say it."""

    @property
    def file(self) -> str:
        """Name of the published file."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def size(self) -> str:
        """Size of the file for a person."""
        return "size unknown" if self.bytes is None else f"{self.bytes / 1e6:,.1f} MB"

    @property
    def line(self) -> str:
        """Name, size and licence, in columns."""
        return f"{self.name:26}{self.size:>14}   {self.licence}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What everyone who uses the set should know; recorded with the data set that is made of it."""
        meaning = ", ".join(f"{value} {label}" for value, label in enumerate(self.labels))
        return (
            f"{self.name}: licence {self.licence} (stated at {self.licence_stated})",
            f"{self.name}: cite {self.citation}",
            *([f"{self.name}: its labels are {meaning}"] if meaning else []),
        )


@cache
def catalogue() -> MappingProxyType[str, PublicSet]:
    """Every public set by its name, in the order of the names."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: PublicSet.model_validate({**content["collections"][name.split("/")[0]], **entry, "name": name})
            for name, entry in sorted(content["sets"].items())
        }
    )
