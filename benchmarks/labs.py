"""AUROC on small laboratory tables, beside what a user would pick: scikit-learn's logistic regression and boosting.

Repeated 5-fold cross-validation by row; in each fold every side sees the same training rows. Ours is `diascope fit` as
it comes (inner comparison of models, five networks); theirs are pipelines with imputation, scaling and one-hot columns,
and `HistGradientBoostingClassifier` as it comes. Probabilities of a row are averaged over the repeats.

    python benchmarks/labs.py --repeats 2

Resumable: a (set, repeat, fold) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from recording.rows import commit, data_hash, machine, store, stored
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import diascope
from diascope.core import registry
from diascope.core.case import Dataset, TableRef
from diascope.engine.opening import ready
from diascope.engine.scoring import observe
from diascope.evidence.delong import delong, paired_delong
from diascope.sources import SourceOptions
from diascope.sources.table import SOURCE
from diascope.store.releases import open_release

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "labs"
SETS = {
    "diabetes": ("pima_with_header.csv", "Outcome", "1"),
    "liver": ("ilpd_indian_liver.csv", "Class", "1"),
    "kidney": ("ckd_kidney.csv", "classification", "ckd"),
    "hepatitis": ("hepatitis.csv", "column_1", "1"),
    "cytology": ("breast-cancer-wisconsin.csv", "column_10", "4"),
    "wdbc": ("wdbc.csv", "diagnosis", "M"),
}
"""File, target and the class that is looked for."""
FOLDS = 5
SPLIT = "split"


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/labs"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        for repeat in range(options.repeats):
            for fold in range(FOLDS):
                key = f"labs/{name}/{repeat}/{fold}"
                if stored(options.workspace, key) is None:
                    store(options.workspace, key, one(options, name, repeat, fold))
                    print(key, stored(options.workspace, key)["model"], flush=True)
    report(options)


def one(options: argparse.Namespace, name: str, repeat: int, fold: int) -> dict[str, object]:
    """Probabilities of the rows of one fold by each side."""
    file, target, positive = SETS[name]
    listing = SOURCE.list(str(options.data / file), SourceOptions(target=target))
    cases = [case for case in listing.cases if case.targets.get(target) is not None]
    truth = np.array([str(case.targets[target]) == positive for case in cases])
    train, test = list(StratifiedKFold(FOLDS, shuffle=True, random_state=repeat).split(truth, truth))[fold]
    rows = [
        {key: value for key, value in ref.values.items() if key != target}
        for case in cases
        if isinstance(ref := case.inputs["table"], TableRef)
    ]
    began = time.monotonic()
    ours, model = _ours(options, (name, repeat, fold), rows, truth, test)
    minutes = (time.monotonic() - began) / 60
    theirs = {
        kind: _theirs(kind, rows, truth, train)(test).tolist() for kind in ("logistic regression", "hist boosting")
    }
    return {
        "test": test.tolist(),
        "truth": truth[test].tolist(),
        "ours": ours,
        **theirs,
        "model": model,
        "minutes": round(minutes, 2),
        "data": data_hash(options.data),
    }


def _ours(
    options: argparse.Namespace, key: tuple[str, int, int], rows: list[dict], truth: np.ndarray, test: np.ndarray
) -> tuple[list[float], str]:
    place = options.workspace / "-".join(map(str, key))
    place.mkdir(exist_ok=True)
    path = place / "table.csv"
    columns = list(rows[0])
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["case", *columns, "answer", SPLIT])
        for number, (row, ill) in enumerate(zip(rows, truth, strict=True)):
            cells = ["" if row[column] is None else row[column] for column in columns]
            table.writerow([number, *cells, "ill" if ill else "well", "test" if number in set(test) else "train"])
    accepted = ("leaking_column", "patients")
    made = diascope.fit(path, place / "space", minutes=options.minutes, target="answer", accept=accepted)
    opened = open_release(made.release_folder)
    dataset = Dataset.read(next((place / "space" / "datasets").glob("*/dataset.json")))
    task = registry.get("tasks", opened.plan.task)
    label = next(one.value for one in opened.plan.target.labels if one.name == "ill")
    said = {
        int(one.row["case"]): task.decide(one.row, opened.release.decision, opened.plan)["probability"][label]
        for one in observe(ready(opened).reader, dataset.part("test"), Path(dataset.root), opened.plan)
    }
    return [said.get(int(number), float("nan")) for number in test], str(opened.plan["model"])


def _theirs(kind: str, rows: list[dict], truth: np.ndarray, train: np.ndarray):
    import pandas as pd

    table = pd.DataFrame(rows)
    words = [name for name in table if table[name].dtype == object]
    numbers = [name for name in table if name not in words]
    table[words] = table[words].astype(object).where(table[words].notna(), "missing").astype(str)
    table[numbers] = table[numbers].astype(float)
    if kind == "logistic regression":
        columns = ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
                ("words", OneHotEncoder(handle_unknown="ignore"), words),
            ]
        )
        model = make_pipeline(columns, LogisticRegression(max_iter=5000))
    else:
        coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        columns = ColumnTransformer([("numbers", "passthrough", numbers), ("words", coder, words)])
        model = make_pipeline(columns, HistGradientBoostingClassifier(random_state=0))
    model.fit(table.iloc[train], truth[train])
    return lambda chosen: model.predict_proba(table.iloc[chosen])[:, 1]


def report(options: argparse.Namespace) -> None:
    """Rows of a Markdown table: AUROC of each side, and the paired differences."""
    sides = ("ours", "logistic regression", "hist boosting")
    areas: dict[str, list[float]] = {side: [] for side in sides}
    print("| set | rows | ours | logistic regression | hist boosting | ours minus each (95 % interval) | models |")
    print("|---|---|---|---|---|---|---|")
    for name in options.sets:
        found = [
            row
            for repeat in range(options.repeats)
            for fold in range(FOLDS)
            if (row := stored(options.workspace, f"labs/{name}/{repeat}/{fold}")) is not None
        ]
        count = 1 + max(max(row["test"]) for row in found)
        truth, said = np.zeros(count, bool), {side: np.zeros(count) for side in sides}
        for row in found:
            truth[row["test"]] = row["truth"]
            for side in sides:
                said[side][row["test"]] += np.array(row[side]) / options.repeats
        kept = np.isfinite(said["ours"])
        keys = [str(number) for number in np.flatnonzero(kept)]
        words = []
        for side in sides:
            value, low, high = delong(truth[kept], said[side][kept], keys)
            areas[side].append(value)
            words.append(f"{value:.4f} ({low:.4f}-{high:.4f})")
        pairs = [paired_delong(truth[kept], said["ours"][kept], said[side][kept], keys) for side in sides[1:]]
        against = "; ".join(f"{one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})" for one in pairs)
        models = {model: sum(row["model"] == model for row in found) for model in {row["model"] for row in found}}
        print(f"| {name} | {kept.sum()} | {' | '.join(words)} | {against} | {models} |")
    means = " | ".join(f"**{np.mean(areas[side]):.4f}**" for side in sides)
    print(f"| mean | | {means} | | |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(options.data)}, {options.repeats} repeats")


if __name__ == "__main__":
    main()
