"""C-STORE: Diascope's node (durable, indexed, audited) against pynetdicom's example SCPs and Orthanc.

`storescp` writes a file named by the UID and is what "pynetdicom's example SCP" means in the ratio; `qrscp` also
keeps an index. Neither calls fsync. Orthanc is Debian's, with its own defaults. Senders: dcmtk's `storescu` and
pynetdicom's own SCU, on one association and on four. Each round makes new objects and takes the receivers in turn; each
sender is a process of its own, whose start in Python is not counted. The figure is the median of the rounds, the ratio
is of medians.

Predicted after a first look at `storescp` and at a profile of ours, before ratios were measured (8 KB and 525 KB
objects, two cores, ext4, fsync .3 to .8 ms):

- `storescp` takes about 50 ms for each small object: the sender writes command and data set in two small segments,
  Nagle's algorithm holds the second one until the first is acknowledged, and the receiver, which has nothing to say
  yet, delays that by 40 ms. Large objects fill segments and wait less often: about 10 ms. Most of the rest are the
  two loops that sleep 1 ms, `recv` of 4 KB, and a Python object for each 16 KB PDU.
- With TCP_NODELAY, TCP_QUICKACK, threads that wait for events, PDUs of 1 MiB and data that go from the socket to the
  file in pieces, the network costs below 1 ms; what remains is what the others do not do: fsync of file and folder
  (.5 to 1 ms), parsing in the decoder child (1 to 2 ms), two commits (1 to 2 ms) and their statements (2 ms of
  Python). So 5 to 7 ms: at least 7 times as fast for small objects, between 1.3 and 2 times for large ones on one
  association. Four associations share commits, but also two cores: no more than twice one association.

    python benchmarks/cstore.py                  # minutes
    python benchmarks/cstore.py --rounds 1 --count 30
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import numpy as np
from recording.rows import commit, machine

from diascope.testing.objects import a_dataset, as_bytes

TITLE = "DIASCOPE"
EDGES = (64, 512)
RECEIVERS = ("ours", "storescp", "qrscp", "orthanc", "nothing")
"""`nothing`: our node, which takes the bytes, keeps none and says success: what sender and network alone take."""
OURS = """
from pathlib import Path
from diascope.testing.dimse import serving
serving(Path({folder!r}))
"""
NOTHING = """
from diascope.serve.dimse.storing import Storing

def taken(self, origin, request, syntax, data):
    for _ in data:
        pass
    return 0, ""

Storing._taken = taken
"""
SENDERS = (("storescu", 1), ("storescu", 4), ("pynetdicom", 1), ("pynetdicom", 4))
WANTED = 3.0
"""Times as fast as `storescp`."""

PYNETDICOM = """
import sys
from pathlib import Path
from pynetdicom import AE, _config
_config.LOG_HANDLER_LEVEL = "none"
_config.STORE_SEND_CHUNKED_DATASET = True
entity = AE("TESTER")
entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
association = entity.associate("127.0.0.1", int(sys.argv[1]), ae_title="DIASCOPE")
assert association.is_established
for path in sorted(Path(sys.argv[2]).iterdir()):
    status = association.send_c_store(path)
    assert status.Status == 0, status
association.release()
"""


def objects(folder: Path, count: int, edge: int, first: int) -> None:
    """Objects of one series: CT, edge × edge of 16 bits, of random numbers."""
    folder.mkdir()
    random = np.random.default_rng(first)
    for number in range(first, first + count):
        pixels = random.integers(0, 4095, (edge, edge)).astype(np.uint16)
        (folder / f"{number:08}.dcm").write_bytes(as_bytes(a_dataset(1, edge, number, pixels)))


@contextmanager
def receiving(name: str, folder: Path) -> Iterator[int]:
    """A receiver in a process of its own: its port."""
    folder.mkdir()
    port = _free_port()
    command = {
        "ours": [sys.executable, "-c", OURS.format(folder=str(folder))],
        "nothing": [sys.executable, "-c", NOTHING + OURS.format(folder=str(folder))],
        "storescp": [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-od", str(folder / "files"), "-q"],
        "qrscp": [sys.executable, "-m", "pynetdicom", "qrscp", "-c", str(_qrscp(folder, port)), "-q"],
        "orthanc": ["/usr/sbin/Orthanc", str(_orthanc(folder, port))],
    }[name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            if name in ("ours", "nothing"):
                _until((folder / "port").exists)
                port = int((folder / "port").read_text())
            _until(lambda: _listens(port))
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _orthanc(folder: Path, port: int) -> Path:
    settings = {
        "DicomPort": port,
        "DicomAet": TITLE,
        "HttpServerEnabled": False,
        "StorageDirectory": str(folder / "files"),
        "IndexDirectory": str(folder / "files"),
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "Plugins": [],
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    return path


def _qrscp(folder: Path, port: int) -> Path:
    import pynetdicom.apps.qrscp

    plain = Path(pynetdicom.apps.qrscp.__file__).with_name("default.ini").read_text()
    changed = {
        "port": str(port),
        "instance_location": str(folder / "files"),
        "database_location": str(folder / "index.sqlite"),
    }
    lines = []
    for line in plain.splitlines():
        key = line.split(":")[0].split("=")[0].strip()
        lines.append(f"    {key}: {changed[key]}" if key in changed else line)
    path = folder / "qrscp.ini"
    path.write_text("\n".join(lines))
    return path


def sent(sender: str, associations: int, port: int, folder: Path) -> float:
    """Seconds that it takes to send a folder, on so many associations at once."""
    parts = [folder.with_name(f"{folder.name}-{k}") for k in range(associations)]
    for part in parts:
        part.mkdir()
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(parts[number % associations] / path.name)
    commands = [_command(sender, port, part) for part in parts]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ExitStack() as stack:
        python = sender == "pynetdicom"
        waiting = [stack.enter_context(subprocess.Popen(one, **pipes)) for one in commands] if python else []
        for one in waiting:
            one.stdout.readline()  # it has imported everything
        start = time.perf_counter()
        started = waiting or [stack.enter_context(subprocess.Popen(one, **pipes)) for one in commands]
        with ThreadPoolExecutor(associations) as threads:
            said = list(threads.map(lambda one: one.communicate(b"\n"), started))
        seconds = time.perf_counter() - start
    for one, (_, errors) in zip(started, said, strict=True):
        if one.returncode or b"Failed" in errors or b"Refused" in errors:
            raise SystemExit(f"{sender} failed: {errors.decode(errors='replace')[-500:]}")
    return seconds


def _command(sender: str, port: int, part: Path) -> list[str]:
    if sender == "pynetdicom":
        return [sys.executable, "-c", PYNETDICOM, str(port), str(part)]
    return ["storescu", "-xe", "-aet", "TESTER", "-aec", TITLE, "127.0.0.1", str(port), "+sd", str(part)]


def measure(options: argparse.Namespace) -> dict[tuple[str, int, str, int], list[float]]:
    """Milliseconds an object: receiver, edge, sender and associations to one figure a round."""
    figures: dict[tuple[str, int, str, int], list[float]] = {}
    first = 1
    for _, name in product(range(options.rounds), options.receivers):
        with (
            tempfile.TemporaryDirectory(dir=options.folder) as place,
            receiving(name, Path(place) / "receiver") as port,
        ):
            # First what is not counted: every process and thread that a receiver starts when it is first used.
            for turn, (edge, (sender, associations)) in enumerate([(EDGES[0], SENDERS[1]), *product(EDGES, SENDERS)]):
                folder = Path(place) / f"objects-{turn}"
                objects(folder, options.count, edge, first)
                first += options.count
                seconds = sent(sender, associations, port, folder)
                if turn:
                    figures.setdefault((name, edge, sender, associations), []).append(1000 * seconds / options.count)
    return figures


def table(figures: dict[tuple[str, int, str, int], list[float]], receivers: list[str]) -> str:
    """Lines for BENCHMARKS.md."""
    lines = [
        f"| objects | sender, associations | {' | '.join(f'{name}, ms' for name in receivers)} | times `storescp` |",
        f"|---|---|{'---|' * (len(receivers) + 1)}",
    ]
    for edge in EDGES:
        for sender, associations in SENDERS:
            medians = {name: statistics.median(figures[name, edge, sender, associations]) for name in receivers}
            ratio = medians["storescp"] / medians["ours"] if {"ours", "storescp"} <= set(receivers) else float("nan")
            shown = " | ".join(f"{medians[name]:.1f}" for name in receivers)
            size = f"{edge}×{edge}, {(edge * edge * 2 + 1500) / 1000:.0f} KB"
            lines.append(f"| {size} | {sender}, {associations} | {shown} | {ratio:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="on the disk that is measured; default the temporary folder")
    parser.add_argument("--receivers", nargs="+", default=list(RECEIVERS), choices=RECEIVERS)
    options = parser.parse_args()
    figures = measure(options)
    load = os.getloadavg()[1]
    sys.stdout.write(f"{table(figures, options.receivers)}\n\n{machine()}, commit {commit()}, load {load:.1f}\n")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _until(there: object, seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not there():  # type: ignore[operator]
        if time.monotonic() > limit:
            raise SystemExit("a receiver did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
