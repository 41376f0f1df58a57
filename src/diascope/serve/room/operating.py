"""An operating point in the reader's words: what a release misses and what it flags wrongly, of a hundred.

The numbers are those of its evaluation, with their intervals; where the evaluation does not say, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diascope.core.case import Target
from diascope.core.evaluation import Evaluation
from diascope.core.finding import Measure
from diascope.reports.numbers import unit_text
from diascope.serve.access.refusals import Missing
from diascope.serve.room.models_evidence import evidence
from diascope.serve.room.words import Words
from diascope.store.workspace import Workspace

GROUPS = (
    ("missed", "flagged"),
    ("missed_of_places", "marked"),
    ("overlap", "volume", "edge"),
    ("error",),
)
"""Sentences that say an operating point together; the first group of which the evaluation knows one is told."""


@dataclass(frozen=True)
class Said:
    """One sentence.

    Args:
        key: Of the words of the pages: `models.operating.missed`.
        values: Its blanks. `value` and `between` are numbers with their units; `between` is "" where there is no
            interval, and the sentence is then followed by `why`.
        between: Whether there is an interval.
        why: Why there is none, as records say it.
    """

    key: str
    values: Mapping[str, str]
    between: bool
    why: str = ""


def operating_point(workspace: Workspace, release: str, label: str) -> tuple[Said, ...] | None:
    """What a release's evaluation says of a label at its operating point.

    Args:
        workspace: Where the release is.
        release: `name@version`.
        label: Name of a finding.

    Returns:
        Sentences for `in_words`; None where the release is gone or its evaluation does not say.
    """
    try:
        known = evidence(workspace, release)
    except Missing:
        return None
    if known.release is None or known.evaluation is None:
        return None
    return said_of(known.evaluation, known.release.target, label)


def in_words(said: Said, words: Words) -> str:
    """A sentence in a language; of the sentences of a label each stands alone."""
    values = {name: words.phrase(value) if name == "label" else value for name, value in said.values.items()}
    between = words("models.operating.between", between=said.values["between"]) if said.between else ""
    why = words("models.operating.no_interval", why=words.phrase(said.why)) if said.why and not said.between else ""
    return words(said.key, **{**values, "interval": between or why})


def said_of(evaluation: Evaluation, target: Target, label: str) -> tuple[Said, ...] | None:
    """The sentences of a label; see `operating_point`.

    In a target of two classes both are decided by the positive one, which is then spoken of.
    """
    name = _asked(evaluation, target, label)
    if name is None:
        return None
    found = {key: said for key, said in _sentences(evaluation, target, name) if said is not None}
    group = next((group for group in GROUPS if group[0] in found), ())
    return tuple(found[key] for key in group if key in found) or None


def labels_of(target: Target) -> tuple[str, ...]:
    """Names of what has an operating point of its own."""
    names = tuple(label.name for label in target.labels)
    if len(names) == 2 and target.kind == "category":
        return (_positive(target),)
    return names or (target.name,)


def _asked(evaluation: Evaluation, target: Target, label: str) -> str | None:
    names = [one.name for one in target.labels]
    if not names:
        return label if label == target.name else None
    if label not in names:
        return None
    return labels_of(target)[0] if len(labels_of(target)) == 1 else label


def _positive(target: Target) -> str:
    """The class whose presence is the finding; the second where none is named, as tasks have it."""
    names = [label.name for label in target.labels]
    return target.positive if target.positive in names else names[1]


def _sentences(evaluation: Evaluation, target: Target, label: str) -> list[tuple[str, Said | None]]:
    def of(metric: str) -> Measure | None:
        """Of the label; a metric of all labels is its own only where it is the only one."""
        alone = len(labels_of(target)) == 1
        return evaluation.metrics.get(f"{metric}/{label}") or (evaluation.metrics.get(metric) if alone else None)

    sensitivity, specificity = of("sensitivity"), of("specificity")
    places = None if of("false_positives") is None else sensitivity
    whole = sensitivity if specificity is not None else None
    return [
        ("missed", _of_hundred("missed", label, whole)),
        ("flagged", _of_hundred("flagged", label, specificity)),
        ("missed_of_places", _of_hundred("missed_of_places", label, places)),
        ("marked", _plain("marked", label, of("false_positives"))),
        ("overlap", _plain("overlap", label, of("dice"))),
        ("volume", _of_hundred("volume", label, of("volume_error"), others=False)),
        ("edge", _plain("edge", label, of("hd95"))),
        ("error", _plain("error", label, of("mae"))),
    ]


def _of_hundred(key: str, label: str, measure: Measure | None, others: bool = True) -> Said | None:
    """A share as so many of a hundred; of what is right, with `others`, so many that are not."""
    if measure is None or measure.value is None:
        return None
    ends = [measure.low, measure.high]
    if others:
        ends = [None if end is None else 1 - end for end in reversed(ends)]
    value = 1 - measure.value if others else measure.value
    return _said(key, label, _hundred(value), [None if end is None else _hundred(end) for end in ends], measure.note)


def _plain(key: str, label: str, measure: Measure | None) -> Said | None:
    if measure is None or measure.value is None:
        return None
    unit = "" if measure.unit.startswith("{") else unit_text(measure.unit)
    ends = [None if end is None else f"{_number(end)}{unit}" for end in (measure.low, measure.high)]
    return _said(key, label, f"{_number(measure.value)}{unit}", ends, measure.note)


def _said(key: str, label: str, value: str, ends: list[str | None], why: str) -> Said:
    low, high = ends
    between = f"{low}\N{EN DASH}{high}" if low is not None and high is not None else ""
    values = {"label": label, "value": value, "between": between}
    return Said(f"models.operating.{key}", values, bool(between), "" if between else why)


def _hundred(share: float) -> str:
    """`5`; with a digit more below one of a hundred, so that few are not none."""
    value = 100 * max(share, 0.0)
    return f"{value:.0f}" if value >= 0.95 or value == 0 else f"{value:.1g}" if value >= 0.05 else "< 0.1"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
