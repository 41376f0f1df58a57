"""How a broken promise is said."""

from __future__ import annotations

from diascope.core.errors import DiascopeError


class BrokenPromise(DiascopeError):
    """A plug-in that does not do what its family promises."""


def kept(condition: object, promise: str, given: object = None) -> None:
    """Go on only when a promise is kept.

    Raises:
        BrokenPromise: When it is not.
    """
    if not bool(condition):
        raise BrokenPromise(promise, given=given, todo="See the protocol in the family's __init__.py")
