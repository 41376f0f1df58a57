"""Sessions and other sites' pages: C5, C6, C11."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path

import pytest

import diascope.testing.dicomweb_calls  # noqa: F401  registers its samples
from diascope.serve.access.operations import OPERATIONS
from diascope.serve.http.asking import COOKIE, CSRF
from diascope.testing.calls import ROUTES, SAMPLES
from diascope.testing.web import ORIGIN, OWN, PASSWORD, Browser, a_site

FIXED = "x" * 43


def test_a_login_gives_a_new_session_whatever_was_sent(tmp_path: Path) -> None:
    """C5: fixation: an id that was sent is never taken over; a second login ends the first session."""
    site = a_site(tmp_path)
    site.user("reader", "li")
    who = Browser(site.app, cookies={COOKIE: FIXED})
    first = _login(who)
    assert who.cookies[COOKIE] not in ("", FIXED)
    assert len(who.cookies[COOKIE]) >= 43, "256 random bits, URL-safe"
    before = Browser(site.app, cookies=dict(who.cookies))
    assert before.get("/me").status_code == 200
    _login(who)
    assert who.cookies[COOKIE] != before.cookies[COOKIE]
    assert before.get("/me").status_code == 401
    assert first["csrf"] != who.get("/session").json()["csrf"]


def test_a_session_ends_idle_and_in_any_case(tmp_path: Path) -> None:
    """C5: after 30 min without a request, and after 12 h however much it is used."""
    site = a_site(tmp_path)
    idle, busy = site.someone("reader"), site.someone("reader")
    site.clock.forward(31 * 60)
    assert idle.get("/me").status_code == 401
    busy = site.with_session(busy.user)
    for _ in range(24):
        assert busy.get("/me").status_code == 200
        site.clock.forward(29 * 60 + 59)
    site.clock.forward(120)
    assert busy.get("/me").status_code == 401


def test_logout_ends_the_session_on_the_server(tmp_path: Path) -> None:
    """C5: the cookie that a browser kept opens nothing any more."""
    site = a_site(tmp_path)
    who = site.someone("reader")
    kept = Browser(site.app, dict(who.headers), dict(who.cookies))
    answer = who.send("DELETE", "/session")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert kept.get("/me").status_code == 401


def test_a_new_password_gives_a_new_id_and_ends_the_others(tmp_path: Path) -> None:
    """C5: rotation: all other sessions end."""
    site = a_site(tmp_path)
    who = site.someone("reader")
    other, before = site.with_session(who.user), dict(who.cookies)
    new = {"old": PASSWORD, "new": "copper-meadow-violin-31"}
    assert who.send("PUT", "/me/password", json=new).status_code == 200
    assert who.cookies[COOKIE] != before[COOKIE]
    assert other.get("/me").status_code == 401
    assert Browser(site.app, cookies=before).get("/me").status_code == 401
    assert who.get("/me").status_code == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_flags_of_the_cookies(scheme: str, tmp_path: Path) -> None:
    """C5: scripts can't read them, other sites' pages don't send them, over TLS nothing else does."""
    site = a_site(tmp_path)
    site.user("reader", "li")
    answer = site.nobody().post(f"{scheme}://diascope.test/api/v1/session", json={"name": "li", "password": PASSWORD})
    for line in answer.headers.get_list("set-cookie"):
        (cookie,) = SimpleCookie(line).values()
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert not cookie["domain"]
        assert bool(cookie["secure"]) is (scheme == "https")
        assert cookie.key.startswith("__Host-") is (scheme == "https" and "session" in cookie.key)
    assert ("strict-transport-security" in answer.headers) is (scheme == "https")


@pytest.mark.slow
def test_cross_site(tmp_path: Path) -> None:
    """C6: every route that changes something, with the cookie: no CSRF token, a wrong one, a foreign page."""
    site, wrong = a_site(tmp_path), []
    changing = [route for route in ROUTES if route[0] not in ("GET", "HEAD")]
    assert len(changing) > 20
    for method, path, name in changing:
        operation = OPERATIONS[name]
        role = next(
            one for one in ("administrator", "steward", "reader", "researcher") if operation.answers[one] != "-"
        )
        for kind, headers in FOREIGN.items():
            who = site.someone(role)
            call = SAMPLES[method, path](site, OWN, who)
            is_login = operation.of == "anyone"
            if is_login and "csrf" in kind:
                continue  # nobody has a token before the login
            answer = call.send(who, method, headers=headers)
            if answer.status_code != 403 or answer.json()["error"]["code"] != "cross_site":
                wrong.append((method, path, kind, answer.status_code))
    assert wrong == [], "\n".join(map(str, wrong))


FOREIGN = {
    "no csrf": {CSRF: ""},
    "wrong csrf": {CSRF: "0" * 64},
    "foreign origin": {"Origin": "https://evil.test"},
    "no origin at all": {"Origin": "null"},
    "same host, other port": {"Origin": f"{ORIGIN}:8080"},
    "other site": {"Sec-Fetch-Site": "cross-site"},
    "sibling": {"Sec-Fetch-Site": "same-site"},
}


def test_our_own_page_may(tmp_path: Path) -> None:
    """C6: the check lets our own page through."""
    who = a_site(tmp_path).someone("administrator")
    own = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    assert who.post("/projects", json={"name": "lungs"}, headers=own).status_code == 201


def test_a_form_can_not_send_what_is_taken(tmp_path: Path) -> None:
    """C6: what forms of other pages send without asking first (text/plain, forms) is of no type that is taken."""
    who = a_site(tmp_path).someone("administrator")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = who.post("/projects", content=b'{"name": "lungs"}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_type")


def test_headers(tmp_path: Path) -> None:
    """C11: nothing is cached, framed, sniffed or told to other origins; on answers, errors and refusals alike."""
    site = a_site(tmp_path)
    who = site.someone("administrator")
    answers = [
        who.get("/me"),
        who.get("/nope"),
        site.nobody().get("/me"),
        who.send("OPTIONS", "/me", headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "GET"}),
        who.send("TRACE", "/me"),
        who.post("/projects", content=b"x" * (2 << 20)),
        who.post("/projects", content=b"{", headers={"Content-Type": "application/json"}),
        who.get("/health/live"),
        who.get("/audit/export"),
    ]
    assert [one.status_code for one in answers] == [200, 404, 401, 405, 405, 413, 400, 200, 200]
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "wrong", "given", "todo", "reference"}


def _login(who: Browser) -> dict[str, str]:
    answer = who.post("/session", json={"name": "li", "password": PASSWORD})
    assert answer.status_code == 201
    found: dict[str, str] = answer.json()
    return found
