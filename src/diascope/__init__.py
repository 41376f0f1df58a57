"""Diascope: an open second reader for medical images.

The verbs of the command line as functions, and what opens their results. Everything is loaded when it is first used, so
that `import diascope` is quick and imports no torch; `diascope.api` says what each takes and gives.

Example:
    >>> import diascope
    >>> fitted = diascope.fit("films", minutes=15)  # doctest: +SKIP
    >>> diascope.open_release(fitted.release_folder).predict("new-film.png", out="answers")  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diascope.api import (
        adopt,
        check,
        compare,
        evaluate,
        explain,
        export,
        fit,
        longitudinal,
        open_release,
        plan,
        predict,
        pretrain,
        radiomics,
        release,
        search,
        synthesize,
        train,
    )
    from diascope.store.workspace import Workspace

__version__ = "0.1.0"
__all__ = [
    "Workspace",
    "adopt",
    "check",
    "compare",
    "evaluate",
    "explain",
    "export",
    "fit",
    "longitudinal",
    "open_release",
    "plan",
    "predict",
    "pretrain",
    "radiomics",
    "release",
    "search",
    "synthesize",
    "train",
]


def __getattr__(name: str) -> Any:
    """A name of the API, imported now."""
    if name not in __all__:
        raise AttributeError(f"module 'diascope' has no attribute {name!r}")
    return getattr(importlib.import_module("diascope.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
