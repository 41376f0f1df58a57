"""Can the label be guessed without looking at the patient?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from diascope.checks import Check
from diascope.checks.judging.seen import class_of, first_images
from diascope.checks.judging.words import count
from diascope.checks.probing.features import families
from diascope.checks.probing.probe import FEWEST, Probe, probe
from diascope.core.case import Case, Target
from diascope.core.figure import Bars
from diascope.core.finding import Measure
from diascope.core.presence import LABELS, presence
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

MOST_LABELS = 5
"""Labels that are probed, where a case may have several: each probe takes its time."""
SUSPECT = 0.65
"""Lower bound of the AUROC from which a family of features is a shortcut worth a warning."""
MEANS = {
    "file size": "the size of the file, whole and for each pixel: classes were stored or compressed differently",
    "aspect and size": "width, height and their ratio: classes were cropped or taken differently",
    "borders": "the grey of the four borders: frames, padding or collimation differ",
    "corners": "grey and edges in the corners: printed letters or markers differ",
    "header": "header fields, stored type, spacing or site: classes come from different machines",
}


class Shortcuts:
    """One probe for each family of features: cross-validated logistic regression, grouped by patient."""

    title = "Shortcuts: can the label be told from file size, borders, corners, aspect ratio or header fields?"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind not in ("category", LABELS):
            return []
        found: dict[str, Probe] = {}
        for name_of in _questions(survey, target):
            for name, told in _probed(survey, name_of).items():
                # Of several labels the one that is told best.
                if name not in found or told.low > found[name].low:
                    found[name] = told
        if not found:
            return []
        return [_summary(found), *(_warning(name, of) for name, of in found.items() if of.low > SUSPECT)]


def _questions(survey: Survey, target: Target) -> list[Callable[[Case], str | None]]:
    """What each case is called in a probe: its class; or with and without a label, for each of the commonest ones."""
    if target.kind != LABELS:
        return [partial(class_of, target=target)]
    counts = {name: sum(presence(case.targets.get(name)) == 1 for case in survey.cases) for name in target.columns}
    return [partial(_with_or_without, name) for name in sorted(counts, key=lambda name: -counts[name])[:MOST_LABELS]]


def _with_or_without(label: str, case: Case) -> str | None:
    return {1: label, 0: f"{label} absent"}.get(presence(case.targets.get(label)))  # type: ignore[arg-type]


def _probed(survey: Survey, name_of: Callable[[Case], str | None]) -> dict[str, Probe]:
    """Family of features to how well it tells what the cases are called."""
    labelled = [(case, facts, name_of(case)) for case, facts in first_images(survey)]
    known = [(case, facts, name) for case, facts, name in labelled if name is not None]
    labels = [name for _, _, name in known]
    patients = [case.patient for case, _, _ in known]
    probed = families([(case, facts) for case, facts, _ in known])
    return {name: result for name, features in probed.items() if (result := probe(features, labels, patients))}


def _summary(found: dict[str, Probe]) -> Problem:
    said = "; ".join(f"{name} {_interval(of)}" for name, of in found.items())
    return Problem(
        check="shortcuts",
        severity="note",
        title=f"{count(len(found), 'shortcut probe')}: highest AUROC {max(of.auroc for of in found.values()):.2f}",
        detail=f"AUROC of the best told class against the others (95 % interval): {said}. 0.5 is guessing. Classes of "
        f"fewer than {FEWEST} patients are not probed.",
        measures={name: Measure(value=of.auroc, low=of.low, high=of.high) for name, of in found.items()},
        figure=Bars(
            title="What the label can be told from",
            names=tuple(found),
            values=tuple(of.auroc for of in found.values()),
            low=tuple(of.low for of in found.values()),
            high=tuple(of.high for of in found.values()),
            note="Cross-validated AUROC of logistic regression on features that have nothing to do with disease.",
        ),
    )


def _warning(name: str, of: Probe) -> Problem:
    return Problem(
        check="shortcuts",
        severity="warn",
        title=f"shortcut: {of.label!r} can be told by its {name} alone, AUROC {_interval(of)}",
        detail=f"Told from {MEANS[name]}. A model may learn this instead of the disease, and fail elsewhere. Nothing "
        "was changed: compare the model's AUROC with this one, look at the explanations, and test on data from "
        "elsewhere.",
        measures={name: Measure(value=of.auroc, low=of.low, high=of.high)},
    )


def _interval(of: Probe) -> str:
    return f"{of.auroc:.2f} ({of.low:.2f} to {of.high:.2f})"


CHECK: Check = Shortcuts()
