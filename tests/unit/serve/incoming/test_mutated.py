"""B1: mutated DICOM through the real way in, and through the decoder of what came in."""

from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path

import pytest

from diascope.core.errors import UnreadableFile
from diascope.serve.incoming.decoding import new_decoder
from diascope.serve.incoming.receiving import Origin, Receiving, Refused
from diascope.testing.mutations import MUTATORS, mutated
from diascope.testing.objects import seeds
from diascope.testing.service import a_service

log = logging.getLogger(__name__)

ORIGIN = Origin("peer:CT1", "10.0.0.7", "default")
LATEST = 5.0
LARGEST = 1 << 30


def send_mutated(folder: Path, count: int) -> Counter[str]:
    """What became of so many mutated files."""
    service = a_service(folder)
    decoder = new_decoder()
    receiving = Receiving(service, decoder)
    sound = list(seeds())
    assert len(sound) >= 77
    decoder.refill()
    became: Counter[str] = Counter()
    longest = largest = 0.0
    for name, content in mutated(sound, count):
        path = folder / "one.dcm"
        path.write_bytes(content)
        started = time.monotonic()
        draft = service.archive.draft()
        draft.write(content)
        try:
            status = receiving.receive(draft, ORIGIN).status
        except Refused as error:
            status = error.reason
        took = time.monotonic() - started
        assert took <= LATEST, f"{name} took {took:.1f} s: {status}"
        started = time.monotonic()
        try:
            decoder.check(path)
            became[f"{status}, decoded"] += 1
        except UnreadableFile:
            became[f"{status}, undecodable"] += 1
        longest = max(longest, took, time.monotonic() - started)
        assert longest <= LATEST, name
        largest = max([largest, *map(_peak, decoder._idle)])
    decoder.close()
    service.close()
    assert largest <= LARGEST
    log.info("longest %.2f s, largest %.0f MiB, %s", longest, largest / 2**20, dict(became))
    return became


def _peak(child: object) -> int:
    """Bytes of memory that a child has had at most; 0 where it is gone."""
    try:
        status = Path(f"/proc/{child.process.pid}/status").read_text()  # type: ignore[attr-defined]
    except FileNotFoundError:
        return 0
    return int(next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")) * 1024


@pytest.mark.slow
def test_mutated_files_are_refused_with_a_reason_or_decoded(tmp_path: Path) -> None:
    """B1: 350 mutated files: no server death, no answer after 5 s, no child above 1 GiB."""
    became = send_mutated(tmp_path, 350)
    assert became.total() == 350
    assert len(became) >= 3  # stored, refused, undecodable: the mutations do something
    assert len(MUTATORS) == 7


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_ten_thousand_mutated_files(tmp_path: Path) -> None:
    """B1: 10,000 mutated files."""
    assert send_mutated(tmp_path, 10_000).total() == 10_000
