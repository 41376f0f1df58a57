"""What access refuses, by what HTTP makes of it."""

from __future__ import annotations

from diascope.core.errors import BadUsage, Conflict, DiascopeError


class NotLoggedIn(DiascopeError):
    """A session or token that is unknown or over (401)."""


class WrongLogin(DiascopeError):
    """A name and a password that do not belong together; which of them is wrong is not told (401).

    Args:
        expired: Whether the password was right, for one use, and too old.
    """

    def __init__(self, expired: bool = False) -> None:
        wrong = "the time of this one-time password is over" if expired else "the name or the password is wrong"
        super().__init__(wrong, todo="Try again, or ask an administrator for a new one")


class Missing(BadUsage):
    """Something that does not exist (404)."""

    def __init__(self, kind: str, given: str) -> None:
        super().__init__(f"there is no such {kind}", given=given, todo=f"Take one from the list of {kind}s")


class Taken(Conflict):
    """A name that something else has, or a change that the state of things forbids (409)."""
