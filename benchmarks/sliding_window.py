"""Sliding-window segmentation: ours against MONAI's SlidingWindowInferer (eager float32) + arg-max.

A CT phantom with 24 organs, a network that was trained on its like, the same patch, overlap and blending; each side in
its own process. Volume, weights and finished parts are kept in --folder, so that a broken run goes on where it stopped.

    python benchmarks/sliding_window.py                     # 200 x 512 x 512, as published (tens of minutes)
    python benchmarks/sliding_window.py --size 128 --width 8 --train-steps 100      # smoke run
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from baselines.sliding_window_monai import CLASSES, build_network, peak_mib
from safetensors.torch import load_file, save_file

from diascope.core import registry
from diascope.engine import devices
from diascope.engine.sliding import WindowPlan, argmax_labels, predict_labels

HERE = Path(__file__).resolve().parent
SEED = 20261120
TRAINED = 0.8
"""Mean Dice to the truth that MONAI's side must reach for the agreement of both sides to mean anything."""
Cases = list[tuple[np.ndarray, np.ndarray]]
ROWS = ("monai", "ours", "ours, empty windows skipped")


def a_phantom(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """HU float32 and labels uint8 (Z, size, size): an elliptic body in air, 24 ellipsoids, 15 HU of noise."""
    rng = np.random.default_rng(seed)
    shape = (round(size * 200 / 512), size, size)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    labels = np.zeros(shape, dtype=np.uint8)
    hounsfield = np.where((x / 0.85) ** 2 + (y / 0.62) ** 2 + 0 * z < 1, 0, -1000).astype(np.float32)
    # 24 places on a jittered grid of 2 x 3 x 4, so that no organ hides another
    places = [(a, b, c) for a in (-0.5, 0.5) for b in (-0.3, 0.0, 0.3) for c in (-0.5, -0.17, 0.17, 0.5)]
    for organ, place in enumerate(places, start=1):
        centre = np.array(place) + rng.uniform(-0.05, 0.05, 3) * (1, 0.6, 0.6)
        radii = rng.uniform(0.7, 1.0, 3) * (0.42, 0.125, 0.14)
        inside = sum(((g - c) / r) ** 2 for g, c, r in zip((z, y, x), centre, radii, strict=True)) < 1
        labels[inside], hounsfield[inside] = organ, 40 * organ + 40
    hounsfield += rng.normal(scale=15, size=shape).astype(np.float32)
    return hounsfield, labels


def scaled(hounsfield: np.ndarray) -> np.ndarray:
    """Window rule of CT: clip to -200..1200 HU (air becomes one value), to -1..1."""
    return (np.clip(hounsfield, -200, 1200) - 500) / 700


def places(mask: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Of each class some of its voxels, (n, 3): where a crop may have its middle."""
    flat, order = mask.ravel(), np.argsort(mask, axis=None, kind="stable")
    bounds = np.searchsorted(flat, range(CLASSES + 1), sorter=order)
    some = [rng.choice(order[a:b], 2000) for a, b in itertools.pairwise(bounds)]
    return [np.stack(np.unravel_index(each, mask.shape), axis=1) for each in some]


def start_as_ladder(network: torch.nn.Module) -> None:
    """The first layer begins as thresholds spread over all grey values: 24 organs told by their HU need that many."""
    first = network.input_block
    with torch.no_grad():
        first.conv1.conv.weight.abs_()
        first.norm1.bias.copy_(torch.linspace(-2.5, 2.5, len(first.norm1.bias)))


def crops(
    cases: Cases, middles: list[list[np.ndarray]], edge: int, number: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (number, 1, edge, edge, edge) around voxels of as many classes, and their labels."""
    inputs, truth = [], []
    for organ in rng.choice(CLASSES, number, replace=False):
        case = rng.integers(len(cases))
        image, mask = cases[case]
        centre = rng.choice(middles[case][organ])
        corner = [int(np.clip(c - edge // 2, 0, n - edge)) for c, n in zip(centre, image.shape, strict=True)]
        box = tuple(slice(c, c + edge) for c in corner)
        inputs.append(torch.from_numpy(scaled(image[box]))[None])
        truth.append(torch.from_numpy(mask[box].astype(np.int64)))
    return torch.stack(inputs).contiguous(memory_format=torch.channels_last_3d), torch.stack(truth)


def train(options: argparse.Namespace, folder: Path) -> Path:
    """Train the network on crops of *other* phantoms of the same kind, all organs as often; keep the weights."""
    path = folder / "weights.safetensors"
    if path.exists():
        return path
    devices.prepare_process()
    torch.manual_seed(SEED)
    network, rng = build_network(options.width, options.patch), np.random.default_rng(SEED)
    start_as_ladder(network)
    network = network.to(memory_format=torch.channels_last_3d)
    cases = [a_phantom(size, SEED + 1 + k) for k, size in enumerate((options.size, max(options.size // 2, 128)))]
    middles = [places(mask, rng) for _, mask in cases]
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=options.train_steps)
    with torch.no_grad():
        network.train()(crops(cases, middles, 48, CLASSES, rng)[0])
    # The statistics stay: those of a few crops would move the grey values by which the organs are told.
    network.eval()
    fast, seen = devices.capabilities().amx, []
    for step in range(options.train_steps):
        # First all classes in each step, in small crops; then their surroundings, as the windows have them.
        inputs, truth = crops(cases, middles, *((16, CLASSES) if step < 0.7 * options.train_steps else (32, 8)), rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            scores = network(inputs)
        loss = torch.nn.functional.cross_entropy(scores.float(), truth)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        seen.append(float(loss.detach()))
        if step % 25 == 24:
            mean = sum(seen[-25:]) / 25
            print(f"training: step {step + 1} of {options.train_steps}, loss {mean:.3f}", file=sys.stderr)
    save_file({key: value.clone().contiguous() for key, value in network.state_dict().items()}, path)
    return path


def ours(options: argparse.Namespace, folder: Path, skip: bool, result: Path) -> None:
    """One row of ours, in this process: from the volume in memory to labels, compiling included."""
    devices.prepare_process()
    network = build_network(options.width, options.patch).eval()
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    volume = torch.from_numpy(np.load(folder / "volume.npy"))[None]
    patch = (options.patch,) * 3
    plan = WindowPlan(patch, overlap=0.5, skip_empty=skip, memory_bytes=options.memory_mib << 20 or None)
    started = time.perf_counter()
    example = torch.zeros(1, 1, *patch)
    runner = registry.get("backends", options.backend).compile(network, example, options.precision)
    runner(example)
    del network
    compiled = time.perf_counter() - started
    z, y, x = volume.shape[1:]
    found = predict_labels(volume, runner, argmax_labels, plan, (z, y, x))
    seconds = time.perf_counter() - started
    np.save(result.with_suffix(".npy"), found.labels)
    facts = {"seconds": seconds, "compile_seconds": compiled, "peak_mib": peak_mib()}
    result.write_text(json.dumps({**facts, "windows": found.windows, "skipped": found.skipped}))


def dice(a: np.ndarray, b: np.ndarray) -> list[float]:
    """Of each organ between two label maps; nan where both have none: two empty answers agree about nothing."""
    pairs = np.bincount(a.ravel().astype(np.int64) * CLASSES + b.ravel(), minlength=CLASSES**2).reshape(
        CLASSES, CLASSES
    )
    sizes = pairs.sum(0) + pairs.sum(1)
    return [float(2 * pairs[k, k] / sizes[k]) if sizes[k] else float("nan") for k in range(1, CLASSES)]


def run_part(options: argparse.Namespace, folder: Path, row: str) -> dict[str, float]:
    """Run one row in a process of its own, unless it is done."""
    result = folder / f"{row.replace(', ', '-').replace(' ', '-')}{options.variant if row != 'monai' else ''}.json"
    if not result.exists():
        print(f"running: {row}", file=sys.stderr)
        files = [folder / "volume.npy", folder / "weights.safetensors", result.with_suffix(".npy"), result]
        command = [HERE / "baselines" / "sliding_window_monai.py", *files, options.patch, options.width]
        if row != "monai":
            command = [HERE / "sliding_window.py", *sys.argv[1:], "--part", row, "--result", result]
        subprocess.run([sys.executable, *map(str, command)], check=True)
    return {**json.loads(result.read_text()), "labels": result.with_suffix(".npy")}


def report(rows: dict[str, dict], truth: np.ndarray, options: argparse.Namespace) -> dict:
    """Ratios to MONAI, Dice between the outputs and to the truth."""
    base = rows["monai"]
    reference = np.load(base["labels"])
    table = {}
    for row, facts in rows.items():
        labels = np.load(facts.pop("labels"))
        between, right = dice(reference, labels), dice(truth, labels)
        table[row] = {
            **facts,
            "times_faster": base["seconds"] / facts["seconds"],
            "share_of_peak": facts["peak_mib"] / base["peak_mib"],
            "organs_compared": int(np.isfinite(between).sum()),
            "lowest_dice_to_monai": float(np.nanmin(between)) if np.isfinite(between).any() else None,
            "mean_dice_to_truth": float(np.nanmean(right)),
        }
    trained = table["monai"]["mean_dice_to_truth"] >= TRAINED
    note = "" if trained else "the network is not trained: what is said of agreement here counts for nothing"
    return {"machine": devices.describe(), "options": vars(options), "trained": trained, "note": note, "rows": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="voxels along y and x; z is 200/512 of it")
    parser.add_argument("--width", type=int, default=32, help="features of the first level")
    parser.add_argument("--train-steps", type=int, default=500)
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--memory-mib", type=int, default=0, help="bound for stitching; 0 is none")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "diascope" / "benchmarks")
    parser.add_argument("--part", choices=ROWS[1:], help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.patch = 96 if options.size >= 256 else 32
    options.variant = f"-{options.backend}-{options.precision}-{options.memory_mib}"
    folder = options.folder / f"sliding-window-ladder-{options.size}-{options.width}-{options.train_steps}"
    if options.part:
        ours(options, folder, options.part != ROWS[1], options.result)
        return
    folder.mkdir(parents=True, exist_ok=True)
    hounsfield, truth = a_phantom(options.size, SEED)
    np.save(folder / "volume.npy", scaled(hounsfield))
    options.data_sha256 = hashlib.sha256((folder / "volume.npy").read_bytes()).hexdigest()[:16]
    del hounsfield
    train(options, folder)
    found = report({row: run_part(options, folder, row) for row in ROWS}, truth, options)
    print(json.dumps(found, indent=1, default=str))
    if not found["trained"]:
        sys.exit(found["note"])


if __name__ == "__main__":
    main()
