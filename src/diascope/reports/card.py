"""The model card: one page of Markdown that travels with the weights (Mitchell et al. 2019)."""

from __future__ import annotations

from typing import Any

from diascope.core.case import Dataset
from diascope.core.evaluation import Evaluation, Release
from diascope.core.finding import Measure
from diascope.core.plan import Plan

MADE, LICENCE = "- Made: ", "- Licence of the weights: "
NOT_STATED = "not stated by the data's source"
NOT_GIVEN = "not given: ask those who made it before you use it"


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
        f"- {_taught(plan)} `{release.dataset}`: {len(dataset.cases)} cases of {patients} patients",
        f"- Network: `{plan['model']}`, {len(release.members)} member(s)",
        *_origin(plan),
        *_asked(plan),
        f"- Read with: {release.backend} {release.precision}",
        _made(release),
        _licence(release),
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
        *(
            f"- `{rule.input}`: {rule.column}, {rule.low:.4g} to {rule.high:.4g} {rule.unit}".rstrip()
            for rule in release.gate.columns
        ),
        "",
        *_blocked(evaluation),
        "## Warnings",
        "",
        *([f"- {line}" for line in evaluation.warnings] or ["- none"]),
        "",
    ]
    return "\n".join(lines)


def signed_card(card: str, release: Release) -> str:
    """The card of a release after it was signed: who signed, and the licence, are those of the index."""
    lines = {MADE: _made(release), LICENCE: _licence(release)}
    return "".join(
        next((f"{new}\n" for start, new in lines.items() if line.startswith(start)), line)
        for line in card.splitlines(keepends=True)
    )


def licence_text(release: Release, dataset: str, elsewhere: bool = False) -> str:
    """What stands in the file `LICENCE`: what the weights may be used for, as far as anybody said it.

    Args:
        release: The index.
        dataset: What the source of the data states; empty where it states nothing.
        elsewhere: Whether the network was made elsewhere, and learnt nothing from the data.
    """
    if elsewhere:
        return (
            f"Licence of the model in {release.label}, as who adopted it says: {release.licence or NOT_GIVEN}\n\n"
            f"It was made elsewhere, and measured and recalibrated on the data set {release.dataset}.\n"
            f"Licence of the data: {dataset or NOT_STATED}\n\n{release.intended_use}\n"
        )
    return (
        f"Licence of the weights of {release.label}: {release.licence or NOT_STATED}\n\n"
        f"They were learnt from the data set {release.dataset}.\n"
        f"Licence of the data: {dataset or NOT_STATED}\n\n"
        "Whether the licence of data binds what was learnt from it is for those who hold the rights to say: ask them\n"
        f"before you use the weights for what the data may not be used for. {release.intended_use}\n"
    )


def _blocked(evaluation: Evaluation) -> list[str]:
    return ["## Must not be used", "", *(f"- {why}" for why in evaluation.blocks), ""] if evaluation.blocks else []


def origin_of(plan: Plan) -> dict[str, Any]:
    """Where a network that was made elsewhere comes from; empty where it was trained here."""
    found: dict[str, Any] = plan["origin"] if "origin" in plan.choices else {}
    return found


def _taught(plan: Plan) -> str:
    return "Nothing was trained here; measured and recalibrated on" if origin_of(plan) else "Trained on"


def _origin(plan: Plan) -> list[str]:
    """Of a network that was made elsewhere: which, by whom, the hash of its file."""
    origin = origin_of(plan)
    if not origin:
        return []
    source = f", {origin['source']}" if origin["source"] else ""
    code = [] if origin["format"] == "onnx" else ["- **It is TorchScript: opening it runs code of whoever made it**"]
    return [f"- Made elsewhere: {origin['name']}{source} (`{origin['file']}`, SHA-256 {origin['sha256']})", *code]


def _asked(plan: Plan) -> list[str]:
    """What a user asked of the images and of the weights; nothing where they asked nothing."""
    value = {name: choice.value for name, choice in plan.choices.items()}
    lines = (
        [f"- Filters of the images: {', '.join(name for name, _ in value['preprocess'])}"]
        if value.get("preprocess")
        else []
    )
    lines += [f"- Volumes are read as slices, {value['slices']} at once"] if value.get("slices") else []
    if start := value.get("weights"):
        frozen = f"; its first {value['freeze']} stage(s) were not trained" if value.get("freeze") else ""
        source = start["of"] or start["file"].rsplit("/", 1)[-1]
        lines.append(f"- Started from `{source}` (SHA-256 {start['sha256'][:12]}), {start['taken']} weights{frozen}")
    return lines


def _made(release: Release) -> str:
    signed = f"{release.signed_by}, {release.signed_at}" if release.signed_by else "no (candidate)"
    return f"{MADE}{release.created}; signed: {signed}"


def _licence(release: Release) -> str:
    return f"{LICENCE}{release.licence or NOT_STATED}"


def _words(measure: Measure) -> str:
    if measure.value is None:
        return f"undefined {measure.note}".strip()
    interval = (
        f" ({measure.low:.3f}–{measure.high:.3f})" if measure.low is not None and measure.high is not None else ""
    )
    unit = "" if measure.unit == "1" else f" {measure.unit}"
    note = f" – {measure.note}" if measure.note else ""
    return f"{measure.value:.3f}{unit}{interval}{note}"
