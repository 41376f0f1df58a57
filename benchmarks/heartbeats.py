"""Balanced accuracy on 500 heart beats (ECG5000, training part), beside scikit-learn on the samples.

5-fold cross-validation by row; in each fold every side sees the same training rows. Ours is `diascope fit` as it comes
with the model named (five networks within the training rows); theirs are logistic regression and histogram boosting
with balanced class weights. Of the five classes those with at least ten beats count (two beats are of the fifth).

    python benchmarks/heartbeats.py --minutes 2

Resumable: a (model, fold) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
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
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import diascope
from diascope.core import registry
from diascope.core.case import Dataset
from diascope.engine.opening import ready
from diascope.engine.scoring import observe
from diascope.store.releases import open_release

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "heartbeats"
FILE = "ECG5000_TRAIN.txt"
MODELS = ("cnn1d", "gru")
THEIRS = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=5000, class_weight="balanced")
    ),
    "hist boosting": lambda: HistGradientBoostingClassifier(random_state=0, class_weight="balanced"),
}
FOLDS, FEWEST, RESAMPLES = 5, 10, 2000


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/heartbeats"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    beats = np.loadtxt(options.data / FILE)
    classes, samples = beats[:, 0].astype(int), beats[:, 1:]
    for fold in options.folds:
        for side in (*THEIRS, *options.models):
            key = f"heartbeats/{side}/{fold}"
            if stored(options.workspace, key) is None:
                store(options.workspace, key, one(options, side, fold, (classes, samples)))
                print(key, stored(options.workspace, key)["minutes"], flush=True)
    report(options, classes)


def parts(classes: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows; scikit-learn warns of the fifth class, of which there are two beats."""
    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(classes, classes))[fold]


def one(options: argparse.Namespace, side: str, fold: int, beats: tuple[np.ndarray, np.ndarray]) -> dict[str, object]:
    """What one side calls the rows of one fold."""
    classes, samples = beats
    train, test = parts(classes, fold)
    began = time.monotonic()
    if side in THEIRS:
        said = THEIRS[side]().fit(samples[train], classes[train]).predict(samples[test])
    else:
        said = _ours(options, side, fold, beats)
    return {
        "test": test.tolist(),
        "said": [int(one) for one in said],
        "minutes": round((time.monotonic() - began) / 60, 2),
        "data": data_hash(options.data),
    }


def _ours(options: argparse.Namespace, model: str, fold: int, beats: tuple[np.ndarray, np.ndarray]) -> list[int]:
    classes, samples = beats
    _, test = parts(classes, fold)
    place = options.workspace / f"{model}-{fold}"
    place.mkdir(exist_ok=True)
    with (place / "beats.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["case", "split", "class", *(f"s{number}" for number in range(1, samples.shape[1] + 1))])
        for number, (kind, row) in enumerate(zip(classes, samples, strict=True)):
            table.writerow([number, "test" if number in set(test) else "train", kind, *map(repr, row.tolist())])
    made = diascope.fit(
        place / "beats.csv",
        place / "space",
        minutes=options.minutes,
        target="class",
        accept=("patients", "class_counts"),
        settings={"model": model},
    )
    opened = open_release(made.release_folder)
    dataset = Dataset.read(next((place / "space" / "datasets").glob("*/dataset.json")))
    task = registry.get("tasks", opened.plan.task)
    names = {label.value: int(label.name) for label in opened.plan.target.labels}
    found = {}
    for row in observe(ready(opened).reader, dataset.part("test"), Path(dataset.root), opened.plan):
        found[int(row.row["case"])] = names[int(task.decide(row.row, opened.release.decision, opened.plan)["call"])]
    return [found[int(number)] for number in test]


def balanced(truth: np.ndarray, said: np.ndarray, classes: np.ndarray) -> float:
    """Mean over the classes of the share that was called right."""
    return float(np.mean([(said[truth == kind] == kind).mean() for kind in classes]))


def report(options: argparse.Namespace, classes: np.ndarray) -> None:
    """Rows of a Markdown table: balanced accuracy of each side, and the paired differences."""
    kinds, counts = np.unique(classes, return_counts=True)
    counted = kinds[counts >= FEWEST]
    said = {}
    for side in (*THEIRS, *options.models):
        rows = [stored(options.workspace, f"heartbeats/{side}/{fold}") for fold in range(FOLDS)]
        if None in rows:
            print(f"{side}: {sum(row is not None for row in rows)} of {FOLDS} folds")
            continue
        said[side] = np.zeros(len(classes), int)
        for row in rows:
            said[side][row["test"]] = row["said"]
    resamples = _resamples(classes, counted)
    print(
        "| side | balanced accuracy (95 % interval) | recall of classes 1 to 4 | minus each baseline (95 % interval) |"
    )
    print("|---|---|---|---|")
    for side, called in said.items():
        value, low, high = _interval(classes, called, None, (counted, resamples))
        recalls = ", ".join(f"{(called[classes == kind] == kind).mean():.3f}" for kind in counted)
        against = []
        for other in THEIRS:
            if side not in THEIRS and other in said:
                apart, below, above = _interval(classes, called, said[other], (counted, resamples))
                against.append(f"{other} {apart:+.4f} ({below:+.4f} to {above:+.4f})")
        print(f"| {side} | {value:.4f} ({low:.4f}-{high:.4f}) | {recalls} | {'; '.join(against) or '–'} |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(options.data)}, {options.minutes:g} minutes a fit")


def _resamples(classes: np.ndarray, counted: np.ndarray) -> list[np.ndarray]:
    """Rows drawn with replacement within each class, so that every class is in every resample."""
    rng = np.random.default_rng(0)
    places = [np.flatnonzero(classes == kind) for kind in counted]
    return [np.concatenate([rng.choice(one, len(one)) for one in places]) for _ in range(RESAMPLES)]


def _interval(
    truth: np.ndarray, called: np.ndarray, other: np.ndarray | None, setting: tuple[np.ndarray, list[np.ndarray]]
) -> tuple[float, float, float]:
    counted, resamples = setting

    def of(rows: np.ndarray) -> float:
        value = balanced(truth[rows], called[rows], counted)
        return value if other is None else value - balanced(truth[rows], other[rows], counted)

    drawn = [of(rows) for rows in resamples]
    return of(np.arange(len(truth))), float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


if __name__ == "__main__":
    main()
