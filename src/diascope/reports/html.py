"""The pages that a person looks at: `report.html` of an evaluation, `check.html` of a data set."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.core.figure import Figure
from diascope.core.problem import Problem
from diascope.reports import data, making, results
from diascope.reports.content import ReportContent
from diascope.reports.markup import Markup, tag
from diascope.reports.page import contents, document, footer, section
from diascope.reports.words import Words, choose


def render_report(content: ReportContent, lang: str = "en") -> str:
    """The report of an evaluation as one self-contained HTML file.

    Args:
        content: Everything that it shows.
        lang: `en` or `zh-CN`.

    Returns:
        The whole document.

    Raises:
        UnknownName: When reports are not written in that language.
    """
    words = choose(lang)
    found = [
        ("results", results.performance(content, words)),
        ("cases", results.pictures(content, words)),
        ("explanations", results.explanations(content, words)),
        ("metrics", results.all_metrics(content, words)),
        ("subgroups", results.subgroups(content, words)),
        ("data", data.data_section(content, words)),
        ("training", making.training(content, words)),
        ("plan", making.plan(content, words)),
        ("reproduce", making.reproduce(content, words)),
    ]
    kept = [(anchor, part) for anchor, part in found if part]
    entries = [(anchor, words(f"section.{anchor}")) for anchor, _ in kept]
    return document(
        content.title,
        words,
        results.masthead(content, words),
        tag(
            "main",
            data.warnings(content, words),
            results.headline(content, words),
            contents(entries, words),
            [section(anchor, words(f"section.{anchor}"), part, lead=_lead(anchor, words)) for anchor, part in kept],
        ),
        footer(words),
    )


def render_figures(title: str, shown: Sequence[Figure], lang: str = "en") -> str:
    """Figures alone as one self-contained HTML file.

    Args:
        title: Of the page.
        shown: What it shows.
        lang: `en` or `zh-CN`.

    Raises:
        UnknownName: When reports are not written in that language.
    """
    words = choose(lang)
    heading = tag("header", tag("h1", words.phrase(title)))
    return document(title, words, heading, tag("main", results.figures(shown, words)), footer(words))


def render_check(
    title: str,
    source: str,
    cases: int,
    patients: int,
    problems: Sequence[Problem],
    notes: Sequence[str],
    lang: str = "en",
) -> str:
    """The report of a data check as one self-contained HTML file.

    Args:
        title: Of the page.
        source: What was checked, as it was given.
        cases: Number of cases.
        patients: Number of patients.
        problems: What was found.
        notes: Further lines about how the data was read.
        lang: `en` or `zh-CN`.

    Returns:
        The whole document.

    Raises:
        UnknownName: When reports are not written in that language.
    """
    words = choose(lang)
    return document(
        title,
        words,
        data.check_masthead(title, source, problems, words),
        tag(
            "main",
            data.check_cards(cases, patients, problems, words),
            section("found", words("section.found"), data.problem_list(problems, (), words)),
            _notes(notes, words),
        ),
        footer(words),
    )


def _lead(anchor: str, words: Words) -> str:
    return words(f"lead.{anchor}")


def _notes(notes: Sequence[str], words: Words) -> Markup | None:
    if not notes:
        return None
    items = [tag("li", words.phrase(note)) for note in notes]
    return section("notes", words("section.notes"), tag("ul", items, class_="plain"))
