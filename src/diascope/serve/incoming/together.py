"""Several threads, one transaction: who comes while another one commits waits, and is then taken with all who wait.

One alone never waits. With four associations the statements and the fsync of a commit are shared (group commit).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class _Asked(Generic[T, R]):
    what: T
    answer: R | None = None
    error: BaseException | None = None
    is_done: bool = False


class Together(Generic[T, R]):
    """Does for several at once what each asks for.

    Args:
        work: Takes several, in the order in which they came, and answers each; all or none.
        most: How many at once.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], most: int) -> None:
        self._work, self._most = work, most
        self._waiting: deque[_Asked[T, R]] = deque()
        self._turn = threading.Lock()

    def __call__(self, what: T) -> R:
        """The answer for one. Raises what `work` raises for it alone."""
        asked: _Asked[T, R] = _Asked(what)
        self._waiting.append(asked)
        while not asked.is_done:
            with self._turn:
                if not asked.is_done:
                    self._do([self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))])
        if asked.error is not None:
            raise asked.error
        return asked.answer  # type: ignore[return-value]

    def _do(self, some: Sequence[_Asked[T, R]]) -> None:
        try:
            for one, answer in zip(some, self._work([one.what for one in some]), strict=True):
                one.answer, one.is_done = answer, True
        except BaseException as error:
            # Nobody waits for ever, and nobody fails for what is wrong with another: each is tried alone.
            if len(some) > 1 and isinstance(error, Exception):
                for one in some:
                    self._do([one])
            else:
                for one in some:
                    one.error, one.is_done = error, True
