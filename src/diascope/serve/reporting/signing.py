"""Signing the report of a study: of what readers decided last about every result; what is signed never changes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, insert, select

from diascope.core.errors import Conflict
from diascope.serve.database.room_tables import signatures
from diascope.serve.database.tables import studies, users
from diascope.serve.reporting.standing import Standing, standing


def sign(connection: Connection, study: int, reader: str, at: float, said: Mapping[str, Any]) -> str:
    """Keep a signed report; from the second on it is an addendum, and the newest counts.

    Args:
        connection: To the index, in a transaction that holds the study.
        study: Id of the row.
        reader: Id of the user.
        at: Seconds since 1970.
        said: `language`, `sections` (name and text of each) and `readings` (ids).

    Returns:
        Id of the signature.

    Raises:
        Conflict: When nobody has decided about a result that counts, or `readings` are not the newest.
    """
    counting = standing(connection, study)
    _refuse_unread(counting)
    _refuse_others(counting, said["readings"])
    before = newest(connection, study)
    report = {
        "sections": said["sections"],
        "by": _called(connection, reader),
        "results": [_told(one) for one in counting],
        "addendum": "" if before is None else before["id"],
    }
    row = {"id": secrets.token_hex(16), "study_id": study, "reader": reader, "language": said["language"]}
    row |= {"report": report, "readings": sorted(said["readings"])}
    row["at"] = at if before is None else max(at, before["at"] + 1e-3)  # the newest counts: two are never of one time
    connection.execute(insert(signatures).values(**row))
    return str(row["id"])


def newest(connection: Connection, study: int) -> RowMapping | None:
    """The signature of a study that counts; None where nobody has signed.

    Args:
        connection: To the index.
        study: Id of the row.
    """
    query = select(signatures).where(signatures.c.study_id == study)
    newest_first = query.order_by(signatures.c.at.desc(), signatures.c.id.desc()).limit(1)
    return connection.execute(newest_first).mappings().first()


def signed() -> Select[Any]:
    """Signatures with their study, project and reader."""
    later = signatures.alias("later")
    newer = select(later.c.id).where(later.c.study_id == signatures.c.study_id, later.c.at > signatures.c.at).exists()
    named = (
        studies.c.uid.label("study"), studies.c.project_id.label("project"), users.c.name.label("name"),
        (~newer).label("counts"),
    )  # fmt: skip
    joined = select(signatures, *named).join(studies, studies.c.id == signatures.c.study_id)
    return joined.join(users, users.c.id == signatures.c.reader, isouter=True)


def _refuse_unread(counting: Sequence[Standing]) -> None:
    unread = [one.result["id"] for one in counting if one.is_unanswered]
    if unread:
        raise Conflict(
            "nobody has decided about every result of this study",
            given=", ".join(unread),
            todo="Accept, amend or reject each of them, or say that you can't tell",
        )


def _refuse_others(counting: Sequence[Standing], given: Sequence[str]) -> None:
    current = {one.reading["id"] for one in counting if one.reading is not None}
    if set(given) != current:
        raise Conflict(
            "the report does not tell of the newest readings of this study",
            given=f"{len(given)} of them, {len(current)} count",
            todo="Read the draft again: somebody has decided anew, or a result has come",
        )


def _called(connection: Connection, user: str) -> str:
    """What a reader is called now: that stands in the report for ever."""
    row = connection.execute(select(users.c.display, users.c.name).where(users.c.id == user)).first()
    return user if row is None else str(row.display or row.name)


def _told(one: Standing) -> dict[str, Any]:
    """What was signed about: the result, its release and what was decided."""
    seal = one.result["seal"]
    return {"id": one.result["id"], "release": one.result["release"], "seal": seal, "verdict": one.verdict}
