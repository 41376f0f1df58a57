"""API tokens."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from diascope.core.errors import BadUsage, UnknownName
from diascope.serve.access import tokens, users
from diascope.serve.access.matrix import decide
from diascope.serve.access.refusals import Missing, Taken
from diascope.serve.database import tables
from diascope.testing.service import Clock, a_service, a_user, events

HERE = "10.0.0.7"
DAY = 86400.0


def test_a_token_opens_what_its_scopes_say_and_is_kept_as_a_digest(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    li = a_user(service, "li")
    found, secret = tokens.issue(service, li, "script", ["studies.*", "findings.list"])
    assert secret.startswith("dsc_")
    assert len(secret) == 47
    assert found.scopes == ("findings.list", "studies.list", "studies.read")
    assert found.expires == clock.now + 90 * DAY
    caller = tokens.caller(service, secret, HERE)
    assert (caller.id, caller.role, caller.projects, caller.address) == (li.id, "reader", li.projects, HERE)
    assert decide("studies.list", caller, "default").allowed
    assert not decide("readings.write", caller, "default").allowed
    with service.database.reading() as connection:
        kept = str(connection.execute(select(tables.tokens)).mappings().all())
    assert secret not in kept + str(events(service)) + repr(found)
    assert events(service, "token.issued")[0]["actor"] == "user:li"


@pytest.mark.parametrize("secret", ["", "dsc_", "dsc_nothing", "nonsense", "dsc_\ud800"])
def test_what_was_not_issued_opens_nothing(tmp_path, secret):
    service = a_service(tmp_path)
    tokens.issue(service, a_user(service, "li"), "script", ["studies.list"])
    assert tokens.caller(service, secret, HERE) is None


def test_a_token_ends(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    li = a_user(service, "li")
    _, secret = tokens.issue(service, li, "a day", ["studies.list"], days=1)
    clock.forward(DAY - 1)
    assert tokens.caller(service, secret, HERE)
    clock.forward(1)
    assert tokens.caller(service, secret, HERE) is None
    for days in (0, 366, -1):
        with pytest.raises(BadUsage, match="year"):
            tokens.issue(service, li, "too long", ["studies.list"], days=days)


def test_it_is_revoked_by_its_owner_or_an_administrator(tmp_path):
    service = a_service(tmp_path)
    li, wu, chief = a_user(service, "li"), a_user(service, "wu"), a_user(service, "chief", "administrator")
    given = [tokens.issue(service, li, f"n{n}", ["studies.list"]) for n in range(2)]
    with pytest.raises(Missing):
        tokens.revoke(service, given[0][0].id, wu)
    with pytest.raises(Missing):
        tokens.revoke(service, "none", chief, own=False)
    assert tokens.revoke(service, given[0][0].id, li).revoked is not None
    assert tokens.revoke(service, given[1][0].id, chief, own=False).revoked is not None
    assert [tokens.caller(service, secret, HERE) for _, secret in given] == [None, None]
    assert [row["actor"] for row in events(service, "token.revoked")] == ["user:li", "user:chief"]
    tokens.revoke(service, given[0][0].id, li)
    assert len(events(service, "token.revoked")) == 2


def test_a_closed_account_and_a_reset_password_end_its_tokens(tmp_path):
    service = a_service(tmp_path)
    li, wu = a_user(service, "li"), a_user(service, "wu")
    (_, one), (_, two) = (tokens.issue(service, user, "n", ["studies.list"]) for user in (li, wu))
    users.disable(service, li.id, users.HOST)
    users.reset_password(service, wu.id, users.HOST)
    assert tokens.caller(service, one, HERE) is None
    assert tokens.caller(service, two, HERE) is None
    users.enable(service, li.id, users.HOST)
    assert tokens.caller(service, one, HERE) is None


def test_its_last_use_is_written_down_once_a_minute(tmp_path):
    service = a_service(tmp_path, clock := Clock())
    li = a_user(service, "li")
    _, secret = tokens.issue(service, li, "n", ["studies.list"])
    assert tokens.listed(service)[0].used is None
    first = clock.now
    for _ in range(59):
        tokens.caller(service, secret, HERE)
        clock.forward(1)
    assert tokens.listed(service)[0].used == first
    clock.forward(1)
    tokens.caller(service, secret, HERE)
    assert tokens.listed(service)[0].used == clock.now


def test_an_administrator_makes_tokens_for_programs_and_for_no_other_person(tmp_path):
    service = a_service(tmp_path)
    chief, pacs, li = (
        a_user(service, "chief", "administrator"),
        a_user(service, "pacs", "service"),
        a_user(service, "li"),
    )
    found, secret = tokens.issue(service, chief, "store", ["instances.store"], user=pacs.id)
    assert (found.owner, found.user) == ("pacs", pacs.id)
    assert tokens.caller(service, secret, HERE).role == "service"
    with pytest.raises(Taken, match="own tokens"):
        tokens.issue(service, chief, "as li", ["studies.list"], user=li.id)
    with pytest.raises(Missing):
        tokens.issue(service, chief, "as nobody", ["studies.list"], user="none")
    with pytest.raises(BadUsage, match="may not"):
        tokens.issue(service, chief, "rules", ["peers.write"], user=pacs.id)
    users.disable(service, pacs.id, users.HOST)
    with pytest.raises(Taken, match="closed"):
        tokens.issue(service, chief, "store", ["instances.store"], user=pacs.id)


def test_a_token_loses_what_its_owner_loses(tmp_path):
    """C1: a token is never more than its owner's role of this moment."""
    service = a_service(tmp_path)
    wu = a_user(service, "wu", "steward")
    _, secret = tokens.issue(service, wu, "n", ["studies.delete", "studies.list"])
    assert decide("studies.delete", tokens.caller(service, secret, HERE), "default").allowed
    users.change(service, wu.id, users.HOST, role="reader")
    caller = tokens.caller(service, secret, HERE)
    assert not decide("studies.delete", caller, "default").allowed
    assert decide("studies.list", caller, "default").allowed


def test_what_makes_no_sense_is_refused_and_nothing_is_kept(tmp_path):
    service = a_service(tmp_path)
    li = a_user(service, "li")
    for name, scopes, error in (
        (" ", ["studies.list"], BadUsage),
        ("x" * 129, ["studies.list"], BadUsage),
        ("n", [], BadUsage),
        ("n", ["studies.reed"], UnknownName),
        ("n", ["studies.delete"], BadUsage),
        ("n", ["me.tokens"], BadUsage),
    ):
        with pytest.raises(error):
            tokens.issue(service, li, name, scopes)
    assert tokens.listed(service) == []


def test_a_user_has_so_many_tokens(tmp_path):
    service = a_service(tmp_path)
    li, wu = a_user(service, "li"), a_user(service, "wu")
    for n in range(tokens.MOST_TOKENS):
        tokens.issue(service, li, f"n{n}", ["studies.list"])
    with pytest.raises(Taken, match="too many"):
        tokens.issue(service, li, "one more", ["studies.list"])
    tokens.issue(service, wu, "n", ["studies.list"])
    page = tokens.listed(service, limit=30)
    rest = tokens.listed(service, after=page[-1].id)
    assert len({one.id for one in page + rest}) == tokens.MOST_TOKENS + 1
    assert [one.owner for one in tokens.listed(service, user=wu.id)] == ["wu"]
