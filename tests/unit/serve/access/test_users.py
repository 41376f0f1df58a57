"""Users and projects."""

from __future__ import annotations

import pytest

from diascope.core.errors import BadUsage, UnknownName
from diascope.serve.access import logins, projects, users
from diascope.serve.access.matrix import decide, reach
from diascope.serve.access.refusals import Missing, Taken, WrongLogin
from diascope.testing.service import PASSWORD, a_service, a_user, events

HERE = "10.0.0.7"


def test_a_user_is_made_with_a_password_for_one_use(tmp_path):
    service = a_service(tmp_path)
    chief = a_user(service, "chief", "administrator")
    found, password = users.create(service, "Zhang.Wei", "reader", chief, "Dr Zhang Wei", ["default"])
    assert (found.name, found.display, found.role) == ("zhang.wei", "Dr Zhang Wei", "reader")
    assert found.must_change
    assert found.projects == {"default"}
    assert users.read(service, found.id) == found
    assert logins.login(service, "ZHANG.WEI", password, HERE).caller.must_change
    made = events(service, "user.created")[-1]
    assert (made["actor"], made["object"]) == ("user:chief", "user:zhang.wei")
    assert password not in str(made)


def test_a_service_account_gets_no_password(tmp_path):
    service = a_service(tmp_path)
    found, password = users.create(service, "pacs", "service", users.HOST)
    assert password is None
    assert not found.must_change
    with pytest.raises(BadUsage, match="token"):
        users.reset_password(service, found.id, users.HOST)


def test_a_name_is_one_persons_for_ever(tmp_path):
    service = a_service(tmp_path)
    li = a_user(service, "li")
    users.disable(service, li.id, users.HOST)
    for name in ("li", "LI", " li ", "\uff4c\uff49"):
        with pytest.raises(Taken, match="name"):
            users.create(service, name, "reader", users.HOST)


@pytest.mark.parametrize("name", ["", " ", "a b", ".li", "x" * 65, "li\n", "<script>", "a/b", "\ud800", "_li"])
def test_a_name_that_makes_no_sense_is_refused(tmp_path, name):
    service = a_service(tmp_path)
    if name.strip() == "li":
        assert users.checked_name(name) == "li"
        return
    with pytest.raises(BadUsage, match="name"):
        users.create(service, name, "reader", users.HOST)


@pytest.mark.parametrize("name", ["li", "李伟", "müller", "li.wei@hospital.org", "9th-reader"])
def test_names_of_any_script_are_taken(name):
    assert users.checked_name(name) == name


def test_a_name_to_show_is_printable(tmp_path):
    service = a_service(tmp_path)
    for display in ("x" * 257, "a\x00b", "\ud800"):
        with pytest.raises(BadUsage, match="name to show"):
            users.create(service, "li", "reader", users.HOST, display)


def test_an_unknown_role_or_project_makes_no_user(tmp_path):
    service = a_service(tmp_path)
    with pytest.raises(UnknownName):
        users.create(service, "li", "root", users.HOST)
    with pytest.raises(Missing):
        users.create(service, "li", "reader", users.HOST, projects=["none"])
    assert users.listed(service) == []
    with pytest.raises(Missing):
        users.read(service, "none")


def test_a_new_role_counts_from_the_next_request_on(tmp_path):
    """C5: a session does not keep a right that its user has lost."""
    service = a_service(tmp_path)
    chief, li = a_user(service, "chief", "administrator"), a_user(service, "li", "steward")
    one = logins.login(service, "li", PASSWORD, HERE)
    assert users.change(service, li.id, chief, role="reader").role == "reader"
    caller = logins.session(service, one.session, HERE).caller
    assert not decide("studies.delete", caller, "default").allowed
    changed = events(service, "user.changed")
    assert [row["detail"] for row in changed] == [{"role": "reader", "before": "steward"}]
    users.change(service, li.id, chief, role="reader")
    assert len(events(service, "user.changed")) == 1
    assert users.change(service, li.id, chief, display="Dr Li").display == "Dr Li"


def test_nobody_changes_their_own_role_or_closes_their_own_account(tmp_path):
    service = a_service(tmp_path)
    chief = a_user(service, "chief", "administrator")
    a_user(service, "second", "administrator")
    with pytest.raises(Taken, match="own role"):
        users.change(service, chief.id, chief, role="steward")
    with pytest.raises(Taken, match="own account"):
        users.disable(service, chief.id, chief)


def test_the_last_administrator_stays(tmp_path):
    service = a_service(tmp_path)
    chief, second = a_user(service, "chief", "administrator"), a_user(service, "second", "administrator")
    users.disable(service, second.id, chief)
    with pytest.raises(Taken, match="last administrator"):
        users.disable(service, chief.id, users.HOST)
    with pytest.raises(Taken, match="last administrator"):
        users.change(service, chief.id, users.HOST, role="reader")
    users.enable(service, second.id, chief)
    assert users.change(service, chief.id, second, role="reader").role == "reader"


def test_a_person_does_not_become_a_service_account(tmp_path):
    service = a_service(tmp_path)
    li, pacs = a_user(service, "li"), a_user(service, "pacs", "service")
    for user, role in ((li, "service"), (pacs, "administrator")):
        with pytest.raises(Taken, match="service account"):
            users.change(service, user.id, users.HOST, role=role)


def test_a_closed_account_is_opened_again(tmp_path):
    service = a_service(tmp_path)
    li = a_user(service, "li")
    assert users.disable(service, li.id, users.HOST).disabled
    assert users.disable(service, li.id, users.HOST).disabled
    assert not users.enable(service, li.id, users.HOST).disabled
    assert logins.login(service, "li", PASSWORD, HERE)
    assert [row["action"] for row in events(service, "user.disabled", "user.enabled")] == [
        "user.disabled",
        "user.enabled",
    ]


def test_a_reset_password_ends_sessions_and_the_old_one(tmp_path):
    service = a_service(tmp_path)
    chief, li = a_user(service, "chief", "administrator"), a_user(service, "li")
    one = logins.login(service, "li", PASSWORD, HERE)
    password = users.reset_password(service, li.id, chief)
    assert logins.session(service, one.session, HERE) is None
    with pytest.raises(WrongLogin):
        logins.login(service, "li", PASSWORD, HERE)
    assert logins.login(service, "li", password, HERE).caller.must_change
    assert events(service, "password.reset")[0]["actor"] == "user:chief"


def test_users_are_listed_by_name_a_page_at_a_time(tmp_path):
    service = a_service(tmp_path)
    for name in ("wu", "chen", "li"):
        a_user(service, name)
    first = users.listed(service, limit=2)
    assert [one.name for one in first + users.listed(service, after=first[-1].name)] == ["chen", "li", "wu"]
    assert first[0].projects == {"default"}


def test_a_project_has_a_name_and_members_who_see_it(tmp_path):
    service = a_service(tmp_path)
    chief, li = a_user(service, "chief", "administrator"), a_user(service, "li", projects=())
    lungs = projects.create(service, " Lungs  2026 ", chief)
    assert (lungs.name, lungs.members) == ("Lungs 2026", frozenset())
    one = logins.login(service, "li", PASSWORD, HERE)

    def caller():
        return logins.session(service, one.session, HERE).caller

    assert not decide("studies.list", caller(), lungs.id).visible
    assert projects.join(service, lungs.id, li.id, chief).members == {li.id}
    projects.join(service, lungs.id, li.id, chief)
    assert decide("studies.list", caller(), lungs.id).allowed
    assert [p.name for p in projects.listed(service, reach("projects.list", caller()))] == ["Lungs 2026"]
    assert [p.name for p in projects.listed(service, reach("projects.list", chief))] == ["Lungs 2026", "default"]
    assert projects.leave(service, lungs.id, li.id, chief).members == frozenset()
    assert not decide("studies.list", caller(), lungs.id).visible
    assert projects.rename(service, lungs.id, "Chests", chief).name == "Chests"
    assert projects.read(service, lungs.id).name == "Chests"
    told = [row["action"] for row in events(service) if row["object"] == f"project:{lungs.id}"]
    assert told == ["project.created", "member.added", "member.removed", "project.renamed"]


def test_a_projects_name_is_its_own(tmp_path):
    service = a_service(tmp_path)
    lungs = projects.create(service, "Lungs", users.HOST)
    with pytest.raises(Taken, match="another project"):
        projects.create(service, "Lungs", users.HOST)
    with pytest.raises(Taken, match="another project"):
        projects.rename(service, lungs.id, "default", users.HOST)
    for name in ("", "  ", "x" * 129, "a\x00b"):
        with pytest.raises(BadUsage):
            projects.create(service, name, users.HOST)
    for call in (projects.join, projects.leave):
        with pytest.raises(Missing):
            call(service, lungs.id, "none", users.HOST)
        with pytest.raises(Missing):
            call(service, "none", a_user(service, call.__name__).id, users.HOST)
    with pytest.raises(Missing):
        projects.rename(service, "none", "X", users.HOST)
    assert len(events(service, "project.created", "project.renamed")) == 1


def test_what_is_not_done_is_not_told(tmp_path, monkeypatch):
    """D4: the change and its record are one transaction; where one fails, neither is there."""
    service = a_service(tmp_path)
    li = a_user(service, "li")

    def broken(*_):
        raise OSError("the audit trail can't be written")

    monkeypatch.setattr(service.audit, "append", broken)
    for change in (
        lambda: users.disable(service, li.id, users.HOST),
        lambda: users.reset_password(service, li.id, users.HOST),
        lambda: users.create(service, "wu", "reader", users.HOST),
        lambda: projects.create(service, "Lungs", users.HOST),
        lambda: logins.login(service, "li", PASSWORD, HERE),
    ):
        with pytest.raises(OSError, match="audit trail"):
            change()
    monkeypatch.undo()
    assert not users.read(service, li.id).disabled
    assert [one.name for one in users.listed(service)] == ["li"]
    assert logins.listed(service, li) == []
    assert logins.login(service, "li", PASSWORD, HERE)
