"""A PostgreSQL of one's own for tests: Debian's programs, a folder, a free port of loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

VARIABLE = "DIASCOPE_TEST_POSTGRESQL"
"""Environment variable with the address of a server: tests of the service then run on it, a database each."""

ACCOUNT = "postgres"


def programs() -> Path | None:
    """Where `initdb` and `pg_ctl` are; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


@contextmanager
def a_server() -> Iterator[str]:
    """The address of a server that lives as long as the context; it does not wait for the disk."""
    where = programs()
    if where is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="diascope-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, ACCOUNT, ACCOUNT)
    data, port = folder / "data", _free_port()
    try:
        _run([f"{where}/initdb", "-D", str(data), "-A", "trust", "-U", "diascope", "-E", "UTF8", "--no-sync"])
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
        _run([f"{where}/pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"])
        try:
            yield f"postgresql://diascope@127.0.0.1:{port}"
        finally:
            _run([f"{where}/pg_ctl", "-D", str(data), "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def a_database(server: str) -> str:
    """The address of a new, empty database."""
    name = f"t{uuid.uuid4().hex}"
    address = server.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(f"{address}/{ACCOUNT}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return f"{server}/{name}"


def _run(command: Sequence[str]) -> None:
    as_account = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*as_account, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout.decode(errors='replace')[-500:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
