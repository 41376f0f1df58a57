"""Limits: guessing passwords, and looking patients up in bulk."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from diascope.serve.access import limits, logins, users
from diascope.serve.access.limits import ALERT, FREE, LONGEST_WAIT, Throttled, Try
from diascope.serve.access.matrix import Caller
from diascope.serve.access.refusals import WrongLogin
from diascope.serve.database import tables
from diascope.testing.service import PASSWORD, Clock, a_service, a_user, events

ATTACKER, HOME, CAFE = "203.0.113.9", "10.0.0.7", "198.51.100.4"


def tried(service, name: str, address: str, password: str = "guess", device: str = "") -> int | None:
    """Seconds that a try must wait; None where the password was looked at."""
    try:
        logins.login(service, name, password, address, device=device)
    except WrongLogin:
        return None
    except Throttled as error:
        return error.retry_after
    return None


def entered(service, account: str, address: str, device: str = "") -> int | None:
    """As `tried`, without a password."""
    try:
        limits.enter(service, Try(account, limits.place(address), device))
    except Throttled as error:
        return error.retry_after
    return None


def failures(service) -> int:
    with service.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.attempts)).scalar_one()


def test_a_thousand_logins_are_throttled_and_the_real_user_gets_in(tmp_path):
    """C7: few passwords are looked at, waits grow, one alert is raised, and the user is not locked out."""
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    device = logins.login(service, "li", PASSWORD, HOME).device
    waits = []
    for _ in range(1000):
        clock.forward(0.5)
        waits.append(tried(service, "li", ATTACKER))
    looked_at = waits.count(None)
    assert FREE["stranger"] <= looked_at <= FREE["stranger"] + 10
    grown = [now for before, now in pairwise(waits) if before is None and now is not None]
    assert grown == sorted(grown)
    assert grown[0] == 1
    assert grown[-1] > 100
    alerts = events(service, "security.alert")
    assert len(alerts) == 1
    assert (alerts[0]["object"], alerts[0]["address"], alerts[0]["outcome"]) == ("user:li", ATTACKER, "failure")
    for address, cookie in ((HOME, ""), (CAFE, ""), (ATTACKER, device)):
        assert logins.login(service, "li", PASSWORD, address, device=cookie).caller.name == "li"


def test_many_strangers_do_not_keep_out_who_has_logged_in_before(tmp_path):
    """C7: from everywhere at once; strangers wait, a known address and a known device do not."""
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    device = logins.login(service, "li", PASSWORD, HOME).device
    account = limits.account_of("li")
    waits = [entered(service, account, f"203.0.113.{n}") for n in range(200)]
    assert waits.count(None) == FREE["account"]
    assert [row["detail"]["counted"] for row in events(service, "security.alert")] == ["account"]
    with pytest.raises(Throttled):
        logins.login(service, "li", PASSWORD, CAFE)
    assert logins.login(service, "li", PASSWORD, HOME)
    assert logins.login(service, "li", PASSWORD, CAFE, device=device)
    assert logins.login(service, "li", PASSWORD, CAFE)
    clock.forward(LONGEST_WAIT)
    assert logins.login(service, "li", PASSWORD, "198.51.100.99")


def test_one_address_can_not_try_all_accounts(tmp_path):
    """C7: a common password against every name. A colleague of the same address who is known gets in."""
    service = a_service(tmp_path)
    a_user(service, "li")
    logins.login(service, "li", PASSWORD, ATTACKER)
    waits = [entered(service, limits.account_of(f"user{n}"), ATTACKER) for n in range(300)]
    assert waits.count(None) == FREE["address"]
    assert [row["detail"]["counted"] for row in events(service, "security.alert")] == ["address"]
    assert logins.login(service, "li", PASSWORD, ATTACKER)


def test_a_device_that_is_known_is_counted_too(tmp_path):
    """C7: a stolen cookie is no right to guess."""
    service = a_service(tmp_path)
    account = limits.account_of("li")
    waits = [entered(service, account, ATTACKER, device="d1") for _ in range(50)]
    assert waits.count(None) == FREE["device"]
    assert entered(service, account, ATTACKER, device="d2") is None
    assert len(events(service, "security.alert")) == 1


def test_failures_of_those_who_are_known_do_not_make_strangers_wait(tmp_path):
    """C7: somebody at a known place can't close an account to its owner's other places."""
    service = a_service(tmp_path)
    account = limits.account_of("li")
    for n in range(FREE["account"] + 10):
        assert entered(service, account, HOME, device=f"d{n}") is None
    assert entered(service, account, CAFE) is None


def test_waits_double_to_a_quarter_of_an_hour_and_no_further(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    waits, now = [], clock.now
    for _ in range(25):
        wait = entered(service, "a", ATTACKER)
        if wait is not None:
            waits.append(wait)
            clock.forward(wait)
            assert entered(service, "a", ATTACKER) is None
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(waits[10:]) == {LONGEST_WAIT}
    clock.now = now - 3600
    assert entered(service, "a", ATTACKER) <= LONGEST_WAIT


def test_a_try_that_is_sent_away_leaves_no_row(tmp_path):
    """C7: hammering does not fill the database."""
    service = a_service(tmp_path)
    for _ in range(100):
        entered(service, "a", ATTACKER)
    assert failures(service) == FREE["stranger"]


def test_a_hundred_at_once_count_as_a_hundred(tmp_path):
    """C7: tries are written down before passwords are looked at, so none slips through while another is checked."""
    service = a_service(tmp_path)
    ready, found = threading.Barrier(16), []

    def go():
        ready.wait(10)
        found.append(entered(service, "a", ATTACKER))

    threads = [threading.Thread(target=go) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 16
    assert found.count(None) == FREE["stranger"]


def test_a_right_password_ends_the_counting(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    for _ in range(4):
        for _ in range(4):
            assert entered(service, limits.account_of("li"), HOME) is None
        clock.forward(1)
        assert logins.login(service, "li", PASSWORD, HOME)
        clock.forward(1)
    assert events(service, "security.alert") == []


def test_a_reset_password_forgives_the_failures(tmp_path):
    service = a_service(tmp_path)
    li = a_user(service, "li")
    while tried(service, "li", HOME) is None:
        pass
    password = users.reset_password(service, li.id, users.HOST)
    assert logins.login(service, "li", password, HOME).caller.must_change


def test_old_tries_are_dropped(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    for n in range(10):
        entered(service, "a", f"203.0.113.{n}")
    clock.forward(limits.WINDOW + 1)
    logins.login(service, "li", PASSWORD, HOME)
    assert failures(service) == 1
    clock.forward(limits.KNOWN_FOR + 1)
    logins.login(service, "li", PASSWORD, CAFE)
    assert failures(service) == 1


def test_an_alert_is_raised_once_a_burst(tmp_path):
    """C7: a day of hammering is one alert; after an hour of quiet it is another burst."""
    service = a_service(tmp_path, clock := Clock())
    for _ in range(3 * ALERT["stranger"]):
        entered(service, "a", ATTACKER)
        clock.forward(60)
    assert len(events(service, "security.alert")) == 1
    clock.forward(limits.BURST_ENDS)
    for _ in range(3 * ALERT["stranger"]):
        entered(service, "a", ATTACKER)
    assert len(events(service, "security.alert")) == 2


def test_names_that_were_typed_are_kept_as_digests(tmp_path):
    service = a_service(tmp_path)
    tried(service, "MyPassword!typed", HOME)
    with service.database.reading() as connection:
        row = connection.execute(select(tables.attempts)).mappings().one()
    assert len(row["account"]) == 64
    assert "typed" not in str(row)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_an_address_is_counted_by_what_one_subscriber_has(address, counted):
    assert limits.place(address) == counted


def test_ten_thousand_look_ups_are_throttled_by_user(tmp_path):
    """C7: a minute's worth at once, then so many a minute; one alert; others are not slowed."""
    service = a_service(tmp_path, clock := Clock(), lookups_per_minute=300)
    li, wu = Caller("1", "li", "reader", address=HOME), Caller("2", "wu", "reader")
    passed, waits = 0, []
    for _ in range(10_000):
        clock.forward(0.01)
        try:
            limits.look_up(service, li)
            passed += 1
        except Throttled as error:
            waits.append(error.retry_after)
    assert 300 + 100 * 5 - 1 <= passed <= 300 + 100 * 5 + 1
    assert set(waits) == {1}
    alerts = events(service, "security.alert")
    assert [(row["actor"], row["address"]) for row in alerts] == [("user:li", HOME)]
    limits.look_up(service, wu)
    clock.forward(60)
    for _ in range(300):
        limits.look_up(service, li)
    with pytest.raises(Throttled):
        limits.look_up(service, li, count=10)
    assert len(events(service, "security.alert")) == 2


def test_what_is_kept_in_memory_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_KEYS", 50)
    service = a_service(tmp_path)
    for n in range(200):
        limits.look_up(service, Caller(str(n), "x", "reader"))
    memory = limits._memory(service)
    for n in range(200):
        memory.times(str(n), 0.0)
    assert len(memory._buckets) == len(memory._bursts) == 50


def test_more_than_a_minutes_worth_at_once_can_be_had_with_a_full_bucket(tmp_path):
    service = a_service(tmp_path, clock := Clock(), lookups_per_minute=10)
    li = Caller("1", "li", "reader")
    limits.look_up(service, li, count=1000)
    with pytest.raises(Throttled) as empty:
        limits.look_up(service, li, count=1000)
    assert empty.value.retry_after == 60
    clock.forward(-1000)
    with pytest.raises(Throttled):
        limits.look_up(service, li)
