"""What is installed in a hospital: the unit, the container file, the bundle."""

from __future__ import annotations

import configparser
import fnmatch
import http.server
import importlib.util
import os
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diascope.testing.postgres import VARIABLE

ROOT = Path(__file__).resolve().parents[4]
DEPLOY = ROOT / "deploy"

pytestmark = pytest.mark.skipif(VARIABLE in os.environ, reason="about files")


def unit() -> dict[str, dict[str, str]]:
    found = configparser.ConfigParser(interpolation=None, strict=True)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((DEPLOY / "diascope.service").read_text(encoding="utf-8"))
    return {name: dict(found[name]) for name in found.sections()}


def test_the_unit_gives_the_process_little() -> None:
    """C12: a user of its own, umask 077, a file system to read, no restart loops."""
    service, limits = unit()["Service"], unit()["Unit"]
    wanted = {
        "User": "diascope", "UMask": "0077", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
        "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "StateDirectoryMode": "0700",
        "RestartPreventExitStatus": "2 3",
    }  # fmt: skip
    assert {name: service.get(name) for name in wanted} == wanted
    assert int(service["TimeoutStopSec"]) > 15 + 25  # what requests and jobs have to end in
    assert int(limits["StartLimitBurst"]) <= 5
    assert "postgresql://" not in service["ExecStart"]


@pytest.mark.external
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "diascope.service").read_text(encoding="utf-8")
    copy = tmp_path / "diascope.service"
    copy.write_text(text.replace("/opt/diascope/bin/diascope", "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "diascope.service" in line] == []


def test_the_container_is_not_root_and_its_program_is_read_only() -> None:
    """C12: another user than the owner of the program; a volume; a health check; SIGTERM."""
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    words = {line.split()[0] for line in lines if line and not line.startswith(("#", " "))}
    assert {"USER", "VOLUME", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"} <= words
    assert "USER 10001:10001" in lines
    assert not [line for line in lines if "chown" in line and "/opt/diascope" in line]


@pytest.mark.parametrize("name", ["bundle.sh", "install.sh"])
def test_scripts_are_understood_and_installing_asks_no_network(name: str) -> None:
    subprocess.run(["sh", "-n", str(DEPLOY / name)], check=True)
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert "set -eu" in text
    if name == "install.sh":
        assert "--isolated" in text
        assert "--no-index" in text


def test_a_bundle_that_was_changed_is_not_installed(tmp_path: Path) -> None:
    for name in ("install.sh", "healthy.py"):
        shutil.copy(DEPLOY / name, tmp_path)
    digest = subprocess.run(["sha256sum", "healthy.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / "SHA256SUMS").write_text(digest.stdout)
    (tmp_path / "healthy.py").write_text("something else")
    command = ["sh", str(tmp_path / "install.sh"), str(tmp_path / "to")]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    assert not (tmp_path / "to").exists()


def test_everything_that_is_no_module_is_in_the_wheel() -> None:
    """Alembic reads its migrations from folders that are no packages."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = content["tool"]["setuptools"]["package-data"]["diascope"]
    package = ROOT / "src" / "diascope"
    for path in (package / "serve" / "database" / "migrations").rglob("*.py"):
        name = str(path.relative_to(package))
        assert any(fnmatch.fnmatch(name, pattern.replace("**/", "*")) for pattern in patterns), name


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """A server on a free port that always says the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.parametrize(("status", "body", "code"), [(200, b'{"ready": true}', 0), (503, b'{"ready": false}', 1)])
def test_the_container_knows_its_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, code: int
) -> None:
    spec = importlib.util.spec_from_file_location("healthy", DEPLOY / "healthy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "service").mkdir()
    monkeypatch.setenv("DIASCOPE_WORKSPACE", str(tmp_path))
    with answering(status, body) as port:
        (tmp_path / "service" / "settings.toml").write_text(f'host = "0.0.0.0"\nport = {port}\n')
        assert module.main() == code
    assert module.main() == 1
