"""From C-STORE to the answer on the peer: a film through a classification, a 35 x 51 x 35 crop through a segmentation.

    python benchmarks/answer_time.py --rounds 20

`diascope serve` runs as its user starts it; this script is the scanner and the PACS (pynetdicom on both sides). A
series is complete after a quiet time, which is a setting and not work: it is taken off. What is left counts from the
acknowledgement of the last slice to the arrival of the SR (film) or the SEG (volume). The networks are as large as
those that `fit` plans and were trained by nobody (the time does not depend on what the weights are), unless --film and
--volume name releases. Predicted before it was run: 0.4 s and 1.5 s; reading itself is most of it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, DigitalXRayImageStorageForPresentation  # type: ignore[attr-defined]
from recording.rows import commit, machine

from diascope.core import registry
from diascope.core.evaluation import Gate, GateRule
from diascope.engine.building import input_specs
from diascope.serve.dimse.contexts import PLAIN
from diascope.serve.dimse.peers import PeerSettings
from diascope.serve.rules.rule import Rule, Send, When
from diascope.testing.objects import a_dataset, as_bytes, uids
from diascope.testing.releases import ORGANS, a_plan, a_release
from diascope.testing.running import Served, prepare, served

QUIET = 0.5
HERE = ("127.0.0.1",)
SIZE = {"film": (1, 256, 256), "volume": (35, 51, 35)}
WANTED = {"film": ("DX", "sr", 1.0), "volume": ("CT", "seg", 3.0)}
"""Modality, the object that is waited for, and the bar in seconds."""


class Pacs:
    """Where answers arrive; keeps when."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self._any = threading.Condition()
        entity = AE(ae_title="PACS")
        for name in ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.88.22"):
            entity.add_supported_context(name, list(PLAIN))
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        self.port = self.server.socket.getsockname()[1]

    def _store(self, event: Any) -> int:
        with self._any:
            self.arrived[str(event.dataset.StudyInstanceUID)] = time.monotonic()
            self._any.notify_all()
        return 0

    def wait(self, study: str) -> float:
        """When the answer to a study arrived."""
        with self._any:
            if not self._any.wait_for(lambda: study in self.arrived, 120):
                raise TimeoutError(f"no answer to {study}")
            return self.arrived[study]


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--film", type=Path, help="a signed release that reads films")
    parser.add_argument("--volume", type=Path, help="a signed release that segments volumes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pacs = Pacs()
        labels = {kind: make_release(Path(name), kind, getattr(options, kind)) for kind in SIZE}
        token = prepared(Path(name), pacs, labels, quiet_seconds=QUIET, warm_releases=2)
        with served(Path(name), token) as running:
            taken = {kind: _rounds(running, pacs, kind, options.rounds) for kind in SIZE}
        pacs.server.shutdown()
    _print(taken)


def prepared(workspace: Path, pacs: Pacs, labels: dict[str, str], **settings: Any) -> str:
    """A scanner, the PACS and a rule for each release; returns a token."""
    peers = {
        "SCANNER": PeerSettings(ae_title="SCANNER", addresses=HERE),
        "PACS": PeerSettings(ae_title="PACS", host="127.0.0.1", port=pacs.port, addresses=HERE),
    }
    rules = [
        Rule(name=kind, release=labels[kind], when=When(modality=(code,)), send=(Send(peer="PACS", kinds=(what,)),))
        for kind, (code, what, _) in WANTED.items()
    ]
    return prepare(workspace, peers, rules, **settings)


def make_release(workspace: Path, kind: str, given: Path | None) -> str:
    """The label of a release in the workspace: one that was given, or one that nobody trained."""
    if given is not None:
        (workspace / "releases").mkdir(exist_ok=True)
        (workspace / "releases" / given.name).symlink_to(given.resolve())
        return given.name
    shape = SIZE[kind]
    target = {} if kind == "film" else {"target": ORGANS}
    plan = a_plan(patch=shape if kind == "film" else (32, 48, 32), **target)
    (spec,) = input_specs(plan).values()
    plan = plan.with_choice("model_options", registry.get("models", plan["model"]).options(spec), "fixed", "")
    flat = kind == "film"
    rule = GateRule(input="image", modality="xray" if flat else "ct", dimensions=2 if flat else 3, channels=1)
    a_release(
        workspace / "releases" / f"{kind}@1", plan, name=kind, gate=Gate(rules=(rule,)), signed_by="nobody",
        signed_at="2026-01-01", backend="openvino", precision="bf16",
    )  # fmt: skip
    return f"{kind}@1"


def _rounds(running: Served, pacs: Pacs, kind: str, rounds: int) -> list[float]:
    return [_once(running, pacs, kind, number) for number in range(rounds + 1)][1:]  # the first one loads the release


def _once(running: Served, pacs: Pacs, kind: str, number: int) -> float:
    study = (1 if kind == "film" else 2) * 100_000 + number
    stored = send(running.dicom_port, a_series(kind, study))
    return pacs.wait(uids(study)[0]) - stored - QUIET


def a_series(kind: str, study: int, modality: str = "") -> list[bytes]:
    """The objects of a film or of a volume; its pixels are noise."""
    slices, rows, columns = SIZE[kind]
    noise = np.random.default_rng(study).integers(0, 1000, (slices, rows, columns)).astype(np.uint16)
    plain: dict[str, Any] = {"Modality": modality or WANTED[kind][0]}
    if kind == "film":
        plain |= {
            "SOPClassUID": str(DigitalXRayImageStorageForPresentation), "ImagePositionPatient": None,
            "ImageOrientationPatient": None, "SliceThickness": None, "PatientOrientation": ["L", "F"],
        }  # fmt: skip
    else:
        plain |= {"FrameOfReferenceUID": f"{uids(study)[0]}.99", "PixelSpacing": [1, 1]}
    return [as_bytes(a_dataset(study, 1, z + 1, noise[z], **plain)) for z in range(slices)]


def send(port: int, contents: list[bytes]) -> float:
    """Store objects over one association; when the last was acknowledged."""
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(CTImageStorage)
    entity.add_requested_context(DigitalXRayImageStorageForPresentation)
    association = entity.associate("127.0.0.1", port, ae_title="DIASCOPE")
    if not association.is_established:
        raise OSError("no association")
    try:
        for content in contents:
            status = association.send_c_store(dcmread(DicomBytesIO(content)))
            if status.get("Status") != 0:
                raise OSError(f"it was not stored: {status}")
        return time.monotonic()
    finally:
        association.release()


def _print(taken: dict[str, list[float]]) -> None:
    print(f"{machine()}, {commit()}; quiet time {QUIET} s taken off")
    print("| | median s | 95th percentile s | largest s | bar s |\n|---|---|---|---|---|")
    for kind, seconds in taken.items():
        ordered = sorted(seconds)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        shape = " x ".join(str(side) for side in SIZE[kind])
        middle = statistics.median(ordered)
        print(f"| {kind}, {shape} | {middle:.2f} | {p95:.2f} | {ordered[-1]:.2f} | {WANTED[kind][2]:.0f} |")


if __name__ == "__main__":
    main()
