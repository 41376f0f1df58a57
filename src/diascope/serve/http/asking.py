"""Who is asking, and whether they may: every route gets an `Asked`, made from the operation that the route names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, Connection, true

from diascope.serve.access import limits, logins, tokens
from diascope.serve.access.logins import Session
from diascope.serve.access.matrix import Caller, Forbidden, Reach, decide, reach
from diascope.serve.access.refusals import NotLoggedIn
from diascope.serve.audit import Event
from diascope.serve.http.errors import CrossSite, NotFound
from diascope.serve.service import Service

OPERATION = "x-operation"
"""Where a route names its operation, so that the API's own description shows it."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE = "diascope-session"
CSRF = "X-CSRF-Token"
LOOK_UPS = frozenset({"studies.list", "identities.read", "identities.search", "peers.query"})
"""Operations that look patients up; each is counted against the caller's limit (C7)."""


def operation(name: str) -> dict[str, Any]:
    """What a route says it does: `openapi_extra=operation("studies.list")`."""
    return {OPERATION: name}


@dataclass(frozen=True)
class Asked:
    """A request of somebody who may make it, so far as the operation alone tells.

    Args:
        service: That is asked.
        caller: Who asks.
        operation: What for.
    """

    service: Service
    caller: Caller
    operation: str

    @property
    def reach(self) -> Reach:
        """Projects whose objects a list may show."""
        return reach(self.operation, self.caller)

    def within(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """The same, as a condition on the column of a table that names the project."""
        found = self.reach
        return true() if found.everywhere else column.in_(sorted(found.projects))

    def may(self, operation: str, project: str | None = None) -> bool:
        """Whether the caller may do something else as well, such as seeing identities."""
        return decide(operation, self.caller, project).allowed

    def on(self, project: str, what: str) -> None:
        """Whether the operation may be done to an object of a project.

        Args:
            project: Of the object.
            what: The object, for the record.

        Raises:
            NotFound: When the caller may not know that it exists.
            Forbidden: Says who may, and who can change that.
        """
        found = decide(self.operation, self.caller, project)
        if found.allowed:
            return
        refused = self.event("access.refused", what, "refused", project, operation=self.operation)
        self.service.audit.tell(refused)
        if not found.visible:
            raise NotFound(found.why)
        raise Forbidden(found)

    def missing(self, kind: str, given: str) -> NotFound:
        """The error for an object that does not exist: the same as for one that the caller may not know of.

        What was typed is told to whoever typed it and stands in no record: it may be a patient's number.

        Raises:
            NotFound: Also here, in the words for what is hidden, for callers who see their own projects only.
        """
        self.on("", kind)
        return NotFound(f"there is no such {kind}", given=given)

    def event(
        self,
        action: str,
        what: str = "",
        outcome: Literal["success", "failure", "refused"] = "success",
        project: str = "",
        **detail: Any,
    ) -> Event:
        """A record of what the caller does."""
        return Event(action, self.caller.actor, what, outcome, project, self.caller.address, detail)

    def record(self, connection: Connection, action: str, what: str = "", project: str = "", **detail: Any) -> None:
        """Append such a record in a transaction."""
        self.service.audit.append(connection, self.event(action, what, "success", project, **detail))


def service_of(request: Request) -> Service:
    """The service that an application belongs to."""
    service: Service = request.app.state.service
    return service


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def cookie_name(request: Request) -> str:
    """Of the session; over TLS one that browsers take from this very host only (ASVS 3.3.1)."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def cookie_of(request: Request) -> str:
    """The session that a request carries; empty without one."""
    return request.cookies.get(cookie_name(request), "")


def caller_of(request: Request) -> Caller | None:
    """Who is asking, by a token or a cookie; None where nobody is known.

    Raises:
        NotLoggedIn: When a token or cookie was sent that is not valid.
        CrossSite: When a cookie comes without its CSRF token, or from another site's page.
    """
    service, address = service_of(request), address_of(request)
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    if "authorization" in request.headers:
        caller = tokens.caller(service, bearer.strip(), address) if kind.lower() == "bearer" else None
        if caller is None:
            raise NotLoggedIn("this token is not valid", todo="Ask for a new one; it may have expired")
        return caller
    if not cookie_of(request):
        return None
    return _session_of(request).caller


def session_of(request: Request) -> Session:
    """The session of a request that may not come with a token.

    Raises:
        NotLoggedIn: When there is none, or it has ended.
    """
    if "authorization" in request.headers or not cookie_of(request):
        raise NotLoggedIn("there is no session", todo="Log in with name and password")
    return _session_of(request)


def _session_of(request: Request) -> Session:
    found = logins.session(service_of(request), cookie_of(request), address_of(request))
    if found is None:
        raise NotLoggedIn("this session has ended", todo="Log in again")
    if request.method not in SAFE:
        of_our_own_page(request)
        if not found.is_csrf(request.headers.get(CSRF, "")):
            raise CrossSite(f"the header {CSRF} is missing or wrong", todo="Send the one that the login returned")
    return found


def of_our_own_page(request: Request) -> None:
    """Refuse what another site's page sends, whatever else it has guessed.

    Raises:
        CrossSite: When the browser says that it does.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site not in (None, "same-origin", "none") or (origin is not None and origin != own):
        raise CrossSite("this request came from another site's page", given=(origin or site or "")[:200])


def asked(request: Request) -> Asked:
    """The request of a route that names its operation.

    Raises:
        NotLoggedIn: When nobody is known to ask.
        Forbidden: When they may do this nowhere.
    """
    name = request.scope["route"].openapi_extra[OPERATION]
    caller = caller_of(request)
    if caller is None:
        raise NotLoggedIn("nobody is logged in", todo="Log in, or send an API token")
    found = Asked(service_of(request), caller, name)
    decision = decide(name, caller)
    if not decision.allowed:
        found.service.audit.tell(found.event("access.refused", "", "refused", operation=name))
        raise Forbidden(decision)
    if name in LOOK_UPS:
        limits.look_up(found.service, caller)
    return found


Who = Annotated[Asked, Depends(asked)]
"""The parameter of every route that is not for anyone."""
