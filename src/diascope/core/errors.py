"""Errors: each says what was wrong, what was given, and what to do.

The class decides the exit code of the command line: 1 failed, 2 bad usage, 3 the data was refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DiascopeError(Exception):
    """Something that a person can understand and mend.

    Args:
        wrong: What was wrong, one clause.
        given: What was given, verbatim.
        todo: What to do next, one sentence.
    """

    exit_code = 1

    def __init__(self, wrong: str, *, given: object = None, todo: str = "") -> None:
        self.wrong, self.given, self.todo = wrong, given, todo
        parts = [wrong.rstrip(".")]
        if given is not None:
            parts.append(f"Given: {given}")
        if todo:
            parts.append(todo.rstrip("."))
        message = ". ".join(parts)
        super().__init__(message if message.endswith("?") else message + ".")


class BadUsage(DiascopeError):
    """A command, option or argument that makes no sense."""

    exit_code = 2


class UnknownName(BadUsage):
    """A plug-in, column or field that does not exist; names the closest that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str], todo: str = "") -> None:
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else todo
        listed = ", ".join(known) if known else "none"
        super().__init__(f"no {kind} named {name!r}; there are: {listed}", todo=hint)
        self.name, self.known = name, tuple(known)


class MissingPackage(DiascopeError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed",
            todo=f"Install it with: pip install 'diascope[{extra}]'",
        )


class DataRefused(DiascopeError):
    """Data that must not be used as it is (exit code 3).

    Args:
        wrong: What was wrong, one clause.
        given: What was given, verbatim.
        todo: What to do next, one sentence.
        cases: Ids of every case that is to blame; the message may name only some.
    """

    exit_code = 3

    def __init__(self, wrong: str, *, given: object = None, todo: str = "", cases: Iterable[str] = ()) -> None:
        super().__init__(wrong, given=given, todo=todo)
        self.cases = tuple(cases)


class UnreadableFile(DataRefused):
    """A file that is broken, truncated, or not what its name says."""

    def __init__(self, path: object, reason: str, todo: str = "") -> None:
        super().__init__(f"cannot read {path}: {reason}", todo=todo or "Replace or remove the file")
        self.path, self.reason = str(path), reason


class UnsoundGeometry(DataRefused):
    """Slices or grids that do not make one sound volume."""


class NotPhysical(DiascopeError):
    """Millimetres were asked of an image that has none (a photograph without spacing)."""


class OutOfScope(DataRefused):
    """An input that a release was not made for; `reasons` lists every cause."""

    def __init__(self, what: str, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            f"the release was not made for {what}: " + "; ".join(self.reasons),
            todo="No finding was made. Use a release that was trained for this kind of input",
        )


class Blocked(DataRefused):
    """A release that its own evaluation speaks against; `reasons` lists every one."""

    def __init__(self, release: str, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            f"{release} must not be used: " + "; ".join(self.reasons),
            todo="See its report; train again on more data, or for fewer steps",
        )


class Tampered(DataRefused):
    """Bytes that differ from their recorded hash."""


class WorkspaceBusy(DiascopeError):
    """Another process is using the workspace."""


class StorageFull(DiascopeError):
    """No room is left where something was to be written; nothing of it was kept."""


class StorageFailed(DiascopeError):
    """The disk did not write what it was given: what it holds can't be relied on until a person has looked (A10)."""


class Unavailable(DiascopeError):
    """Something that the service needs does not answer now; asking again later may help."""


class Conflict(DiascopeError):
    """What is there already speaks against what was asked."""


class DoesNotFit(DiascopeError):
    """What was asked for does not fit the time or memory that was given."""


class TrainingFailed(DiascopeError):
    """Training cannot go on, for example a case gives a loss that is not finite."""


class Stopped(DiascopeError):
    """The user stopped the work; `todo` says how to resume."""

    exit_code = 1
