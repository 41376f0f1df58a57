"""What is done stands in the trail (D1); where the trail can't be written, nothing is done (D3)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select

import diascope.testing.dicomweb_calls  # noqa: F401  registers its samples
from diascope.serve.access.operations import OPERATIONS
from diascope.serve.database import tables
from diascope.testing.calls import ROUTES, SAMPLES
from diascope.testing.web import OWN, Browser, Site, a_site

TOLD = {
    "session.login": "login",
    "me.logout": "logout",
    "me.password": "password.changed",
    "studies.list": "study.queried",
    "studies.read": "study.viewed",
    "rendered.read": "study.viewed",
    "instances.read": "study.exported",
    "instances.store": "instance.stored",
    "jobs.cancel": "job.cancelled",
    "jobs.retry": "job.retried",
    "rules.write": "rule.",
    "peers.write": "settings.changed",
    "peers.echo": "peer.echoed",
    "peers.query": ("peer.queried", "identity.read"),
    "peers.retrieve": "peer.retrieved",
    "projects.write": "project.",
    "projects.members": "member.",
    "users.write": ("user.", "password.reset"),
    "tokens.write": "token.issued",
    "tokens.revoke": "token.revoked",
    "audit.read": "audit.read",
    "audit.export": "audit.exported",
    "audit.verify": "audit.verified",
    "studies.move": "study.moved",
    "studies.export": "export.",
    "instances.send": "study.sent",
    "studies.delete": "study.deleted",
    "identities.read": "identity.read",
    "identities.search": "study.queried",
    "findings.list": "study.queried",
    "findings.read": ("study.viewed", "export.read"),
    "findings.explain": "explanation.requested",
    "findings.send": "result.sent_again",
    "predictions.request": ("prediction.requested", "command.asked"),
    "readings.list": "study.queried",
    "readings.read": "study.viewed",
    "readings.write": ("reading.written", "drawing.kept"),
    "readings.open": "study.opened",
    "signatures.list": "study.queried",
    "signatures.read": "study.viewed",
    "signatures.write": "report.signed",
    "feedback.list": "study.queried",
    "feedback.write": "feedback.written",
    "datasets.upload": "dataset.uploaded",
    "labellings.list": "study.queried",
    "labellings.read": "study.queried",
    "labellings.write": "labelling.",
    "annotations.write": ("annotation.", "drawing.kept"),
    "observations.list": "study.viewed",
    "observations.write": "observations.kept",
    "documents.read": ("study.viewed", "document.read"),
    "documents.write": ("document.kept", "document.asked"),
    "datasets.write": ("command.asked", "feedback.asked"),
    "datasets.measure": "command.asked",
    "datasets.delete": "noun.deleted",
    "plans.write": ("command.asked", "plan.edited"),
    "plans.delete": "noun.deleted",
    "runs.start": "command.asked",
    "runs.delete": "noun.deleted",
    "evaluations.start": "command.asked",
    "evaluations.delete": "noun.deleted",
    "releases.build": "command.asked",
    "releases.export": ("release.exported", "command.asked"),
    "releases.sign": "release.signed",
    "releases.serve": "release.served",
    "releases.withdraw": "release.withdrawn",
}
"""Operation to the beginning of the action that stands in the trail afterwards."""

SOME = {"me.sessions": "logout", "me.tokens": "token.", "datasets.read": "command.asked"}
"""The same, of those of its routes that change something; lists of one's own are not told."""

NAMES_ONLY = {("GET", "/api/v1/exports"), ("GET", "/training/new")}
"""Lists of names of folders, of operations that are told otherwise."""

SILENT = frozenset(
    [
        "service.alive",
        "me.read",
        "changes.list",
        "jobs.list",
        "jobs.read",
        "rules.list",
        "rules.read",
        "rules.try",
        "peers.list",
        "peers.read",
        "projects.list",
        "projects.read",
        "users.list",
        "users.read",
        "tokens.list",
        "datasets.list",
        "plans.list",
        "plans.read",
        "runs.list",
        "runs.read",
        "evaluations.list",
        "evaluations.read",
        "releases.list",
        "releases.read",
        "settings.read",
        "system.read",
    ]
)
"""No patient's data, and nothing is changed: pseudonyms at most, states, names of users and machines."""


def test_every_operation_is_told_or_says_why_not() -> None:
    """D1: an operation that has routes is in one of the three lists."""
    listed = [*TOLD, *SOME, *SILENT]
    assert len(set(listed)) == len(listed)
    assert {name for _, _, name in ROUTES} == set(listed)
    changing = {name for method, path, name in ROUTES if method not in ("GET", "HEAD") and not path.endswith("/try")}
    assert not changing & SILENT


def test_what_is_done_stands_in_the_trail(tmp_path: Path) -> None:
    """D1: each operation by somebody who may: a record with actor, address and object; reading the trail too."""
    site, wrong = a_site(tmp_path), []
    for method, path, name in _told():
        who = _somebody(site, name)
        call = SAMPLES[method, path](site, OWN, who)
        before = _last(site)
        answer = call.send(who, method)
        with site.service.database.reading() as connection:
            query = select(tables.audit).where(tables.audit.c.sequence > before)
            records = connection.execute(query).mappings().all()
        found = [one for one in records if one["action"].startswith(_actions(name))]
        if answer.status_code >= 300 or not found:
            wrong.append((method, path, answer.status_code, [one["action"] for one in records]))
        elif not all(
            one["actor"].startswith("user:") and one["address"] and one["outcome"] == "success" for one in found
        ):
            wrong.append((method, path, dict(found[0])))
    assert wrong == [], "\n".join(map(str, wrong))
    assert site.service.audit.verify().first_bad is None


def test_what_was_refused_stands_in_the_trail(tmp_path: Path) -> None:
    """D1: a login that failed, an operation that is not one's own, an object of others."""
    site = a_site(tmp_path)
    site.nobody().post("/session", json={"name": "li", "password": "x"})
    who = site.someone("reader")
    who.get("/users")
    SAMPLES["GET", "/api/v1/jobs/{job}"](site, "other", who).send(who, "GET")
    with site.service.database.reading() as connection:
        records = connection.execute(select(tables.audit).order_by(tables.audit.c.sequence)).mappings().all()
    told = [(one["action"], one["outcome"], one["project_id"]) for one in records]
    assert told == [
        ("login.failed", "failure", ""),
        ("access.refused", "refused", ""),
        ("access.refused", "refused", "other"),
    ]


def test_nothing_is_done_that_can_not_be_told(tmp_path: Path) -> None:
    """D3: the trail can't be written: everything that would stand in it is refused, nothing is shown or changed."""
    site, wrong = a_site(tmp_path), []
    for method, path, name in _told():
        who = _somebody(site, name)
        call = SAMPLES[method, path](site, OWN, who)
        _rename(site, "audit", "audit_away")
        before = _counts(site)
        answer = call.send(who, method)
        after = _counts(site)
        _rename(site, "audit_away", "audit")
        if answer.status_code < 400 or answer.status_code == 500 or before != after:
            changed = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
            wrong.append((method, path, answer.status_code, changed, answer.text[:100]))
    assert wrong == [], "\n".join(map(str, wrong))
    assert site.service.audit.verify().first_bad is None
    assert site.someone("administrator").get("/audit").status_code == 200, "and then it goes on"


def _told() -> list[tuple[str, str, str]]:
    told = [one for one in ROUTES if one[2] in TOLD or (one[2] in SOME and one[0] != "GET")]
    return [one for one in told if one[:2] not in NAMES_ONLY]


def _actions(name: str) -> tuple[str, ...]:
    found = TOLD.get(name) or SOME[name]
    return found if isinstance(found, tuple) else (found,)


def _somebody(site: Site, name: str) -> Browser:
    roles = ("administrator", "steward", "reader", "researcher")
    return site.someone(next(one for one in roles if OPERATIONS[name].answers[one] != "-"))


def _last(site: Site) -> int:
    with site.service.database.reading() as connection:
        return connection.execute(select(func.max(tables.audit.c.sequence))).scalar() or 0


def _counts(site: Site) -> dict[str, int]:
    """Rows of what matters; attempts and uses are counted in any case."""
    names = ("users", "projects", "memberships", "tokens", "sessions", "studies", "series", "instances", "jobs")
    found = {}
    with site.service.database.reading() as connection:
        for name in (*names, "peers", "rules", "changes"):
            found[name] = connection.execute(select(func.count()).select_from(tables.index.tables[name])).scalar() or 0
        states = select(tables.jobs.c.state, func.count()).group_by(tables.jobs.c.state)
        found |= {f"jobs {state}": count for state, count in connection.execute(states)}
    return found


def _rename(site: Site, old: str, new: str) -> None:
    site.service.database.change(lambda connection: connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}"))
