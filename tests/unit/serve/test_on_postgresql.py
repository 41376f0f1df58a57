"""The tests of the service once more, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diascope.testing.postgres import VARIABLE, a_server, programs

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.external
@pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed (Debian: apt install postgresql)")
@pytest.mark.timeout(1800)
def test_the_service_runs_on_postgresql_as_it_does_on_sqlite():
    """Every fast test of this folder, each with databases of its own on a server that this test starts."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE)]
    chosen = ["-m", "not slow and not nightly and not external and not browser", "-n", "2"]
    with a_server() as server:
        done = subprocess.run(
            [*command, *chosen], env={**os.environ, VARIABLE: server}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-4000:]
    assert "passed" in said
