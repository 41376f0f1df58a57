"""The process that a decoder child runs in: how it is started, limited, asked and ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from diascope.core.errors import DiascopeError
from diascope.formats.dicomio import wire

START = 120.0
"""Time limit for a child to start (0.6 s on an idle machine)."""


SECRET = re.compile("PASSWORD|SECRET|TOKEN|CREDENTIAL|ACCESS_KEY", re.IGNORECASE)
"""Names of environment variables that the children, who read what strangers send, do not get (RELIABILITY C12)."""


def unsecret(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without secrets: `PGPASSWORD`, `AWS_SECRET_ACCESS_KEY`, ..."""
    return {name: value for name, value in environment.items() if not SECRET.search(name)}


class Process:
    """One child process.

    Args:
        memory: Bytes of address space that it may have.
        arguments: Further arguments of its command line.
    """

    def __init__(self, memory: int, arguments: Sequence[str]) -> None:
        self.connection, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "diascope.formats.dicomio.child", str(theirs.fileno()), *arguments]
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a crash dump may hold identities
                env={**unsecret(os.environ), "OMP_NUM_THREADS": "1"},
            )
        self.memory = memory
        self.limit_memory(0)

    def limit_memory(self, shared: int) -> None:
        """Cap the address space; `shared` bytes more for the memory of a request.

        The hard limit stays as it was inherited (`ulimit -v`): only root may raise it.
        """
        if sys.platform == "linux":
            import resource

            limit = self.memory + shared
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_AS)
                soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
                resource.prlimit(self.process.pid, resource.RLIMIT_AS, (soft, hard))

    def reply(self, seconds: float) -> dict[str, Any]:
        """The next message.

        Raises:
            wire.HangupError: When the child is dead, silent for `seconds`, or insane (it is dead then); says which.
        """
        self.connection.settimeout(seconds)
        try:
            return wire.receive(self.connection)[0]
        except TimeoutError as error:
            self.kill()
            raise wire.HangupError(f"decoding took longer than {seconds:.0f} s") from error
        except (wire.HangupError, OSError) as error:
            raise wire.HangupError(self._cause_of_death(str(error))) from error

    def _cause_of_death(self, otherwise: str) -> str:
        try:
            code = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"the decoder answered nonsense ({otherwise})"
        self.kill()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the decoder crashed on it ({name})"

    def kill(self) -> None:
        """End the process at once."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def started(memory: int, arguments: Sequence[str]) -> Process:
    """A new child that has imported what it needs, so that this does not count in the time limit of a file.

    Raises:
        DiascopeError: When it does not start.
    """
    child = Process(memory, arguments)
    try:
        child.reply(START)
    except wire.HangupError as error:
        raise DiascopeError(
            f"the DICOM decoder process did not start ({error})", todo="Is the installation of diascope complete?"
        ) from error
    return child
