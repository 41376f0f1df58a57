"""What a back-up says of itself: every file with its hash, which keys open it, signed with one of them.

BACK-UP/manifest.json          written last: without it there is no back-up
BACK-UP/objects/               the archive's objects, as they lie there; shared by later increments
BACK-UP/state-…/objects.jsonl  which of them belong to it, with their hashes
BACK-UP/state-…/index.…        the databases: SQLite files, or dumps of PostgreSQL
BACK-UP/state-…/service/       settings, id, heads of the audit trail
BACK-UP/state-…/workspace/     releases and the other nouns
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import ClassVar, Literal

from diascope.core.errors import BadUsage, Tampered
from diascope.core.record import Record, canonical_json
from diascope.privacy.keys import KeyRing
from diascope.store.files import file_sha256

FILE = "manifest.json"
OBJECTS = "objects"
LIST = "objects.jsonl"
KEYS = "keys.json"
PURPOSE = "back-ups"
Kind = Literal["sqlite", "postgresql"]
ENDINGS: dict[Kind, str] = {"sqlite": "sqlite", "postgresql": "dump"}


class Entry(Record):
    """A file of a back-up."""

    path: str
    """Relative to the state's folder, or the object's name."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits, of the bytes as they lie there."""


class Manifest(Record):
    """A whole back-up."""

    SCHEMA: ClassVar[int] = 1
    made: str
    """When, ISO 8601, UTC."""
    version: str
    """Of diascope."""
    service: str
    """Id of the service."""
    state: str
    """Name of the state's folder."""
    index: Kind
    identities: Kind
    """Kinds of the two databases."""
    keys: tuple[str, ...]
    """Ids of the keys of the ring, the oldest first; no secrets."""
    with_keys: bool
    """Whether the ring itself is in it."""
    files: tuple[Entry, ...]
    """Of the state's folder."""
    objects: int
    """How many belong to it."""
    missing: tuple[str, ...] = ()
    """Objects that a row names and the archive did not have."""
    signature: str = ""
    """HMAC-SHA256 of all others, 64 hexadecimal digits."""

    def signed(self, keys: KeyRing) -> Manifest:
        """With its signature."""
        return self.model_copy(update={"signature": self._signature(keys)})

    def check(self, keys: KeyRing) -> None:
        """Compare the signature.

        Raises:
            Tampered: When it is not what was signed.
        """
        if not hmac.compare_digest(self.signature, self._signature(keys)):
            raise Tampered(
                "the manifest of the back-up is not what was signed",
                todo="Trust none of it; take another back-up",
            )

    def _signature(self, keys: KeyRing) -> str:
        content = {name: value for name, value in self.to_json().items() if name != "signature"}
        # From the oldest key: it is in every ring that opens this back-up, also after a rotation.
        return hmac.new(keys.derived(PURPOSE), canonical_json(content).encode(), hashlib.sha256).hexdigest()


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a back-up.

    Raises:
        BadUsage: When the folder holds none.
        Tampered: When it can't be read.
    """
    if not (folder / FILE).is_file():
        raise BadUsage("this is no back-up: it has no manifest", given=str(folder), todo="Name the folder of a back-up")
    found = Manifest.read(folder / FILE)
    if "/" in found.state or not found.state.startswith("state-"):
        raise Tampered("the manifest of the back-up names another folder", given=found.state)
    return found


def entry_of(path: Path, root: Path) -> Entry:
    """A file as it is now."""
    return Entry(path=path.relative_to(root).as_posix(), size=path.stat().st_size, sha256=file_sha256(path))


def check_file(folder: Path, entry: Entry) -> Path:
    """A file of a back-up, if it is what was written.

    Raises:
        Tampered: When it is missing or differs, or its name leads elsewhere.
    """
    path = folder / entry.path
    if ".." in Path(entry.path).parts or Path(entry.path).is_absolute():
        raise Tampered("the manifest of the back-up names a file elsewhere", given=entry.path)
    if not path.is_file() or path.stat().st_size != entry.size or file_sha256(path) != entry.sha256:
        raise Tampered("a file of the back-up is not what was written", given=entry.path, todo="Take another back-up")
    return path
