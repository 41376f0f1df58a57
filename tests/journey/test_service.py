"""From the scanner to the PACS and back: other people's programs on both sides, the service as its user starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from diascope.serve.dimse.peers import PeerSettings
from diascope.serve.rules.rule import Rule, Send, When
from diascope.testing.objects import uids
from diascope.testing.orthanc import orthanc, orthanc_program
from diascope.testing.reading import SOLID, a_signed_release, a_volume
from diascope.testing.running import prepare, served
from diascope.testing.service import a_service
from diascope.testing.waiting import until

pytestmark = [
    pytest.mark.external,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed"),
    pytest.mark.skipif(orthanc_program() is None, reason="Orthanc with its DICOMweb plug-in is not installed"),
]
HERE = ("127.0.0.1",)


def the_study(folder, number=1):
    folder.mkdir()
    for place, content in enumerate(a_volume(number)):
        (folder / f"{place}.dcm").write_bytes(content)
    return folder


def sent(folder, port):
    command = ["storescu", "-aet", "SCANNER", "-aec", "DIASCOPE", "+sd", "127.0.0.1", str(port), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


def test_a_study_is_sent_read_and_answered_on_the_pacs(tmp_path):
    workspace = tmp_path / "hospital"
    service = a_service(workspace)
    a_signed_release(service)
    service.close()
    shutil.rmtree(workspace / "service")
    with orthanc(tmp_path / "pacs") as pacs:
        peers = {
            "SCANNER": PeerSettings(ae_title="SCANNER", addresses=HERE),
            "PACS": PeerSettings(ae_title="ORTHANC", host="127.0.0.1", port=pacs.port, addresses=HERE),
        }
        rule = Rule(
            name="organs", release=SOLID, when=When(modality=("CT",)), send=(Send(peer="PACS", kinds=("seg", "sr")),)
        )
        token = prepare(workspace, peers, [rule])
        with served(workspace, token) as running:
            sent(the_study(tmp_path / "study"), running.dicom_port)
            there = until(
                lambda: {one["MainDicomTags"]["Modality"] for one in pacs.get("/series?expand")} >= {"SEG", "SR"}
            )
            assert there
            studies = pacs.get("/studies?expand")
            assert [one["MainDicomTags"]["StudyInstanceUID"] for one in studies] == [uids(1)[0]]
            (result,) = running.items("findings")
            assert result["state"] == "answered"
            assert result["study"] == uids(1)[0]
            assert result["release"] == SOLID
            assert running.stop() < 30  # G4
    verified = subprocess.run(
        [sys.executable, "-m", "diascope", "audit", "verify", "--workspace", str(workspace), "--json"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert json.loads(verified.stdout)["records"] > 10
