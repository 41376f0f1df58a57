"""The settings, as they are in force; secrets are left out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer

router = APIRouter(prefix="/settings", tags=["settings"])

ADDRESSES = ("database", "identities", "archive")
"""Fields that may hold a password."""
HIDDEN = ("keys", "certificate_key")
"""Where secrets are; that there is one is told, and no more."""


class Shown(Answer):
    """The settings."""

    settings: dict[str, Any]
    """Field to value. Passwords in addresses are left out; of files with secrets it is told that they are set."""


@router.get("", openapi_extra=operation("settings.read"))
def read_settings(asked: Who) -> Shown:
    """The settings; they are changed in `service/settings.toml` and on the command line."""
    found = asked.service.settings.to_json()
    for name in ADDRESSES:
        if found.get(name) is not None:
            found[name] = _without_password(found[name])
    for name in HIDDEN:
        if found.get(name) is not None:
            found[name] = "set"
    return Shown(settings=found)


def _without_password(address: str) -> str:
    if "://" not in address:
        return address
    try:
        shown = make_url(address).set(query={})
    except ArgumentError:
        return "set"
    return shown.render_as_string(hide_password=True)
