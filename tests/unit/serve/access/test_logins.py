"""Sessions: begun, kept apart, ended."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from diascope.serve.access import logins, users
from diascope.serve.access.matrix import decide
from diascope.serve.access.passwords import ONE_TIME_SECONDS, WeakPassword
from diascope.serve.access.refusals import Missing, NotLoggedIn, WrongLogin
from diascope.serve.database import tables
from diascope.testing.service import PASSWORD, Clock, a_service, a_user, events

HERE, THERE = "10.0.0.7", "10.0.0.8"
NEW = "gravel-teapot-meridian"


def rows(service, table):
    with service.database.reading() as connection:
        return connection.execute(select(table)).mappings().all()


def alive(service, *given) -> list[bool]:
    return [logins.session(service, one.session, HERE) is not None for one in given]


def test_a_login_begins_a_session_of_256_random_bits(tmp_path):
    """C5: at least 128 bits; the server keeps the digest only."""
    service = a_service(tmp_path)
    li = a_user(service, "li", "steward")
    one, two = (logins.login(service, " Li ", PASSWORD, HERE) for _ in range(2))
    assert len(one.session) == 43
    assert one.session != two.session
    found = logins.session(service, one.session, THERE)
    assert (found.caller.id, found.caller.role, found.caller.projects) == (li.id, "steward", li.projects)
    assert found.caller.address == THERE
    assert found.caller.scopes is None
    kept = str(rows(service, tables.sessions)) + str(rows(service, tables.audit))
    for secret in (one.session, one.csrf, one.device, two.session, PASSWORD):
        assert secret not in kept
        assert secret not in repr(one)
    assert [row["actor"] for row in events(service, "login")] == ["user:li", "user:li"]


def test_a_session_that_was_sent_is_never_taken_over(tmp_path):
    """C5: fixation. A login ends the session that came with it and gives another."""
    service = a_service(tmp_path)
    a_user(service, "li")
    first = logins.login(service, "li", PASSWORD, HERE)
    second = logins.login(service, "li", PASSWORD, HERE, old=first.session)
    assert second.session != first.session
    assert alive(service, first, second) == [False, True]
    third = logins.login(service, "li", PASSWORD, HERE, old="chosen-by-somebody-else")
    assert third.session != "chosen-by-somebody-else"
    assert logins.session(service, "chosen-by-somebody-else", HERE) is None


def test_a_session_ends_when_nobody_uses_it(tmp_path):
    """C5: idle expiry."""
    service = a_service(tmp_path, clock := Clock(), session_minutes=30)
    a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    for _ in range(4):
        clock.forward(29 * 60)
        assert alive(service, one) == [True]
    clock.forward(30 * 60)
    assert alive(service, one) == [False]


def test_a_session_ends_in_any_case(tmp_path):
    """C5: absolute expiry."""
    service = a_service(tmp_path, clock := Clock(), session_hours=12)
    a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    assert one.expires == clock.now + 12 * 3600
    for _ in range(12 * 3 - 1):
        clock.forward(20 * 60)
        assert alive(service, one) == [True]
    clock.forward(20 * 60)
    assert alive(service, one) == [False]
    assert logins.drop_expired(service) == 1
    assert rows(service, tables.sessions) == []


def test_the_last_use_is_written_down_once_a_minute(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    begun = clock.now
    for _ in range(59):
        clock.forward(1)
        assert alive(service, one) == [True]
    assert [row["used"] for row in rows(service, tables.sessions)] == [begun]
    clock.forward(1)
    assert alive(service, one) == [True]
    assert [row["used"] for row in rows(service, tables.sessions)] == [clock.now]


def test_logging_out_ends_it_on_the_server(tmp_path):
    """C5: a kept cookie opens nothing any more."""
    service = a_service(tmp_path)
    a_user(service, "li")
    one, two = (logins.login(service, "li", PASSWORD, HERE) for _ in range(2))
    logins.logout(service, one.session, HERE)
    assert alive(service, one, two) == [False, True]
    with pytest.raises(NotLoggedIn):
        logins.logout(service, one.session, HERE)
    assert len(events(service, "logout")) == 1


def test_a_user_sees_and_ends_sessions_of_their_own_alone(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    wu = a_user(service, "wu")
    one = logins.login(service, "li", PASSWORD, HERE)
    clock.forward(5)
    two = logins.login(service, "li", PASSWORD, THERE)
    mine = logins.listed(service, one.caller)
    assert [found.address for found in mine] == [THERE, HERE]
    with pytest.raises(Missing):
        logins.end(service, wu, mine[0].digest)
    logins.end(service, one.caller, mine[0].digest)
    assert alive(service, one, two) == [True, False]
    other = logins.login(service, "wu", PASSWORD, HERE)
    assert logins.logout_everywhere(service, one.caller) == 1
    assert alive(service, one, other) == [False, True]


def test_a_new_password_ends_all_sessions_and_begins_one(tmp_path):
    """C5: rotation at a change of the password."""
    service = a_service(tmp_path)
    a_user(service, "li")
    one, two = (logins.login(service, "li", PASSWORD, HERE) for _ in range(2))
    three = logins.change_password(service, one.session, PASSWORD, NEW, HERE)
    assert alive(service, one, two, three) == [False, False, True]
    assert len({one.session, two.session, three.session}) == 3
    with pytest.raises(WrongLogin):
        logins.login(service, "li", PASSWORD, HERE)
    assert logins.login(service, "li", NEW, HERE).caller.name == "li"
    assert len(events(service, "password.changed")) == 1


def test_a_new_password_needs_the_old_one_and_is_a_good_one(tmp_path):
    """C5: who finds an open session does not get the account."""
    service = a_service(tmp_path)
    a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    with pytest.raises(WrongLogin):
        logins.change_password(service, one.session, "not the old one", NEW, HERE)
    with pytest.raises(WeakPassword, match="12 characters"):
        logins.change_password(service, one.session, PASSWORD, "short", HERE)
    with pytest.raises(WeakPassword, match="old one"):
        logins.change_password(service, one.session, PASSWORD, PASSWORD, HERE)
    with pytest.raises(NotLoggedIn):
        logins.change_password(service, "no session", PASSWORD, NEW, HERE)
    assert alive(service, one) == [True]
    assert logins.login(service, "li", PASSWORD, HERE)


def test_the_csrf_token_belongs_to_one_session(tmp_path):
    """C5, C6: another session's token is refused."""
    service = a_service(tmp_path)
    a_user(service, "li")
    one, two = (logins.login(service, "li", PASSWORD, HERE) for _ in range(2))
    found = logins.session(service, one.session, HERE)
    assert found.is_csrf(one.csrf)
    assert logins.csrf_of(one.session) == one.csrf
    for wrong in (two.csrf, "", one.csrf[:-1], one.session):
        assert not found.is_csrf(wrong)


@pytest.mark.parametrize("name", ["nobody", "li", "", "sieve-lantern-orchid", "\ud800", "a\0b"])
def test_a_wrong_login_says_the_same_of_everybody_and_repeats_nothing(tmp_path, name):
    """C7: whether a user exists is not told, and what was typed is not written down."""
    service = a_service(tmp_path)
    a_user(service, "li")
    typed = "typed-into-the-wrong-place"
    with pytest.raises(WrongLogin, match="the name or the password is wrong") as refused:
        logins.login(service, name, typed, HERE)
    with pytest.raises(WrongLogin):
        logins.login(service, name, "\ud800\0", HERE)
    failed = events(service, "login.failed")[:1]
    assert [row["actor"] for row in failed] == ["user:li" if name == "li" else "unknown"]
    assert failed[0]["outcome"] == "failure"
    for text in (str(refused.value), str(failed)):
        assert typed not in text
        assert name in ("", "li") or name not in text


def test_a_closed_account_does_not_open(tmp_path):
    service = a_service(tmp_path)
    li = a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    users.disable(service, li.id, users.HOST)
    assert alive(service, one) == [False]
    with pytest.raises(WrongLogin):
        logins.login(service, "li", PASSWORD, HERE)
    assert events(service, "login.failed")[0]["detail"] == {"reason": "disabled"}


def test_an_account_that_was_closed_in_the_database_has_no_sessions(tmp_path):
    service = a_service(tmp_path)
    a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    service.database.change(lambda connection: connection.execute(tables.users.update().values(disabled=True)))
    assert alive(service, one) == [False]


def test_a_password_that_is_reset_while_it_is_checked_opens_nothing(tmp_path, monkeypatch):
    """C5: no session outlives the password that began it."""
    service = a_service(tmp_path)
    li = a_user(service, "li")
    check = logins.PASSWORDS.check

    def slow(*given):
        found = check(*given)
        users.reset_password(service, li.id, users.HOST)
        return found

    monkeypatch.setattr(logins.PASSWORDS, "check", slow)
    with pytest.raises(WrongLogin):
        logins.login(service, "li", PASSWORD, HERE)
    assert rows(service, tables.sessions) == []
    assert events(service, "login") == []


def test_a_service_account_has_no_password(tmp_path):
    service = a_service(tmp_path)
    a_user(service, "pacs", "service")
    for typed in ("", "None", PASSWORD):
        with pytest.raises(WrongLogin):
            logins.login(service, "pacs", typed, HERE)


def test_a_user_has_so_many_sessions_and_the_oldest_goes(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    a_user(service, "li")
    given = []
    for _ in range(logins.MOST_SESSIONS + 2):
        clock.forward(1)
        given.append(logins.login(service, "li", PASSWORD, HERE))
    assert alive(service, *given) == [False] * 2 + [True] * logins.MOST_SESSIONS


def test_the_first_administrator_gets_a_password_for_one_use(tmp_path):
    """C3, C5: no default password; the first one opens nothing but the change of it."""
    service = a_service(tmp_path)
    password = logins.first_administrator(service)
    one = logins.login(service, "administrator", password, HERE)
    assert one.caller.must_change
    assert logins.session(service, one.session, HERE).caller.must_change
    assert not decide("users.write", one.caller).allowed
    two = logins.change_password(service, one.session, password, NEW, HERE)
    assert not two.caller.must_change
    assert decide("users.write", logins.session(service, two.session, HERE).caller).allowed
    assert two.caller.projects == {"default"}
    assert logins.first_administrator(service) is None
    assert password not in str(events(service))


def test_until_somebody_has_used_it_each_start_gives_a_new_one(tmp_path):
    service = a_service(tmp_path)
    first, second = logins.first_administrator(service), logins.first_administrator(service)
    with pytest.raises(WrongLogin):
        logins.login(service, "administrator", first, HERE)
    assert logins.login(service, "administrator", second, HERE)
    users.create(service, "li", "reader", users.HOST)
    assert logins.first_administrator(service) is None


def test_a_one_time_password_is_over_in_three_days(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    password = logins.first_administrator(service)
    clock.forward(ONE_TIME_SECONDS)
    with pytest.raises(WrongLogin, match="one-time password is over"):
        logins.login(service, "administrator", password, HERE)


def test_a_password_that_was_kept_with_less_work_is_kept_anew(tmp_path):
    service = a_service(tmp_path)
    a_user(service, "li")
    weaker = logins.PASSWORDS._hasher.__class__(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with service.database.engine.begin() as connection:
        connection.execute(tables.users.update().values(password=weaker))
    one = logins.login(service, "li", PASSWORD, HERE)
    kept = rows(service, tables.users)[0]["password"]
    assert "m=19456,t=2,p=1" in kept
    assert logins.login(service, "li", PASSWORD, HERE, device=one.device)
    assert events(service, "login")[-1]["detail"] == {"device": "known"}
