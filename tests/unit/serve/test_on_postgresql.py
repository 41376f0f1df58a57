"""The tests of the service once more, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diascope.testing.postgres import VARIABLE, a_server, programs

HERE = Path(__file__).parent
ASKING = (
    "test_opening.py", "test_queue.py", "test_audit.py", "test_identities.py", "access/test_logins.py",
    "access/test_tokens.py", "access/test_users.py", "incoming/test_storing.py", "incoming/test_completing.py",
    "dicomweb/test_searching.py", "dimse/test_querying.py", "http/test_repeating.py", "http/test_peers.py",
    "reading/test_not_available.py", "rules", "room/test_worklist.py", "room/test_dashboard.py",
)  # fmt: skip
"""Tests of what speaks SQL, which are run on PostgreSQL each time."""

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed (Debian: apt install postgresql)"),
    pytest.mark.timeout(3600),
]


def passed_on_postgresql(paths: list[Path]) -> None:
    """Run the fast ones of these tests, each with databases of its own on a server that is started here."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, paths)]
    chosen = ["-m", "not slow and not nightly and not external and not browser", "-n", "2"]
    with a_server() as server:
        done = subprocess.run(
            [*command, *chosen], env={**os.environ, VARIABLE: server}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-4000:]
    assert "passed" in said


@pytest.mark.slow
def test_what_asks_the_database_does_so_on_postgresql() -> None:
    """Those that speak SQL, in each run of CI."""
    passed_on_postgresql([HERE / name for name in ASKING])


@pytest.mark.nightly
def test_the_whole_service_runs_on_postgresql_as_it_does_on_sqlite() -> None:
    """Every fast test of this folder."""
    passed_on_postgresql([HERE])
