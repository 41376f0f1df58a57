"""The node as dcmtk sees it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import func, select

from diascope.serve.database.tables import instances
from diascope.testing.dimse import HOME, Standing, a_node
from diascope.testing.objects import an_object, uids

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(shutil.which("storescu") is None, reason="needs dcmtk"),
]


def run(standing: Standing, program: str, *arguments: str, title: str = "TESTER") -> subprocess.CompletedProcess[bytes]:
    command = [program, "-aet", title, "-aec", "DIASCOPE", *arguments[:-1], HOME, str(standing.port), arguments[-1]]
    return subprocess.run([one for one in command if one], capture_output=True, timeout=60)


def files(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(1, count + 1):
        (folder / f"{number}.dcm").write_bytes(an_object(1, 1, number))
    return folder


def test_store_find_get(tmp_path: Path) -> None:
    """C-ECHO, C-STORE, C-FIND and C-GET with dcmtk as the peer; an unknown one is rejected by each (C4)."""
    folder = files(tmp_path / "files", 3)
    with a_node(tmp_path / "workspace") as standing:
        assert run(standing, "echoscu", "").returncode == 0
        done = run(standing, "storescu", "+sd", str(folder))
        assert done.returncode == 0, done.stderr
        with standing.service.database.reading() as connection:
            assert connection.execute(select(func.count()).select_from(instances)).scalar_one() == 3
        study = f"StudyInstanceUID={uids(1)[0]}"
        asked = ["-v", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", study, "-k"]
        said = run(standing, "findscu", *asked, "PatientName", "")
        assert b"Phantom^1" in said.stderr + said.stdout
        got = tmp_path / "got"
        got.mkdir()
        done = run(standing, "getscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", study, "-od", str(got), "")
        assert done.returncode == 0, done.stderr
        assert len(list(got.iterdir())) == 3
        for program, last in (("echoscu", ""), ("storescu", str(folder / "1.dcm"))):
            assert run(standing, program, last, title="STRANGER").returncode != 0
