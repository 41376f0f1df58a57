"""What pretraining buys where few labels are: the same network fitted from scratch and from a pretrained encoder.

5 % and 10 % of the training cases keep their labels (a fifth of them validates); the encoder learns from the images of
the others. Hippocampus: masked images, Dice of 40 volumes. Films of 28 x 28 (pneumoniamnist): contrastive images, AUROC
of the 524 that the file calls validation. Both fits have the same network, minutes and seed; differences are paired by
case.

    python benchmarks/pretraining.py --sets hippocampus films --minutes 10 --pretraining 30

Resumable: a (set, share, seed) that has a row is not run again. Prints Markdown rows for BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from recording.manifests import RealSet, chosen, films, hippocampus, labelled, unlabelled
from recording.rows import commit, data_hash, machine, store, stored

import diascope
from diascope.core.plan import Plan

SETS = {"hippocampus": "masked_images", "films": "contrastive_images"}
"""Set to the task of its pretraining."""
ACCEPTED = ("duplicates", "near_duplicates", "patients", "class_counts", "shortcuts")
"""Findings of the check that are known: copies among the films, and few cases."""


def main() -> None:
    """Run what has no row yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1])
    parser.add_argument("--minutes", type=float, default=10.0, help="Of each fit.")
    parser.add_argument("--pretraining", type=float, default=30.0, help="Minutes of each pretraining.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workspace", type=Path, default=Path("/tmp/diascope-benchmarks/pretraining"))
    options = parser.parse_args()
    for name in options.sets:
        real = hippocampus() if name == "hippocampus" else films(options.workspace / "pictures")
        for share in options.shares:
            for seed in options.seeds:
                key = named(options, name, share, seed)
                if stored(options.workspace, key) is None:
                    store(options.workspace, key, one(options, real, (name, share, seed)))
                print(key, stored(options.workspace, key), flush=True)
        report(options, real, name)


def named(options: argparse.Namespace, name: str, share: float, seed: int) -> str:
    """The key of a row."""
    return f"{name}/{share:g}/{options.pretraining:g}+{options.minutes:g}/{seed}"


def one(options: argparse.Namespace, real: RealSet, what: tuple[str, float, int]) -> dict[str, Any]:
    """A pretraining and two fits; what they measured on the same cases."""
    name, share, seed = what
    began, cpu = time.monotonic(), time.process_time()
    space = options.workspace / named(options, name, share, seed).replace("/", "-")
    known, others = chosen(real, share, seed)
    source = labelled(real, known, space / "labelled")
    images = unlabelled(real, others, space / "unlabelled")
    encoder, _ = diascope.pretrain(
        images, space / "ws", minutes=options.pretraining, seed=seed, task=SETS[name], accept=ACCEPTED
    )
    fit = {"minutes": options.minutes, "seed": seed, "accept": ACCEPTED}
    started = diascope.fit(source, space / "ws", start=encoder.label, **fit)
    network = {field: Plan.read(started.plan)[field] for field in ("model", "model_options")}
    fresh = diascope.fit(source, space / "ws", settings=network, **fit)
    pair = (started.release_folder, fresh.release_folder)
    against = diascope.compare(pair, source, space / "ws", accept=ACCEPTED)["metrics"][real.metric]
    return {
        "labelled": len(known),
        "unlabelled": len(others),
        "with": started.evaluation.metrics[real.metric].model_dump(),
        "without": fresh.evaluation.metrics[real.metric].model_dump(),
        "against": against,
        "taken": Plan.read(started.plan).choices["weights"].reason,
        "seen": encoder.seen,
        "steps": encoder.steps,
        "minutes": round((time.monotonic() - began) / 60, 2),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        "plan": started.release.plan_hash[:12],
        "data": data_hash(real.data),
        "seed": seed,
    }


def report(options: argparse.Namespace, real: RealSet, name: str) -> None:
    """Rows of a Markdown table."""
    print(
        f"| {name}: {options.pretraining:g} min pretraining, {options.minutes:g} min fit | labelled | unlabelled "
        f"| seed | {real.metric} with | without | with minus without (paired, 95 %) | p |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for share in options.shares:
        for seed in options.seeds:
            row = stored(options.workspace, named(options, name, share, seed))
            if row is not None:
                apart, p = row["against"]["difference"], row["against"]["p"]
                cells = [f"{share:.0%} of the labels", row["labelled"], row["unlabelled"], seed]
                cells += [_words(row["with"], ".4f"), _words(row["without"], ".4f"), _words(apart, "+.4f")]
                print("| " + " | ".join(map(str, [*cells, "–" if p is None else f"{p:.3f}"])) + " |")
    print(f"\n{machine()}, commit {commit()}, data {data_hash(real.data)}\n")


def _words(measure: dict[str, Any], form: str) -> str:
    if measure["value"] is None:
        return "undefined"
    interval = f" ({measure['low']:{form}} to {measure['high']:{form}})" if measure["low"] is not None else ""
    return f"{measure['value']:{form}}{interval}"


if __name__ == "__main__":
    main()
