"""Samples of uploads and of the pages of trainings, and what they show: nothing here is trained."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Mapping
from typing import Any

from diascope.serve.database import tables
from diascope.serve.incoming.uploading import KIND
from diascope.serve.nouns import JOB, folder_of
from diascope.testing.calls import Call, a_job, row, sample
from diascope.testing.web import ORIGIN, Browser, Site

OCTETS = "application/octet-stream"


def a_zip(files: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive.

    Args:
        files: Name to content.
        how: It is packed.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    return content.getvalue()


def an_upload(site: Site, project: str, files: Mapping[str, bytes] | None = None) -> str:
    """An upload of a project; its name."""
    made = f"films-{secrets.token_hex(4)}"
    folder = folder_of(site.service.workspace, KIND) / made
    for name, content in (files or {"a/1.png": b"", "b/2.png": b""}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    values = {"project_id": project, "by": "user:test", "created": site.service.clock()}
    row(site, tables.nouns, kind=KIND, name=made, **values)
    return made


def a_command(site: Site, project: str, verb: str, state: str = "done", **more: Any) -> str:
    """A job that runs a verb; its id."""
    source = {"source": "data", "path": ""}
    payload = {"verb": verb, "places": [source], "options": {}} | more.pop("payload", {})
    return a_job(site, project, state, kind=JOB, payload=payload, **more)


@sample("POST", "/api/v1/uploads")
def _upload(site: Site, project: str, who: Browser) -> Call:
    return Call("/uploads", query={"name": "rows.csv", "project": project}, content=b"a,b\n1,2\n", kind=OCTETS)


@sample("GET", "/api/v1/uploads")
def _uploads(site: Site, project: str, who: Browser) -> Call:
    return Call("/uploads", query={"limit": "1000"}, own=an_upload(site, project))


@sample("DELETE", "/api/v1/uploads/{upload}")
def _remove(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/uploads/{an_upload(site, project)}")


@sample("GET", "/api/v1/jobs/{job}/course")
def _course(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/jobs/{a_command(site, project, 'train')}/course")


@sample("GET", "/training")
def _overview(site: Site, project: str, who: Browser) -> Call:
    return Call(f"{ORIGIN}/training", own=a_command(site, project, "check"))


@sample("GET", "/training/new")
def _new(site: Site, project: str, who: Browser) -> Call:
    return Call(f"{ORIGIN}/training/new", own=an_upload(site, project))


@sample("GET", "/training/jobs/{job}")
def _step(site: Site, project: str, who: Browser) -> Call:
    return Call(f"{ORIGIN}/training/jobs/{a_command(site, project, 'check', 'running')}")
