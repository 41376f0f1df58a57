"""Plug-ins: one file, named after itself. Names are listed without importing any of them.

A family is a folder of this package. Its `__init__.py` holds the family's protocol; every *module* in it whose name has
no leading underscore is a plug-in (shared parts live in sub-packages). Another installed package adds plug-ins through
an entry point in the group `diascope.<family>`; it goes before a built-in one of the same name (decision 0009).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from diascope.core.errors import DiascopeError, UnknownName

FAMILIES = MappingProxyType(
    {
        "tasks": "TASK",
        "kinds": "KIND",
        "modalities": "MODALITY",
        "models": "MODEL",
        "formats": "FORMAT",
        "sources": "SOURCE",
        "checks": "CHECK",
        "transforms": "TRANSFORM",
        "losses": "LOSS",
        "metrics": "METRIC",
        "explainers": "EXPLAINER",
        "features": "FEATURES",
        "backends": "BACKEND",
    }
)
"""Family (folder) to the constant that each of its files provides."""


def names(family: str) -> tuple[str, ...]:
    """Sorted names of a family's plug-ins, without importing them.

    Raises:
        UnknownName: When there is no such family.
    """
    _check_family(family)
    return tuple(sorted({*_own(family), *_entry_points(family)}))


def get(family: str, name: str) -> Any:
    """The plug-in itself: the family's constant in the file of that name.

    Raises:
        UnknownName: When there is no such plug-in; names the closest.
        DiascopeError: When the file lacks the family's constant.
    """
    constant = FAMILIES[_check_family(family)]
    if is_installed(family, name):
        module: Any = _entry_points(family)[name].load()
        if not hasattr(module, constant):
            return module
    elif name in _own(family):
        module = importlib.import_module(f"diascope.{family}.{name}")
    else:
        raise UnknownName(f"plug-in in {family}", name, names(family))
    if not hasattr(module, constant):
        raise DiascopeError(f"{module.__name__} has no {constant}", todo=f"Define {constant} in that file")
    return getattr(module, constant)


def is_installed(family: str, name: str) -> bool:
    """Whether another package brings the plug-in of that name."""
    return name in _entry_points(_check_family(family))


def each(family: str) -> Iterator[tuple[str, Any]]:
    """Name and plug-in of a whole family, in the order of the names."""
    for name in names(family):
        yield name, get(family, name)


def _check_family(family: str) -> str:
    if family not in FAMILIES:
        raise UnknownName("plug-in family", family, FAMILIES)
    return family


@cache
def _own(family: str) -> frozenset[str]:
    package = importlib.import_module(f"diascope.{family}")
    found = pkgutil.iter_modules(package.__path__)
    return frozenset(entry.name for entry in found if not entry.ispkg and not entry.name.startswith("_"))


@cache
def _entry_points(family: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"diascope.{family}")}
