"""Who is asking, and whether they may: every route gets an `Asked`, made from the operation that the route names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from sqlalchemy import Connection

from diascope.serve.access import logins, tokens
from diascope.serve.access.matrix import Caller, Forbidden, Reach, decide, reach
from diascope.serve.audit import Event
from diascope.serve.http.errors import CrossSite, NotFound, NotLoggedIn
from diascope.serve.service import Service

OPERATION = "x-operation"
"""Where a route names its operation, so that the API's own description shows it."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE = "diascope-session"
CSRF = "X-CSRF-Token"


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


def caller_of(request: Request) -> Caller | None:
    """Who is asking, by a token or a cookie; None where nobody is known.

    Raises:
        NotLoggedIn: When a token or cookie was sent that is not valid.
        CrossSite: When a cookie comes without its CSRF token, or from another site's page.
    """
    service, address = service_of(request), address_of(request)
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    if kind:
        caller = tokens.caller(service, bearer.strip(), address) if kind.lower() == "bearer" else None
        if caller is None:
            raise NotLoggedIn("this token is not valid", todo="Ask for a new one; it may have expired")
        return caller
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return None
    session = logins.session(service, cookie, address)
    if session is None:
        raise NotLoggedIn("this session has ended", todo="Log in again")
    if request.method not in SAFE:
        _of_our_own_page(request)
        if not session.is_csrf(request.headers.get(CSRF, "")):
            raise CrossSite(f"the header {CSRF} is missing or wrong", todo="Send the one that the login returned")
    return session.caller


def _of_our_own_page(request: Request) -> None:
    """Refuse what another site's page sends with our cookie, whatever else it has guessed."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site not in (None, "same-origin", "none") or (origin is not None and origin != own):
        raise CrossSite("this request came from another site's page", given=origin or site)


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
    return found


Who = Annotated[Asked, Depends(asked)]
"""The parameter of every route that is not for anyone."""
