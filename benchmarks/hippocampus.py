"""Dice on the MSD hippocampus set against minutes: files to evaluation, three seeds, a fixed test part.

Test: every fifth id in sorted order. Validation is cut from the other 160 by the seed.

    python benchmarks/hippocampus.py --minutes 15 --seeds 0 1 2
    python benchmarks/hippocampus.py --minutes 60 --folds 5        # the mean of five networks on the test part

Resumable: a (minutes, seed) pair that has a row is not run again. Prints a Markdown row for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

from recording.rows import data_hash, markdown, store, stored

import diascope

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "hippocampus"


def manifest(data: Path, folder: Path) -> Path:
    """A CSV manifest with the split: every fifth id is test."""
    names = sorted(path.name for path in (data / "imagesTr").glob("hippocampus_*.nii.gz"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps({"anterior": 1, "posterior": 2}))
    path = folder / "manifest.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "image", "mask", "patient", "split"])
        for number, name in enumerate(names):
            stem = name.removesuffix(".nii.gz")
            split = "test" if number % 5 == 0 else "train"
            writer.writerow([stem, data / "imagesTr" / name, data / "labelsTr" / name, stem, split])
    return path


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, nargs="+", default=[15.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/hippocampus"))
    options = parser.parse_args()
    source = manifest(options.data, options.workspace / "source")
    for minutes in options.minutes:
        for seed in options.seeds:
            key = named(minutes, options.folds, seed)
            if stored(options.workspace, key) is None:
                store(options.workspace, key, one(source, options, minutes, seed))
            print(key, stored(options.workspace, key))
        rows = [stored(options.workspace, named(minutes, options.folds, seed)) for seed in options.seeds]
        words = f", {options.folds} folds" if options.folds else ""
        print(markdown(f"hippocampus {minutes:g} min{words}, mean Dice", "hippocampus.py", rows, "dice"))


def named(minutes: float, folds: int, seed: int) -> str:
    """The key of a row."""
    return f"hippocampus/{minutes:g}/{seed}" + (f"/{folds}" if folds else "")


def one(source: Path, options: argparse.Namespace, minutes: float, seed: int) -> dict[str, object]:
    """One fit; what it measured on the test part."""
    began, cpu = time.monotonic(), time.process_time()
    workspace = options.workspace / named(minutes, options.folds, seed).replace("/", "-")
    made = diascope.fit(source, workspace, minutes=minutes, seed=seed, folds=options.folds or None)
    metrics = {name: measure.model_dump() for name, measure in made.evaluation.metrics.items()}
    return {
        "metrics": metrics,
        "minutes": round((time.monotonic() - began) / 60, 2),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        "plan": made.release.plan_hash[:12],
        "data": data_hash(options.data),
        "seed": seed,
        "report": str(made.report),
    }


if __name__ == "__main__":
    main()
