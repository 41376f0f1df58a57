"""Accuracy on 3,190 primate splice junctions (UCI): 60 bases, exon to intron, intron to exon, or neither.

10-fold cross-validation, stratified; the same bases are in one fold. In each fold every side sees the same training
rows. Ours is `diascope fit` as it comes with the model named; theirs are logistic regression and histogram boosting on
one-hot letters (an ambiguous one is a quarter of each).

    python benchmarks/splice.py --minutes 2

Resumable: a (side, fold) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from recording.rows import commit, data_hash, machine, store, stored
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

import diascope
from diascope.core import registry
from diascope.core.case import Dataset
from diascope.engine.opening import ready
from diascope.engine.scoring import observe
from diascope.evidence.proportions import proportion
from diascope.store.releases import open_release

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "sequences"
FILE = "splice.csv"
OURS = ("cnn_gru",)
THEIRS = {
    "logistic regression": lambda: LogisticRegression(C=0.3, max_iter=5000),
    "hist boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}
FOLDS = 10


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", nargs="+", default=list(OURS), help="cnn_gru, cnn1d, gru, linear, boosting")
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/splice"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    with (options.data / FILE).open() as stream:
        rows = list(csv.DictReader(stream))
    for fold in options.folds:
        for side in (*THEIRS, *options.models):
            key = f"splice/{side}/{fold}"
            if stored(options.workspace, key) is None:
                store(options.workspace, key, one(options, side, fold, rows))
                print(key, stored(options.workspace, key)["minutes"], flush=True)
    report(options, rows)


def parts(rows: list[dict[str, str]], fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows; the same bases are in one fold."""
    classes, bases = ([row[name] for row in rows] for name in ("class", "sequence"))
    return list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(rows, classes, bases))[fold]


def letters(rows: list[dict[str, str]]) -> np.ndarray:
    """(N, 240) one-hot letters."""
    table = {one: np.eye(4)[place] for place, one in enumerate("ACGT")}
    return np.array([[table.get(one, np.full(4, 0.25)) for one in row["sequence"]] for row in rows]).reshape(
        len(rows), -1
    )


def one(options: argparse.Namespace, side: str, fold: int, rows: list[dict[str, str]]) -> dict[str, object]:
    """What one side calls the rows of one fold."""
    train, test = parts(rows, fold)
    began = time.monotonic()
    if side in THEIRS:
        columns, classes = letters(rows), np.array([row["class"] for row in rows])
        said = THEIRS[side]().fit(columns[train], classes[train]).predict(columns[test]).tolist()
    else:
        said = _ours(options, side, fold, rows)
    return {
        "test": test.tolist(),
        "said": said,
        "minutes": round((time.monotonic() - began) / 60, 2),
        "data": data_hash(options.data),
    }


def _ours(options: argparse.Namespace, model: str, fold: int, rows: list[dict[str, str]]) -> list[str]:
    _, test = parts(rows, fold)
    place, held = options.workspace / f"{model}-{fold}", set(test.tolist())
    place.mkdir(exist_ok=True)
    with (place / "splice.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["case", "split", "class", "sequence"])
        for number, row in enumerate(rows):
            table.writerow([number, "test" if number in held else "train", row["class"], row["sequence"]])
    made = diascope.fit(
        place / "splice.csv",
        place / "space",
        minutes=options.minutes,
        target="class",
        accept=("patients", "duplicates"),
        settings={"model": model},
    )
    opened = open_release(made.release_folder)
    dataset = Dataset.read(next((place / "space" / "datasets").glob("*/dataset.json")))
    task = registry.get("tasks", opened.plan.task)
    names = {label.value: label.name for label in opened.plan.target.labels}
    found = {}
    for row in observe(ready(opened).reader, dataset.part("test"), Path(dataset.root), opened.plan):
        found[int(row.row["case"])] = names[int(task.decide(row.row, opened.release.decision, opened.plan)["call"])]
    # Of copies within the test part one was kept: the others are the same bases, and get the same answer.
    by_bases = {rows[number]["sequence"]: said for number, said in found.items()}
    return [found.get(int(number)) or by_bases.get(rows[int(number)]["sequence"], "not read") for number in test]


def report(options: argparse.Namespace, rows: list[dict[str, str]]) -> None:
    """Rows of a Markdown table: accuracy with Wilson's interval, recall of each class."""
    classes = np.array([row["class"] for row in rows])
    print("| side | accuracy (95 % interval) | recall EI, IE, N | not read | folds |")
    print("|---|---|---|---|---|")
    for side in (*THEIRS, *options.models):
        done = [row for fold in range(FOLDS) if (row := stored(options.workspace, f"splice/{side}/{fold}"))]
        if not done:
            continue
        places = np.concatenate([row["test"] for row in done])
        said = np.concatenate([row["said"] for row in done])
        right = said == classes[places]
        share, low, high = proportion(right, [rows[n]["sequence"] for n in places])
        recalls = ", ".join(f"{right[classes[places] == kind].mean():.3f}" for kind in ("EI", "IE", "N"))
        unread = int((said == "not read").sum())
        print(f"| {side} | {share:.4f} ({low:.4f}-{high:.4f}) | {recalls} | {unread} | {len(done)} |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(options.data)}, {options.minutes:g} minutes a fit")


if __name__ == "__main__":
    main()
