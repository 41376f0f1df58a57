from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from diascope.serve.incoming.together import Together
from diascope.testing.waiting import until


class Desk:
    """Doubles numbers; the first time it waits for others to come, and 13 it can't."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.go = threading.Event()

    def work(self, some: Sequence[int]) -> list[int]:
        self.turns.append(list(some))
        self.go.wait(20)
        if 13 in some:
            raise ValueError("13")
        return [2 * one for one in some]


def asked(desk: Desk, numbers: Sequence[int], most: int = 8) -> list[int | str]:
    together = Together(desk.work, most)

    def ask(number: int) -> int | str:
        try:
            return together(number)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(len(numbers)) as threads:
        first = threads.submit(ask, numbers[0])
        until(lambda: desk.turns)
        rest = [threads.submit(ask, number) for number in numbers[1:]]
        until(lambda: len(together._waiting) == len(rest))
        desk.go.set()
        return [first.result(), *(one.result() for one in rest)]


def test_who_comes_while_another_is_served_is_taken_with_all_who_wait() -> None:
    desk = Desk()
    assert asked(desk, range(5)) == [0, 2, 4, 6, 8]
    assert [len(turn) for turn in desk.turns] == [1, 4]


def test_no_more_are_taken_than_may_be() -> None:
    desk = Desk()
    assert asked(desk, range(8), most=3) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert [len(turn) for turn in desk.turns] == [1, 3, 3, 1]


def test_what_is_wrong_with_one_fails_nobody_else() -> None:
    desk = Desk()
    assert asked(desk, [1, 2, 13, 3]) == [2, 4, "13", 6]
    assert desk.turns[2:] == [[one] for one in desk.turns[1]]


def test_a_thread_that_is_stopped_lets_nobody_wait() -> None:
    def work(some: Sequence[int]) -> list[int]:
        raise KeyboardInterrupt

    together = Together(work, 8)
    with pytest.raises(KeyboardInterrupt):
        together(1)
    with pytest.raises(KeyboardInterrupt):
        together(2)
