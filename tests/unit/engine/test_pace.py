from __future__ import annotations

from typing import Any

import pytest

from diascope.engine import pace as module
from diascope.engine.pace import FIRST_LOOK, Pace


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


def changes(pace: Pace, clock: Clock, steps: range, total: int, each: float) -> tuple[int, list[tuple[int, int]]]:
    """Walk through steps of `each` seconds; the last total, and at which steps it changed to what."""
    found = []
    for step in steps:
        clock.now += each
        if step >= total:
            break
        proposal = pace.propose(step, total)
        if proposal is not None:
            total = proposal[0]
            found.append((step, total))
    return total, found


def test_steps_given_by_hand_are_never_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert changes(Pace(None), clock, range(1, 500), 400, 99.0) == (400, [])


def test_within_a_tenth_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert changes(Pace(100.0), clock, range(1, 1000), 1000, 0.107) == (1000, [])


def test_an_overrun_is_shortened_so_that_it_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    began = clock.now
    total, found = changes(Pace(100.0), clock, range(1, 1000), 1000, 0.2)
    assert found[0][0] == FIRST_LOOK
    assert 450 < total <= 500
    assert clock.now - began <= 110


def test_an_overrun_that_begins_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace, began = Pace(100.0), clock.now
    total, found = changes(pace, clock, range(1, 501), 1000, 0.1)
    assert found == []
    total, found = changes(pace, clock, range(501, 1000), total, 0.4)
    assert found
    assert clock.now - began < 120


def test_a_fast_run_is_not_lengthened_so_that_a_plan_gives_the_same_bytes_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    assert changes(Pace(100.0), clock, range(1, 3000), 1000, 0.05) == (1000, [])


def test_steps_that_compilation_made_faster_lengthen_the_run_once_up_to_the_cap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(100.0, cap=1500)
    assert changes(pace, clock, range(1, 40), 1000, 0.1) == (1000, [])
    pace.forget()
    total, found = changes(pace, clock, range(40, 3000), 1000, 0.05)
    assert found == [(39 + FIRST_LOOK, 1500)]
    assert total == 1500


def test_a_run_that_was_shortened_comes_back_to_its_plan_when_what_slowed_it_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    pace, began = Pace(100.0, cap=5000, planned=1000), clock.now
    short, found = changes(pace, clock, range(1, 60), 1000, 0.5)
    assert found[0][0] == FIRST_LOOK
    assert short < 300
    total, found = changes(pace, clock, range(60, 2000), short, 0.05)
    assert found
    assert total == 1000
    assert clock.now - began <= 100


def test_a_plan_that_was_probed_while_something_else_kept_the_machine_busy_is_exceeded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    pace, began = Pace(100.0, cap=5000, planned=100, step_planned=1.0), clock.now
    total, found = changes(pace, clock, range(1, 2000), 100, 0.1)
    assert found
    assert 900 < total <= 1000
    assert clock.now - began <= 100
    usual = Pace(100.0, cap=5000, planned=100, step_planned=0.15)
    assert changes(usual, clock, range(1, 2000), 100, 0.1) == (100, [])


def test_it_is_not_lengthened_so_late_that_it_would_learn_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(100.0, planned=1000)
    short, _ = changes(pace, clock, range(1, 180), 1000, 0.4)
    assert changes(pace, clock, range(180, 2000), short, 0.05) == (short, [])


def test_a_resumed_run_measures_its_own_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    for start in (1, 12, 499, 949, 990):
        pace = Pace(100.0, used=start * 0.02)
        assert changes(pace, clock, range(start + 1, 1000), 1000, 0.05) == (1000, [])


def test_steps_of_which_the_clock_was_not_asked_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    # As after a kill, where a change of the schedule was decided beyond the checkpoint.
    assert Pace(100.0).propose(400, 1000) is None


def test_time_before_a_resume_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(100.0, used=95.0)
    total, found = changes(pace, clock, range(501, 1000), 1000, 0.1)
    assert found
    assert total < 560


@pytest.mark.parametrize("total", [2, 5, 13, 30])
def test_very_short_runs_are_left_alone_or_end_beyond_the_step(monkeypatch: pytest.MonkeyPatch, total: int) -> None:
    clock: Any = Clock(monkeypatch)
    _, found = changes(Pace(0.1), clock, range(1, total), total, 1.0)
    assert all(new > step for step, new in found)
