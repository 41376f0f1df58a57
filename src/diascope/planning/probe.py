"""The probe: a few real training steps on this machine, to choose the arithmetic and to know what a step costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from diascope.core.plan import Plan
from diascope.engine.batch import Batch
from diascope.engine.devices import Arithmetic, lay_out, peak_memory_gb
from diascope.engine.feeding import Feed, Stored
from diascope.engine.task import Phase

MOST_SECONDS = 30.0
WARM = 2
"""Steps left out: first touches of memory, and the choice of kernels."""
MOST_SHARE = 0.05
"""Of the budget."""


@dataclass(frozen=True)
class Probe:
    """What was measured.

    Args:
        arithmetic: The fastest.
        seconds_per_step: With it.
        seconds_per_batch: To make one batch (reading and augmentation).
        peak_gb: Peak memory of this process after the steps.
        tried: Arithmetic in words to its seconds a step.
    """

    arithmetic: Arithmetic
    seconds_per_step: float
    seconds_per_batch: float
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
    """Time each candidate on real batches; those that no time is left for are not tried, and the result says so."""
    feed = Feed(cases, plan)
    batch = feed.make(0)
    began = time.monotonic()
    feed.make(1)
    making = time.monotonic() - began
    began, tried = time.monotonic(), {}
    best: tuple[float, Arithmetic] | None = None
    for number, candidate in enumerate(candidates):
        left = seconds - (time.monotonic() - began)
        if number and left < seconds / len(candidates) / 2:
            break
        took = _seconds_per_step(network, phases, batch, candidate, left / (len(candidates) - number))
        tried[words(candidate)] = took
        if best is None or took < 0.95 * best[0]:
            best = (took, candidate)
    took, arithmetic = best if best is not None else (float("nan"), candidates[0])
    return Probe(arithmetic, took, making, peak_memory_gb(), tried)


def words(arithmetic: Arithmetic) -> str:
    """An arithmetic for people."""
    return f"{arithmetic.precision} {'channels-last' if arithmetic.channels_last else 'contiguous'}"


def _seconds_per_step(
    network: nn.Module, phases: Sequence[Phase], batch: Batch, arithmetic: Arithmetic, seconds: float
) -> float:
    """The fastest of the steps that fit into `seconds`, the first two left out."""
    lay_out(network, arithmetic.channels_last)
    network.train()
    before = torch.get_num_threads()
    torch.set_num_threads(arithmetic.threads)
    times: list[float] = []
    try:
        began = time.monotonic()
        while len(times) < 6 and (len(times) < WARM + 2 or time.monotonic() - began < seconds):
            start = time.monotonic()
            for phase in phases:
                network.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=arithmetic.precision == "bf16"):
                    loss = phase.loss(network, batch)
                torch.autograd.backward(loss.float())
            times.append(time.monotonic() - start)
    finally:
        torch.set_num_threads(before)
        network.zero_grad(set_to_none=True)
    # The fastest: what the machine can do when nothing else runs; the loop's first look corrects it.
    return min(times[WARM:])
