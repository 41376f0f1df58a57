"""What encryption of the archive costs: objects of 0.5 MB kept (with their fsyncs) and read, plain and sealed in turns.

    python benchmarks/sealing.py --rounds 20 --objects 40

Each round keeps and reads the same bytes in both archives, whichever first by lot. A ratio is sealed over plain time of
one round; given are the median over rounds and its 95 % interval (order statistics, no assumption of a distribution).
"Memory" is the same on a tmpfs: without a disk that waits, what is left is the work of the processor.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from recording.rows import commit, machine

from diascope.privacy.keys import KeyRing
from diascope.privacy.sealing import Sealer
from diascope.store.archive import Archive, Stored

MEMORY = Path("/dev/shm")
"""A tmpfs, where there is one."""


def main() -> None:
    """Measure on the disk and in memory; print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--objects", type=int, default=40, help="a round")
    parser.add_argument("--kilobytes", type=int, default=500, help="of an object, 10**3 bytes")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the disk that is measured")
    options = parser.parse_args()
    print(f"{machine()}; commit {commit()}; {options.rounds} rounds of {options.objects} x {options.kilobytes} kB\n")
    print("| where | what | plain, ms an object | sealed, ms an object | sealed / plain (95 % interval) |")
    print("|---|---|---|---|---|")
    for name, folder in {"disk": options.folder, "memory": MEMORY}.items():
        if folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder) as place:
                for line in measured(Path(place), options):
                    print(f"| {name} | {line} |", flush=True)


def measured(folder: Path, options: argparse.Namespace) -> list[str]:
    """One line of each use."""
    sealer = Sealer(KeyRing.open(folder / "keys.json"), "archive")
    archives = {"plain": Archive(folder / "plain"), "sealed": Archive(folder / "sealed", sealer)}
    taken: dict[str, dict[str, list[float]]] = {}
    lot = random.Random(0)
    for turn in range(options.rounds + 1):
        contents = [os.urandom(options.kilobytes * 1000) for _ in range(options.objects)]
        for name in lot.sample(sorted(archives), 2):
            for use, seconds in one_round(archives[name], contents).items():
                if turn:  # the first one warms up
                    taken.setdefault(use, {}).setdefault(name, []).append(1000 * seconds / options.objects)
    return [line(use, both["plain"], both["sealed"]) for use, both in taken.items()]


def one_round(archive: Archive, contents: list[bytes]) -> dict[str, float]:
    """Seconds of each use; everything is removed again."""
    kept: list[Stored] = []
    found = {
        "kept (`put`)": timed(lambda: kept.extend(archive.put(content) for content in contents)),
        "kept by a draft that is read before": timed(lambda: kept.extend(drafted(archive, one) for one in contents)),
        "read, its hash compared": timed(lambda: [archive.read(one.key, one.sha256) for one in kept[: len(contents)]]),
    }
    for one in kept:
        archive.delete(one.key)
    return found


def drafted(archive: Archive, content: bytes) -> Stored:
    """As a receiver does: written in pieces, looked at as a file, kept."""
    with archive.draft() as draft:
        for start in range(0, len(content), 1 << 16):
            draft.write(content[start : start + (1 << 16)])
        draft.path.read_bytes()
        return draft.keep()


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def line(use: str, plain: list[float], sealed: list[float]) -> str:
    """Medians, and the ratio of each round."""
    ratios = sorted(one / other for one, other in zip(sealed, plain, strict=True))
    low, high = interval(len(ratios))
    ratio = f"{statistics.median(ratios):.2f} ({ratios[low]:.2f}–{ratios[high]:.2f})"
    return f"{use} | {statistics.median(plain):.2f} | {statistics.median(sealed):.2f} | {ratio}"


def interval(count: int) -> tuple[int, int]:
    """Places, in sorted order, of the 95 % interval of a median (binomial, normal approximation; Conover 1999, 3.2)."""
    half = 1.96 * count**0.5 / 2
    return max(0, int(count / 2 - half)), min(count - 1, int(count / 2 + half))


if __name__ == "__main__":
    main()
