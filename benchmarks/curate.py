"""check + fingerprint + preprocess of the hippocampus set, side by side with nnU-Net v2's own preparation.

    python benchmarks/curate.py --nnunet /path/to/venv-with-nnunetv2

Both work on the same 200 volumes, in turns, each in its own process, from cold program start to prepared cases on disk.
Ours: list, survey, every check, data set, fingerprint, then every case prepared (resampled, scaled) and written.
nnU-Net: `nnUNetv2_plan_and_preprocess -d 4 --verify_dataset_integrity -c 3d_fullres -np 2`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from recording.rows import commit, data_hash, machine

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "hippocampus"
OURS = """
import sys
from pathlib import Path
from diascope.engine.devices import prepare_process
from diascope.engine.fit import pack_cases
from diascope.sources import Request
from diascope.stages.check import look
from diascope.stages.curate import curate
from diascope.store.workspace import Workspace
prepare_process()
place = Workspace(Path(sys.argv[2]))
request = Request(location=sys.argv[1], folds=1)
curated = curate(place, look(request), request)
from diascope.planning.planner import preparation
plan = preparation(curated.dataset, curated.fingerprint)
pack_cases(curated.dataset.cases, Path(curated.dataset.root), plan, Path(sys.argv[2]) / "cases.pack")
"""


def ours(data: Path, work: Path) -> float:
    """Seconds of our preparation, in a fresh process."""
    shutil.rmtree(work, ignore_errors=True)
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", OURS, str(data), str(work)], check=True)
    return time.monotonic() - began


def theirs(data: Path, work: Path, venv: Path) -> float:
    """Seconds of nnU-Net's preparation; its raw folder is laid out before the clock starts."""
    shutil.rmtree(work, ignore_errors=True)
    raw = work / "raw" / "Dataset004_Hippocampus"
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    names = sorted(path.name for path in (data / "imagesTr").glob("hippocampus_*.nii.gz"))
    for name in names:
        stem = name.removesuffix(".nii.gz")
        (raw / "imagesTr" / f"{stem}_0000.nii.gz").symlink_to(data / "imagesTr" / name)
        (raw / "labelsTr" / name).symlink_to(data / "labelsTr" / name)
    content = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "anterior": 1, "posterior": 2},
        "numTraining": len(names),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(content))
    places = {"nnUNet_raw": work / "raw", "nnUNet_preprocessed": work / "pre", "nnUNet_results": work / "res"}
    environment = {**os.environ, **{key: str(value) for key, value in places.items()}}
    program = str(venv / "bin" / "nnUNetv2_plan_and_preprocess")
    command = [program, "-d", "4", "--verify_dataset_integrity", "-c", "3d_fullres", "-np", "2"]
    began = time.monotonic()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    """Time both in turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--nnunet", type=Path, help="virtual environment with nnunetv2; only ours without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("/tmp/diascope-benchmarks/curate"))
    options = parser.parse_args()
    mine, its = [], []
    for _ in range(options.rounds):
        mine.append(ours(options.data, options.work / "ours"))
        if options.nnunet is not None:
            its.append(theirs(options.data, options.work / "theirs", options.nnunet))
    row = {"ours_s": mine, "nnunet_s": its, "data": data_hash(options.data), "commit": commit(), "machine": machine()}
    if its:
        row["ratio"] = round(statistics.median(its) / statistics.median(mine), 2)
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
