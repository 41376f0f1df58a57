"""The shelf: a bounded number of open things, each closed once, never while somebody uses it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from diascope.serve.viewing.shelf import IDLE, LONGEST, Shelf


class Log:
    """What was opened and closed, and a clock that the test moves."""

    def __init__(self, most: int = 2) -> None:
        self.now, self.made, self.closed = 0.0, list[str](), list[str]()
        self.shelf: Shelf[str] = Shelf(self.closed.append, most, lambda: self.now)

    def ask(self, name: str) -> str:
        def make() -> str:
            self.made.append(name)
            return name

        with self.shelf.borrowed(name, make) as found:
            return found


def test_what_is_there_is_not_opened_again():
    log = Log()
    assert [log.ask("a"), log.ask("a")] == ["a", "a"]
    assert (log.made, log.closed) == (["a"], [])


def test_the_one_that_was_not_asked_for_longest_gives_way():
    log = Log()
    for name in "abac":
        log.ask(name)
    assert (log.made, log.closed) == (["a", "b", "c"], ["b"])
    assert len(log.shelf) == 2


def test_what_is_in_use_is_closed_when_it_is_given_back():
    log = Log(most=1)
    with log.shelf.borrowed("a", lambda: "a"):
        log.ask("b")
        log.shelf.close()
        assert log.closed == ["b"]
    assert log.closed == ["b", "a"]
    assert len(log.shelf) == 0


def test_what_nobody_asks_for_and_what_is_old_is_closed():
    log = Log()
    log.ask("a")
    log.now = IDLE + 1
    log.ask("b")
    assert log.closed == ["a"]
    while log.now <= LONGEST + IDLE:
        log.now += IDLE - 1
        log.ask("b")
    assert log.made == ["a", "b", "b"], "also what is asked for all the time is opened anew"
    log.now += IDLE + 1
    log.shelf.drop_idle()
    assert log.closed == ["a", "b", "b"]


def test_what_cannot_be_opened_is_not_kept():
    log = Log()

    def broken() -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), log.shelf.borrowed("a", broken):
        pass
    assert len(log.shelf) == 0
    assert log.ask("a") == "a"


def test_an_error_of_whoever_uses_it_ends_nothing():
    log = Log()
    with pytest.raises(ValueError, match="mine"), log.shelf.borrowed("a", lambda: "a"):
        raise ValueError("mine")
    log.ask("a")
    assert (log.made, log.closed) == ([], [])


def test_several_at_once_open_it_once():
    log, gate = Log(), threading.Barrier(8)

    def ask(_: int) -> str:
        gate.wait(10)
        return log.ask("a")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == ["a"] * 8
    assert log.made == ["a"]


def test_names_that_are_not_wanted_any_more():
    log = Log(most=9)
    for name in ("a1", "a2", "b1"):
        log.ask(name)
    log.shelf.drop(lambda key: str(key).startswith("a"))
    assert log.closed == ["a1", "a2"]
