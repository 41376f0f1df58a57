"""The routes of the application: every file of `routes/` and of `room/pages/` has a `router`.

A new noun, or a new page, is one file, and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from fastapi import APIRouter

from diascope.serve.http import routes
from diascope.serve.room import pages

API = "/api/v1"
"""Where routes are unless their file has another `PREFIX`."""


def routers() -> list[tuple[str, APIRouter]]:
    """Address and routes of every noun and page, by name."""
    nouns = [_file(routes, name) for name in sorted(_names(routes))]
    shown = [_file(pages, name) for name in sorted(_names(pages))]
    found = [(getattr(one, "PREFIX", API), one.router) for one in nouns]
    return found + [(getattr(one, "PREFIX", ""), one.router) for one in shown]


def _names(package: ModuleType) -> list[str]:
    return [one.name for one in pkgutil.iter_modules(package.__path__) if not one.name.startswith("_")]


def _file(package: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{name}")
