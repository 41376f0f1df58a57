"""Picture, table and both: dermoscopy with age, sex and body site, split by lesion; the paired differences.

    python benchmarks/several_inputs.py --minutes 8

Resumable, as hippocampus.py: one row for each choice of inputs.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path
from typing import Any

from recording.rows import commit, data_hash, machine, store, stored

import diascope
from diascope.core import registry
from diascope.core.case import Dataset
from diascope.engine.opening import ready
from diascope.engine.scoring import observe
from diascope.engine.task import Scores
from diascope.evidence.comparison import compare
from diascope.evidence.intervals import measures
from diascope.store.releases import open_release

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "skin"
CHOICES = {"both": "image,table", "image": "image", "table": "table"}
SHOWN = ("auroc", "balanced_accuracy", "accuracy")


def main() -> None:
    """Run what has no row yet, then compare on the same cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/several-inputs"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    manifest = _manifest(options)
    for name, inputs in CHOICES.items():
        key = f"skin/{options.minutes:g}/{options.seed}/{name}"
        if stored(options.workspace, key) is None:
            store(options.workspace, key, one(options, manifest, name, inputs))
        print(key, stored(options.workspace, key), flush=True)
    report(options)


def _manifest(options: argparse.Namespace) -> Path:
    """A table with absolute paths and a split by lesion, the same for all choices.

    Of each class a third of the lesions is tested on: fewer of the rarest (18 lesions) give no interval.
    """
    path = options.workspace / f"manifest-{options.seed}.csv"
    with (options.data / "metadata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    classes = {row["lesion_id"]: row["dx"] for row in rows}
    parts = dict.fromkeys(sorted(classes), "train")
    for name in sorted(set(classes.values())):
        lesions = sorted(lesion for lesion, of in classes.items() if of == name)
        random.Random(options.seed).shuffle(lesions)
        third, sixth = round(len(lesions) / 3), round(len(lesions) / 6)
        parts |= dict.fromkeys(lesions[:third], "test")
        parts |= dict.fromkeys(lesions[third : third + sixth], "val")
    files = {file.stem: file for file in sorted((options.data / "images").iterdir())}
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "patient", "dx", "age", "sex", "localization", "split"])
        for row in rows:
            said = [row[name] for name in ("lesion_id", "dx", "age", "sex", "localization")]
            table.writerow([files[row["image_id"]].resolve(), *said, parts[row["lesion_id"]]])
    return path


def one(options: argparse.Namespace, manifest: Path, name: str, inputs: str) -> dict[str, object]:
    """One fit."""
    began = time.monotonic()
    made = diascope.fit(
        manifest,
        options.workspace / f"{options.seed}-{name}",
        minutes=options.minutes,
        seed=options.seed,
        target="dx",
        read=["age", "sex", "localization"],
        inputs=inputs.split(","),
    )
    return {
        "release": str(made.release_folder),
        "minutes": round((time.monotonic() - began) / 60, 2),
        "data": data_hash(options.data),
        "report": str(made.report),
    }


def _scored(row: dict[str, Any], space: Path) -> tuple[Scores, list[str], list[str]]:
    """Scores of the test part, the ids of its cases and their patients."""
    opened = open_release(Path(row["release"]))
    dataset = Dataset.read(next((space / "datasets").glob("*/dataset.json")))
    task = registry.get("tasks", opened.plan.task)
    cases = dataset.part("test")
    seen = observe(ready(opened).reader, cases, Path(dataset.root), opened.plan)
    rows = [task.decide(each.row, opened.release.decision, opened.plan) for each in seen]
    return task.score(rows, opened.plan), [case.id for case in cases], [case.patient for case in cases]


def _shown(one: Any, sign: str = "") -> str:
    """A value with its interval, or why it has none."""
    if one.value is None or one.low is None:
        return f"{'–' if one.value is None else format(one.value, sign + '.3f')} ({one.note or 'no interval'})"
    return f"{one.value:{sign}.3f} ({one.low:{sign}.3f} to {one.high:{sign}.3f})"


def report(options: argparse.Namespace) -> None:
    """Rows of a Markdown table."""
    found = {}
    for name in CHOICES:
        row = stored(options.workspace, f"skin/{options.minutes:g}/{options.seed}/{name}")
        found[name] = _scored(row or {}, options.workspace / f"{options.seed}-{name}")
    both, ids, patients = found["both"]
    print("| inputs | " + " | ".join(SHOWN) + " | both minus it |\n|---|" + "---|" * (len(SHOWN) + 1))
    for name, (scores, theirs, _) in found.items():
        if theirs != ids:
            raise SystemExit(f"{name} was measured on other cases")
        values = measures([one for one in scores.statistics if one.name in SHOWN], patients)
        words = [_shown(values[key]) for key in SHOWN]
        against = compare(both.statistics, scores.statistics, patients)
        differences = "; ".join(f"{key} {_shown(against[key].difference, '+')}" for key in SHOWN)
        print(f"| {name} | {' | '.join(words)} | {'' if name == 'both' else differences} |")
    print(f"\n{len(ids)} test pictures of {len(set(patients))} lesions; {machine()}, commit {commit()}")


if __name__ == "__main__":
    main()
