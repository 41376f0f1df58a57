"""mAP@.5 on the blood cells (BCCD) from scratch, against minutes: train 205 images, test the official val list of 87.

Every tenth image of the train list validates (thresholds and calibration; mAP needs neither), the others train. The
official val list is only tested.

    python benchmarks/detection.py --minutes 60 --seeds 0

Resumable: a (minutes, seed) pair that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

from recording.rows import data_hash, markdown, store, stored

import diascope
from diascope.formats.boxes.voc import read_voc

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "blood-cells"
VALIDATES = 10
"""Every so manieth image of the train list."""
SHOWN = ("map50", "map50_95", "froc")


def table(data: Path, folder: Path) -> Path:
    """A CSV with a row a box and the split; what has no extent comes along, for the check to find."""
    lists = {name: (data / "ImageSets" / "Main" / f"{name}.txt").read_text().split() for name in ("train", "val")}
    parts = {stem: "test" for stem in lists["val"]}
    parts |= {stem: "val" if n % VALIDATES == 0 else "train" for n, stem in enumerate(sorted(lists["train"]))}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "boxes.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "xmin", "ymin", "xmax", "ymax", "label", "split"])
        for stem, part in sorted(parts.items()):
            image = data / "JPEGImages" / f"{stem}.jpg"
            boxes = read_voc(data / "Annotations" / f"{stem}.xml").boxes
            for (_, top, left, _, bottom, right), label in zip(boxes.corners, boxes.labels, strict=True):
                writer.writerow([image, left, top, right, bottom, label, part])
    return path


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, nargs="+", default=[60.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="settings", nargs="*", default=[], help="plan fields, such as longest_side=384")
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/detection"))
    options = parser.parse_args()
    source = table(options.data, options.workspace / "source")
    for minutes in options.minutes:
        for seed in options.seeds:
            key = named(minutes, seed, options.settings)
            if stored(options.workspace, key) is None:
                store(options.workspace, key, one(source, options, minutes, seed))
            print(key, stored(options.workspace, key))
        rows = [stored(options.workspace, named(minutes, seed, options.settings)) for seed in options.seeds]
        for metric in SHOWN:
            print(markdown(f"blood-cells {minutes:g} min, 205 -> 87 images, {metric}", "detection.py", rows, metric))


def named(minutes: float, seed: int, settings: list[str]) -> str:
    """The key of a row."""
    return "/".join(["blood-cells", f"{minutes:g}", str(seed), *settings])


def one(source: Path, options: argparse.Namespace, minutes: float, seed: int) -> dict[str, object]:
    """One fit; what it measured on the test part."""
    began, cpu = time.monotonic(), time.process_time()
    workspace = options.workspace / named(minutes, seed, options.settings).replace("/", "-")
    settings = {name: json.loads(value) for name, _, value in (setting.partition("=") for setting in options.settings)}
    made = diascope.fit(source, workspace, minutes=minutes, seed=seed, settings=settings)
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
