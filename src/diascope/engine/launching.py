"""Several processes for one command, as torchrun starts them, on one machine and without its noise."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

GRACE = 10.0
"""Seconds that the others have to end by themselves when one has failed."""


def is_launched() -> bool:
    """Whether this process is one of several that were started together."""
    return "WORLD_SIZE" in os.environ


def launch(arguments: Sequence[str], count: int) -> int:
    """Run `python -m diascope` with these arguments in `count` processes; the first one's output is the output.

    Returns:
        The exit code: 0, or that of the process that failed first.
    """
    port = str(_free_port())
    children = [_start(arguments, rank, count, port) for rank in range(count)]

    def forward(number: int, frame: FrameType | None) -> None:
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _awaited(children)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for child in children:
            child.kill()
            child.wait()


def _awaited(children: Sequence[subprocess.Popen[bytes]]) -> int:
    while True:
        codes = [child.poll() for child in children]
        failed = [code for code in codes if code]
        if failed or all(code == 0 for code in codes):
            break
        time.sleep(0.05)
    if failed:
        # The first process has the words; the others are told so by a closed connection, or wait for ever.
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(child.poll() is None for child in children):
            time.sleep(0.05)
        first = children[0].poll()
        return abs(first) if first else abs(failed[0])
    return 0


def _start(arguments: Sequence[str], rank: int, count: int, port: str) -> subprocess.Popen[bytes]:
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "NODE_RANK": 0}
    environment = {**os.environ, **{name: str(value) for name, value in own.items()}}
    # Without the last one torch tells every user that `find_unused_parameters` costs a little.
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCH_CPP_LOG_LEVEL": "ERROR"}
    output = None if rank == 0 else subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", "diascope", *arguments], env=environment, stdout=output)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
