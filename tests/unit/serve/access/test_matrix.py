"""Decisions and the table that they follow."""

from __future__ import annotations

import pytest

from diascope.core.errors import BadUsage, UnknownName
from diascope.serve.access.matrix import (
    Caller,
    Forbidden,
    checked_role,
    checked_scopes,
    decide,
    operation,
    reach,
    require,
)
from diascope.serve.access.operations import BEFORE_NEW_PASSWORD, OPERATIONS, ROLES, SESSION_ONLY, TABLE, read_table

OWN, OTHER = "p-own", "p-other"
ISSUE_4 = {
    "datasets", "plans", "runs", "evaluations", "releases", "studies", "findings", "readings", "feedback", "jobs",
    "peers", "rules", "users", "audit",
}  # fmt: skip
IDENTIFIED = {"instances.read", "instances.send", "identities.read", "identities.search", "peers.query"}


def a_caller(role: str, **more) -> Caller:
    scopes = frozenset(OPERATIONS) if role == "service" else None
    return Caller("u1", "li", role, frozenset({OWN}), **{"scopes": scopes, **more})


def test_the_table_has_every_noun_of_the_api():
    """C1: what the API is about is in the matrix."""
    assert {one.noun for one in OPERATIONS.values()} >= ISSUE_4


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_answers_every_role_in_its_own_project_and_in_another(name, role):
    """C1: operation × role × own/other project is answered as it is written, and the answer says why."""
    one, caller = OPERATIONS[name], a_caller(role)
    written, token = one.answers[role], role == "service" and name in SESSION_ONLY
    within, beyond = decide(name, caller, OWN), decide(name, caller, OTHER)
    assert within.allowed == (written in {"own", "all", "yes"} and not token)
    assert beyond.allowed == (written in {"all", "yes"} and not token)
    assert decide(name, caller).allowed == within.allowed
    assert within.visible
    assert name in within.why or one.of == "anyone"
    if one.of == "project" and not beyond.allowed:
        assert beyond.visible == (one.noun in {"jobs", "projects", "audit"} and role == "administrator")
    assert decide(name, None).allowed == (one.of == "anyone")
    assert decide(name, None).login == (one.of != "anyone")


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS.values() if one.of == "project"])
def test_nobody_who_is_no_member_learns_that_a_study_is_there(name):
    """C1: in another project a forbidden object and one that does not exist are answered alike."""
    for role in ("reader", "researcher", "steward", "service"):
        found = decide(name, a_caller(role), OTHER)
        assert not found.allowed
        assert not found.visible
        assert found.why == decide("studies.read", a_caller("reader"), "no-such-project").why


def test_what_shows_a_patient_is_for_those_who_treat_or_answer_for_the_data():
    for name in IDENTIFIED:
        assert set(OPERATIONS[name].roles) == {"reader", "steward", "service"}, name


def test_no_role_grants_itself_more():
    assert [one.name for one in OPERATIONS.values() if one.noun in {"users", "tokens"} and "write" in one.name] == [
        "users.write",
        "tokens.write",
    ]
    for name in ("users.write", "tokens.write", "peers.write", "rules.write", "projects.write"):
        assert OPERATIONS[name].roles == ("administrator",)


def test_who_trains_a_release_does_not_sign_it():
    builders, signers = set(OPERATIONS["releases.build"].roles), set(OPERATIONS["releases.sign"].roles)
    assert builders.isdisjoint(signers)


def test_a_refusal_says_who_may_and_who_can_grant_it():
    found = decide("studies.delete", a_caller("researcher"), OWN)
    assert found.why == (
        "The role researcher may not delete a study with its instances (studies.delete). The role steward may. "
        "An administrator can change your role"
    )
    assert found.roles == ("steward",)
    assert "member" in decide("studies.read", a_caller("reader"), OTHER).why


def test_an_unknown_operation_is_an_error_and_no_answer():
    """C1: a route that is missing from the matrix can't be asked about."""
    with pytest.raises(UnknownName, match=r"studies\.read"):
        decide("studies.reed", a_caller("administrator"), OWN)
    with pytest.raises(UnknownName):
        operation("studies")


def test_an_unknown_role_may_nothing():
    caller = a_caller("root")
    allowed = {name for name in OPERATIONS if decide(name, caller, OWN).allowed}
    assert allowed == {name for name, one in OPERATIONS.items() if one.of == "anyone"}


def test_a_token_carries_its_scopes_and_no_more():
    caller = a_caller("reader", scopes=frozenset({"studies.list", "studies.delete", "me.password"}))
    assert {name for name in OPERATIONS if decide(name, caller, OWN).allowed} == {
        "service.alive", "session.login", "me.read", "studies.list",
    }  # fmt: skip
    assert "scopes hold studies.read" in decide("studies.read", caller, OWN).why
    assert "Log in" in decide("me.password", caller).why


def test_before_the_first_password_of_ones_own_nothing_else_may_be_done():
    """C5: a session with a one-time password may only change it."""
    caller = a_caller("administrator", must_change=True)
    assert {name for name in OPERATIONS if decide(name, caller, OWN).allowed} == BEFORE_NEW_PASSWORD
    assert "me.password" in decide("users.write", caller).why


def test_a_list_reaches_as_far_as_the_right():
    assert reach("jobs.list", a_caller("administrator")).everywhere
    assert reach("jobs.list", a_caller("reader")).projects == {OWN}
    assert not reach("jobs.list", a_caller("reader")).everywhere
    assert reach("users.list", a_caller("administrator")).everywhere
    nothing = reach("audit.read", a_caller("reader"))
    assert (nothing.everywhere, nothing.projects) == (False, frozenset())


def test_require_passes_or_raises_the_decision():
    require("studies.read", a_caller("reader"), OWN)
    with pytest.raises(Forbidden, match="no such object") as hidden:
        require("studies.read", a_caller("reader"), OTHER)
    assert not hidden.value.decision.visible
    with pytest.raises(Forbidden) as nobody:
        require("studies.read", None)
    assert nobody.value.decision.login


def test_scopes_are_written_out_and_kept_to_the_role():
    assert checked_scopes(["studies.*"], "reader") == ("studies.list", "studies.read")
    assert checked_scopes(["jobs.read", "jobs.list", "jobs.read"], "service") == ("jobs.list", "jobs.read")
    for wrong, message in (("studies.delete", "may not"), ("me.tokens", "token"), ("users.write", "token")):
        with pytest.raises(BadUsage, match=message):
            checked_scopes([wrong], "administrator")
    with pytest.raises(UnknownName):
        checked_scopes(["nonsense.*"], "reader")
    with pytest.raises(BadUsage, match="nothing"):
        checked_scopes([], "reader")


def test_a_role_is_one_of_those_that_are_written():
    assert [checked_role(role) for role in ROLES] == list(ROLES)
    with pytest.raises(UnknownName, match="steward"):
        checked_role("stewart")


@pytest.mark.parametrize(
    "row",
    [
        "studies.list project own own own own own twice",
        "studies.print project own own own perhaps own unknown answer",
        "studies.print galaxy own own own own own unknown kind",
        "studies.print site own yes yes yes yes no project to own",
        "studies.print project yes own own own own whose project",
    ],
)
def test_a_row_that_makes_no_sense_is_refused(row):
    with pytest.raises(ValueError, match="makes no sense"):
        read_table(f"{TABLE}{row}\n")


def test_the_columns_are_the_roles():
    with pytest.raises(ValueError, match="columns"):
        read_table(TABLE.replace("steward", "stewart", 1))
