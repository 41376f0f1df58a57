"""Records: what is written to disk. Frozen, strict, versioned, and named by a hash of their content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diascope.core.errors import Tampered


class Record(BaseModel):
    """A frozen record that refuses unknown keys.

    A top-level record (one that has a file of its own) sets `SCHEMA`; the version is then written and checked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")
    SCHEMA: ClassVar[int] = 0

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON types, with `schema_version` where it has one."""
        content: dict[str, Any] = self.model_dump(mode="json")
        return {"schema_version": self.SCHEMA, **content} if self.SCHEMA else content

    @classmethod
    def from_json(cls, content: dict[str, Any], where: str = "record") -> Self:
        """Build the record from `to_json` output.

        Raises:
            Tampered: When a key is unknown or missing, or the version is newer than this program.
        """
        content = dict(content)
        version = content.pop("schema_version", cls.SCHEMA)
        if cls.SCHEMA and version != cls.SCHEMA:
            raise Tampered(
                f"{where} has schema version {version} of {cls.__name__}, this program reads {cls.SCHEMA}",
                todo="Use the version of diascope that wrote it, or write it anew",
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole record"
            raise Tampered(f"{where} is not a valid {cls.__name__}: {place}: {first['msg']}") from error

    def write(self, path: Path) -> None:
        """Write as JSON, atomically and durably (file, then rename, then folder)."""
        write_durably(path, (canonical_json(self.to_json(), indent=1) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            Tampered: When the file is missing or is not this record.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Tampered(f"cannot read {path}: {error}") from error
        return cls.from_json(content, where=str(path))

    def content_hash(self) -> str:
        """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
        return hash_of(self.to_json())


def canonical_json(content: object, indent: int | None = None) -> str:
    """JSON with sorted keys, so that equal content gives equal bytes."""
    separators = (",", ":") if indent is None else None
    return json.dumps(content, sort_keys=True, ensure_ascii=False, indent=indent, separators=separators)


def hash_of(content: object) -> str:
    """SHA-256 of canonical JSON."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def write_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that it is either whole or absent, also after a power cut.

    Order: write and fsync a temporary file, rename it, fsync the folder (RELIABILITY A2).

    Args:
        path: Of the file; its folder is made where it is missing.
        content: Its bytes.
        mode: Who may read it; 0o600 for secrets.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


__all__ = ["Field", "Record", "canonical_json", "hash_of", "write_durably"]
