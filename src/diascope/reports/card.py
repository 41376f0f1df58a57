"""The model card: one page of Markdown that travels with the weights (Mitchell et al. 2019)."""

from __future__ import annotations

from diascope.core.case import Dataset
from diascope.core.evaluation import Evaluation, Release
from diascope.core.finding import Measure
from diascope.core.plan import Plan


def model_card(release: Release, evaluation: Evaluation, plan: Plan, dataset: Dataset) -> str:
    """The card of a release.

    Args:
        release: The index, hashes not needed.
        evaluation: Of the release.
        plan: It was trained with.
        dataset: It was trained on.
    """
    labels = ", ".join(label.name for label in release.target.labels) or "none"
    patients = len({case.patient for case in dataset.cases})
    lines = [
        f"# {release.label}",
        "",
        f"**Not a medical device.** {release.intended_use}",
        "",
        f"- Task: {release.task}; target `{release.target.name}`: {labels}",
        f"- Trained on `{release.dataset}`: {len(dataset.cases)} cases of {patients} patients",
        f"- Network: `{plan['model']}`, {len(release.members)} member(s)",
        f"- Read with: {release.backend} {release.precision}",
        f"- Made: {release.created}; signed: {release.signed_by or 'no (candidate)'}",
        f"- Licence of the weights: {release.licence or 'not stated'}",
        "",
        f"## Evaluation ({evaluation.part}: {evaluation.cases} cases, {evaluation.patients} patients)",
        "",
        "| metric | value (95 % interval) |",
        "|---|---|",
        *(f"| {name} | {_words(measure)} |" for name, measure in evaluation.metrics.items()),
        "",
        "## What it reads",
        "",
        *(
            f"- `{rule.input}`: {rule.modality}, {rule.dimensions}-D, {rule.channels} channel(s)"
            for rule in release.gate.rules
        ),
        "",
        "## Warnings",
        "",
        *([f"- {line}" for line in evaluation.warnings] or ["- none"]),
        "",
    ]
    return "\n".join(lines)


def _words(measure: Measure) -> str:
    if measure.value is None:
        return f"undefined {measure.note}".strip()
    interval = (
        f" ({measure.low:.3f}–{measure.high:.3f})" if measure.low is not None and measure.high is not None else ""
    )
    unit = "" if measure.unit == "1" else f" {measure.unit}"
    note = f" – {measure.note}" if measure.note else ""
    return f"{measure.value:.3f}{unit}{interval}{note}"
