"""Settings of the service: a TOML file, and what the command line says on top of it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diascope.core.errors import BadUsage, UnknownName
from diascope.core.record import Field, Record

FILE = "settings.toml"

SECRET = ("database", "identities")
"""Settings that may hold a password; their values are in no error."""

WORKSPACE_SOURCES: Mapping[str, str] = {"uploads": "uploads", "feedback": "feedback"}
"""Sources that every workspace has: name to the kind of noun (`serve/nouns.py`) that its paths begin with."""

LONGEST = 80
"""Characters of a wrong value that are shown."""


class Source(Record):
    """A folder whose data may be learnt from through the API."""

    folder: Path
    projects: tuple[str, ...] = ()
    """Ids of those that may use it; none is every project."""


class Settings(Record):
    """How the service runs. Every field may stand in `service/settings.toml` of the workspace."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address that HTTP listens on; beyond loopback it needs users and TLS."""
    port: int = Field(default=8080, ge=0, le=65535)
    """0: any free one."""
    dicom_host: str = Field(default="127.0.0.1", min_length=1)
    dicom_port: int = Field(default=11112, ge=0, le=65535)
    ae_title: str = Field(default="DIASCOPE", min_length=1, max_length=16)
    database: str | None = None
    """`postgresql://…`; None is a SQLite file in the workspace."""
    identities: str | None = None
    """Database of the identities; None is a SQLite file in the workspace, or the index's server."""
    archive: str | None = None
    """Folder or address (`s3://…`) of the objects; None is a folder in the workspace."""
    keys: Path | None = None
    """File of the keys; None is one in the user's configuration folder, outside the workspace."""
    encrypt: bool = False
    """Whether objects are encrypted at rest; identities always are."""
    certificate: Path | None = None
    certificate_key: Path | None = None
    """TLS of HTTP and, where `dicom_tls` says so, of DICOM."""
    dicom_tls: bool = False
    dicom_without_tls: bool = False
    """Whether DICOM may listen beyond loopback in plain text: in a hospital network that is protected by itself."""
    client_ca: Path | None = None
    """Certificates that DICOM peers must show."""
    quiet_seconds: float = Field(default=5.0, ge=0.0, allow_inf_nan=False)
    """A series is complete when nothing of it has arrived for so long."""
    workers: int = Field(default=1, ge=0, le=64)
    """Jobs at a time in this process; 0 leaves them to `diascope worker`."""
    warm_releases: int = Field(default=2, ge=1)
    """Releases that a worker keeps in memory."""
    threads_for_training: int = Field(default=1, ge=1)
    largest_object_mb: int = Field(default=2048, ge=1)
    """Largest DICOM object that is taken, MB."""
    largest_upload_mb: int = Field(default=4096, ge=1)
    """Largest data set that is uploaded, MB; unpacked it may be ten times that."""
    quota_gb: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    """Objects beyond this are refused, 10**9 bytes; None is no limit."""
    keep_free_gb: float = Field(default=0.2, ge=0.0, allow_inf_nan=False)
    """Space that is left on the disk of the archive, 10**9 bytes."""
    retention_days: int | None = Field(default=None, ge=1)
    """Studies that nothing was done to for so long are deleted; None keeps them."""
    send_to: tuple[str, ...] = ()
    """Hosts that webhooks, FHIR and DICOMweb may be sent to, `host` or `host:port`; none is sent elsewhere."""
    sources: dict[str, Source] = Field(default_factory=dict)
    """Name to folder of data that checks, trainings and evaluations may be asked for; nothing else on this machine."""
    session_minutes: int = Field(default=30, ge=1)
    session_hours: int = Field(default=12, ge=1)
    """A session ends after so many minutes without a request, and after so many hours in any case."""
    lookups_per_minute: int = Field(default=300, ge=1)
    """Queries about patients that one user may make."""
    look_first: bool = False
    """Whether the reading room shows a study without what releases suggest until its reader asks for it."""
    rules: Path | None = None
    """File of routing rules, read when the service starts; None leaves them to the API."""


def read_settings(root: Path, given: Mapping[str, Any]) -> Settings:
    """Settings of a workspace: its file, then what was given.

    Args:
        root: Folder of the service.
        given: Field to value; None is not given.

    Raises:
        BadUsage: When the file is no TOML, or a value makes no sense; names the key.
        UnknownName: When a key is unknown.
    """
    path, content = root / FILE, {}
    if path.is_file():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadUsage(f"cannot read {path}: {error}", todo="Mend it, or remove it") from error
    content |= {key: value for key, value in given.items() if value is not None}
    for key in content:
        if key not in Settings.model_fields:
            raise UnknownName("setting", key, Settings.model_fields)
    try:
        # As JSON and strictly: "yes" is no truth value, "8080" no number, and a path may still be written as text.
        found = Settings.model_validate_json(json.dumps(content, default=_plain), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        shown = None if key in SECRET else repr(first["input"])[:LONGEST]
        raise BadUsage(f"the setting {key}: {first['msg']}", given=shown, todo=f"See {path}") from error
    for name in found.sources:
        if name in WORKSPACE_SOURCES:
            raise BadUsage(
                "the setting sources: every workspace has a source of this name", given=name, todo=f"See {path}"
            )
    return found


def _plain(value: object) -> object:
    """What JSON has no form for: a path is text; a date of TOML is nothing that a setting can be."""
    return str(value) if isinstance(value, Path) else {"no setting": str(value)}
