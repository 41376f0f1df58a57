"""Ultrasound images of 64² by a conditional GAN: how near to real ones they are, whether copied, and what they teach.

The generator learns from the training part. Then a classifier of the three classes is trained three times at 64²: on
10 % of the real training part, on the same with made images, and on all of it; all three are calibrated on the same
validation part and measured on the same test part. The generator has seen all training images with their labels: the
comparison is of giving on made images in place of the other 90 %.

    python benchmarks/synthesis.py --minutes 60 --classifier-minutes 5 --seeds 0 1 2

Resumable, as hippocampus.py. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from recording.rows import commit, data_hash, machine, store, stored

import diascope
from diascope.core.case import Case, Dataset

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "breast-ultrasound"
SIDE = 64
SHARE = 0.1
MADE = 200
"""Images of each class."""
SAME_GRID = {
    "prepare": [["resample", {"shape": [1, SIDE, SIDE], "order": 3, "anti_alias": True}]],
    "patch": [1, SIDE, SIDE],
}
ARMS = ("few", "few and made", "all")
SPACES = ("fixed random network", "classifier of the training part")
SHOWN = (
    *(f"{name}/{space}" for space in SPACES for name in ("kernel_distance", "frechet_distance")),
    *(f"{name}/{space}" for space in SPACES for name in ("image_precision", "image_recall")),
    *(f"frechet_distance_of_training_images/{space}" for space in SPACES),
    *("copies", "near_training_images/grey values"),
    *("balanced_accuracy/trained on real images", "balanced_accuracy/trained on made images"),
)
COMPARED = ("auroc", "balanced_accuracy")


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--classifier-minutes", type=float, default=5.0)
    parser.add_argument("--model", default="gan", choices=["gan", "vae"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="Of the 10 %% that are drawn.")
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/synthesis"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    key = f"synthesis/{options.model}/{options.minutes:g}"
    made = stored(options.workspace, key)
    if made is None:
        made = generator(options)
        store(options.workspace, key, made)
    for seed in options.seeds:
        own = f"{key}/{options.classifier_minutes:g}/{seed}"
        if stored(options.workspace, own) is None:
            store(options.workspace, own, trial(options, made, seed))
    report(options, key)


def generator(options: argparse.Namespace) -> dict[str, object]:
    """One fit; what it measured, and where its release is."""
    began, cpu = time.monotonic(), time.process_time()
    place = options.workspace / f"{options.model}-{options.minutes:g}"
    settings = {"model": options.model, "grids": [SIDE]}
    made = diascope.fit(options.data, place, task="synthesis", minutes=options.minutes, settings=settings)
    evaluation = made.evaluation
    return {
        "metrics": {name: evaluation.metrics[name].model_dump() for name in SHOWN if name in evaluation.metrics},
        "blocks": list(evaluation.blocks),
        "minutes": round((time.monotonic() - began) / 60, 2),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        "plan": made.release.plan_hash[:12],
        "steps": diascope.open_release(made.release_folder).plan["schedule"][-1][1],
        "data": data_hash(options.data),
        "release": str(made.release_folder),
        "dataset": str(place / "datasets" / made.dataset / "dataset.json"),
        "report": str(made.report),
    }


def trial(options: argparse.Namespace, made: dict[str, object], seed: int) -> dict[str, object]:
    """Three classifiers, measured on the same test part, with paired differences."""
    dataset = Dataset.read(Path(str(made["dataset"])))
    place = options.workspace / f"{options.model}-{options.minutes:g}-trial-{seed}"
    place.mkdir(exist_ok=True)
    synthetic = [] if made["blocks"] else images(str(made["release"]), place / "made", seed)
    real = {part: rows_of(dataset, dataset.part(part)) for part in ("train", "val", "test")}
    few = rows_of(dataset, drawn(dataset.part("train"), seed))
    held = [*real["val"], *real["test"]]
    tables = {"few": few + held, "few and made": few + synthetic + held, "all": real["train"] + held}
    releases = {}
    for arm in ARMS if synthetic else ("few", "all"):
        path = write(place / f"{arm.replace(' ', '-')}.csv", tables[arm])
        fitted = diascope.fit(
            path, place / "space", minutes=options.classifier_minutes, target="label", task="classification",
            settings=SAME_GRID, accept=("patients", "near_duplicates"), folds=1,
        )  # fmt: skip
        releases[arm] = fitted.release_folder
    test = write(place / "test.csv", real["test"])
    found: dict[str, object] = {"few": len(few), "made": len(synthetic), "all": len(real["train"]), "seed": seed}
    for arm in [arm for arm in releases if arm != "few"]:
        pair = (releases[arm], releases["few"])  # the difference is the first minus the second
        compared = diascope.compare(pair, test, place / "space", target="label", accept=("near_duplicates",))
        found[arm] = {name: compared["metrics"][name] for name in COMPARED}
    return found


def images(release: str, out: Path, seed: int) -> list[dict[str, str]]:
    """Rows of the manifest of made images, with whole paths."""
    if not out.exists():
        diascope.synthesize(release, out, count=MADE, seed=seed)
    with (out / "manifest.csv").open() as stream:
        return [{**row, "image": str(out / row["image"])} for row in csv.DictReader(stream)]


def drawn(cases: Sequence[Case], seed: int) -> list[Case]:
    """A tenth of the patients (or of what looks alike), class by class."""
    rng = np.random.default_rng(seed)
    chosen: list[Case] = []
    for name in sorted({str(case.targets["label"]) for case in cases}):
        mine = [case for case in cases if case.targets["label"] == name]
        units = sorted({case.group or case.patient for case in mine})
        kept = set(rng.permutation(units)[: max(2, round(SHARE * len(units)))])
        chosen += [case for case in mine if (case.group or case.patient) in kept]
    return chosen


def rows_of(dataset: Dataset, cases: Sequence[Case]) -> list[dict[str, str]]:
    """Rows of a manifest; what looks alike counts as one patient, as it did for the split."""
    return [
        {
            "image": str(Path(dataset.root) / case.inputs["image"].paths[0]),
            "label": str(case.targets["label"]),
            "patient": case.group or case.patient,
            "split": str(case.split),
        }
        for case in cases
    ]


def write(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """A manifest."""
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, ["image", "label", "patient", "split", "synthetic", "made_by"])
        table.writeheader()
        table.writerows(rows)
    return path


def report(options: argparse.Namespace, key: str) -> None:
    """Rows for BENCHMARKS.md."""
    made = stored(options.workspace, key) or {}
    where = f"data {made['data']}, plan {made['plan']}, {machine()}, commit {commit()}"
    print(
        f"\n{options.model}, {options.minutes:g} minutes ({made['steps']} steps, {made['minutes']} minutes): {where}\n"
    )
    print("| measure | value (95 % interval) |\n|---|---|")
    for name, measure in made["metrics"].items():
        print(f"| {name} | {words(measure)} |")
    print(f"| blocked | {'; '.join(made['blocks']) or 'no'} |\n")
    print("| seed | training images | measure | 10 % real | the other | the other minus 10 % real (95 % interval) |")
    print("|---|---|---|---|---|---|")
    for seed in options.seeds:
        row = stored(options.workspace, f"{key}/{options.classifier_minutes:g}/{seed}") or {}
        for arm in [arm for arm in ARMS[1:] if arm in row]:
            count = f"{row['few']} and {row['made']} made" if arm == "few and made" else "all that are real"
            for name, pair in row[arm].items():
                cells = [
                    str(seed),
                    count,
                    name,
                    f"{pair['other']:.4f}",
                    f"{pair['one']:.4f}",
                    words(pair["difference"]),
                ]
                print(f"| {' | '.join(cells)} |")


def words(measure: dict[str, float | None]) -> str:
    """A value with its interval."""
    if measure["value"] is None:
        return str(measure["note"])
    between = (
        f" ({measure['low']:.4f} to {measure['high']:.4f})" if measure["low"] is not None else f" {measure['note']}"
    )
    return f"{measure['value']:.4f}{between}"


if __name__ == "__main__":
    main()
