"""Strict and relaxed F1 on Chinese records (CCKS 2019), beside a dictionary of what the training part marks.

The 1,000 records with answers are cut 800 to 200 by a seed (the records name no patients). Ours is `diascope fit` as it
comes: a part of the 800 is its validation, from scratch, nothing is read but these records. Theirs is what costs no
training at all: the longest match of the entities that the same 800 mark. Where the official test file is beside the
training files, `--official` measures on it instead.

    python benchmarks/entities.py --minutes 25 --seeds 0 1 2

Resumable: a seed that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
from recording.rows import commit, data_hash, machine, store, stored

import diascope
from diascope.core.spans import Spans
from diascope.evidence.intervals import measures
from diascope.sources import SourceOptions
from diascope.sources.entity_records import SOURCE
from diascope.store.releases import open_release
from diascope.tasks.spans.scores import scores_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "reports" / "ccks2019-zh"
OFFICIAL = "subtask1_test_set_with_answer.json"
TESTED = 200
SHOWN = ("f1", "precision", "recall", "macro_f1", "relaxed_f1")
SIDES = ("ours", "dictionary")


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--official", action="store_true")
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/entities"))
    options = parser.parse_args()
    options.workspace.mkdir(parents=True, exist_ok=True)
    keys = [f"entities/{'official' if options.official else TESTED}/{seed}" for seed in options.seeds]
    for key, seed in zip(keys, options.seeds, strict=True):
        if stored(options.workspace, key) is None:
            store(options.workspace, key, one(options, key, seed))
            print(key, stored(options.workspace, key)["minutes"], flush=True)
    report(options, keys)


def one(options: argparse.Namespace, key: str, seed: int) -> dict[str, object]:
    """What each side reaches on one cut."""
    place = options.workspace / key.replace("/", "-")
    files = cut(options, seed, place / "records")
    began = time.monotonic()
    made = diascope.fit(place / "records", place / "space", minutes=options.minutes, seed=seed)
    minutes = (time.monotonic() - began) / 60
    opened = open_release(made.release_folder)
    metrics = opened.evaluation.metrics
    ours = {name: [one.value, one.low, one.high] for name, one in metrics.items()}
    return {
        "ours": ours,
        "dictionary": dictionary(place / "records", opened.plan.target.labels),
        "steps": opened.plan["steps"],
        "cases": files,
        "minutes": round(minutes, 1),
        "plan": opened.plan.content_hash()[:12],
        "data": data_hash(options.data),
    }


def cut(options: argparse.Namespace, seed: int, folder: Path) -> dict[str, int]:
    """Write the training and the test records of a seed; the names of the files say which is which."""
    folder.mkdir(parents=True, exist_ok=True)
    training = sorted(path for path in options.data.glob("*.txt") if "train" in path.name)
    lines = [line for path in training for line in path.read_text("utf-8-sig").split("\n") if line.strip()]
    if options.official:
        tested = [line for line in (options.data / OFFICIAL).read_text("utf-8-sig").split("\n") if line.strip()]
    else:
        order = np.random.default_rng(seed).permutation(len(lines))
        tested, lines = [lines[n] for n in order[-TESTED:]], [lines[n] for n in order[:-TESTED]]
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "test.jsonl").write_text("\n".join(tested), encoding="utf-8")
    return {"train": len(lines), "test": len(tested)}


def dictionary(folder: Path, labels: object) -> dict[str, list[float | None]]:
    """The longest match of what the training part marks, each with its most frequent type."""
    cases = SOURCE.list(str(folder), SourceOptions()).cases
    texts = {
        (path.name, n): json.loads(line)["originalText"]
        for path in folder.glob("*.jsonl")
        for n, line in enumerate(path.read_text("utf-8").split("\n"), start=1)
    }
    value = {label.name: label.value for label in labels}
    known: dict[str, Counter[str]] = {}
    rows, patients = [], []
    for case in sorted(cases, key=lambda one: one.split != "train"):
        ref, spans = case.inputs["text"], case.targets["entities"]
        text = texts[ref.paths[0], int(ref.item)]
        usable = spans.usable() if isinstance(spans, Spans) else Spans(length=len(text))
        if case.split == "train":
            for start, stop, label in usable.all:
                known.setdefault(text[start:stop], Counter())[label] += 1
            continue
        truth = [[start, stop, value[label]] for start, stop, label in usable.all]
        said = [[start, stop, value[label], 1.0] for start, stop, label in _matches(text, known)]
        rows.append({"truth": truth, "said": said, "apart": said})
        patients.append(case.patient)
    found = measures(scores_of(rows, labels).statistics, patients)
    return {name: [one.value, one.low, one.high] for name, one in found.items()}


def _matches(text: str, known: dict[str, Counter[str]]) -> list[tuple[int, int, str]]:
    longest = max(map(len, known))
    found, place = [], 0
    while place < len(text):
        sizes = range(min(longest, len(text) - place), 0, -1)
        size = next((one for one in sizes if text[place : place + one] in known), 0)
        if size:
            words = text[place : place + size]
            found.append((place, place + size, known[words].most_common(1)[0][0]))
        place += max(size, 1)
    return found


def report(options: argparse.Namespace, keys: list[str]) -> None:
    """Rows of a Markdown table: each measure of each side, and F1 of each type."""
    print("| cut | side | " + " | ".join(SHOWN) + " | minutes, steps |")
    print("|---" * (len(SHOWN) + 3) + "|")
    for key in keys:
        row = stored(options.workspace, key)
        if row is None:
            continue
        for side in SIDES:
            cells = [_words(row[side].get(name)) for name in SHOWN]
            took = f"{row['minutes']}, {row['steps']}" if side == "ours" else ""
            print(f"| {key} ({row['cases']['train']}/{row['cases']['test']}) | {side} | {' | '.join(cells)} | {took} |")
        types = [name for name in row["ours"] if name.startswith("f1/")]
        print("\n" + "; ".join(f"{name[3:]} {row['ours'][name][0]:.3f}" for name in types) + "\n")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(options.data)}, {options.minutes:g} minutes")


def _words(value: list[float | None] | None) -> str:
    if value is None or value[0] is None:
        return ""
    between = f" ({value[1]:.4f}-{value[2]:.4f})" if value[1] is not None else ""
    return f"{value[0]:.4f}{between}"


if __name__ == "__main__":
    main()
