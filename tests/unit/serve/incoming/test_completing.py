"""When a series is complete."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from diascope.serve.database.tables import changes, jobs, series
from diascope.serve.incoming.completing import Completing, read_again
from diascope.testing.objects import uids
from diascope.testing.reading import a_volume, arrive, become_complete, rows_of, series_of
from diascope.testing.service import a_service


def routes(service):
    return [(one.key, one.payload["revision"]) for one in rows_of(service, jobs, jobs.c.kind == "route")]


def test_a_series_is_complete_after_the_quiet_time_and_not_before(tmp_path):
    service = a_service(tmp_path, quiet_seconds=5)
    sweep = Completing(service).sweep
    arrive(service, a_volume(1, range(2)))
    service.clock.forward(4)
    arrive(service, a_volume(1, [2]))
    service.clock.forward(4)
    assert sweep() == 0, "the late slice set it due again"
    service.clock.forward(2)
    assert (sweep(), sweep()) == (1, 0)
    row = series_of(service, 1)
    assert (row.revision, row.completed, row.due) == (1, service.clock(), None)
    assert routes(service) == [(f"route:{row.id}:1", 1)]
    (change,) = rows_of(service, changes, changes.c.kind == "series_completed")
    assert (change.study_uid, change.series_uid) == uids(1)[:2]
    assert service.stirred.is_set()


def test_a_late_slice_makes_the_next_revision(tmp_path):
    service = a_service(tmp_path)
    arrive(service, a_volume(1, range(2)))
    assert become_complete(service) == 1
    arrive(service, a_volume(1, [2]))
    assert become_complete(service) == 1
    number = series_of(service, 1).id
    assert sorted(routes(service)) == [(f"route:{number}:1", 1), (f"route:{number}:2", 2)]


def test_a_series_at_its_expected_number_is_complete_at_once(tmp_path):
    service = a_service(tmp_path, quiet_seconds=1000)
    arrive(service, a_volume(1, range(3)))
    number = series_of(service, 1).id
    expect = update(series).where(series.c.id == number)
    service.database.change(lambda connection: connection.execute(expect.values(expected=4)))
    assert Completing(service).sweep() == 0
    arrive(service, a_volume(1, [3]))
    assert Completing(service).sweep() == 1


@pytest.mark.parametrize("made", [True, False])
def test_what_the_service_made_is_never_routed(tmp_path, made):
    service = a_service(tmp_path)
    arrive(service, a_volume(1, range(2)))
    own = update(series).values(made=made)
    service.database.change(lambda connection: connection.execute(own))
    assert become_complete(service) == 1
    assert len(routes(service)) == (0 if made else 1)


def test_a_series_can_be_read_again(tmp_path):
    service = a_service(tmp_path)
    arrive(service, a_volume(1, range(2)))
    number = series_of(service, 1).id

    def again() -> bool:
        work = service.database.change
        return work(lambda connection: read_again(connection, service.queue, number, service.clock()))

    assert not again(), "it is not complete"
    become_complete(service)
    assert again()
    assert series_of(service, 1).revision == 2
    assert len(routes(service)) == 2


def test_many_series_are_completed_by_a_thread(tmp_path):
    service = a_service(tmp_path, quiet_seconds=0)
    for number in range(5):
        arrive(service, a_volume(number, [0]))
    completing = Completing(service)
    completing.start()
    assert service.stirred.wait(20)
    completing.stop()
    assert [one.revision for one in rows_of(service, series)] == [1] * 5
