"""Brute force and scraping (C7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.serve.access.limits import Throttled, look_up
from diascope.serve.access.matrix import Caller
from diascope.serve.access.passwords import PASSWORDS, Checked
from diascope.serve.service import Service
from diascope.testing.calls import a_peer
from diascope.testing.web import OWN, PASSWORD, Browser, a_site


@pytest.mark.slow
def test_a_thousand_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C7: 1,000 logins from one address: throttled with Retry-After, an alert; the user gets in from elsewhere."""
    site = a_site(tmp_path)
    site.user("reader", "li")
    monkeypatch.setattr(PASSWORDS, "check", lambda *_: Checked(False))  # hashing is not what is tried here
    attacker, statuses = site.nobody("198.51.100.66"), []
    for number in range(1000):
        answer = attacker.post("/session", json={"name": "li", "password": f"guess {number}"})
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert "secret" not in answer.text
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 10, "no more than a handful of guesses were looked at"
    monkeypatch.undo()
    owner = Browser(site.app, address="203.0.113.5")
    assert owner.post("/session", json={"name": "li", "password": PASSWORD}).status_code == 201
    alerts = site.someone("administrator").get("/audit", params={"action": "security.alert"}).json()["items"]
    assert alerts
    assert alerts[0]["address"] == "198.51.100.66"
    site.clock.forward(16 * 60)
    again = attacker.post("/session", json={"name": "li", "password": PASSWORD})
    assert again.status_code == 201, "nobody is locked out for ever"


def test_ten_thousand_look_ups(tmp_path: Path) -> None:
    """C7: 10,000 look-ups of patients by one user: 429 after a minute's worth, an alert; others go on."""
    site = a_site(tmp_path, lookups_per_minute=60)
    peer = a_peer(site, OWN)
    who, other = site.someone("reader"), site.someone("reader")
    path = f"/peers/{peer}/queries/none"
    statuses = [who.get(path).status_code for _ in range(200)]
    caller = Caller(who.user, "reader", "reader", frozenset({OWN}))
    refused = sum(_refused(site.service, caller) for _ in range(9_800))
    assert (statuses.count(404), statuses.count(429), refused) == (60, 140, 9_800)
    last = who.get(path)
    assert int(last.headers["retry-after"]) >= 1
    assert last.json()["error"]["code"] == "too_many"
    assert other.get(path).status_code == 404
    alerts = site.someone("administrator").get("/audit", params={"action": "security.alert"}).json()["items"]
    assert len(alerts) == 1
    site.clock.forward(60)
    assert who.get("/me").status_code == 200
    assert who.get(path).status_code == 404, "a minute later it goes on"


def _refused(service: Service, caller: Caller) -> bool:
    try:
        look_up(service, caller)
    except Throttled:
        return True
    return False
