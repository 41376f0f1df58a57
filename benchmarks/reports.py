"""Findings of 3,081 chest reports (Open-i): AUROC and F1 of a learnt reader, of rules, and of scikit-learn's pipeline.

5-fold cross-validation; reports of the same words are in one fold, and every side sees the same training rows. The text
is findings and impression. Ours is `diascope fit` as it comes with the model named; the rules learn nothing, and only
their calibration and operating points come from the training rows ("rules alone": every mention that is neither denied
nor doubted is a call). Theirs is TF-IDF (words and pairs) with logistic regression, calls at a probability of .5.
Findings with at least 50 reports count.

    python benchmarks/reports.py --minutes 3

Resumable: a (side, fold) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from recording.rows import commit, data_hash, machine, store, stored
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import GroupKFold

import diascope
from diascope.core import registry
from diascope.core.case import Dataset
from diascope.engine.opening import ready
from diascope.engine.scoring import observe
from diascope.models.words.rules import finding_of, said_of
from diascope.store.releases import open_release

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reports" / "openi"
SECTIONS = ("findings", "impression")
OURS = ("tfidf", "rules_labeler")
PIPELINE, RULES = "scikit-learn", "rules alone"
FOLDS, FEWEST, RESAMPLES = 5, 50, 2000


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", nargs="+", default=list(OURS), help="tfidf, text_cnn, text_gru, rules_labeler")
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(FOLDS)))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/reports"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    rows, names, truth = read(options.data)
    for fold in options.folds:
        for side in (PIPELINE, RULES, *options.models):
            key = f"reports/{side}/{fold}"
            if stored(options.workspace, key) is None:
                store(options.workspace, key, one(options, side, fold, (rows, names, truth)))
                print(key, stored(options.workspace, key)["minutes"], flush=True)
    report(options, names, truth)


def read(folder: Path) -> tuple[list[dict[str, str]], list[str], np.ndarray]:
    """Reports that say anything, names of the findings that any has, and (N, K) which has which."""
    with (folder / "findings.csv").open() as stream:
        labels = {row.pop("filename"): row for row in csv.DictReader(stream)}
    with (folder / "reports.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if any(row[name].strip() for name in SECTIONS)]
    names = [name for name in next(iter(labels.values())) if name != "normal"]
    truth = np.array([[int(labels[f"CXR{row['uid']}"][name]) for name in names] for row in rows])
    kept = truth.any(axis=0)
    return rows, [name for name, any_ in zip(names, kept, strict=True) if any_], truth[:, kept]


def text_of(row: dict[str, str]) -> str:
    """The sections as one text, as a text table joins them."""
    return "\n\n".join(f"{name}: {row[name].strip()}" for name in SECTIONS if row[name].strip())


def parts(rows: list[dict[str, str]], fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows; the same words are in one fold."""
    words = [" ".join(text_of(row).split()) for row in rows]
    return list(GroupKFold(FOLDS, shuffle=True, random_state=0).split(rows, groups=words))[fold]


def one(options: argparse.Namespace, side: str, fold: int, data: tuple) -> dict[str, object]:
    """Scores and calls of one side on the test rows of one fold."""
    rows, names, truth = data
    train, test = parts(rows, fold)
    began = time.monotonic()
    if side == PIPELINE:
        scores, calls = _theirs([text_of(row) for row in rows], truth, train, test)
    elif side == RULES:
        told = [said_of(text_of(rows[place]), [finding_of(name) for name in names]) for place in test]
        scores = [[float(said[finding_of(name)] == "present") for name in names] for said in told]
        calls = scores
    else:
        scores, calls = _ours(options, side, fold, data)
    return {
        "test": test.tolist(),
        "scores": np.round(np.asarray(scores, float), 6).tolist(),
        "calls": np.asarray(calls, int).tolist(),
        "minutes": round((time.monotonic() - began) / 60, 2),
        "data": data_hash(options.data),
    }


def _theirs(texts: list[str], truth: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    columns, new = words.fit_transform([texts[n] for n in train]), words.transform([texts[n] for n in test])
    scores = np.zeros((len(test), truth.shape[1]))
    for label in range(truth.shape[1]):
        if len(np.unique(truth[train, label])) > 1:
            model = LogisticRegression(C=10, max_iter=1000).fit(columns, truth[train, label])
            scores[:, label] = model.predict_proba(new)[:, 1]
    return scores, scores >= 0.5


def _ours(options: argparse.Namespace, model: str, fold: int, data: tuple) -> tuple[list[list[float]], list[list[int]]]:
    rows, names, truth = data
    _, test = parts(rows, fold)
    place, held = options.workspace / f"{model}-{fold}", set(test.tolist())
    place.mkdir(exist_ok=True)
    with (place / "reports.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["case", "split", *SECTIONS, *names])
        for number, (row, labels) in enumerate(zip(rows, truth, strict=True)):
            part = "test" if number in held else "train"
            table.writerow([number, part, *(row[name] for name in SECTIONS), *labels])
    made = diascope.fit(
        place / "reports.csv",
        place / "space",
        minutes=options.minutes,
        target=",".join(names),
        accept=("patients", "repeated_text"),
        settings={"model": model},
    )
    opened = open_release(made.release_folder)
    dataset = Dataset.read(next((place / "space" / "datasets").glob("*/dataset.json")))
    task = registry.get("tasks", opened.plan.task)
    scores, calls = {}, {}
    for row in observe(ready(opened).reader, dataset.part("test"), Path(dataset.root), opened.plan):
        said = task.decide(row.row, opened.release.decision, opened.plan)
        scores[int(row.row["case"])], calls[int(row.row["case"])] = said["probability"], said["call"]
    places = [int(number) for number in test]
    return [scores[n] for n in places], [[int(one == 1) for one in calls[n]] for n in places]


def report(options: argparse.Namespace, names: list[str], truth: np.ndarray) -> None:
    """Rows of a Markdown table: macro AUROC and F1 of each side with intervals, then each finding."""
    counted = [place for place in range(len(names)) if truth[:, place].sum() >= FEWEST]
    print(f"{len(truth)} reports; findings: {', '.join(f'{names[k]} {truth[:, k].sum()}' for k in counted)}\n")
    print("| side | macro AUROC (95 % interval) | macro F1 (95 % interval) | F1 of each | folds |")
    print("|---|---|---|---|---|")
    for side in (PIPELINE, RULES, *options.models):
        rows = [row for fold in range(FOLDS) if (row := stored(options.workspace, f"reports/{side}/{fold}"))]
        if not rows:
            continue
        # Calibrated probabilities of a fold are on one scale; an AUROC over folds asks that of them.
        places = np.concatenate([row["test"] for row in rows])
        scores, calls = (np.concatenate([row[key] for row in rows]) for key in ("scores", "calls"))
        area, called = _intervals(truth[places][:, counted], scores[:, counted], calls[:, counted])
        each = ", ".join(f"{names[k]} {f1_score(truth[places, k], calls[:, k]):.3f}" for k in counted)
        print(f"| {side} | {area if side != RULES else '–'} | {called} | {each} | {len(rows)} |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(options.data)}, {options.minutes:g} minutes a fit")


def _intervals(truth: np.ndarray, scores: np.ndarray, calls: np.ndarray) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES)]

    def area(rows: np.ndarray) -> float:
        return float(np.mean([roc_auc_score(truth[rows, k], scores[rows, k]) for k in range(truth.shape[1])]))

    def called(rows: np.ndarray) -> float:
        return float(f1_score(truth[rows], calls[rows], average="macro"))

    found = []
    for statistic, resamples in ((area, drawn[:500]), (called, drawn[:500])):
        values = [statistic(rows) for rows in resamples]
        low, high = np.quantile(values, (0.025, 0.975))
        found.append(f"{statistic(np.arange(len(truth))):.4f} ({low:.4f}-{high:.4f})")
    return found[0], found[1]


if __name__ == "__main__":
    main()
