"""AUROC on unseen patients of the chest films at 224², with the calibration slope, in at most 20 minutes.

Patients are told by `patient_key`; the split is by patient, 70/15/15, by the seed.

    python benchmarks/chest.py --minutes 20 --seeds 0

Resumable, as hippocampus.py.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from recording.rows import data_hash, markdown, store, stored

import diascope

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "chest-xray-pneumonia"


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/chest"))
    options = parser.parse_args()
    for seed in options.seeds:
        key = f"chest/{options.minutes:g}/{seed}"
        if stored(options.workspace, key) is None:
            store(options.workspace, key, one(options, seed))
        print(key, stored(options.workspace, key))
    rows = [stored(options.workspace, f"chest/{options.minutes:g}/{seed}") for seed in options.seeds]
    for metric in ("auroc", "calibration_slope"):
        print(markdown(f"chest {options.minutes:g} min, {metric}", "chest.py", rows, metric))


def one(options: argparse.Namespace, seed: int) -> dict[str, object]:
    """One fit; what it measured on patients that it has not seen."""
    began, cpu = time.monotonic(), time.process_time()
    made = diascope.fit(options.data, options.workspace / str(seed), minutes=options.minutes, seed=seed, target="label")
    return {
        "metrics": {name: measure.model_dump() for name, measure in made.evaluation.metrics.items()},
        "minutes": round((time.monotonic() - began) / 60, 2),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        "plan": made.release.plan_hash[:12],
        "data": data_hash(options.data),
        "seed": seed,
        "report": str(made.report),
    }


if __name__ == "__main__":
    main()
