"""How the model was made: training curves, predicted and actual cost, the plan with its reasons, how to do it again."""

from __future__ import annotations

from diascope.core.plan import Choice
from diascope.reports.content import ReportContent
from diascope.reports.markup import Child, Markup, join, tag
from diascope.reports.numbers import decimals, defined, number
from diascope.reports.results import figures, long_value
from diascope.reports.scales import Scale
from diascope.reports.tables import table
from diascope.reports.words import Words

KINDS = {"fixed": "fixed", "rule": "rule", "measured": "measured", "by hand": "hand"}
COSTS = (("minutes", "min"), ("gb", "GB"))


def training(content: ReportContent, words: Words) -> Markup | None:
    """Curves, and what it cost against what was predicted."""
    costs = [cost for cost in (_cost(content.cost, name, unit, words) for name, unit in COSTS) if cost]
    parts: list[Child] = []
    if costs:
        parts.append(tag("div", costs, class_="costs"))
    if content.training:
        parts.append(figures(content.training, words))
    return join(parts) or None


def _cost(cost: dict[str, float], name: str, unit: str, words: Words) -> Markup | None:
    predicted, actual = cost.get(f"predicted_{name}"), cost.get(f"actual_{name}")
    known = [value for value in (predicted, actual) if value is not None and defined(value)]
    if not known:
        return None
    scale = Scale(0.0, max(known) or 1.0, 0.0, 240.0)
    rows = []
    for key, value in (("predicted", predicted), ("actual", actual)):
        if value is None or not defined(value):
            continue
        bar = tag("rect", x=0, y=2, width=max(scale(value), 1.0), height=10, rx=2, class_=f"bar {key}")
        drawn = tag("svg", bar, viewBox="0 0 240 14", class_="cost-bar", aria_hidden="true")
        said = f"{number(value, min(decimals([value], unit), 2))}\N{NO-BREAK SPACE}{unit}"
        rows.append(tag("tr", tag("th", words(f"cost.{key}"), scope="row"), tag("td", drawn), tag("td", said)))
    differs = _difference(predicted, actual, words)
    return tag("div", tag("h3", words(f"cost.{name}")), tag("table", tag("tbody", rows)), differs, class_="cost")


def _difference(predicted: float | None, actual: float | None, words: Words) -> Markup | None:
    if predicted is None or actual is None or not (defined(predicted) and defined(actual)) or predicted <= 0:
        return None
    percent = 100 * (actual - predicted) / predicted
    text = number(percent, 0)
    signed = f"+{text}" if percent > 0 and text != "0" else text
    return tag("p", words("cost.difference", percent=signed), class_="note")


def plan(content: ReportContent, words: Words) -> Markup | None:
    """Every decision with its kind and its reason."""
    choices = content.plan.choices
    if not choices:
        return None
    rows: list[list[Child]] = []
    for field, choice in choices.items():
        gloss = words.field(field)
        name: list[Markup] = [tag("code", field)]
        if gloss != field:
            name.append(tag("small", gloss, class_="quiet"))
        rows.append([name, long_value(choice.value, words), _badge(choice, words), words.phrase(choice.reason)])
    head = [words("column.field"), words("column.value"), words("column.kind"), words("column.reason")]
    kinds = [tag("li", _named_badge(kind, words), " ", words(f"kind.{KINDS[kind]}.means")) for kind in KINDS]
    return join([tag("ul", kinds, class_="legend"), table(head, rows, ("", "wide", "", "wide"), class_="plan")])


def _badge(choice: Choice, words: Words) -> Markup:
    return _named_badge(choice.kind, words)


def _named_badge(kind: str, words: Words) -> Markup:
    return tag("span", words(f"kind.{KINDS[kind]}"), class_=f"badge {KINDS[kind]}")


def reproduce(content: ReportContent, words: Words) -> Markup:
    """Commands, environment, and the release with its hashes."""
    parts: list[Child] = []
    if content.reproduce:
        commands = "\n".join(content.reproduce)
        parts.append(tag("pre", tag("code", commands), tabindex=0))
    facts = _identity(content, words)
    environment = [[words.phrase(name), words.phrase(value)] for name, value in content.environment.items()]
    tables = [
        tag("figure", tag("figcaption", words("table.identity")), table(*facts, class_="facts"), class_="figure grid")
    ]
    if environment:
        head = [words("column.program"), words("column.version")]
        shown = table(head, environment)
        tables.append(tag("figure", tag("figcaption", words("table.environment")), shown, class_="figure grid"))
    parts.append(tag("div", tables, class_="pair"))
    return join(parts)


def _identity(content: ReportContent, words: Words) -> tuple[list[Child], list[list[Child]]]:
    release, evaluation = content.release, content.evaluation
    read = [evaluation.backend]
    if release and release.precision not in evaluation.backend:
        read.append(release.precision)
    rows: list[list[Child]] = [
        [words("fact.dataset"), tag("code", evaluation.dataset)],
        [words("fact.plan_hash"), tag("code", content.plan.content_hash()[:16])],
        [words("fact.backend"), " · ".join(read)],
        [words("fact.seed"), str(content.plan.seed)],
    ]
    if release:
        rows += [
            [words("fact.release"), tag("code", release.label)],
            [words("fact.release_hash"), tag("code", release.seal[:16])],
            [words("fact.signed"), release.signed_by or words("seal.unsigned")],
            [words("fact.licence"), release.licence or words("none")],
            [words("fact.use"), words.phrase(release.intended_use)],
        ]
    if evaluation.evaluated_by:
        rows.append([words("fact.evaluated_by"), evaluation.evaluated_by])
    return [words("column.field"), words("column.value")], rows
