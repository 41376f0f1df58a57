"""What can go wrong when a service is asked: what it says, or that nobody can be reached."""

from __future__ import annotations

from diascope.core.errors import DiascopeError


class ServiceError(DiascopeError):
    """An error that the service told: what was wrong, what was given, what to do.

    Args:
        status: Of HTTP.
        code: Short and stable: `not_found`, `forbidden`, `conflict`, …
        wrong: What was wrong.
        given: What was given.
        todo: What to do next.
        reference: Of the service's log, where the error is the service's own.
    """

    def __init__(
        self, status: int, code: str, wrong: str, given: object = None, todo: str = "", reference: str = ""
    ) -> None:
        super().__init__(wrong, given=given, todo=todo)
        self.status, self.code, self.reference = status, code, reference


class NotFound(ServiceError):
    """There is no such thing, or the caller may not know of it."""


class Forbidden(ServiceError):
    """The caller may not; `todo` says who may."""


class NotLoggedIn(ServiceError):
    """Name and password are wrong, or the session or token is over."""


class Conflict(ServiceError):
    """What is there speaks against it."""


class Unreachable(DiascopeError):
    """The service did not answer, also when it was asked again."""


class JobFailed(DiascopeError):
    """A job that was waited for has failed or was cancelled.

    Args:
        job: Id.
        state: `failed` or `cancelled`.
        wrong: Why.
        todo: What to do next.
    """

    def __init__(self, job: str, state: str, wrong: str, todo: str = "") -> None:
        super().__init__(f"the job {job} is {state}: {wrong}" if wrong else f"the job {job} is {state}", todo=todo)
        self.job, self.state = job, state


KINDS: dict[int, type[ServiceError]] = {401: NotLoggedIn, 403: Forbidden, 404: NotFound, 409: Conflict}
"""Status to the class of its error."""
