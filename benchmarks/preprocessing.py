"""What filters and slices do to the metric that counts: the same fit with and without, paired by case.

Hippocampus: Dice of 40 volumes. Films of 28 x 28 (pneumoniamnist): AUROC of the 524 that the file calls validation.

    python benchmarks/preprocessing.py --sets hippocampus films --minutes 10

Resumable: a (set, variant, minutes, seed) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from recording.manifests import RealSet, films, hippocampus, labelled
from recording.rows import commit, data_hash, machine, store, stored

import diascope

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "hippocampus": {
        "plain": {},
        "median": {"preprocess": ["median"]},
        "bilateral": {"preprocess": ["bilateral"]},
        "non-local means": {"preprocess": ["non_local_means"]},
        "unsharp mask": {"preprocess": ["unsharp_mask"]},
        "N4": {"preprocess": ["n4"]},
        "CLAHE": {"preprocess": ["clahe"]},
        "3 slices (2.5-D)": {"slices": 3},
    },
    "films": {
        "plain": {},
        "median": {"preprocess": ["median"]},
        "unsharp mask": {"preprocess": ["unsharp_mask"]},
        "equalised": {"preprocess": ["histogram_equalisation"]},
        "CLAHE": {"preprocess": ["clahe"]},
    },
}
ACCEPTED = ("duplicates", "near_duplicates", "patients")
"""Findings of the check that are known: the films hold exact copies, and nobody says whose they are."""


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument(
        "--variants", nargs="+", help="Some of the variants; all without it. The plain one always runs."
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/preprocessing"))
    options = parser.parse_args()
    for name in options.sets:
        real = hippocampus() if name == "hippocampus" else films(options.workspace / "pictures")
        source = labelled(real, [case for case in real.cases if not case.test], options.workspace / name)
        wanted = [one for one in VARIANTS[name] if one == "plain" or not options.variants or one in options.variants]
        for seed in options.seeds:
            for variant in wanted:
                key = f"{name}/{variant}/{options.minutes:g}/{seed}"
                if stored(options.workspace, key) is None:
                    store(options.workspace, key, one(options, real, source, (name, variant, seed)))
                print(key, stored(options.workspace, key), flush=True)
        report(options, real, name, wanted)


def one(options: argparse.Namespace, real: RealSet, source: Path, what: tuple[str, str, int]) -> dict[str, Any]:
    """One fit, and how it differs from the plain one on the same cases."""
    name, variant, seed = what
    began, cpu = time.monotonic(), time.process_time()
    space = options.workspace / f"{name}-{options.minutes:g}-{seed}"
    settings = VARIANTS[name][variant]
    made = diascope.fit(source, space, minutes=options.minutes, seed=seed, settings=settings, accept=ACCEPTED)
    plain = stored(options.workspace, f"{name}/plain/{options.minutes:g}/{seed}")
    against: dict[str, Any] = {}
    if variant != "plain" and plain is not None:
        pair = (made.release_folder, plain["release"])
        against = diascope.compare(pair, source, space, accept=ACCEPTED)["metrics"][real.metric]
    return {
        "metric": made.evaluation.metrics[real.metric].model_dump(),
        "against": against,
        "release": str(made.release_folder),
        "minutes": round((time.monotonic() - began) / 60, 2),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        "plan": made.release.plan_hash[:12],
        "data": data_hash(real.data),
        "seed": seed,
    }


def report(options: argparse.Namespace, real: RealSet, name: str, variants: list[str]) -> None:
    """Rows of a Markdown table."""
    print(
        f"| {name}, {options.minutes:g} min | seed | {real.metric} (95 % interval) | minus plain (paired) | p | plan |"
    )
    print("|---|---|---|---|---|---|")
    for variant in variants:
        for seed in options.seeds:
            row = stored(options.workspace, f"{name}/{variant}/{options.minutes:g}/{seed}")
            if row is not None:
                value, against = row["metric"], row["against"]
                apart = _words(against["difference"], "+.4f") if against else "–"
                p = f"{against['p']:.3f}" if against and against["p"] is not None else "–"
                print(f"| {variant} | {seed} | {_words(value, '.4f')} | {apart} | {p} | {row['plan']} |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(real.data)}\n")


def _words(measure: dict[str, Any], form: str) -> str:
    if measure["value"] is None:
        return "undefined"
    interval = f" ({measure['low']:{form}} to {measure['high']:{form}})" if measure["low"] is not None else ""
    return f"{measure['value']:{form}}{interval}"


if __name__ == "__main__":
    main()
