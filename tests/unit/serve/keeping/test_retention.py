"""Retention: what is old enough goes, a few at a time; what is being worked on stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from diascope.core.errors import StorageFailed
from diascope.serve.database.tables import attempts, deliveries, jobs, readings, results, series, sessions, studies
from diascope.serve.keeping.house import House
from diascope.serve.keeping.retention import Retention
from diascope.serve.service import Service
from diascope.testing.objects import an_object
from diascope.testing.reading import a_peer, arrive, become_complete
from diascope.testing.service import a_service, a_user, events

DAY = 86_400.0


def an_old_service(folder: Path, count: int = 1, days: int | None = 30) -> Service:
    """A service with complete studies that nothing was done to for 31 days."""
    service = a_service(folder, retention_days=days)
    for number in range(1, count + 1):
        arrive(service, [an_object(number)])
    become_complete(service)
    write(service, update(jobs).values(state="done"))
    service.clock.forward(31 * DAY)  # type: ignore[attr-defined]
    return service


def write(service: Service, statement: Any) -> None:
    service.database.change(lambda connection: connection.execute(statement))


def left(service: Service) -> list[str]:
    with service.database.reading() as connection:
        return list(connection.execute(select(studies.c.uid).order_by(studies.c.uid)).scalars())


def a_result(service: Service, answered: float) -> None:
    with service.database.reading() as connection:
        row = connection.execute(select(series.c.id, series.c.study_id)).one()
    said = {"study_id": row.study_id, "series_id": row.id, "revision": 1, "release": "m@1", "seal": "", "findings": {}}
    write(service, insert(results).values(id="r", **said, state="answered", completed=0.0, answered=answered))


def test_an_old_study_is_deleted_whole_and_audited(tmp_path: Path) -> None:
    service = an_old_service(tmp_path)
    arrive(service, [an_object(2)])
    become_complete(service)
    assert Retention(service).sweep() == 1
    assert left(service) == [an_object_uid(2)]
    assert len(list(service.archive.keys())) == 1
    assert service.identities.of([an_object_uid(1)]) == {}
    (told,) = events(service, "study.deleted")
    assert (told["actor"], told["object"], told["detail"]) == (
        "service",
        an_object_uid(1),
        {"objects": 1, "reason": "retention"},
    )
    assert service.audit.verify().first_bad is None


def an_object_uid(study: int) -> str:
    from diascope.testing.objects import uids

    return uids(study)[0]


def test_without_retention_everything_is_kept(tmp_path: Path) -> None:
    service = an_old_service(tmp_path, days=None)
    assert Retention(service).sweep() == 0
    assert len(left(service)) == 1


def test_a_sweep_deletes_a_bounded_number_from_the_oldest_on(tmp_path: Path) -> None:
    service = an_old_service(tmp_path, 5)
    for number in range(1, 6):
        write(service, update(studies).where(studies.c.uid == an_object_uid(number)).values(changed=6.0 - number))
    assert Retention(service).sweep(most=2) == 2
    assert left(service) == [an_object_uid(number) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    "work",
    ["a job of the study", "a job of its series", "a job of its result", "an open series", "an answer", "unsent"],
)
def test_what_is_worked_on_stays(tmp_path: Path, work: str) -> None:
    service = an_old_service(tmp_path)
    with service.database.reading() as connection:
        of_series = connection.execute(select(series.c.id)).scalar_one()
    payloads = {
        "a job of the study": {"study": an_object_uid(1)},
        "a job of its series": {"series": of_series},
        "a job of its result": {"result": "r"},
    }
    if work in payloads:
        a_result(service, answered=0.0)
        service.database.change(lambda connection: service.queue.put(connection, "any", payloads[work]))
    elif work == "an open series":
        write(service, update(series).values(due=service.clock() + 5))
    elif work == "an answer":
        a_result(service, answered=service.clock() - 29 * DAY)
    else:
        a_result(service, answered=0.0)
        row = {"result_id": "r", "kind": "sr", "peer_id": a_peer(service), "state": "waiting", "at": 0.0}
        write(service, insert(deliveries).values(**row))
    assert Retention(service).sweep() == 0
    write(service, update(jobs).values(state="failed"))
    write(service, update(series).values(due=None))
    write(service, update(results).values(answered=0.0))
    write(service, update(deliveries).values(state="sent"))
    assert Retention(service).sweep() == 1


def test_what_a_reader_has_read_lately_stays(tmp_path: Path) -> None:
    service = an_old_service(tmp_path)
    a_result(service, answered=0.0)
    row = {"id": "x", "result_id": "r", "reader": "li", "verdict": "accept", "shown": {}, "at": service.clock() - DAY}
    write(service, insert(readings).values(**row))
    assert Retention(service).sweep() == 0
    service.clock.forward(30 * DAY)  # type: ignore[attr-defined]
    assert Retention(service).sweep() == 1


def test_what_is_done_at_the_last_moment_saves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the deletion an object arrives: the study stays."""
    service = an_old_service(tmp_path)
    retention = Retention(service)
    found = retention._candidates

    def late(before: float, most: int) -> list[str]:
        uids = found(before, most)
        arrive(service, [an_object(1, 1, 2)])
        return uids

    monkeypatch.setattr(retention, "_candidates", late)
    assert retention.sweep() == 0
    assert len(left(service)) == 1


def test_the_house_drops_what_has_expired_and_goes_on_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = an_old_service(tmp_path)
    user = a_user(service, "li")
    session = {"digest": "d", "user_id": user.id, "csrf": "c", "address": "", "created": 0.0, "used": 0.0}
    write(service, insert(sessions).values(**session))
    write(service, insert(attempts).values(account="a", address="b", at=0.0, succeeded=False))

    def broken() -> None:
        raise StorageFailed("the disk is gone")

    monkeypatch.setattr(service.audit, "anchor", broken)
    House(service).once()
    with service.database.reading() as connection:
        assert connection.execute(select(sessions)).all() == connection.execute(select(attempts)).all() == []
    assert left(service) == []
    assert service.troubles == {"audit": "the disk is gone"}
    monkeypatch.undo()
    House(service).once()
    assert service.troubles == {}
