"""The routes of the application: every file of `routes/` has a `router`; a new noun is one file, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from fastapi import APIRouter

from diascope.serve.http import routes

API = "/api/v1"
"""Where routes are unless their file has another `PREFIX`."""


def routers() -> list[tuple[str, APIRouter]]:
    """Address and routes of every noun, by name."""
    found = [_file(routes, name) for name in sorted(_names(routes))]
    return [(getattr(one, "PREFIX", API), one.router) for one in found]


def _names(package: ModuleType) -> list[str]:
    return [one.name for one in pkgutil.iter_modules(package.__path__) if not one.name.startswith("_")]


def _file(package: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{name}")
