"""explain: maps of what in the image led to an answer, shown only where the sanity check passed."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from diascope import formats
from diascope.core import registry
from diascope.core.case import Case, FileRef
from diascope.core.errors import BadUsage, UnknownName
from diascope.core.figure import Gallery, Grid, Passages, Picture
from diascope.core.finding import Finding
from diascope.core.plan import Plan
from diascope.core.record import write_durably
from diascope.engine.batch import Example, Output
from diascope.engine.given import is_given
from diascope.engine.opening import ready
from diascope.engine.preparing import prepared
from diascope.explainers import kind_taken
from diascope.explainers.maps import InColumns, InLetters, InOrder
from diascope.explainers.sanity import weights_check
from diascope.models.words.vocabulary import decoded
from diascope.reports.evidence_words import AGAINST, FOR, evidence_passage
from diascope.reports.html import render_figures
from diascope.reports.pictures import slice_picture
from diascope.reports.traces import trace_picture
from diascope.store.releases import OpenRelease, open_release

EXPLAINER = "grad_cam"
IN_ORDER, IN_LETTERS, IN_COLUMNS = "occlusion", "words", "columns"
"""Explain what is no picture: they ask nothing of the network but its answer."""
ADDED = "what each column adds to the score, as columns are added in random orders (Shapley); no gradient was asked"
EXACT = "exact: the score is a sum, and these are its parts; darker words count more"
COVERED = "by how far the answer falls when a word is blank; nothing was learnt by gradient, so that no check is needed"


def explain_cases(
    network: nn.Module,
    plan: Plan,
    cases: Sequence[Case],
    root: Path,
    setting: tuple[str, int] = (EXPLAINER, 0),
    label: str | None = None,
    decision: Mapping[str, Any] | None = None,
) -> tuple[Gallery | Passages, ...]:
    """Explained cases, as pictures or texts, or a line that says why there are none.

    Args:
        network: With an output vector; dense outputs show where by themselves.
        plan: How cases are prepared.
        cases: A few.
        root: Folder that relative paths start at.
        setting: Name of the explainer, seed of the randomised weights.
        label: What is to be explained; None: of each case what is said most strongly.
        decision: Calibration and operating point, by which it is said; None: the largest output.

    Raises:
        UnknownName: When there is no such label.
    """
    asked = _output_of(label, plan)
    if (name := _lettered(plan)) is not None and str(network.output) == "vector" and cases:
        examples = [prepared(case, root, plan)[0] for case in cases]
        inner = InLetters(network, name)
        chosen = said_most(inner, examples, plan, decision) if asked is None else [asked] * len(examples)
        return (_in_words(inner, plan, examples, chosen, setting),)
    traced = _traced(plan)
    alone = (bool(plan["image_inputs"]) and not plan["readings"]) or traced is not None
    if str(network.output) != "vector" or not alone or not cases or next(network.parameters(), None) is None:
        return ()
    name, seed = setting
    explainer = registry.get("explainers", IN_ORDER if traced is not None and name == EXPLAINER else name)
    examples = [prepared(case, root, plan)[0] for case in cases]
    images = _stacked(examples, plan)
    network = network if traced is None else InOrder(network, traced)
    chosen = said_most(network, examples, plan, decision) if asked is None else [asked] * len(examples)
    result = weights_check(network, explainer, images, chosen[0], seed)
    title = f"What the network looked at ({explainer.title})"
    alike = "undefined" if result.similarity is None else f"{result.similarity:.2f}"
    words = (
        f"sanity check: maps of the trained and of randomised weights correlate by {alike} (limit {result.limit:.2f})"
    )
    if not result.passed:
        return (Gallery(title=title, pictures=(), note=f"hidden, because it failed its {words}"),)
    pictures = []
    for number, (case, example) in enumerate(zip(cases, examples, strict=True)):
        heat = explainer.explain(network, images[number : number + 1], chosen[number])[0]
        if traced is None:
            pictures.append(_picture(case, example, heat, plan, (root, chosen[number])))
        else:
            caption = f"evidence for {_label(plan, chosen[number])}"
            pictures.append(_trace(case.id, example.inputs[traced], heat[0, 0], plan["readings"][traced], caption))
    return (Gallery(title=title, pictures=tuple(pictures), note=words),)


def _in_words(
    network: InLetters, plan: Plan, examples: Sequence[Example], chosen: Sequence[int], setting: tuple[str, int]
) -> Passages:
    """Texts with the words that led to what was said."""
    name, seed = setting
    explainer = registry.get("explainers", IN_LETTERS if name == EXPLAINER else name)
    if kind_taken(explainer) != "text":
        raise BadUsage(f"the explainer {name!r} explains no texts", todo=f"Use --explainer {IN_LETTERS}")
    texts = _stacked(examples, plan)
    title = f"What the model looked at ({explainer.title})"
    note = EXACT if network.shares is not None else COVERED
    if network.shares is None and next(network.parameters(), None) is not None:
        result = weights_check(network, explainer, texts, chosen[0], seed)
        alike = "undefined" if result.similarity is None else f"{result.similarity:.2f}"
        note = f"sanity check: maps of the trained and of randomised weights correlate by {alike} "
        note += f"(limit {result.limit:.2f})"
        if not result.passed:
            return Passages(title=title, passages=(), note=f"hidden, because it failed its {note}")
    passages = []
    for number, (example, output) in enumerate(zip(examples, chosen, strict=True)):
        weights = explainer.explain(network, texts[number : number + 1], output)[0]
        text = decoded(texts[number].numpy())
        caption = f"evidence for {_label(plan, output)}"
        passages.append(evidence_passage(text, weights[: len(text)], caption, example.case.id))
    return Passages(title=title, passages=tuple(passages), legend=(("for", FOR), ("against", AGAINST)), note=note)


def in_columns(network: nn.Module, plan: Plan, example: Example, setting: tuple[str, int], output: int) -> Grid:
    """What each column of a row adds to what is said of it, the strongest first.

    Args:
        network: With an output vector.
        plan: Of one input, a row of a table.
        example: The case.
        setting: Name of the explainer, and a seed that nothing is drawn with.
        output: Number of the output.

    Raises:
        BadUsage: When the explainer is none for rows.
        MissingPackage: When what it needs is not installed.
    """
    name = str(_only(plan, "table"))
    explainer = registry.get("explainers", IN_COLUMNS if setting[0] == EXPLAINER else setting[0])
    if kind_taken(explainer) != "table":
        raise BadUsage(f"the explainer {setting[0]!r} explains no rows", todo=f"Use --explainer {IN_COLUMNS}")
    settings, row = plan["readings"][name], example.inputs[name]
    found = explainer.explain(InColumns(network, name), torch.from_numpy(row)[None], output)[0]
    words, columns = settings.get("categories", {}), settings["columns"]
    strongest = np.argsort(-np.abs(found), kind="stable")
    rows = [(columns[n], _cell(row[n], words.get(columns[n])), round(float(found[n]), 3)) for n in strongest]
    return Grid(
        title=f"What led to {_label(plan, output)}: {example.case.id}",
        columns=("column", "value", "for (+) or against (-)"),
        rows=tuple(rows),
        note=ADDED,
    )


def _cell(value: float, words: Sequence[str] | None) -> str | float | None:
    """A value as it stood in the row: a word by its name, None where it is missing."""
    if not math.isfinite(value):
        return None
    return words[int(value)] if words else round(float(value), 4)


def _lettered(plan: Plan) -> str | None:
    """Name of the one input where it is a text; None where it is none, or not alone."""
    return _only(plan, "text")


def _only(plan: Plan, kind: str) -> str | None:
    """Name of the one input where it is of a kind; None where it is not, or not alone."""
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    if plan["image_inputs"] or len(readings) != 1:
        return None
    return next((name for name, settings in readings.items() if settings["kind"] == kind), None)


def _output_of(label: str | None, plan: Plan) -> int | None:
    """The place of a label among the outputs."""
    places = {one.name: one.value for one in plan.target.labels}
    if label is not None and label not in places:
        raise UnknownName("label", label, places)
    return None if label is None else places[label]


def said_most(
    network: nn.Module, examples: Sequence[Example], plan: Plan, decision: Mapping[str, Any] | None
) -> list[int]:
    """Of each case the label that is said most strongly: the most probable of those that are called present, if any."""
    with torch.no_grad():
        values = network({"image": _stacked(examples, plan)}).float().numpy()
    chosen = [int(one.argmax()) for one in values]
    if decision is None:
        return chosen
    task, places = registry.get("tasks", plan.task), {one.name: one.value for one in plan.target.labels}
    for number, (one, example) in enumerate(zip(values, examples, strict=True)):
        findings = task.decode(Output(one), example, decision, plan).findings
        said = [
            (f.status == "present", f.measures["probability"].value, f.concept) for f in findings if _says(f, places)
        ]
        chosen[number] = places[max(said)[2]] if said else chosen[number]
    return chosen


def _says(finding: Finding, places: Mapping[str, int]) -> bool:
    return finding.concept in places and "probability" in finding.measures


def _stacked(examples: Sequence[Example], plan: Plan) -> torch.Tensor:
    """What an explainer covers, (B, C, Z, Y, X): the images, or signals as images of one row; of texts (B, L).

    Of rows of tables (B, D).
    """
    traced = _traced(plan)
    if (name := _lettered(plan) or _only(plan, "table")) is not None:
        return torch.stack([torch.from_numpy(example.inputs[name]) for example in examples])
    stacked = torch.stack([torch.from_numpy(example.inputs[traced or "image"]) for example in examples])
    return stacked if traced is None else stacked[:, :, None, None]


def _traced(plan: Plan) -> str | None:
    """Name of the one input where it has channels of samples in order; None where it is no such input, or not alone."""
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    if plan["image_inputs"] or len(readings) != 1:
        return None
    return next((name for name, settings in readings.items() if "rate" in settings), None)


def _trace(case: str, array: Any, heat: Any, settings: Mapping[str, Any], caption: str) -> Picture:
    there = array[-1] > 0
    return trace_picture(
        array[:-1], there, heat, settings["channels"], caption=caption, case=case, rate=settings["rate"]
    )


def _label(plan: Plan, output: int) -> str:
    return next((one.name for one in plan.target.labels if one.value == output), str(output))


def _picture(case: Case, example: Example, heat: Any, plan: Plan, rest: tuple[Path, int]) -> Any:
    """The heat map lies on the working grid; it is shown on the prepared image, whose voxels are the same."""
    root, output = rest
    ref = case.inputs[plan["image_inputs"][0]]
    image = formats.read(ref, root) if isinstance(ref, FileRef) else None
    label = _label(plan, output)
    channels = plan["channels"][plan["image_inputs"][0]]
    geometry = example.geometry
    if image is None or geometry is None:
        return slice_picture(_plain(example), heat=heat, caption=label, case=case.id)
    shown = image.with_array(example.inputs["image"][:channels], geometry)
    return slice_picture(_grey(shown), heat=heat, caption=f"evidence for {label}", case=case.id)


def _plain(example: Example) -> Any:
    from diascope.core.geometry import Geometry
    from diascope.core.image import Image

    return Image(example.inputs["image"][:1], example.geometry or Geometry.unknown())


def _grey(image: Any) -> Any:
    from dataclasses import replace

    return replace(image, modality="unknown", unit="a.u.")


def _written(figure: Gallery | Passages | Grid, case: Case, out: Path) -> Iterator[Path]:
    """Write what explains one case."""
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in case.id)[:80] or "case"
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(figure, Grid):
        path = out / f"{name}.html"
        write_durably(path, render_figures(figure.title, (figure,)).encode())
        yield path
        return
    if isinstance(figure, Passages):
        if figure.passages:
            path = out / f"{name}.html"
            write_durably(path, render_figures(figure.passages[0].caption, (figure,)).encode())
            yield path
        return
    for picture in figure.pictures:
        path = out / f"{name}.png"
        path.write_bytes(base64.b64decode(picture.png))
        yield path


def explain(
    release: Path,
    cases: Sequence[tuple[Case, Path]],
    out: Path,
    setting: tuple[str, int],
    label: str | None = None,
) -> dict[str, Any]:
    """Explain what a release says about some cases, as pictures (of texts and rows: pages) in a folder.

    Args:
        release: Its folder.
        cases: Each with the folder that its paths start at.
        out: Folder for the pictures.
        setting: Name of the explainer, seed of the randomised weights.
        label: What is to be explained; None: of each case what is said most strongly.

    Returns:
        `sanity` in words and `pictures`, the files that were written.

    Raises:
        BadUsage: When the release's answers are places themselves.
        UnknownName: When it knows no such label.
    """
    opened = open_release(release)
    network = ready(opened, "torch").reader.networks[0]  # gradients are torch's
    files: list[str] = []
    words = ""
    for case, root in cases:
        figures: tuple[Gallery | Passages | Grid, ...]
        if _only(opened.plan, "table") is not None and str(network.output) == "vector":
            figures = (_row(network, opened, (case, root), setting, label),)
        else:
            figures = explain_cases(network, opened.plan, [case], root, setting, label, opened.release.decision)
        if not figures and is_given(opened.plan):
            raise BadUsage(
                "this release holds a network that was made elsewhere, as a file that is run as it is: it has no "
                "gradient that a map could be made of",
                todo="Explain it with the program that it was made with",
            )
        if not figures:
            raise BadUsage(
                "this release says where by itself, or reads no image: there is nothing to explain with a map",
                todo="Look at the picture that diascope predict writes",
            )
        words = figures[0].note
        files += [str(path) for path in _written(figures[0], case, out)]
    return {"sanity": words, "pictures": files}


def _row(
    network: nn.Module, opened: OpenRelease, one: tuple[Case, Path], setting: tuple[str, int], label: str | None
) -> Grid:
    plan, asked = opened.plan, _output_of(label, opened.plan)
    example = prepared(*one, plan)[0]
    if asked is None:
        rowed = InColumns(network, str(_only(plan, "table")))
        (asked,) = said_most(rowed, [example], plan, opened.release.decision)
    return in_columns(network, plan, example, setting, asked)
