"""The probe: a few real training steps on this machine, to choose the arithmetic and to know what a step costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from diascope.core.plan import Plan
from diascope.engine.devices import Arithmetic, lay_out, peak_memory_gb
from diascope.engine.feeding import Feed, Stored
from diascope.engine.task import Phase

MOST_SECONDS = 30.0
WARM = 2
"""Steps left out: first touches of memory, and the choice of kernels."""
MOST_STEPS = 8
MOST_SHARE = 0.05
"""Of the budget."""


@dataclass(frozen=True)
class Probe:
    """What was measured.

    Args:
        arithmetic: The fastest.
        seconds_per_step: With it, of a whole step: batch, gradient, optimiser.
        peak_gb: Peak memory of this process after the steps.
        tried: Arithmetic in words to its seconds a step.
    """

    arithmetic: Arithmetic
    seconds_per_step: float
    peak_gb: float
    tried: dict[str, float]


def probe(
    network: nn.Module,
    phases: Sequence[Phase],
    plan: Plan,
    cases: Sequence[Stored],
    candidates: Sequence[Arithmetic],
    seconds: float,
) -> Probe:
    """Time each candidate on real steps; those that no time is left for are not tried, and the result says so."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = Steps(network.to(device), phases, Feed(cases, plan), device)
    began, tried = time.monotonic(), {}
    best: tuple[float, Arithmetic] | None = None
    for number, candidate in enumerate(candidates):
        left = seconds - (time.monotonic() - began)
        if number and left < seconds / len(candidates) / 2:
            break
        took = _seconds_per_step(steps, candidate, left / (len(candidates) - number))
        tried[words(candidate)] = took
        if best is None or took < 0.95 * best[0]:
            best = (took, candidate)
    took, arithmetic = best if best is not None else (float("nan"), candidates[0])
    return Probe(arithmetic, took, peak_memory_gb(), tried)


def words(arithmetic: Arithmetic) -> str:
    """An arithmetic for people."""
    layout = "channels-last" if arithmetic.channels_last else "contiguous"
    return f"{arithmetic.precision} {layout}" + (" (1 thread)" if arithmetic.threads == 1 else "")


@dataclass(frozen=True)
class Steps:
    """What a step needs."""

    network: nn.Module
    phases: Sequence[Phase]
    feed: Feed
    device: torch.device

    def take(self, step: int, precision: str, optimisers: Sequence[Optimizer]) -> float:
        """Seconds of one whole step, as the loop takes it; the weights stay as they are."""
        began = time.monotonic()
        batch = self.feed.make(step).to(self.device)
        if self.device.type != "cpu":
            # The loop makes batches ahead while an accelerator computes.
            began = time.monotonic()
        for phase, optimiser in zip(self.phases, optimisers, strict=True):
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
                loss = phase.loss(self.network, batch)
            torch.autograd.backward(loss.float())
            optimiser.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.monotonic() - began


def _seconds_per_step(steps: Steps, arithmetic: Arithmetic, seconds: float) -> float:
    """The fastest of the steps that fit into `seconds`, the first two left out."""
    lay_out(steps.network, arithmetic.channels_last)
    steps.network.train()
    optimisers = [AdamW(list(phase.parameters(steps.network)), lr=0.0) for phase in steps.phases]
    before = torch.get_num_threads()
    torch.set_num_threads(arithmetic.threads)
    times: list[float] = []
    try:
        began = time.monotonic()
        while len(times) < MOST_STEPS and (len(times) < WARM + 2 or time.monotonic() - began < seconds):
            times.append(steps.take(len(times), arithmetic.precision, optimisers))
    finally:
        torch.set_num_threads(before)
        steps.network.zero_grad(set_to_none=True)
    # The fastest: what the machine can do when nothing else runs; the loop's first look corrects it.
    return min(times[WARM:])
