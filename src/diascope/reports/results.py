"""What was measured: the head of the report, its headline numbers, figures, tables of metrics and subgroups."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from diascope.core.evaluation import CaseScore, Evaluation, Subgroup
from diascope.core.figure import Figure, Gallery, Grid, Passages
from diascope.core.finding import Measure
from diascope.reports.bars import interval_plot
from diascope.reports.card import origin_of
from diascope.reports.charts import figure_markup
from diascope.reports.content import ReportContent
from diascope.reports.every_case import every_case
from diascope.reports.markup import Child, Markup, join, tag
from diascope.reports.numbers import (
    SMALL_GROUP,
    UNDEFINED,
    anything,
    decimals,
    defined,
    interval,
    measure_text,
    number,
    plain,
    unit_text,
    value_text,
)
from diascope.reports.tables import fold, table
from diascope.reports.words import Words

RANKED_SHOWN = 5
LONG = 160
"""Characters of a value above which it is folded."""
COLUMNS = 6
"""Measures beside each other, at most: what a sheet of A4 holds."""
AT_A_TIME = "until "
"""How the part of a metric's name begins that says until when it was measured."""
PARTS = ("test", "cross-validated", "external")


def masthead(content: ReportContent, words: Words) -> Markup:
    """Title, what was evaluated on what, whether it may be used."""
    evaluation, release = content.evaluation, content.release
    facts = [
        (words("fact.task"), words.phrase(evaluation.task)),
        (words("fact.target"), content.dataset.target.name),
        (words("fact.dataset"), evaluation.dataset),
        (words("fact.release"), release.label if release else evaluation.release or words("none")),
        (words("fact.created"), evaluation.created.replace("T", " ")[:16]),
    ]
    return tag(
        "header",
        tag("p", tag("strong", "Diascope"), words("masthead.report"), class_="brand"),
        tag("div", tag("h1", content.title), _seal(content, words), class_="title"),
        tag("p", part_sentence(content, words), class_="sentence"),
        tag("p", words("part.few"), class_="sentence is-warn") if evaluation.patients < SMALL_GROUP else None,
        [tag("p", words("blocked", why=words.phrase(why)), class_="sentence is-warn") for why in evaluation.blocks],
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts if value], class_="facts"),
    )


def _seal(content: ReportContent, words: Words) -> Markup:
    release = content.release
    if release is None:
        return tag("span", words("seal.none"), class_="seal")
    if release.signed_by:
        when = (release.signed_at or "")[:10]
        return tag("span", words("seal.signed", name=release.signed_by, when=when).strip(), class_="seal signed")
    return tag("span", words("seal.unsigned"), class_="seal unsigned")


def part_sentence(content: ReportContent, words: Words) -> str:
    """On whom this was measured, in one honest sentence."""
    evaluation = content.evaluation
    cases, patients = words.count("cases", evaluation.cases), words.count("patients", evaluation.patients)
    key = evaluation.part if evaluation.part in PARTS else "other"
    if key in ("test", "cross-validated") and not patients_known(content):
        key = "unknown"
    elif key == "test" and evaluation.accepted and not origin_of(content.plan):
        key = "accepted"
    if origin_of(content.plan) and key != "other":
        key = f"given.{key}"
    return words(f"part.{key}", cases=cases, patients=patients, part=evaluation.part)


def patients_known(content: ReportContent) -> bool:
    """Whether the source says who the patients are; otherwise every case counts as its own."""
    return all(case.patient_known for case in content.dataset.cases)


def headline(content: ReportContent, words: Words) -> Markup | None:
    """The most important numbers, large, each with its interval and n."""
    evaluation = content.evaluation
    known = patients_known(content) or evaluation.part == "external"
    return headline_cards(evaluation, words, known)


def headline_cards(evaluation: Evaluation, words: Words, known: bool = True) -> Markup | None:
    """The same of an evaluation alone; `known`: whether its data says who the patients are."""
    names = first_metrics(evaluation)
    if not names:
        return None
    size = words.count("patients", evaluation.patients) if known else words.count("cases", evaluation.cases)
    cards = [_card(name, evaluation.metrics[name], size, words) for name in names[:6]]
    return tag("div", cards, class_="cards", id="headline")


def first_metrics(evaluation: Evaluation) -> list[str]:
    """Names of the metrics that are shown first."""
    return [name for name in evaluation.headline if name in evaluation.metrics] or list(evaluation.metrics)[:3]


def _card(name: str, measure: Measure, size: str, words: Words) -> Markup:
    between = interval(measure, words)
    together = between.replace("–", "\N{WORD JOINER}–\N{WORD JOINER}")
    said = words("card.interval", interval=together) if between else words("card.no_interval")
    plot = interval_plot(measure, 0.0, 1.0, width=240.0) if _is_share(measure) else tag("div", class_="interval")
    unit = tag("span", unit_text(measure.unit), class_="unit") if defined(measure.value) else None
    return tag(
        "div",
        tag("p", words.metric(name), class_="name"),
        tag("p", value_text(measure), unit, class_="big"),
        tag("p", said + unit_text(measure.unit if between else ""), class_="between"),
        plot,
        tag("p", f"n = {size}", class_="quiet"),
        tag("p", words.phrase(measure.note), class_="note") if measure.note else None,
        class_="card",
    )


def _is_share(measure: Measure) -> bool:
    known = [end for end in (measure.value, measure.low, measure.high) if end is not None]
    return measure.unit == "1" and bool(known) and all(0 <= end <= 1 for end in known)


def performance(content: ReportContent, words: Words) -> Markup | None:
    """Curves, matrices and bars of the task."""
    return curves(content.evaluation, words)


def curves(evaluation: Evaluation, words: Words) -> Markup | None:
    """The same of an evaluation alone."""
    shown = [figure for figure in evaluation.figures if not isinstance(figure, Gallery | Grid | Passages)]
    if not shown:
        return None
    return figures(shown, words)


def figures(shown: Sequence[Figure], words: Words) -> Markup:
    """Figures side by side where there is room."""
    return tag("div", [figure_markup(figure, words) for figure in shown], class_="figures")


def pictures(content: ReportContent, words: Words) -> Markup | None:
    """Best, median and worst cases."""
    return examples(content.evaluation, words)


def examples(evaluation: Evaluation, words: Words) -> Markup | None:
    """The same of an evaluation alone."""
    galleries = [figure for figure in evaluation.figures if isinstance(figure, Gallery | Passages)]
    ranked = _ranked(evaluation.cases_ranked, words)
    each = every_case(evaluation, words)
    return join([*(figure_markup(figure, words) for figure in galleries), ranked, each]) or None


def _ranked(ranked: Sequence[CaseScore], words: Words) -> Markup | None:
    if not ranked:
        return None
    head = [words("column.rank"), words("column.case"), words("column.patient"), words("column.score")]
    places = list(range(len(ranked)))
    if len(ranked) > 3 * RANKED_SHOWN:
        middle = len(ranked) // 2
        places = [*places[:RANKED_SHOWN], *places[middle - 1 : middle + 2], *places[-RANKED_SHOWN:]]
    rows = [[f"{at + 1:,}", ranked[at].case, ranked[at].patient, _score(ranked[at])] for at in places]
    shown = table(head, rows, ("number", "", "", "number"))
    return fold(words("cases.ranked", n=f"{len(ranked):,}"), shown)


def _score(row: CaseScore) -> str:
    return number(row.score, decimals([row.score], row.unit)) + (unit_text(row.unit) if defined(row.score) else "")


def explanations(content: ReportContent, words: Words) -> Markup | None:
    """Maps of what the model looked at."""
    return figures(content.explanations, words) if content.explanations else None


def all_metrics(content: ReportContent, words: Words) -> Markup | None:
    """Every metric with its interval; those of classes as one table, its longer side down the page."""
    return metric_tables(content.evaluation, words)


def metric_tables(evaluation: Evaluation, words: Words) -> Markup | None:
    """The same of an evaluation alone."""
    metrics = evaluation.metrics
    overall = {name: metrics[name] for name in sorted(metrics, key=_in_time) if not _of_class(name)}
    parts: list[Child] = []
    if overall:
        parts.append(_overall_table(overall, evaluation, words))
    parts.append(_class_table(metrics, evaluation, words))
    parts += [figure_markup(figure, words) for figure in evaluation.figures if isinstance(figure, Grid)]
    parts.append(_decision(evaluation, words))
    return join(parts) or None


def _in_time(name: str) -> tuple[str, float]:
    """By the metric; of one at several times by the time."""
    base, _, rest = name.partition("/")
    number = re.search(r"\d+(?:\.\d+)?", rest)
    return base, float(number[0]) if number else -1.0


def _of_class(name: str) -> bool:
    """Whether a metric is that of a class; `brier/until 5 a` is that of all cases at a time."""
    return "/" in name and not name.partition("/")[2].startswith(AT_A_TIME)


def _overall_table(overall: dict[str, Measure], evaluation: Evaluation, words: Words) -> Markup:
    head = [words("column.metric"), words("column.value"), words("column.plot")]
    rows: list[list[Child]] = []
    for name, measure in overall.items():
        plot = interval_plot(measure, 0.0, 1.0) if _is_share(measure) else None
        note = tag("small", words.phrase(measure.note)) if measure.note else None
        named = join([words.metric(name), note, _left_out(name, evaluation, words)])
        rows.append([named, measure_text(measure, words), plot])
    return table(head, rows, ("", "number", "plot-cell"), class_="metrics")


def _left_out(name: str, evaluation: Evaluation, words: Words) -> Markup | None:
    """How many cases have no value and are not in the mean."""
    missing = evaluation.undefined.get(name, 0)
    return tag("small", words("undefined", cases=words.count("cases", missing)), class_="quiet") if missing else None


def _class_table(metrics: dict[str, Measure], evaluation: Evaluation, words: Words) -> Markup | None:
    pairs = [name.partition("/")[::2] for name in metrics if _of_class(name)]
    if not pairs:
        return None
    bases = list(dict.fromkeys(base for base, _ in pairs))
    classes = list(dict.fromkeys(rest for _, rest in pairs))
    titles, names = [words.metric_base(base) for base in bases], [words.phrase(name) for name in classes]
    keys = [[f"{base}/{name}" for base in bases] for name in classes]
    cells: list[list[Child]] = [
        [join([measure_cell(metrics.get(key), words), _left_out(key, evaluation, words)]) for key in row]
        for row in keys
    ]
    if len(bases) > len(classes):
        cells = [list(column) for column in zip(*cells, strict=True)]
        shown = _narrow(words("column.metric"), titles, names, cells)
    else:
        shown = _narrow(words("column.class"), names, titles, cells)
    return tag("figure", tag("figcaption", words("table.classes")), shown, class_="figure grid")


def _narrow(corner: str, down: Sequence[str], across: Sequence[str], cells: Sequence[Sequence[Child]]) -> Markup:
    """A table of measures, cut into several where it has more columns than a page is wide."""
    number = math.ceil(len(across) / COLUMNS)
    step = math.ceil(len(across) / number)
    parts = []
    for start in range(0, len(across), step):
        some = slice(start, start + step)
        rows: list[list[Child]] = [[name, *row[some]] for name, row in zip(down, cells, strict=True)]
        head = [corner, *across[some]]
        parts.append(table(head, rows, ("", *("number",) * (len(head) - 1)), class_="classes"))
    return join(parts)


def measure_cell(measure: Measure | None, words: Words, small: bool = False) -> Child:
    """A measure in a cell: the value, below it in small type the interval, else the note.

    Args:
        measure: None: an empty cell.
        words: Of the language.
        small: The row says already that there are few patients; a value then stands without a note.
    """
    if measure is None:
        return ""
    between = interval(measure, words)
    said = value_text(measure) + (unit_text(measure.unit) if defined(measure.value) else "")
    explained = bool(between) or (small and defined(measure.value))
    note = "" if explained else words.phrase(measure.note)
    below = [tag("small", between)] if between else []
    return [tag("span", said), *below, *([tag("small", note, class_="quiet")] if note else [])]


def _decision(evaluation: Evaluation, words: Words) -> Markup | None:
    if not evaluation.decision:
        return None
    rows: list[list[Child]] = []
    for key, value in evaluation.decision.items():
        said = words.phrase(value) if isinstance(value, str) else value
        rows.append([tag("code", key), long_value(said, words)])
    for index, decision in enumerate(evaluation.decisions_by_fold):
        rows.append([words("decision.fold", n=str(index + 1)), long_value(decision, words)])
    shown = table([words("column.field"), words("column.value")], rows)
    note = tag("p", words("decision.folds"), class_="note") if evaluation.decisions_by_fold else None
    return tag("figure", tag("figcaption", words("table.decision")), shown, note, class_="figure grid")


def long_value(value: Any, words: Words) -> Child:
    """A JSON value in a cell; a long one is folded."""
    text = anything(value, words)
    return text if len(text) <= LONG else [fold(text[:60] + "…", tag("p", text), class_="value")]


def subgroups(content: ReportContent, words: Words) -> Markup | None:
    """One table a covariate, with n and intervals; small groups are flagged."""
    return subgroup_tables(content.evaluation, words)


def subgroup_tables(evaluation: Evaluation, words: Words) -> Markup | None:
    """The same of an evaluation alone."""
    covariates = list(dict.fromkeys(group.covariate for group in evaluation.subgroups))
    tables = []
    for covariate in covariates:
        groups = [group for group in evaluation.subgroups if group.covariate == covariate]
        shown = _subgroup_table(groups, evaluation, words)
        tables.append(tag("figure", tag("figcaption", words.phrase(covariate)), shown, class_="figure grid"))
    return tag("div", tables) if tables else None


def _subgroup_table(groups: Sequence[Subgroup], evaluation: Evaluation, words: Words) -> Markup:
    present = list(dict.fromkeys(name for group in groups for name in group.metrics))
    names = [name for name in evaluation.headline if name in present][:4] or present[:4]
    first = names[0] if names else ""
    overall = evaluation.metrics.get(first)
    axis = _axis([group.metrics.get(first) for group in groups], overall)
    rows: list[list[Child]] = []
    for group in groups:
        small = group.patients < SMALL_GROUP
        flag = tag("small", words("subgroup.small"), class_="flag") if small else None
        name = join([tag("span", words.phrase(group.value) or UNDEFINED), flag])
        reference = overall.value if overall else None
        plot = interval_plot(group.metrics[first], *axis, reference) if _known(group, first) else None
        cells = [measure_cell(group.metrics.get(metric), words, small) for metric in names]
        rows.append([name, f"{group.patients:,}", f"{group.cases:,}", plot, *cells])
    ends = words("column.axis", name=words.metric(first), low=plain(axis[0]), high=plain(axis[1])) if first else ""
    head = [words("column.group"), words("column.patients"), words("column.cases"), ends]
    head += [words.metric(name) for name in names]
    return table(head, rows, ("", "number", "number", "plot-cell", *("number",) * len(names)), class_="subgroup")


def _known(group: Subgroup, name: str) -> bool:
    return name in group.metrics and defined(group.metrics[name].value)


def _axis(measures: Sequence[Measure | None], overall: Measure | None) -> tuple[float, float]:
    """Round ends of an axis that holds every value and interval."""
    known = [row for row in (*measures, overall) if row is not None]
    ends = [end for row in known for end in (row.value, row.low, row.high) if end is not None and defined(end)]
    if not ends:
        return 0.0, 1.0
    low, high = min(ends), max(ends)
    step = 10.0 ** math.floor(math.log10(max(high - low, abs(high) * 0.02, 1e-9)))
    return math.floor(low / step + 1e-9) * step, max(math.ceil(high / step - 1e-9), math.floor(low / step) + 1) * step
