"""How the process was started: what should be otherwise in a hospital, told and not refused (RELIABILITY C12)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

import diascope


def weaknesses() -> list[str]:
    """What an attacker would like, in plain English; no secrets."""
    return list(_found())


def _found() -> Iterator[str]:
    if os.geteuid() == 0:
        yield "the process runs as root: give it a user of its own (deploy/diascope.service)"
    umask = _umask()
    if umask is not None and umask & 0o077 != 0o077:
        yield f"what the process writes may be read by others: its umask is {umask:03o}, not 077"
    if os.geteuid() != 0 and os.access(Path(diascope.__file__).parent, os.W_OK):
        yield "the process may change its own program: install it as another user"
    if any(names_password(word.removeprefix("--database=")) for word in _command_line()):
        yield "the command line holds a password, which every user of this machine can see"


def names_password(address: str) -> bool:
    """Whether the address of a database holds a password."""
    if "://" not in address:
        return False
    try:
        return bool(make_url(address).password)
    except ArgumentError:
        return False


def _umask() -> int | None:
    """Of this process; asking the system for it would change it for all threads."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux
        return None
    return next((int(line.split()[1], 8) for line in lines if line.startswith("Umask:")), None)


def _command_line() -> list[str]:
    try:
        return Path("/proc/self/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
