"""How a release came to be where it is: earlier versions, and who signed it, put it into service or withdrew it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from diascope.core.finding import Measure
from diascope.evidence.differences import difference
from diascope.reports.results import first_metrics
from diascope.serve import nouns
from diascope.serve.database.tables import audit
from diascope.serve.room.models import name_of, version_of
from diascope.serve.room.models_evidence import Evidence, evidence
from diascope.serve.service import Service

EVENTS = ("release.signed", "release.served", "release.withdrawn")


@dataclass(frozen=True)
class Version:
    """A version of a release, against the one before it.

    Args:
        evidence: Of this version.
        before: Label of the version before; "" for the first.
        same_cases: Whether both were measured on the same cases of the same data.
        changes: Headline metric to this value minus that of the version before.
    """

    evidence: Evidence
    before: str = ""
    same_cases: bool = False
    changes: Mapping[str, Measure] = field(default_factory=dict)


@dataclass(frozen=True)
class Happened:
    """Something that was done to a release.

    Args:
        action: One of `EVENTS`.
        by: Who.
        at: Seconds since 1970.
    """

    action: str
    by: str
    at: float


def versions(service: Service, label: str) -> list[Version]:
    """Versions of the same name up to this one, the newest first."""
    name, last = name_of(label), version_of(label)
    labels = [one for one in nouns.names(service.workspace, "releases") if name_of(one) == name and "@" in one]
    ordered = sorted((one for one in labels if version_of(one) <= last), key=version_of)
    known = [evidence(service.workspace, one) for one in ordered]
    pairs = zip([None, *known[:-1]], known, strict=True)
    return [_version(one, before) for before, one in pairs][::-1]


def events(connection: Connection, label: str) -> list[Happened]:
    """What the audit trail says of a release, the newest first: what was done, by whom, when."""
    mine = (audit.c.object == f"releases:{label}"[:256]) & audit.c.action.in_(EVENTS) & (audit.c.outcome == "success")
    query = select(audit.c.action, audit.c.actor, audit.c.at).where(mine).order_by(audit.c.sequence.desc()).limit(100)
    return [Happened(action, by, at) for action, by, at in connection.execute(query)]


def _version(one: Evidence, before: Evidence | None) -> Version:
    if before is None:
        return Version(one)
    new, old = one.evaluation, before.evaluation
    if new is None or old is None:
        return Version(one, before.label)
    names = [name for name in first_metrics(new) if name in old.metrics]
    changes = {name: difference(new.metrics[name], old.metrics[name]) for name in names}
    cases = [sorted(each.case for each in some.cases_ranked) for some in (new, old)]
    same = (new.dataset, new.part) == (old.dataset, old.part) and cases[0] == cases[1] != []
    return Version(one, before.label, same, changes)
