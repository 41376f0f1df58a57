"""The one training loop, in plain sight, on Lightning Fabric.

It asks the task for phases and never which task it is. It counts steps, never the clock: `pace.py` may change their
number, but only through a change that is logged and stored, so that a resume and a replay obey it.
"""

from __future__ import annotations

import math
import time

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from diascope.core.errors import Stopped, TrainingFailed
from diascope.engine.batch import Batch
from diascope.engine.checkpoint import (
    read_checkpoint,
    write_checkpoint,
)
from diascope.engine.compiling import own_stance, words
from diascope.engine.log import RunLog
from diascope.engine.sharing import any_of, joined, mean_of
from diascope.engine.state import Kept, State, Training
from diascope.engine.stopping import Stopping
from diascope.engine.task import Phase

SKIP_BUDGET = 5
"""Steps that may be skipped for a loss that is not finite, or a spike, before training stops (F4)."""
SPIKE = 1000.0
"""A loss this many times as large as usual (plus one, for losses near zero) is a spike."""
CALM = 0.95
"""Decay of the average that says what a usual loss is."""


def run_loop(training: Training, fabric: Fabric) -> State:
    """Train to the end of the schedule.

    Returns:
        The state; `average` holds the weights to release.

    Raises:
        TrainingFailed: When too many steps had a loss that is not finite; names the cases.
        Stopped: On Ctrl-C, after a checkpoint was written; says how to resume.
    """
    log = RunLog(training.folder, fabric.global_rank == 0)
    state = State(training, fabric)
    step = _resumed(training, state, fabric, log)
    with Stopping() as stopping, own_stance():
        while step < state.total:
            for batch in training.feed.batches(step, state.total, ahead=fabric.device.type != "cpu"):
                state.trial.switch(batch.step)
                began = time.monotonic()
                _one_step(training, state, fabric, batch.to(fabric.device), log)
                step = batch.step + 1
                _judge_compiling(training, state, fabric, (batch.step, time.monotonic() - began), log)
                _after_step(training, state, fabric, step, log)
                if any_of(fabric, stopping.wanted):
                    _stop(training, state, fabric, step, log)
                if step >= state.total:
                    break
    log.close()
    return state


def _judge_compiling(training: Training, state: State, fabric: Fabric, took: tuple[int, float], log: RunLog) -> None:
    """Once in a run: whether compiled steps were faster; the clock of `pace` starts anew, since the steps change."""
    shown = state.trial.seen(*took)
    if shown is None:
        return
    facts = fabric.broadcast(shown) if fabric.world_size > 1 else shown
    state.trial.verdict = facts["faster"]
    log.decide(took[0] + 1, "compile", facts)
    training.show({"event": "compile", "message": words(facts)})
    training.pace.forget()


def _stop(training: Training, state: State, fabric: Fabric, step: int, log: RunLog) -> None:
    kept = "nothing is kept of these few steps"
    if not state.trial.undecided:
        kept = "everything up to here is kept"
        if fabric.global_rank == 0:
            _save(training, state, step, log)
    raise Stopped(
        f"stopped at step {step} of {state.total}; {kept}",
        given=str(training.folder),
        todo="Resume with: diascope train PLAN --resume",
    )


def _resumed(training: Training, state: State, fabric: Fabric, log: RunLog) -> int:
    """Put the newest sound checkpoint back; changes of the schedule that were logged after it will be obeyed."""
    found = read_checkpoint(training.folder / "checkpoints") if training.resume else None
    if found is not None:
        tensors, facts, passed = found
        state.load(tensors, facts)
        log.restore(facts["window"])
        for line in passed:
            training.show({"event": "warning", "message": line})
    step = int(found[1]["step"]) if found is not None else 0
    if training.resume:
        training.pace.used = float(found[1]["seconds"]) if found is not None else 0.0
        lines = log.decided(step)
        state.decided |= {line["step"]: (line["to"], line["reason"]) for line in lines if line["event"] == "schedule"}
        verdicts = [line["faster"] for line in lines if line["event"] == "compile"]
        state.trial.verdict = verdicts[0] if verdicts else state.trial.verdict
    if fabric.world_size > 1:
        state.decided, state.trial.verdict = fabric.broadcast((state.decided, state.trial.verdict))
    log.truncate(step, training.resume)
    log.pace(step)
    return step


def _one_step(training: Training, state: State, fabric: Fabric, batch: Batch, log: RunLog) -> None:
    """All phases of one step; a phase whose loss or gradient is not finite moves nothing."""
    plan = training.plan
    state.objective.train()
    rate = plan["learning_rate"] * schedule(batch.step, state.total, plan["warmup"])
    for phase, optimiser in zip(training.phases, state.optimisers, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate * phase.rate
    for number, (phase, optimiser) in enumerate(zip(training.phases, state.optimisers, strict=True)):
        if batch.step % phase.every:
            continue
        # Dropout and in-loss noise are drawn from the step's own seed, so that a resume draws the same.
        torch.manual_seed((plan.seed * 1_000_003 + batch.step * 101 + number) % 2**63)
        before = [buffer.clone() for buffer in state.network.buffers()]
        optimiser.zero_grad(set_to_none=True)
        loss = state.objective(phase.name, dict(batch.inputs), Kept(batch.target), batch.step)
        value = mean_of(fabric, loss.detach())
        limit = SPIKE * (1 + state.usual[phase.name]) if phase.name in state.usual else math.inf
        sound = abs(value) <= limit and math.isfinite(value)
        if sound:
            fabric.backward(loss)
            norm = torch.nn.utils.clip_grad_norm_(list(phase.parameters(state.network)), plan["clip"])
            sound = not any_of(fabric, not bool(torch.isfinite(norm)))
        if not sound:
            # The statistics of norms have seen the batch in the forward pass: they must not keep it.
            for buffer, old in zip(state.network.buffers(), before, strict=True):
                buffer.copy_(old)
            optimiser.zero_grad(set_to_none=True)
            _skip(training, state, fabric, batch, phase, limit, log)
            continue
        optimiser.step()
        usual = state.usual.get(phase.name, abs(value))
        state.usual[phase.name] = CALM * usual + (1 - CALM) * abs(value)
        log.add(phase.name, value)
    _average(state, batch.step, plan["ema"])


def _skip(
    training: Training, state: State, fabric: Fabric, batch: Batch, phase: Phase, limit: float, log: RunLog
) -> None:
    culprits = joined(fabric, _culprits(state.average, phase, batch, limit)) or joined(fabric, list(batch.cases))
    named = ", ".join(culprits)
    state.skipped += 1
    log.event(batch.step + 1, "skipped", {"phase": phase.name, "cases": culprits})
    message = f"step {batch.step + 1}: the loss is not finite or far above all before, for {named}; skipped"
    training.show({"event": "warning", "message": message})
    if state.skipped > SKIP_BUDGET:
        raise TrainingFailed(
            f"the loss was not finite, or far above all before, in {state.skipped} steps, last for: {named}",
            todo="Look at these cases with diascope check, or lower the learning rate: --set learning_rate=...",
        )


def _culprits(network: nn.Module, phase: Phase, batch: Batch, limit: float) -> list[str]:
    """The cases whose own input or loss is not finite, or beyond the limit; none where the network is at fault.

    Asked of the averaged network in `eval()`: it is sound, and one case is no batch for a norm.
    """
    found = []
    with torch.no_grad():
        for number, case in enumerate(batch.cases):
            one = slice(number, number + 1)
            inputs = {key: value[one] for key, value in batch.inputs.items()}
            target = {key: value[one] for key, value in batch.target.items()}
            value = float(phase.loss(network, Batch(inputs, target, (case,), batch.step)))
            bad_input = any(not bool(torch.isfinite(v).all()) for v in inputs.values() if v.is_floating_point())
            if bad_input or not math.isfinite(value) or abs(value) > limit:
                found.append(case)
    return found


def _average(state: State, step: int, decay: float) -> None:
    """Exponential moving average of the weights, short at first (Polyak 1992; warm-up as in TensorFlow's EMA)."""
    weight = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        mine: list[Tensor] = list(state.average.parameters())
        theirs: list[Tensor] = list(state.network.parameters())
        torch._foreach_lerp_(mine, theirs, weight)
        for own, other in zip(state.average.buffers(), state.network.buffers(), strict=True):
            own.copy_(other)


def _after_step(training: Training, state: State, fabric: Fabric, step: int, log: RunLog) -> None:
    plan, last = training.plan, step >= state.total
    if step % plan["log_every"] == 0 or last:
        line = log.flush(step, plan["learning_rate"] * schedule(step - 1, state.total, plan["warmup"]))
        training.show({"step": step, "total": state.total, **line, "pace": log.pace(step)})
    # A run that was lengthened is not looked at more often.
    every = plan["validate_every"] * max(1, state.total // max(1, plan["steps"]))
    if every and (step % every == 0 or last) and fabric.global_rank == 0:
        scores = dict(training.validate(state.average))
        log.event(step, "validation", scores)
        training.show({"step": step, "total": state.total, "validation": scores})
    change = _change(training, state, fabric, step)
    if change is not None:
        total, reason = change
        log.decide(step, "schedule", {"from": state.total, "to": total, "reason": reason})
        training.show({"event": "schedule", "message": f"step {step}: {state.total} -> {total} steps ({reason})"})
        state.change_total(step, total)
    # A run resumed within the trial would have nothing to compare.
    due = last or (step % plan["checkpoint_every"] == 0 and not state.trial.undecided)
    if due and fabric.global_rank == 0:
        _save(training, state, step, log)


def _change(training: Training, state: State, fabric: Fabric, step: int) -> tuple[int, str] | None:
    """A change that was decided before (by the plan, or before a kill); the clock is asked only beyond those."""
    if step in state.decided:
        return state.decided[step]
    if training.schedule is not None or any(later > step for later in state.decided):
        return None
    proposal = training.pace.propose(step, state.total)
    return fabric.broadcast(proposal) if fabric.world_size > 1 else proposal


def _save(training: Training, state: State, step: int, log: RunLog) -> None:
    log.sync()
    facts = {
        "skipped": state.skipped,
        "total": state.total,
        "changes": state.changes,
        "usual": state.usual,
        "compiled": state.trial.verdict,
        "seconds": training.pace.elapsed(),
        "window": log.window(),
    }
    write_checkpoint(training.folder / "checkpoints", step, state.tensors(), facts)


def schedule(step: int, total: int, warmup: int) -> float:
    """Share of the peak learning rate: linear warm-up, then cosine to 1 % (Loshchilov & Hutter 2017)."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
