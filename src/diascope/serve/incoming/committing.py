"""Several threads, one transaction: who finds nobody writing writes for all that wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

ASKED = TypeVar("ASKED")
SAID = TypeVar("SAID")

MOST = 64
"""Arrivals in one transaction."""


class Committer(Generic[ASKED, SAID]):
    """Collects what arrives while a transaction is being made durable, and writes it with the next.

    Args:
        write: Writes several in one transaction; gives one answer for each, in order.
    """

    def __init__(self, write: Callable[[Sequence[ASKED]], Sequence[SAID]]) -> None:
        self._write = write
        self._waiting: deque[_Ticket[ASKED, SAID]] = deque()
        self._writing = threading.Lock()

    def submit(self, asked: ASKED) -> SAID:
        """The answer for one, once it is durable. Raises what `write` raises for it."""
        ticket: _Ticket[ASKED, SAID] = _Ticket(asked)
        self._waiting.append(ticket)
        with self._writing:
            while not ticket.done:
                self._write_next()
        if ticket.error is not None:
            raise ticket.error
        return ticket.said[0]

    def _write_next(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            self._answer(batch)
        except BaseException as error:
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for ticket in batch:  # one of them is to blame: each for itself
                try:
                    self._answer([ticket])
                except BaseException as its:
                    ticket.fail(its)

    def _answer(self, batch: list[_Ticket[ASKED, SAID]]) -> None:
        for ticket, said in zip(batch, self._write([ticket.asked for ticket in batch]), strict=True):
            ticket.said, ticket.done = [said], True


class _Ticket(Generic[ASKED, SAID]):
    """One that waits for its answer."""

    def __init__(self, asked: ASKED) -> None:
        self.asked, self.done = asked, False
        self.said: list[SAID] = []
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        self.error, self.done = error, True
