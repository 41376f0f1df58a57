"""Ten minutes of everything at once against `diascope serve`: does memory stay flat, does anything fail? (G1, short)

    python benchmarks/mixed_load.py --minutes 10

One scanner stores films and volumes over DICOM, a release reads each and sends its answer to a PACS; beside it one
client searches (QIDO-RS), one fetches metadata and pictures (WADO-RS), one stores by STOW-RS what no rule reads, and
one lists findings. The memory of the service's process, its open files and threads are looked at every 5 s; the slope
is fitted over what follows the first quarter. Clients run on the same two cores, and their work is in the times.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from answer_time import SIZE, Pacs, a_series, make_release, prepared, send
from recording.rows import commit, machine

from diascope.testing.objects import uids
from diascope.testing.running import Served, served
from diascope.testing.serving import STOW_TYPE, stow_body

EVERY = 5.0


class Load:
    """Clients that ask again and again.

    Args:
        running: The service.
        until: When they stop.
    """

    def __init__(self, running: Served, until: float) -> None:
        self.running, self.until = running, until
        self.taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.errors: dict[str, int] = defaultdict(int)
        self.studies: list[str] = []
        self.next_study = 0
        self.lock = threading.Lock()

    def loop(self, name: str, pause: float, work: Callable[[httpx.Client, int], None]) -> None:
        """Do something again and again, and keep how long it took."""
        number = 0
        with httpx.Client(base_url=self.running.web, headers=self.running.http.headers, timeout=60) as http:
            while time.monotonic() < self.until:
                began = time.monotonic()
                try:
                    work(http, number)
                except (httpx.HTTPError, OSError, AssertionError, StopIteration):
                    self.errors[name] += 1
                self.taken[name].append((began, time.monotonic() - began))
                number += 1
                time.sleep(pause)

    def new_study(self) -> int:
        """A number that no other study has."""
        with self.lock:
            self.next_study += 1
            return 500_000 + self.next_study

    def store(self, _: httpx.Client, number: int) -> None:
        """C-STORE of a film, and of a volume each fifth time."""
        kind = "volume" if number % 5 == 4 else "film"
        study = self.new_study()
        send(self.running.dicom_port, a_series(kind, study))
        self.studies.append(uids(study)[0])

    def stow(self, http: httpx.Client, _: int) -> None:
        """STOW-RS of a volume of eight slices."""
        body = stow_body(a_series("volume", self.new_study(), "MR")[:8])
        http.post("/dicom-web/studies", content=body, headers={"Content-Type": STOW_TYPE}).raise_for_status()

    def search(self, http: httpx.Client, number: int) -> None:
        """QIDO-RS of a page."""
        query = [{"limit": 50}, {"ModalitiesInStudy": "CT", "limit": 20}, {"PatientName": "*1*", "limit": 20}][
            number % 3
        ]
        http.get("/dicom-web/studies", params=query).raise_for_status()

    def view(self, http: httpx.Client, number: int) -> None:
        """Metadata and a picture of one of the studies."""
        if not self.studies:
            return
        study = self.studies[number % len(self.studies)]
        http.get(f"/dicom-web/studies/{study}/metadata").raise_for_status()
        http.get(f"/dicom-web/studies/{study}/thumbnail").raise_for_status()

    def findings(self, http: httpx.Client, _: int) -> None:
        """What releases said."""
        http.get("/api/v1/findings", params={"limit": 50}).raise_for_status()


def main() -> None:
    """Load, look, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pacs = Pacs()
        labels = {kind: make_release(Path(name), kind, None) for kind in SIZE}
        token = prepared(Path(name), pacs, labels, lookups_per_minute=100_000)
        with served(Path(name), token) as running:
            load, seen = _loaded(running, options.minutes * 60)
            jobs = running.http.get("/api/v1/system").json()["jobs"]
        pacs.server.shutdown()
    _print(load, seen, jobs, len(pacs.arrived))


def _loaded(running: Served, seconds: float) -> tuple[Load, list[tuple[float, float, int, int]]]:
    load = Load(running, time.monotonic() + seconds)
    clients = {"C-STORE": (2.0, load.store), "STOW-RS": (3.0, load.stow), "QIDO-RS": (0.5, load.search)}
    clients |= {"WADO-RS": (0.7, load.view), "findings": (1.0, load.findings)}
    threads = [threading.Thread(target=load.loop, args=(name, *client)) for name, client in clients.items()]
    for thread in threads:
        thread.start()
    process, seen = psutil.Process(running.process.pid), []
    began = time.monotonic()
    while time.monotonic() < load.until:
        seen.append(
            (time.monotonic() - began, process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())
        )
        time.sleep(EVERY)
    for thread in threads:
        thread.join()
    return load, seen


def _print(load: Load, seen: list[tuple[float, float, int, int]], jobs: Any, answers: int) -> None:
    late = np.array(seen[len(seen) // 4 :])
    slope = np.polyfit(late[:, 0] / 3600, late[:, 1], 1)[0]
    print(f"{machine()}, {commit()}; {seen[-1][0] / 60:.1f} minutes")
    print(
        f"memory {late[0, 1]:.0f} MB after the first quarter, {late[-1, 1]:.0f} at the end, slope {slope:+.1f} MB/h; "
        f"open files {late[:, 2].min():.0f} to {late[:, 2].max():.0f}; threads {late[:, 3].min():.0f} to "
        f"{late[:, 3].max():.0f}; jobs {jobs}; {answers} answers on the PACS"
    )
    print("| | requests | errors | p50 ms | p99 ms | p99 first half ms | p99 second half ms |")
    print("|---|---|---|---|---|---|---|")
    for name, rows in load.taken.items():
        times = np.array([one[1] for one in rows]) * 1000
        halves = times[: len(times) // 2], times[len(times) // 2 :]
        p99 = [float(np.percentile(part, 99)) for part in (times, *halves)]
        row = " | ".join(f"{value:.0f}" for value in (np.median(times), *p99))
        print(f"| {name} | {len(times)} | {load.errors[name]} | {row} |")


if __name__ == "__main__":
    main()
