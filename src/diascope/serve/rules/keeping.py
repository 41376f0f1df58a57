"""Where rules are kept: a TOML file that the settings name, and the table that the API writes."""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, delete, func, insert, select, update

from diascope.core.errors import BadUsage, Conflict, UnknownName
from diascope.serve.database.tables import rules
from diascope.serve.rules.rule import Rule


@dataclass(frozen=True)
class Kept:
    """A rule in the table.

    Args:
        id: Of the row.
        position: Rules are asked in this order.
        rule: The rule.
    """

    id: str
    position: int
    rule: Rule


def read_rules(path: Path) -> list[Rule]:
    """The rules of a TOML file: `[[rule]]` tables with the fields of `Rule`.

    Raises:
        BadUsage: When the file can't be read, a field is unknown or a name stands twice; names the rule.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadUsage(f"cannot read the rules in {path}: {error}", todo="Mend the file") from error
    listed = content.pop("rule", [])
    if content or not isinstance(listed, list):
        raise BadUsage(
            f"{path} holds something else than rules", given=", ".join(content), todo="Write [[rule]] tables"
        )
    found = [checked(one, f"rule {number} of {path.name}") for number, one in enumerate(listed, 1)]
    names = [rule.name for rule in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadUsage(f"{path} has two rules of one name", given=", ".join(twice))
    return found


def checked(content: Mapping[str, Any], where: str) -> Rule:
    """A rule of foreign content.

    Raises:
        BadUsage: When it is none; names the field.
    """
    try:
        return Rule.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "it"
        raise BadUsage(f"{where}: {field}: {first['msg']}", given=first["input"]) from error


def rules_in(connection: Connection) -> list[Kept]:
    """The rules of the table, in their order."""
    rows = connection.execute(select(rules).order_by(rules.c.position, rules.c.created)).all()
    return [Kept(row.id, row.position, _rule(row)) for row in rows]


def in_force(connection: Connection, path: Path | None) -> list[Rule]:
    """The rules of the file, then those of the table; also those that are switched off."""
    return [*(read_rules(path) if path else []), *(kept.rule for kept in rules_in(connection))]


def add(connection: Connection, rule: Rule, now: float, position: int | None = None) -> str:
    """Keep a new rule, last unless a position is given; returns its id.

    Raises:
        Conflict: When there is one of this name.
    """
    _free(connection, rule.name, "")
    last = connection.execute(select(func.max(rules.c.position))).scalar()
    made = uuid.uuid4().hex
    place = position if position is not None else (0 if last is None else last + 1)
    connection.execute(insert(rules).values(id=made, position=place, created=now, changed=now, **_columns(rule)))
    return made


def change(connection: Connection, rule_id: str, rule: Rule, now: float, position: int | None = None) -> None:
    """Put another rule in the place of one.

    Raises:
        UnknownName: When there is no such rule.
        Conflict: When another one has this name.
    """
    _free(connection, rule.name, rule_id)
    moved = {} if position is None else {"position": position}
    values = {"changed": now, **_columns(rule), **moved}
    if not connection.execute(update(rules).where(rules.c.id == rule_id).values(**values)).rowcount:
        raise UnknownName("rule", rule_id, ())


def remove(connection: Connection, rule_id: str) -> None:
    """Take a rule away.

    Raises:
        UnknownName: When there is no such rule.
    """
    if not connection.execute(delete(rules).where(rules.c.id == rule_id)).rowcount:
        raise UnknownName("rule", rule_id, ())


def _columns(rule: Rule) -> dict[str, Any]:
    return {"name": rule.name, "enabled": rule.enabled, "body": rule.to_json()}


def _rule(row: Any) -> Rule:
    return Rule.from_json({**row.body, "name": row.name, "enabled": row.enabled}, f"rule {row.name}")


def _free(connection: Connection, name: str, but: str) -> None:
    taken = connection.execute(select(rules.c.id).where((rules.c.name == name) & (rules.c.id != but))).first()
    if taken is not None:
        raise Conflict("there is a rule of this name", given=name, todo="Choose another name, or change that one")
