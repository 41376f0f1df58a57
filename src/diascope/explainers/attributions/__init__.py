"""The door to Captum, whose methods say what each part of an input adds to an answer."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from diascope.core.errors import MissingPackage


def is_installed() -> bool:
    """Whether Captum is there."""
    return importlib.util.find_spec("captum") is not None


def captum_attr(purpose: str) -> Any:
    """Captum's methods.

    Raises:
        MissingPackage: When it is not installed.
    """
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise MissingPackage("captum", "explain", purpose) from error
