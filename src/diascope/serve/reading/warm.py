"""Releases that are kept ready: the model is loaded once, its bytes verified once and whenever a file changed."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from diascope.core.errors import DiascopeError, UnknownName
from diascope.serve.reading.served import NotServed, must_be_served
from diascope.serve.rules.keeping import in_force, read_rules
from diascope.serve.service import Service

if TYPE_CHECKING:
    from diascope.stages.predict import Predictor

log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass
class _Place:
    """Of one release. A predictor is used by one thread at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    predictor: Predictor | None = None
    stamp: Stamp = ()


class Warm:
    """The releases of one worker.

    Args:
        service: Whose.
        most: How many are kept; the one that was not asked for longest gives way.
    """

    def __init__(self, service: Service, most: int) -> None:
        self.service, self.most = service, most
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def open(self, label: str) -> Iterator[Predictor]:
        """A release that may read, for this thread alone.

        Args:
            label: `name@version`, as a rule names it.

        Raises:
            NotServed: When it was withdrawn, or nobody signed it.
            UnknownName: When it is not there.
            Tampered: When its bytes are not those that were sealed.
            DiascopeError: When it can't be used here.
        """
        # Not above: with torch it takes seconds, and the service listens before (RELIABILITY A15).
        from diascope.stages.predict import Predictor

        with self.service.database.reading() as connection:
            must_be_served(connection, label)
        folder = self._folder(label)
        place = self._place(label)
        with place.lock:
            stamp = _stamp(folder)  # before the bytes are read: a change that comes meanwhile shows next time
            if place.predictor is None or stamp != place.stamp:
                place.predictor = None  # the old one's memory is needed for the new one
                predictor = Predictor(folder)
                _signed(predictor, label)
                place.predictor, place.stamp = predictor, stamp
            yield place.predictor

    def prepare(self) -> None:
        """Load what the rules name before the first study comes; what can't be loaded says so when it is asked."""
        try:
            rules = read_rules(self.service.settings.rules) if self.service.settings.rules else []
            with self.service.database.reading() as connection:
                rules += in_force(connection, None)
            for label in list(dict.fromkeys(rule.release for rule in rules if rule.enabled))[: self.most]:
                with self.open(label):
                    log.info("%s is ready", label)
        except DiascopeError as error:
            log.warning("a release could not be made ready: %s", error.wrong)

    def _folder(self, label: str) -> Path:
        """The folder of exactly this release: a name of a rule is no path, and no beginning of a name."""
        releases = self.service.workspace.releases
        known = {path.name for path in releases.iterdir() if path.is_dir() and not path.name.startswith(".")}
        if label not in known:
            raise UnknownName("release", label, known, todo="Put the release back, or change the rule")
        return releases / label

    def _place(self, label: str) -> _Place:
        with self._lock:
            place = self._places.setdefault(label, _Place())
            self._places.move_to_end(label)
            while len(self._places) > self.most:
                self._places.popitem(last=False)
            return place


def _signed(predictor: Predictor, label: str) -> None:
    release = predictor.opened.release
    if release.label != label:
        raise NotServed("the folder holds another release", given=f"{release.label} in {label}")
    if not release.signed_by:
        raise NotServed(f"{label} is a candidate: nobody signed it", todo="Sign it: diascope release")


def _stamp(folder: Path) -> Stamp:
    try:
        found = [(path.name, path.lstat()) for path in folder.iterdir()]
    except OSError as error:  # it is being replaced: a moment later it is there
        raise DiascopeError(f"the release {folder.name} can't be looked at: {error.strerror}") from error
    return tuple(sorted((name, one.st_mtime_ns, one.st_size, one.st_ino) for name, one in found))
