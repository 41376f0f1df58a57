"""Concordance on METABRIC, GBSG and SUPPORT (training groups), beside lifelines' Cox and, where it is installed,
scikit-survival's forest (GPL-3: for comparison only).

5-fold cross-validation by row; in each fold every side sees the same training rows. Ours is `diascope fit` as it comes.

    python benchmarks/survival.py --sets metabric gbsg support

Resumable: a (set, fold) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import time as clock
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from recording.rows import commit, data_hash, machine, store, stored

import diascope
from diascope.core import registry
from diascope.core.case import Dataset
from diascope.engine.opening import ready
from diascope.engine.scoring import observe
from diascope.evidence.intervals import measure
from diascope.evidence.survival.concordance import Pairs
from diascope.store.releases import open_release

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "survival"
SETS = {
    "metabric": "metabric_IHC4_clinical_train.h5",
    "gbsg": "gbsg_cancer_train.h5",
    "support": "support_train.h5",
}
FOLDS = 5


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/survival"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        for fold in range(FOLDS):
            key = f"survival/{name}/{fold}"
            if stored(options.workspace, key) is None:
                store(options.workspace, key, one(options, name, fold))
                print(key, stored(options.workspace, key)["model"], flush=True)
    report(options)


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns (N, D), time (N,) and event (N,) of a training group."""
    with h5py.File(path) as file:
        group = file.get("train", file)
        return np.asarray(group["x"]), np.asarray(group["t"], float), np.asarray(group["e"]).astype(bool)


def one(options: argparse.Namespace, name: str, fold: int) -> dict[str, object]:
    """Risks of the rows of one fold by each side."""
    rows, time, event = read(options.data / SETS[name])
    # A follow-up of 0 says nothing, and cannot be learnt from.
    kept = time > 0
    rows, time, event = rows[kept], time[kept], event[kept]
    order = np.random.default_rng(0).permutation(len(time))
    test = np.sort(order[fold::FOLDS])
    train = np.setdiff1d(np.arange(len(time)), test)
    began = clock.monotonic()
    said, model = _ours(options, f"{name}-{fold}", (rows, time, event), test)
    minutes = (clock.monotonic() - began) / 60
    # What a check leaves out (copied rows, values that cannot be) has no answer, and is left out for every side.
    test = np.array([number for number in test if int(number) in said])
    found = {"ours": [said[int(number)] for number in test], "cox": _cox(rows, time, event, train, test)}
    forest = _forest(rows, time, event, train, test)
    return {
        **found,
        **({"forest": forest} if forest else {}),
        "test": test.tolist(),
        "time": time[test].tolist(),
        "event": event[test].tolist(),
        "model": model,
        "minutes": round(minutes, 2),
    }


def _ours(
    options: argparse.Namespace, key: str, data: tuple[np.ndarray, np.ndarray, np.ndarray], test: np.ndarray
) -> tuple[dict[int, float], str]:
    """Row to its risk, and the name of the model."""
    rows, time, event = data
    place = options.workspace / key
    place.mkdir(exist_ok=True)
    path, out = place / "table.csv", set(test.tolist())
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["case", *(f"x{n + 1}" for n in range(rows.shape[1])), "time", "event", "split"])
        for number, row in enumerate(rows):
            part = "test" if number in out else "train"
            table.writerow([number, *map(float, row), float(time[number]), int(event[number]), part])
    made = diascope.fit(path, place / "space", minutes=options.minutes, accept=("patients",))
    opened = open_release(made.release_folder)
    dataset = Dataset.read(next((place / "space" / "datasets").glob("*/dataset.json")))
    task = registry.get("tasks", opened.plan.task)
    said = {
        int(seen.row["case"]): task.decide(seen.row, opened.release.decision, opened.plan)["risk"]
        for seen in observe(ready(opened).reader, dataset.part("test"), Path(dataset.root), opened.plan)
    }
    return said, str(opened.plan["model"])


def _cox(rows: np.ndarray, time: np.ndarray, event: np.ndarray, train: np.ndarray, test: np.ndarray) -> list[float]:
    import pandas as pd
    from lifelines import CoxPHFitter

    frame = pd.DataFrame(rows.astype(float))
    varies = frame.columns[frame.iloc[train].std() > 0]
    fitted = CoxPHFitter(penalizer=1e-4).fit(
        frame.iloc[train][varies].assign(time=time[train], event=event[train]), "time", "event"
    )
    return fitted.predict_log_partial_hazard(frame.iloc[test][varies]).tolist()


def _forest(rows: np.ndarray, time: np.ndarray, event: np.ndarray, train: np.ndarray, test: np.ndarray) -> list[float]:
    try:
        from sksurv.ensemble import RandomSurvivalForest
    except ImportError:
        return []
    truth = np.array(list(zip(event[train], time[train], strict=True)), dtype=[("event", bool), ("time", float)])
    forest = RandomSurvivalForest(n_estimators=200, min_samples_leaf=15, max_features="sqrt", n_jobs=1, random_state=0)
    return forest.fit(rows[train], truth).predict(rows[test]).tolist()


def report(options: argparse.Namespace) -> None:
    """Rows of a Markdown table: concordance of each side, and the paired differences."""
    print("| set | rows | side | concordance (95 % interval) | ours minus it (95 % interval) | models |")
    print("|---|---|---|---|---|---|")
    for name in options.sets:
        found = [stored(options.workspace, f"survival/{name}/{fold}") for fold in range(FOLDS)]
        # Risks of different networks are not on one scale: pairs are compared within a fold.
        sides = [side for side in ("ours", "cox", "forest") if all(side in row for row in found)]
        sizes = np.cumsum([0, *(len(row["test"]) for row in found)])
        pairs = {
            side: [
                Pairs.of(*(np.asarray(row[key]) for key in ("time", "event", side)), np.ones(len(row["time"])))
                for row in found
            ]
            for side in sides
        }
        keys = [f"{fold}-{n}" for fold, row in enumerate(found) for n in row["test"]]

        def mean(side: str, index: np.ndarray, pairs=pairs, sizes=sizes) -> float:
            parts = [index[(index >= a) & (index < b)] - a for a, b in pairwise(sizes)]
            return float(np.mean([one.share(part) for one, part in zip(pairs[side], parts, strict=True)]))

        models = {row["model"]: sum(other["model"] == row["model"] for other in found) for row in found}
        for side in sides:
            own = measure(lambda index, side=side: mean(side, index), keys)
            less = measure(lambda index, side=side: mean("ours", index) - mean(side, index), keys)
            words = "" if side == "ours" else f"{less.value:+.4f} ({less.low:+.4f} to {less.high:+.4f})"
            shown = models if side == "ours" else ""
            value = f"{own.value:.4f} ({own.low:.4f}-{own.high:.4f})"
            print(f"| {name} | {len(keys)} | {side} | {value} | {words} | {shown} |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(options.data)}")


if __name__ == "__main__":
    main()
