"""Every route asked by everybody equals the written matrix (C1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

import diascope.testing.dicomweb_calls  # noqa: F401  registers its samples
from diascope.serve.access.operations import OPERATIONS, ROLES, SESSION_ONLY, Operation
from diascope.serve.http.routing import routers
from diascope.testing.calls import ROUTES, SAMPLES
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site


def test_each_route_names_an_operation_of_the_matrix_and_each_operation_has_a_route() -> None:
    """C1: a route that is missing from the matrix fails, and so does an operation that nothing asks."""
    assert [route for route in ROUTES if route[2] not in OPERATIONS] == []
    assert frozenset(OPERATIONS) - {operation for _, _, operation in ROUTES} == set()
    assert {route[:2] for route in ROUTES} == SAMPLES.keys(), "each route has a sample in testing/calls.py"


def test_nothing_is_reached_beside_the_routes(tmp_path: Path) -> None:
    """C1: the application has no route that the framework added, and a router holds routes only."""
    site = a_site(tmp_path)
    assert all(isinstance(route, APIRoute) for _, router in routers() for route in router.routes)
    for path in (
        "/docs",
        "/redoc",
        "/openapi.json",
        "/api/v1/docs",
        "/static",
        "/static/page.py",
        "/static/assets/x.js",
    ):
        assert site.nobody().send("GET", f"{ORIGIN}{path}").status_code == 404


def expected(operation: Operation, role: str, project: str, by_token: bool) -> str:
    """What the table says, read without the code that decides: done, 403 or 404."""
    answer = operation.answers[role]
    if operation.of == "anyone":
        return "done"
    if answer == "-" or (by_token and operation.name in SESSION_ONLY):
        return "403"
    if answer != "own" or project == OWN:
        return "done"
    kin = [OPERATIONS.get(f"{operation.noun}.{verb}") for verb in ("list", "read")]
    return "403" if any(one is not None and one.answers[role] == "all" for one in kin) else "404"


@pytest.mark.parametrize("role", ROLES)
def test_every_route_is_as_the_matrix_says(role: str, tmp_path: Path) -> None:
    """C1: role x route x own and other project."""
    site, wrong = a_site(tmp_path), []
    for method, path, name in ROUTES:
        for project in (OWN, OTHER):
            who = site.someone(role)
            call = SAMPLES[method, path](site, project, who)
            answer = call.send(who, method)
            wanted = expected(OPERATIONS[name], role, project, by_token=role == "service")
            if call.own and wanted == "404":  # a list is shown, without what is of others
                wanted, shown = "done", False
            else:
                shown = wanted == "done"
            found = str(answer.status_code) if answer.status_code >= 300 else "done"
            if found != wanted or (call.own and found == "done" and (call.own in answer.text) is not shown):
                wrong.append((method, path, name, project, wanted, answer.status_code, answer.text[:200]))
    assert wrong == [], "\n".join(map(str, wrong))


def test_whoever_is_not_logged_in_does_nothing(tmp_path: Path) -> None:
    """C1: no login, an expired or revoked token, a disabled user, a session that was ended, a word that is no token."""
    site, wrong = a_site(tmp_path), []
    strangers = _strangers(site)
    for method, path, name in ROUTES:
        open_to_all = OPERATIONS[name].of == "anyone"
        sent = SAMPLES[method, path](site, OWN, site.nobody())
        for who, browser in strangers.items():
            fresh = Browser(site.app, dict(browser.headers), dict(browser.cookies))  # a login must not help the next
            answer = sent.send(fresh, method)
            wanted = "done" if open_to_all else "401"
            found = str(answer.status_code) if answer.status_code >= 300 else "done"
            if found != wanted:
                wrong.append((method, path, who, wanted, answer.status_code, answer.text[:200]))
    assert wrong == [], "\n".join(map(str, wrong))


def _strangers(site: Site) -> dict[str, Browser]:
    expired = site.with_token(site.user("administrator"), "administrator")
    site.clock.forward(2 * 86400)
    administrator = site.someone("administrator")
    revoked = site.with_token(site.user("administrator"), "administrator")
    token = administrator.get("/tokens", params={"user": revoked.user}).json()["items"][0]["id"]
    assert administrator.send("DELETE", f"/tokens/{token}").status_code == 200
    ended = Browser(site.app, dict(administrator.headers), dict(administrator.cookies))
    assert administrator.send("DELETE", "/me/sessions").status_code == 204
    return {
        "nobody": site.nobody(),
        "expired token": expired,
        "revoked token": revoked,
        "no token": Browser(site.app, {"Authorization": "Bearer dsc_guess"}),
        "another scheme": Browser(site.app, {"Authorization": "Basic bGk6bGk="}),
        "disabled user": site.with_session(site.user("administrator", disabled=True)),
        "ended session": ended,
    }


def test_a_one_time_password_opens_nothing_but_the_way_to_a_new_one(tmp_path: Path) -> None:
    """C1: whoever must change the password may do that, look at the own account, and log out."""
    site = a_site(tmp_path)
    who = site.someone("administrator", must_change=True)
    assert who.get("/users").status_code == 403
    assert who.get("/me").json()["must_change"] is True
    changed = who.send("PUT", "/me/password", json={"old": "brass-lantern-orbit-79", "new": "copper-meadow-violin-31"})
    assert changed.status_code == 200
    who.headers["X-CSRF-Token"] = changed.json()["csrf"]
    assert who.get("/users").status_code == 200


def test_why_something_may_not_be_done_is_explained(tmp_path: Path) -> None:
    """C1: "why may I not?" names the roles that may; of a project of others it tells what it tells of none."""
    who = a_site(tmp_path).someone("reader")
    said = who.get("/me/rights", params={"operation": "users.write"}).json()["items"][0]
    assert not said["allowed"]
    assert "administrator" in said["why"]
    assert said["roles"] == ["administrator"]
    asked = [{"operation": "studies.read", "project": project} for project in (OTHER, "nowhere")]
    other, none = (who.get("/me/rights", params=one).json()["items"][0] for one in asked)
    assert {**other, "project": ""} == {**none, "project": ""}
    assert len(who.get("/me/rights").json()["items"]) == len(OPERATIONS)
    assert who.get("/me/rights", params={"operation": "studies.raed"}).status_code == 404
