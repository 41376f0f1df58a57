"""What the data is and what the data check found: part of the report, and the whole of `check.html`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from diascope.core.case import Dataset
from diascope.core.figure import Bars
from diascope.core.plan import Fingerprint, InputFacts
from diascope.core.problem import Problem, Severity
from diascope.reports.charts import figure_markup
from diascope.reports.content import ReportContent
from diascope.reports.markup import Child, Markup, join, tag
from diascope.reports.numbers import measure_text, plain
from diascope.reports.tables import fold, table
from diascope.reports.words import Words

CASES_SHOWN = 6
ORDER: tuple[Severity, ...] = ("refuse", "warn", "note")
NAMED = re.compile(r"(.+) \(([a-z_]+)\)", re.DOTALL)
ICONS = {"refuse": "✕", "warn": "!", "note": "i"}


def warnings(content: ReportContent, words: Words) -> Markup | None:
    """What a reader must know before the numbers: accepted findings, refused ones, warnings of the evaluation."""
    accepted = tuple(dict.fromkeys((*content.evaluation.accepted, *content.dataset.accepted)))
    told: list[str] = []
    for problem in content.problems:
        if problem.severity != "refuse":
            continue
        key = "warning.accepted" if problem.check in accepted else "warning.refused"
        told.append(words(key, title=words.phrase(problem.title)))
    named = {problem.check for problem in content.problems if problem.severity == "refuse"}
    told += [words("warning.accepted", title=name) for name in accepted if name not in named]
    told += [_warning(warning, words) for warning in content.evaluation.warnings]
    if not told:
        return None
    items = [tag("li", line) for line in told]
    return tag("aside", tag("h2", words("warning.title")), tag("ul", items), class_="warning", role="note")


def _warning(text: str, words: Words) -> str:
    """A warning in the reader's language; one that a check gave ends in its name."""
    found = NAMED.fullmatch(text)
    return f"{words.phrase(found[1])} ({found[2]})" if found else words.phrase(text)


def data_section(content: ReportContent, words: Words) -> Markup:
    """Facts of the data set, then what the check found."""
    dataset, accepted = content.dataset, (*content.evaluation.accepted, *content.dataset.accepted)
    notes = [tag("li", words.phrase(note)) for note in dataset.notes]
    facts = [_splits(dataset, words), _inputs(content.fingerprint, words), _strata(content.fingerprint, words)]
    read = [tag("h3", words("section.notes")), tag("ul", notes, class_="plain")] if notes else []
    found = [tag("h3", words("section.found")), problem_list(content.problems, accepted, words, "h4")]
    return join([tag("div", facts, class_="figures"), *found, *read])


def _splits(dataset: Dataset, words: Words) -> Markup:
    rows: list[list[Child]] = []
    for split in ("train", "val", "test"):
        cases = [case for case in dataset.cases if case.split == split]
        if cases:
            patients = len({case.patient for case in cases})
            rows.append([words(f"split.{split}"), f"{patients:,}", f"{len(cases):,}"])
    if dataset.exclusions:
        rows.append([words("split.excluded"), "", f"{len(dataset.exclusions):,}"])
    head = [words("column.part"), words("column.patients"), words("column.cases")]
    how = words("split.given" if dataset.given_split else "split.made", seed=dataset.seed)
    if dataset.folds:
        how += " " + words("split.folds", n=len(dataset.folds))
    shown = table(head, rows, ("", "number", "number"))
    caption = tag("figcaption", words("table.splits"))
    return tag("figure", caption, shown, tag("p", how, class_="note"), class_="figure grid")


def _inputs(fingerprint: Fingerprint, words: Words) -> Markup:
    rows: list[list[Child]] = []
    for name, facts in fingerprint.inputs.items():
        modality = words.phrase(facts.modality)
        shown = modality.upper() if len(modality) == 2 and modality.isascii() else modality
        rows.append([name if shown == name else f"{name} · {shown}", _size(facts, words), _spacing(facts, words)])
    head = [words("column.input"), words("column.size"), words("column.spacing")]
    caption = tag("figcaption", words("table.inputs"))
    return tag("figure", caption, table(head, rows, ("", "", "")), class_="figure grid")


def _strata(fingerprint: Fingerprint, words: Words) -> Markup | None:
    if not any(fingerprint.strata):  # cases of no stratum are all alike
        return None
    counts = tuple(float(count) for count in fingerprint.strata.values())
    return figure_markup(Bars(title=words("table.strata"), names=tuple(fingerprint.strata), values=counts), words)


def _middle(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float] | None:
    return rows[len(rows) // 2] if rows else None


def _size(facts: InputFacts, words: Words) -> str:
    if facts.dimensions == 0:
        return words.count("columns", len(facts.columns)) if facts.columns else "–"
    middle = _middle(facts.shapes)
    if middle is None:
        return "–"
    return " × ".join(plain(side) for side in middle[3 - facts.dimensions :])


def _spacing(facts: InputFacts, words: Words) -> str:
    middle = _middle(facts.spacings)
    if facts.dimensions < 2 or middle is None:
        return ""
    if not facts.physical:
        return words("fact.no_millimetres")
    return " × ".join(plain(round(step, 3)) for step in middle[3 - facts.dimensions :]) + " mm"


def problem_list(problems: Sequence[Problem], accepted: Sequence[str], words: Words, heading: str = "h3") -> Markup:
    """What the data check found, the gravest first, each under a heading of that level."""
    if not problems:
        return tag("p", words("found.nothing"), class_="empty")
    ranked = sorted(problems, key=lambda problem: ORDER.index(problem.severity))
    shown = [_problem(problem, problem.check in accepted, words, heading) for problem in ranked]
    return tag("div", shown, class_="problems")


def _problem(problem: Problem, accepted: bool, words: Words, heading: str) -> Markup:
    icon = tag("span", ICONS[problem.severity], class_="icon", aria_hidden="true")
    badge = tag("span", icon, words(f"severity.{problem.severity}"), class_=f"severity is-{problem.severity}")
    excluded = words("found.excluded", n=words.count("cases", len(problem.exclude))) if problem.exclude else ""
    facts = [
        tag("span", words("found.accepted"), class_="badge hand") if accepted else None,
        tag("span", excluded, class_="quiet") if excluded else None,
        tag("code", problem.check),
    ]
    measures = [
        tag("li", f"{words.metric(name)}: {measure_text(measure, words)}") for name, measure in problem.measures.items()
    ]
    return tag(
        "article",
        tag("div", badge, tag("p", facts, class_="meta"), class_="row"),
        tag(heading, words.phrase(problem.title)),
        tag("p", words.phrase(problem.detail)) if problem.detail else None,
        tag("ul", measures, class_="plain") if measures else None,
        figure_markup(problem.figure, words) if problem.figure else None,
        _cases(problem.cases, words),
        class_=f"problem is-{problem.severity}",
    )


def _cases(cases: Sequence[str], words: Words) -> Markup | None:
    if not cases:
        return None
    if len(cases) <= CASES_SHOWN:
        return tag("p", _ids(cases), class_="ids")
    return fold(words.count("cases", len(cases)), tag("p", _ids(cases), class_="ids"))


def _ids(cases: Sequence[str]) -> list[Markup]:
    return [tag("code", case) for case in cases]


def check_masthead(title: str, source: str, problems: Sequence[Problem], words: Words) -> Markup:
    """Title and verdict of `check.html`."""
    worst = next((severity for severity in ORDER if any(row.severity == severity for row in problems)), "none")
    return tag(
        "header",
        tag("p", tag("strong", "Diascope"), words("masthead.check"), class_="brand"),
        tag("div", tag("h1", title), class_="title"),
        tag("p", words(f"verdict.{worst}"), class_=f"sentence is-{worst}"),
        tag("dl", tag("div", tag("dt", words("fact.source")), tag("dd", source)), class_="facts"),
    )


def check_cards(cases: int, patients: int, problems: Sequence[Problem], words: Words) -> Markup:
    """Cases, patients, and how much was found of each severity, as large numbers."""
    found = Counter(problem.severity for problem in problems)
    numbers: list[tuple[str, int, str]] = [
        (words("column.cases"), cases, "card"),
        (words("column.patients"), patients, "card"),
        *((words(f"severity.{one}.many"), found[one], f"card is-{one}" if found[one] else "card") for one in ORDER),
    ]
    cards = [
        tag("div", tag("p", name, class_="name"), tag("p", f"{n:,}", class_="big"), class_=kind)
        for name, n, kind in numbers
    ]
    return tag("div", cards, class_="cards small")
