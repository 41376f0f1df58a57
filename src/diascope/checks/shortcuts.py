"""Can the label be guessed without looking at the patient?"""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.seen import class_of, first_images
from diascope.checks.judging.words import count
from diascope.checks.probing.features import families
from diascope.checks.probing.probe import FEWEST, Probe, probe
from diascope.core.figure import Bars
from diascope.core.finding import Measure
from diascope.core.problem import Problem
from diascope.planning.survey import Survey

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
        if target is None or target.kind != "category":
            return []
        labelled = [(case, facts, class_of(case, target)) for case, facts in first_images(survey)]
        known = [(case, facts, name) for case, facts, name in labelled if name is not None]
        labels = [name for _, _, name in known]
        patients = [case.patient for case, _, _ in known]
        probed = families([(case, facts) for case, facts, _ in known])
        found = {name: result for name, features in probed.items() if (result := probe(features, labels, patients))}
        if not found:
            return []
        return [_summary(found), *(_warning(name, of) for name, of in found.items() if of.low > SUSPECT)]


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
