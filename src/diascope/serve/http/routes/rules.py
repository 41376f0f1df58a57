"""Routing rules: which release reads what arrives, where results go; written, ordered, tried without doing anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BeforeValidator, Field, ValidationError
from sqlalchemy import Connection, select, update

from diascope.core.errors import Conflict, UnknownName
from diascope.core.record import canonical_json
from diascope.serve.database.tables import rules as table
from diascope.serve.database.tables import series, studies
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.fields import Answer, Body, Id, InPath, Uid, refuse_controls
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page
from diascope.serve.rules import asking, keeping
from diascope.serve.rules.rule import Rule

router = APIRouter(prefix="/rules", tags=["rules"])


def _strictly(given: object) -> object:
    """As every body, a rule is converted from nothing and holds no control characters."""
    if not isinstance(given, dict):
        return given
    refuse_controls(given)
    try:
        return Rule.model_validate_json(canonical_json(given), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


Written = Annotated[Rule, BeforeValidator(_strictly)]


class Kept(Answer):
    """A rule that is kept."""

    id: str | None
    """For ever; null where it stands in the file of rules and can be changed there only."""
    position: int | None
    """Rules are asked in this order, those of the file first."""
    source: Literal["file", "api"]
    """Where it was written."""
    rule: Rule
    """What it says."""


class Order(Body):
    """The rules in a new order."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=10_000)]
    """All of them that have an id, the first one first."""


class Trial(Body):
    """What is tried; nothing is done."""

    study: Uid | None = None
    """Study Instance UID; without it, all that arrived in the last `days`."""
    days: Annotated[float, Field(gt=0, le=3660)] = 7.0
    """How far back, days."""
    rules: Annotated[list[Written] | None, Field(max_length=1000)] = None
    """Rules that are tried; without them, those in force."""


class Said(Answer):
    """What a rule says about a series."""

    rule: str
    """Its name."""
    enabled: bool
    """Whether it is switched on."""
    matches: bool
    """Whether its release would read the series."""
    failed: list[str]
    """Each condition that is not kept, with the value that was there."""
    release: str
    """Label of the release."""
    send: list[dict[str, Any]]
    """Where the results would go."""


class Tried(Answer):
    """What the rules say about a series."""

    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    rules: list[Said]
    """One answer for each rule, in their order."""


class Trials(Answer):
    """What the rules would do."""

    items: list[Tried]
    """The newest series first; at most 1,000."""
    more: bool
    """Whether there are more."""


MOST = 1000
"""Series of a trial."""


@router.get("", openapi_extra=operation("rules.list"))
def list_rules(asked: Who) -> Page[Kept]:
    """All rules in their order; there are never so many that they need pages."""
    path = asked.service.settings.rules
    of_file = keeping.read_rules(path) if path else []
    with asked.service.database.reading() as connection:
        kept = keeping.rules_in(connection)
    first = [Kept(id=None, position=None, source="file", rule=rule) for rule in of_file]
    return Page(items=[*first, *(_shown(one) for one in kept)])


@router.post("", status_code=201, openapi_extra=operation("rules.write"))
def make_rule(asked: Who, once: Once, body: Written) -> Kept:
    """Make a rule; it is asked after all others."""

    def work(connection: Connection) -> Kept:
        made = keeping.add(connection, body, asked.service.clock())
        asked.record(connection, "rule.created", f"rule:{made}", rule=body.name)
        return _read(connection, made)

    return once.change(Kept, work)


@router.put("/order", openapi_extra=operation("rules.write"))
def order_rules(asked: Who, once: Once, body: Order) -> Page[Kept]:
    """Put the rules in another order."""

    def work(connection: Connection) -> Page[Kept]:
        there = [one.id for one in keeping.rules_in(connection)]
        if sorted(there) != sorted(body.ids):
            raise Conflict("these are not the rules that there are", todo="List the rules, and name each one once")
        for position, one in enumerate(body.ids):
            connection.execute(update(table).where(table.c.id == one).values(position=position))
        asked.record(connection, "rule.ordered", "rules", rules=len(there))
        return Page[Kept](items=[_shown(one) for one in keeping.rules_in(connection)])

    return once.change(Page[Kept], work)


@router.post("/try", openapi_extra=operation("rules.try"))
def try_rules(asked: Who, body: Trial) -> Trials:
    """What rules would do with what is there, and why not; nothing is done."""
    with asked.service.database.reading() as connection:
        rules = body.rules if body.rules is not None else keeping.in_force(connection, asked.service.settings.rules)
        if body.study is None:
            within = None if asked.reach.everywhere else sorted(asked.reach.projects)
            runs = asking.dry_runs(connection, rules, asked.service.clock(), body.days, within)
            found = [one for one, _ in zip(runs, range(MOST + 1), strict=False)]
        else:
            found = _of_study(asked, connection, rules, body.study)
    return Trials(items=[Tried.model_validate(one.to_json()) for one in found[:MOST]], more=len(found) > MOST)


@router.get("/{rule}", openapi_extra=operation("rules.read"))
def read_rule(asked: Who, rule: InPath) -> Kept:
    """A rule."""
    with asked.service.database.reading() as connection:
        return _read(connection, rule)


@router.put("/{rule}", openapi_extra=operation("rules.write"))
def change_rule(asked: Who, once: Once, rule: InPath, body: Written) -> Kept:
    """Put another rule in the place of one."""

    def work(connection: Connection) -> Kept:
        keeping.change(connection, rule, body, asked.service.clock())
        asked.record(connection, "rule.changed", f"rule:{rule}", rule=body.name)
        return _read(connection, rule)

    return once.change(Kept, work)


@router.delete("/{rule}", status_code=204, openapi_extra=operation("rules.write"))
def remove_rule(asked: Who, rule: InPath) -> None:
    """Take a rule away; what it caused stays."""

    def work(connection: Connection) -> None:
        keeping.remove(connection, rule)
        asked.record(connection, "rule.removed", f"rule:{rule}")

    asked.service.database.change(work)


def _of_study(asked: Asked, connection: Connection, rules: Sequence[Rule], uid: str) -> list[asking.Asked]:
    row = connection.execute(select(studies.c.id, studies.c.project_id).where(studies.c.uid == uid)).first()
    if row is None:
        raise asked.missing("study", uid)
    asked.on(row.project_id, uid)
    ids = select(series.c.id).where((series.c.study_id == row.id) & ~series.c.made).order_by(series.c.id)
    return [asking.dry_run(connection, rules, one) for one in connection.execute(ids.limit(MOST + 1)).scalars().all()]


def _read(connection: Connection, rule: str) -> Kept:
    found = next((one for one in keeping.rules_in(connection) if one.id == rule), None)
    if found is None:
        raise UnknownName("rule", rule, ())
    return _shown(found)


def _shown(kept: keeping.Kept) -> Kept:
    return Kept(id=kept.id, position=kept.position, source="api", rule=kept.rule)
