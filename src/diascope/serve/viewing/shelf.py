"""Things that are costly to open and are asked for again and again: a bounded number is kept open."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MOST = 8
"""Things that are kept open."""

IDLE = 600.0
"""Seconds after which one that nobody asked for is closed."""

LONGEST = 1800.0
"""Seconds after which one is opened anew, however often it is asked for: plain copies of a sealed archive are swept
after an hour."""


@dataclass(eq=False)
class _Place(Generic[T]):
    """Of one thing. `lock` is held while it is opened."""

    born: float
    used: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    thing: T | None = None
    borrowers: int = 0
    is_off: bool = False


class Shelf(Generic[T]):
    """Keeps things open; threads may share it.

    Args:
        close: Ends a thing; it is called once for each, when nobody uses it any more.
        most: Things that are kept.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, close: Callable[[T], None], most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._close, self._most, self._clock = close, most, clock
        self._places: OrderedDict[Hashable, _Place[T]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(self, key: Hashable, make: Callable[[], T]) -> Iterator[T]:
        """A thing, opened by `make` where it is not there; what that raises is raised, and nothing is kept.

        Args:
            key: Its name; whoever asks for the same one meanwhile waits.
            make: Opens it.
        """
        place = self._place(key)
        try:
            with place.lock:
                if place.thing is None:
                    place.thing = make()
                thing = place.thing
            yield thing
        except BaseException:
            if place.thing is None:
                self._take_off(key, place)
            raise
        finally:
            self._give_back(place)

    def drop(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Close what has an unwanted name; what is in use is closed when it is given back."""
        self._end(lambda key, _: unwanted(key))

    def drop_idle(self) -> None:
        """Close what nobody has asked for in a while."""
        now = self._clock()
        self._end(lambda _, place: now - place.used > IDLE or now - place.born > LONGEST)

    def close(self) -> None:
        """Close everything."""
        self._end(lambda *_: True)

    def __len__(self) -> int:
        return len(self._places)

    def _place(self, key: Hashable) -> _Place[T]:
        self.drop_idle()
        now = self._clock()
        with self._lock:
            place = self._places.setdefault(key, _Place(now, now))
            place.used = now
            place.borrowers += 1
            self._places.move_to_end(key)
            surplus = [name for name, one in self._places.items() if not one.borrowers]
            surplus = surplus[: max(0, len(self._places) - self._most)]
        if surplus:
            self._end(lambda name, one: name in surplus and not one.borrowers)
        return place

    def _give_back(self, place: _Place[T]) -> None:
        with self._lock:
            place.borrowers -= 1
            ended = place.is_off and not place.borrowers
        if ended:
            self._closed(place)

    def _take_off(self, key: Hashable, place: _Place[T]) -> None:
        with self._lock:
            place.is_off = True
            if self._places.get(key) is place:
                del self._places[key]

    def _end(self, unwanted: Callable[[Hashable, _Place[T]], bool]) -> None:
        ended = []
        with self._lock:
            for key, place in list(self._places.items()):
                if unwanted(key, place):
                    place.is_off = True
                    del self._places[key]
                    ended += [] if place.borrowers else [place]
        for place in ended:
            self._closed(place)

    def _closed(self, place: _Place[T]) -> None:
        thing, place.thing = place.thing, None
        if thing is not None:
            self._close(thing)
