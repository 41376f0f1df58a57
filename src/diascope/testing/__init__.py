"""What plug-ins are tested with: factories of small inputs, and the promises of every family.

A plug-in of any installed package is found by its entry point and asked for its family's promises:

    pytest --pyargs diascope.testing -k my_plugin

The same promises are functions (`promises.metric`, `promises.check`, ...) for tests of one's own. Everything is loaded
when it is first used: tests of the service need no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diascope.testing import promises
    from diascope.testing.factories import a_case, a_survey, an_image
    from diascope.testing.keeping import BrokenPromise

__all__ = ["BrokenPromise", "a_case", "a_survey", "an_image", "promises"]

_WHERE = {"BrokenPromise": "keeping", "a_case": "factories", "a_survey": "factories", "an_image": "factories"}


def __getattr__(name: str) -> Any:
    if name == "promises":
        return importlib.import_module("diascope.testing.promises")
    if name in _WHERE:
        return getattr(importlib.import_module(f"diascope.testing.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'diascope.testing' has no attribute {name!r}")
