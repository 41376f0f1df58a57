"""The sections of a release's page: its operating point in words, its figures, its metrics, its history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from diascope.core.evaluation import Evaluation
from diascope.core.figure import Gallery, Passages
from diascope.core.finding import Measure
from diascope.reports import results
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.numbers import measure_text
from diascope.reports.tables import fold, table
from diascope.serve.room import numbers
from diascope.serve.room.models import Model, address_of
from diascope.serve.room.models_history import Happened, Version
from diascope.serve.room.operating import in_words, labels_of, said_of
from diascope.serve.room.words import Words
from diascope.serve.service import Service

CARD = "model-card.md"
LONGEST = 100_000
"""Characters of a model card that are shown."""
RELIABILITY = ("Reliability", "Calibration of")
"""How the titles of reliability curves begin (`tasks/curves`)."""
CALIBRATION = ("ece", "brier", "calibration_slope")


def sections(
    service: Service, one: Model, history: Sequence[Version], happened: Sequence[Happened], words: Words
) -> list[Markup]:
    """Everything below the head."""
    evaluation = one.evidence.evaluation
    found: list[tuple[str, Child]] = []
    if evaluation is None:
        found.append(("measured", tag("p", words("models.unmeasured"), " ", one.evidence.wrong, class_="warning")))
    else:
        found += _measured(one, evaluation, words)
    found.append(("history", _history(history, happened, words)))
    found.append(("card", _card(service.workspace.releases / one.label / CARD, one.label, words)))
    return [
        tag("section", tag("h2", words(f"models.section.{name}")), _lead(name, words), content, id=name)
        for name, content in found
        if content
    ]


def _lead(name: str, words: Words) -> Markup | None:
    leads = ("operating", "calibration", "metrics", "subgroups", "worst", "history")
    return tag("p", words(f"models.lead.{name}"), class_="lead") if name in leads else None


def _measured(one: Model, evaluation: Evaluation, words: Words) -> list[tuple[str, Child]]:
    said = words.reports
    # Pictures apart: they are the worst, middle and best cases, not a measure.
    drawn = {one.title for one in evaluation.figures if one.title.startswith(RELIABILITY)}
    others = [one for one in evaluation.figures if one.title not in drawn]
    curves = results.curves(evaluation.model_copy(update={"figures": tuple(others)}), said)
    part = evaluation.part if evaluation.part in ("test", "cross-validated", "external") else "other"
    on = words(f"models.part.{part}", n=f"{evaluation.patients:,}", cases=f"{evaluation.cases:,}")
    warnings = [tag("p", words.phrase(line), class_="warning") for line in evaluation.warnings]
    return [
        ("measured", [tag("p", on, class_="lead"), *warnings, results.headline_cards(evaluation, said)]),
        ("operating", _operating(one, evaluation, words)),
        ("calibration", _calibration(evaluation, words)),
        ("curves", curves),
        ("metrics", results.metric_tables(evaluation, said)),
        ("subgroups", results.subgroup_tables(evaluation, said)),
        ("worst", results.examples(evaluation, said) if _has_cases(evaluation) else None),
    ]


def _has_cases(evaluation: Evaluation) -> bool:
    return bool(evaluation.cases_ranked) or any(isinstance(one, Gallery | Passages) for one in evaluation.figures)


def _operating(one: Model, evaluation: Evaluation, words: Words) -> Child:
    """What it misses and flags wrongly, label by label; how the point was chosen."""
    release = one.evidence.release
    if release is None:
        return None
    rows: list[Markup] = []
    for label in labels_of(release.target):
        said = said_of(evaluation, release.target, label)
        if said is None:
            rows.append(tag("li", words("models.operating.unknown", label=words.phrase(label)), class_="quiet"))
        else:
            rows.append(tag("li", words("models.between").join(in_words(each, words) for each in said)))
    rule = evaluation.decision.get("rule")
    text = rule.get(words.lang) or rule.get("en") if isinstance(rule, dict) else rule
    chosen = tag("p", words("models.operating.rule", rule=words.phrase(str(text))), class_="quiet") if text else None
    return [tag("ul", rows, class_="operating"), chosen]


def _calibration(evaluation: Evaluation, words: Words) -> Child:
    """Whether its probabilities mean what they say."""
    names = [name for name in evaluation.metrics if name.partition("/")[0] in CALIBRATION]
    if not names:
        return tag("p", words("models.calibration.none"), class_="quiet")
    rows: list[list[Child]] = []
    for name in names:
        measure = evaluation.metrics[name]
        note = tag("small", words.phrase(measure.note)) if measure.note else None
        rows.append([words.reports.metric(name), [measure_text(measure, words.reports), note]])
    shown = table([words("models.metric"), words("models.value")], rows, ("", "number"))
    curves = [one for one in evaluation.figures if one.title.startswith(RELIABILITY)]
    return [
        results.figures(curves, words.reports) if curves else None,
        shown if len(rows) <= 6 else fold(words.count("models.calibration.all", len(rows)), shown),
    ]


def _history(history: Sequence[Version], happened: Sequence[Happened], words: Words) -> Child:
    """Versions of the same name, and what was done to this one."""
    rows: list[list[Child]] = [_version(one, words) for one in history]
    names = ("version", "created", "signed", "changed")
    versions = table([words(f"models.{name}") for name in names], rows, ("", "", "", ""), class_="versions")
    deeds = [
        tag("li", words(f"models.happened.{each.action}", by=each.by, at=numbers.moment(each.at))) for each in happened
    ]
    return [versions, tag("ul", deeds, class_="happened") if deeds else tag("p", words("models.happened.none"))]


def _version(one: Version, words: Words) -> list[Child]:
    release = one.evidence.release
    link = tag("a", one.evidence.label, href=address_of(one.evidence.label))
    if release is None:
        return [link, "", "", words.phrase(one.evidence.wrong)]
    who = release.signed_by or words("models.unsigned")
    signed = [tag("span", who), tag("small", (release.signed_at or "")[:10])]
    return [link, release.created.replace("T", " ")[:16], signed, _changes(one, words)]


def _changes(one: Version, words: Words) -> Child:
    if not one.before:
        return tag("span", words("models.first"), class_="quiet")
    if not one.changes:
        return tag("span", words("models.not_comparable", before=one.before), class_="quiet")
    lines = [tag("li", words.reports.metric(name), " ", _signed(each, words)) for name, each in one.changes.items()]
    how = words("models.changed.same" if one.same_cases else "models.changed.other", before=one.before)
    return [tag("ul", lines, class_="headlines"), tag("small", how)]


def _signed(measure: Measure, words: Words) -> Markup:
    """A difference with its sign; without an interval, why."""
    if measure.value is None:
        return tag("span", words.phrase(measure.note), class_="quiet")
    text = measure_text(measure, words.reports)
    sign = "+" if measure.value > 0 else ""
    why = tag("small", words.phrase(measure.note)) if measure.note and measure.low is None else None
    return tag("span", f"{sign}{text}", why, class_="number")


def _card(path: Path, label: str, words: Words) -> Child:
    """The model card as it was written, and the way to the report."""
    try:
        text = path.read_text(encoding="utf-8")[:LONGEST] if not path.is_symlink() else ""
    except (OSError, UnicodeDecodeError):
        text = ""
    report = tag("a", words("models.report"), href=f"/api/v1/releases/{quote(label, safe='@')}/report")
    if not text:
        return [tag("p", words("models.card.none"), class_="quiet"), tag("p", report)]
    return [fold(words("models.card.open"), tag("pre", text)), tag("p", report)]
