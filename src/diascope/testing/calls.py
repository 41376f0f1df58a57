"""A sample of every request of the web application, each on objects of its own: a new route adds its sample here.

Tests ask them as everybody (C1), from other sites' pages (C6), with an audit trail that can't be written (D3).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.routing import APIRoute
from sqlalchemy import Table, insert, select

from diascope.serve.access import tokens
from diascope.serve.access.matrix import Caller
from diascope.serve.audit import Event
from diascope.serve.database import tables
from diascope.serve.http.asking import OPERATION
from diascope.serve.http.routing import routers
from diascope.serve.jobs.kinds.query import sealed
from diascope.testing.web import PASSWORD, Browser, Site


@dataclass(frozen=True)
class Call:
    """One request.

    Args:
        path: Of the request, below the API.
        json: Its body; None without one.
        query: Its query.
        content: Its body, where that is no JSON.
        kind: Media type of the content.
        own: For lists: what stands in the answer when the project's objects are shown, and only then.
    """

    path: str
    json: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    own: str = ""
    content: bytes | None = None
    kind: str = ""

    def send(self, who: Browser, method: str, **more: Any) -> Any:
        """Ask."""
        if self.content is not None:
            more = {**more, "content": self.content, "headers": {**more.get("headers", {}), "Content-Type": self.kind}}
        return who.send(method, self.path, json=self.json, params=dict(self.query), **more)


ROUTES = [
    (method, prefix + route.path, str((route.openapi_extra or {}).get(OPERATION, "")))
    for prefix, router in routers()
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted((route.methods or set()) - {"HEAD"})
]
"""Method, address and operation of every route, also of those that the description leaves out."""

Sample = Callable[[Site, str, Browser], Call]
"""Makes the objects of a request in a project, for somebody who asks."""

SAMPLES: dict[tuple[str, str], Sample] = {}
"""Method and address of a route, as the API's description has it, to its sample."""


def sample(method: str, path: str) -> Callable[[Sample], Sample]:
    """Register the sample of a route."""

    def registered(made: Sample) -> Sample:
        SAMPLES[method, path] = made
        return made

    return registered


def plain(method: str, path: str, json: Any = None) -> None:
    """The sample of a route that needs no objects."""
    SAMPLES[method, f"/api/v1{path}"] = lambda site, project, who: Call(path, json)


def row(site: Site, table: Table, **values: Any) -> dict[str, Any]:
    """Put a row into a table."""
    site.service.database.change(lambda connection: connection.execute(insert(table).values(**values)))
    return values


def a_job(site: Site, project: str, state: str = "queued", **more: Any) -> str:
    """A job of a project."""
    values = {"kind": "route", "payload": {}, "state": state, "by": "service", **more}
    now = site.service.clock()
    made = str(values.pop("id", secrets.token_hex(16)))
    row(site, tables.jobs, id=made, project_id=project, priority=0, attempts=0, ready=now, created=now, **values)
    return made


def a_study(site: Site, project: str, patient: str = "patient-1") -> str:
    """A study of one CT series."""
    uid, now = f"1.2.826.0.{secrets.randbits(60)}", site.service.clock()
    values = {"uid": uid, "project_id": project, "patient": patient, "attributes": {}, "created": now, "changed": now}

    def work(connection: Any) -> None:
        made = connection.execute(insert(tables.studies).values(**values).returning(tables.studies.c.id)).scalar_one()
        of = {"study_id": made, "uid": f"{uid}.1", "modality": "CT", "attributes": {}, "arrived": now}
        connection.execute(insert(tables.series).values(**of))
        change = {"kind": "series_completed", "study_uid": uid, "series_uid": f"{uid}.1", "at": now}
        connection.execute(insert(tables.changes).values(**change))

    site.service.database.change(work)
    return uid


def a_peer(site: Site, project: str) -> str:
    """A DICOM node of a project."""
    made = secrets.token_hex(8)
    settings = {"ae_title": made.upper(), "host": "192.0.2.9", "port": 104, "addresses": ["192.0.2.9/32"]}
    values = {"name": f"node {made}", "kind": "dimse", "settings": settings, "rights": ["store"], "enabled": True}
    row(site, tables.peers, id=made, project_id=project, created=site.service.clock(), **values)
    return made


def a_rule(site: Site, project: str = "") -> str:
    """A routing rule."""
    made, now = secrets.token_hex(16), site.service.clock()
    body = {"name": made, "enabled": True, "when": {}, "release": "lung@1", "send": []}
    row(site, tables.rules, id=made, name=made, position=1, enabled=True, body=body, created=now, changed=now)
    return made


def a_token(site: Site, user: str, role: str) -> str:
    """The id of a token."""
    return tokens.issue(site.service, Caller(user, "test", role), "test", ["studies.list"])[0].id


RULE = {"name": "lungs", "when": {"modality": ["CT"]}, "release": "lung@1"}

for path in ("/me", "/session", "/me/rights", "/me/sessions", "/me/tokens", "/users", "/tokens", "/rules", "/peers"):
    plain("GET", path)
for path in ("/settings", "/system", "/audit/verification"):
    plain("GET", path)
for path in ("/health/live", "/health/ready", "/metrics", "/api/v1/openapi.json"):
    SAMPLES["GET", path] = lambda site, project, who, path=path: Call(path)  # type: ignore[misc]
plain("DELETE", "/session")
plain("DELETE", "/me/sessions")
plain("PUT", "/me/password", {"old": PASSWORD, "new": "copper-meadow-violin-31"})
plain("POST", "/me/tokens", {"name": "mine", "scopes": ["studies.list"]})


@sample("POST", "/api/v1/session")
def _login(site: Site, project: str, who: Browser) -> Call:
    name = f"new-{secrets.token_hex(4)}"
    site.user("reader", name)
    return Call("/session", {"name": name, "password": PASSWORD})


@sample("POST", "/api/v1/users")
def _make_user(site: Site, project: str, who: Browser) -> Call:
    return Call("/users", {"name": f"new-{secrets.token_hex(4)}", "role": "reader", "projects": [project]})


@sample("POST", "/api/v1/projects")
def _make_project(site: Site, project: str, who: Browser) -> Call:
    return Call("/projects", {"name": f"new {secrets.token_hex(4)}"})


@sample("PATCH", "/api/v1/projects/{project}")
def _rename_project(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/projects/{project}", {"name": f"new {secrets.token_hex(4)}"})


@sample("POST", "/api/v1/tokens")
def _make_token(site: Site, project: str, who: Browser) -> Call:
    return Call("/tokens", {"name": "for a program", "scopes": ["studies.list"], "user": site.user("service")})


@sample("DELETE", "/api/v1/tokens/{token}")
def _revoke_token(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/tokens/{a_token(site, site.user('service'), 'service')}")


@sample("DELETE", "/api/v1/me/tokens/{token}")
def _revoke_own_token(site: Site, project: str, who: Browser) -> Call:
    owner = who.user or site.user("reader")
    return Call(f"/me/tokens/{a_token(site, owner, 'reader')}")


@sample("DELETE", "/api/v1/me/sessions/{session}")
def _end_session(site: Site, project: str, who: Browser) -> Call:
    if not who.user:
        return Call(f"/me/sessions/{'0' * 64}")
    site.with_session(who.user)
    found = site.with_session(who.user).get("/me/sessions").json()
    return Call(f"/me/sessions/{found['items'][-1]['id'] if 'items' in found else '0' * 64}")


def _of_user(method: str, tail: str = "", json: Any = None) -> None:
    SAMPLES[method, f"/api/v1/users/{{user}}{tail}"] = lambda site, project, who: Call(
        f"/users/{site.user('reader')}{tail}", json
    )


_of_user("GET")
_of_user("PATCH", json={"display": "Dr Li"})
_of_user("POST", "/password")


def _of_project(method: str, tail: str = "") -> None:
    def made(site: Site, project: str, who: Browser) -> Call:
        member = site.user("reader", places=() if method == "PUT" else (project,))
        return Call(f"/projects/{project}{tail.replace('{user}', member)}")

    SAMPLES[method, f"/api/v1/projects/{{project}}{tail}"] = made


_of_project("GET")
_of_project("PUT", "/members/{user}")
_of_project("DELETE", "/members/{user}")


@sample("GET", "/api/v1/projects")
def _list_projects(site: Site, project: str, who: Browser) -> Call:
    return Call("/projects", own=project)


@sample("GET", "/api/v1/jobs")
def _list_jobs(site: Site, project: str, who: Browser) -> Call:
    return Call("/jobs", own=a_job(site, project))


@sample("GET", "/api/v1/changes")
def _list_changes(site: Site, project: str, who: Browser) -> Call:
    return Call("/changes", query={"limit": "1000"}, own=a_study(site, project))


def _audited(path: str) -> None:
    def made(site: Site, project: str, who: Browser) -> Call:
        marker = f"1.2.{secrets.randbits(50)}"
        site.service.audit.tell(Event("study.viewed", "user:x", marker, project=project))
        return Call(path, own=marker)

    SAMPLES["GET", f"/api/v1{path}"] = made


_audited("/audit")
_audited("/audit/export")


def _of_job(method: str, tail: str, state: str) -> None:
    SAMPLES[method, f"/api/v1/jobs/{{job}}{tail}"] = lambda site, project, who: Call(
        f"/jobs/{a_job(site, project, state)}{tail}"
    )


_of_job("GET", "", "queued")
_of_job("GET", "/events", "done")
_of_job("POST", "/cancel", "queued")
_of_job("POST", "/retry", "failed")


@sample("POST", "/api/v1/rules")
def _make_rule(site: Site, project: str, who: Browser) -> Call:
    return Call("/rules", {**RULE, "name": secrets.token_hex(8)})


@sample("PUT", "/api/v1/rules/order")
def _order_rules(site: Site, project: str, who: Browser) -> Call:

    made = a_rule(site)
    with site.service.database.reading() as connection:
        there = connection.execute(select(tables.rules.c.id)).scalars().all()
    return Call("/rules/order", {"ids": [made, *(one for one in there if one != made)]})


@sample("POST", "/api/v1/rules/try")
def _try_rules(site: Site, project: str, who: Browser) -> Call:
    return Call("/rules/try", {"study": a_study(site, project)})


def _of_rule(method: str, json: Any = None) -> None:
    SAMPLES[method, "/api/v1/rules/{rule}"] = lambda site, project, who: Call(
        f"/rules/{a_rule(site)}", json and {**json, "name": secrets.token_hex(8)}
    )


_of_rule("GET")
_of_rule("PUT", RULE)
_of_rule("DELETE")


def a_new_peer(project: str) -> dict[str, Any]:
    """The body of a peer to be made."""
    made = secrets.token_hex(7)
    node = {"ae_title": made.upper(), "host": "192.0.2.9", "addresses": ["192.0.2.9"]}
    return {"name": f"node {made}", "kind": "dimse", "project": project, "dimse": node}


@sample("POST", "/api/v1/peers")
def _make_peer(site: Site, project: str, who: Browser) -> Call:
    return Call("/peers", a_new_peer(project))


@sample("PUT", "/api/v1/peers/{peer}")
def _change_peer(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/peers/{a_peer(site, project)}", a_new_peer(project))


def _of_peer(method: str, tail: str = "", json: Any = None) -> None:
    SAMPLES[method, f"/api/v1/peers/{{peer}}{tail}"] = lambda site, project, who: Call(
        f"/peers/{a_peer(site, project)}{tail}", json
    )


_of_peer("GET")
_of_peer("DELETE")
_of_peer("POST", "/echo")
_of_peer("POST", "/queries", {"patient_name": "Zhang*"})
_of_peer("POST", "/retrieve", {"study": "1.2.3"})


@sample("GET", "/api/v1/peers/{peer}/queries/{job}")
def _read_answers(site: Site, project: str, who: Browser) -> Call:
    peer, name = a_peer(site, project), _name(site, who)
    payload = {"peer": peer, **sealed(site.service, {"patient_name": "Zhang*"})}
    result = {"count": 1, "more": False, **sealed(site.service, [{"PatientName": "Zhang^San"}])}
    job = a_job(site, project, "done", kind="query", by=f"user:{name}", payload=payload, result=result)
    return Call(f"/peers/{peer}/queries/{job}")


def _name(site: Site, who: Browser) -> str:

    with site.service.database.reading() as connection:
        return str(connection.execute(select(tables.users.c.name).where(tables.users.c.id == who.user)).scalar())
