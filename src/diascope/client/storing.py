"""DICOM files to a service (STOW-RS): read and sent a part at a time, each file its own part."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.client.connection import CHUNK, Connection, told
from diascope.core.errors import BadUsage

TOGETHER = 100
"""Files of one request."""

STORED, FAILED, UID, REASON = "00081199", "00081198", "00081155", "00081197"


@dataclass(frozen=True)
class Stored:
    """What became of some files.

    Args:
        instances: SOP Instance UIDs that the service has.
        refused: SOP Instance UID to the failure reason (PS3.18, table 10.5.3-1); it may be "" where none was read.
    """

    instances: tuple[str, ...]
    refused: tuple[tuple[str, int], ...]


def store(connection: Connection, files: Sequence[Path], project: str = "") -> Stored:
    """Send files; those that are there already with the same bytes are there once.

    Args:
        connection: To the service.
        files: DICOM files, or folders of them.
        project: Id of the project of new studies; "" where there is one only.

    Raises:
        BadUsage: When there is no such file.
        ServiceError: What the service told; nothing of that request is there.
    """
    paths = [path for one in files for path in _files(Path(one))]
    if not paths:
        raise BadUsage("there are no files to send", given=", ".join(map(str, files))[:200])
    instances, refused = list[str](), list[tuple[str, int]]()
    for at in range(0, len(paths), TOGETHER):
        said = _sent(connection, paths[at : at + TOGETHER], project)
        instances += [uid for uid, _ in _items(said, STORED)]
        refused += _items(said, FAILED)
    return Stored(tuple(instances), tuple(refused))


def _sent(connection: Connection, paths: Sequence[Path], project: str) -> dict[str, Any]:
    boundary = secrets.token_hex(16)
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
    query = {"project": project} if project else {}
    answer = connection.upload("/dicom-web/studies", lambda: _body(paths, boundary), headers, query)
    found = answer.json() if answer.content else {}
    if answer.status_code >= 400 and STORED not in found and FAILED not in found:
        raise told(answer)
    return dict(found)


def _body(paths: Sequence[Path], boundary: str) -> Iterator[bytes]:
    for path in paths:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        with path.open("rb") as stream:
            while part := stream.read(CHUNK):
                yield part
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(one for one in path.rglob("*") if one.is_file())
    elif path.is_file():
        yield path
    else:
        raise BadUsage("there is no such file or folder", given=str(path))


def _items(said: dict[str, Any], tag: str) -> list[tuple[str, int]]:
    found = []
    for item in said.get(tag, {}).get("Value", ()):
        uid = item.get(UID, {}).get("Value", [""])[0]
        found.append((str(uid), int(item.get(REASON, {}).get("Value", [0])[0])))
    return found
