"""What readers decided, as the dashboard shows it. Nothing stands without its n."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from diascope.core.figure import Bars, Chart, Line
from diascope.core.finding import Measure
from diascope.evidence.drift import FALSE_ALARMS, FEWEST
from diascope.evidence.intervals import FEWEST_IN_CLASS, FEWEST_PATIENTS
from diascope.reports.charts import figure_markup
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.numbers import measure_text, plain
from diascope.reports.tables import fold, table
from diascope.serve.room import numbers
from diascope.serve.room.watching import (
    DAY,
    VERDICTS,
    Decision,
    OfFinding,
    Part,
    Time,
    by_finding,
    over_time,
    reasons,
    shares,
    shown_first,
    time_to_read,
)
from diascope.serve.room.watching_calibration import MOST, Calibrated
from diascope.serve.room.watching_drift import Watched
from diascope.serve.room.watching_state_shown import duration
from diascope.serve.room.words import Words

CLASSES = 5
"""Classes whose shares stand beside a test."""
ROWS = 15
"""Rows of a long table that stand open."""


def agreement_part(said: Sequence[Decision], days: int | None, now: float, words: Words) -> Markup:
    """How often readers accept, amend, reject or can't tell: in all, over time, by finding."""
    title = tag("h2", words("dashboard.agreement"))
    if not said:
        return tag("section", title, tag("p", words("dashboard.nothing"), class_="empty"), id="agreement")
    parts = over_time(said, days, now)
    return tag(
        "section",
        title,
        tag("p", words("dashboard.agreement.lead"), class_="lead"),
        _cards(said, words),
        tag("div", _charts(parts, now, words), class_="figures"),
        fold(words("dashboard.over_time.table"), _parts_table(parts, words)),
        tag("h3", words("dashboard.by_finding")),
        tag("p", words("dashboard.by_finding.lead"), class_="lead"),
        _findings_table(by_finding(said), words),
        id="agreement",
    )


def _cards(said: Sequence[Decision], words: Words) -> Markup:
    """The share of each verdict with its interval and n."""
    counts, found = Counter(one.verdict for one in said), shares(said)
    total, patients = f"{len(said):,}", f"{len({one.patient for one in said}):,}"
    cards = [
        tag(
            "div",
            tag("p", words(f"dashboard.verdict.{name}"), class_="name"),
            tag("p", numbers.share(found[name].value or 0.0), class_="big"),
            tag("p", words("dashboard.interval", interval=_between(found[name])), class_="between"),
            tag("p", words("dashboard.of_n", k=f"{counts[name]:,}", n=total, patients=patients), class_="quiet"),
            class_="card",
        )
        for name in VERDICTS
    ]
    return tag("div", cards, class_="cards")


def _charts(parts: Sequence[Part], now: float, words: Words) -> list[Markup]:
    """The share of what was accepted, and of what was not, over time."""
    total = f"{sum(sum(one.verdicts.values()) for one in parts):,}"
    whole = ((parts[0].start - now) / DAY, 0.0)
    drawn = []
    for title, names in (("accepted", VERDICTS[:1]), ("others", VERDICTS[1:])):
        chart = Chart(
            title=words(f"dashboard.over_time.{title}"),
            x_label=words("dashboard.days_ago"),
            y_label=words("dashboard.share"),
            lines=tuple(_line(name, parts, now, words) for name in names),
            x_range=whole,
            y_range=(0.0, 1.0),
            note=words("dashboard.over_time.note", n=total),
        )
        drawn.append(figure_markup(chart, words.reports))
    return drawn


def _line(name: str, parts: Sequence[Part], now: float, words: Words) -> Line:
    known = [(one, one.shares[name]) for one in parts if name in one.shares]
    step = {"accept": 0.0, "amend": -0.12, "reject": 0.0, "unsure": 0.12}[name]  # whiskers beside each other
    return Line(
        label=words(f"dashboard.verdict.{name}"),
        x=tuple(((one.start + one.stop) / 2 + step * (one.stop - one.start) - now) / DAY for one, _ in known),
        y=tuple(each.value or 0.0 for _, each in known),
        low=tuple(each.low or 0.0 for _, each in known),
        high=tuple(1.0 if each.high is None else each.high for _, each in known),
        style="points",
    )


def _parts_table(parts: Sequence[Part], words: Words) -> Markup:
    rows: list[list[Child]] = []
    for one in parts:
        when = f"{numbers.moment(one.start)[:10]} – {numbers.moment(one.stop)[:10]}"
        shown = [tag("span", f"{one.verdicts.get(name, 0):,}", _small(one.shares.get(name))) for name in VERDICTS]
        rows.append([when, f"{sum(one.verdicts.values()):,}", *shown])
    return table([words("dashboard.when"), *_heads(words)], rows, ("", *("number",) * 5))


def _small(measure: Measure | None) -> Markup | None:
    return None if measure is None else tag("small", _between(measure))


def _findings_table(found: Sequence[OfFinding], words: Words) -> Markup:
    rows: list[list[Child]] = []
    for one in found:
        named = tag("span", words.phrase(one.concept), tag("small", one.release))
        rows.append([named, *_counts(one.verdicts), [_measure(one.kept, words), _n(one.cases, words)]])
    heads = [words("dashboard.finding"), *_heads(words), words("dashboard.kept")]
    kinds = ("", *("number",) * 6)
    shown = table(heads, rows[:ROWS], kinds)
    if len(rows) <= ROWS:
        return shown
    return tag("div", shown, fold(words("dashboard.all_rows", n=f"{len(rows):,}"), table(heads, rows, kinds)))


def _heads(words: Words) -> list[Child]:
    return ["n", *(words(f"dashboard.verdict.{name}") for name in VERDICTS)]


def _counts(verdicts: Mapping[str, int]) -> list[Child]:
    return [f"{sum(verdicts.values()):,}", *(f"{verdicts.get(name, 0):,}" for name in VERDICTS)]


def _measure(measure: Measure | None, words: Words) -> str:
    return "–" if measure is None else measure_text(measure, words.reports)


def _between(measure: Measure | None) -> str:
    return (
        "–" if measure is None or measure.low is None else f"{100 * measure.low:.0f}–{100 * (measure.high or 0):.0f} %"
    )


def _n(cases: int, words: Words) -> Markup:
    return tag("small", words("dashboard.n_only", n=f"{cases:,}"))


def reasons_part(said: Sequence[Decision], words: Words) -> Markup:
    """Why results were rejected."""
    found = reasons(said)
    total = sum(found.values())
    names = tuple(words(f"dashboard.reason.{name or 'none'}") for name in found)
    bars = Bars(title=words("dashboard.reasons.title"), names=names, values=tuple(map(float, found.values())),
                note=words("dashboard.of", n=f"{total:,}"))  # fmt: skip
    shown = figure_markup(bars, words.reports) if total else tag("p", words("dashboard.reasons.none"), class_="quiet")
    return tag("section", tag("h2", words("dashboard.reasons")), shown, id="reasons")


def time_part(said: Sequence[Decision], words: Words) -> Markup:
    """How long it took from opening a study to deciding, with the answer first and without."""
    groups: list[tuple[str, list[Decision]]] = [("all", list(said))]
    groups += [
        (name, [one for one in said if shown_first(one) is first])
        for name, first in (("first", True), ("after", False))
    ]
    rows = [_time_row(words(f"dashboard.time.{name}"), time_to_read(mine), words) for name, mine in groups]
    unknown = sum(shown_first(one) is None for one in said)
    heads = [words(f"dashboard.time.{name}") for name in ("group", "low", "median", "high")]
    return tag(
        "section",
        tag("h2", words("dashboard.time")),
        table([*heads, "n"], rows, ("", *("number",) * 4)),
        tag("p", words("dashboard.time.note"), class_="quiet"),
        tag("p", words("dashboard.time.unknown", n=f"{unknown:,}"), class_="quiet") if unknown else None,
        id="time",
    )


def _time_row(name: str, found: Time | None, words: Words) -> list[Child]:
    if found is None:
        return [name, "–", "–", "–", "0"]
    return [name, *(duration(value, words) for value in found.quartiles), f"{found.cases:,}"]


def calibration_part(found: Sequence[Calibrated], words: Words) -> Markup:
    """Whether what was said to be likely was as often signed as there."""
    title = tag("h2", words("dashboard.calibration"))
    lead = words("dashboard.calibration.lead", patients=str(FEWEST_PATIENTS), each=str(FEWEST_IN_CLASS))
    if not found:
        none = tag("p", words("dashboard.calibration.none"), class_="empty")
        return tag("section", title, tag("p", lead, class_="lead"), none, id="calibration")
    drawn = [_reliability(one, words) for one in found if one.bins][:MOST]
    rows: list[list[Child]] = []
    for one in found:
        named = tag("span", words.phrase(one.concept), tag("small", one.release))
        note = tag("small", words.phrase(one.error.note)) if one.error.note else None
        value = [_measure(one.error, words), note]
        rows.append([named, value, f"{one.cases:,}", f"{one.present:,}", f"{one.patients:,}"])
    heads = [words(f"dashboard.calibration.{name}") for name in ("finding", "error", "cases", "present", "patients")]
    shown = table(heads, rows, ("", *("number",) * 4))
    figures = tag("div", drawn, class_="figures") if drawn else None
    return tag("section", title, tag("p", lead, class_="lead"), shown, figures, id="calibration")


def _reliability(one: Calibrated, words: Words) -> Markup:
    line = Line(
        label=words.phrase(one.concept),
        x=tuple(each.said for each in one.bins),
        y=tuple(each.true.value or 0.0 for each in one.bins),
        low=tuple(each.true.low or 0.0 for each in one.bins),
        high=tuple(1.0 if each.true.high is None else each.true.high for each in one.bins),
        style="points",
    )
    ideal = Line(label=words("dashboard.calibration.ideal"), x=(0.0, 1.0), y=(0.0, 1.0), style="reference")
    chart = Chart(
        title=f"{words.phrase(one.concept)} · {one.release}",
        x_label=words("dashboard.calibration.said"),
        y_label=words("dashboard.calibration.true"),
        lines=(line, ideal),
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        note=words("dashboard.n_cases", n=f"{one.cases:,}", patients=f"{one.patients:,}"),
    )
    return figure_markup(chart, words.reports)


def drift_part(tests: Sequence[Watched], level: float | None, words: Words) -> Markup:
    """What changed against training and against earlier, with the rate of false alarms that this is done at."""
    title = tag("h2", words("dashboard.drift"))
    lead = words("dashboard.drift.lead", looks=f"{1 / FALSE_ALARMS:.0f}", fewest=str(FEWEST))
    if not tests:
        none = tag("p", words("dashboard.drift.none"), class_="empty")
        return tag("section", title, tag("p", lead, class_="lead"), none, id="drift")
    done, alarms = sum(one.p is not None for one in tests), sum(one.alarm for one in tests)
    if level is None:
        verdict, kind = words("dashboard.drift.too_few"), "quiet"
    elif alarms:
        verdict, kind = words.count("dashboard.drift.alarms", alarms), "warning"
    else:
        verdict, kind = words("dashboard.drift.calm", n=f"{done:,}"), "calm"
    order = sorted(tests, key=lambda one: (not one.alarm, one.p is None, one.p or 0.0))
    heads = [words(f"dashboard.drift.{name}") for name in ("what", "recent", "reference", "shares", "p", "said")]
    kinds = ("", "number", "number", "number", "number", "")
    rows = [_test(one, words) for one in order]
    shown = table(heads, rows[:ROWS], kinds)
    more = (
        fold(words("dashboard.all_rows", n=f"{len(rows):,}"), table(heads, rows, kinds)) if len(rows) > ROWS else None
    )
    stated = words("dashboard.drift.level", n=f"{done:,}", level=f"{level:.2g}") if level is not None else ""
    return tag(
        "section",
        title,
        tag("p", lead, class_="lead"),
        tag("p", verdict, class_=kind),
        shown,
        more,
        tag("p", stated, class_="quiet") if stated else None,
        tag("p", words("dashboard.drift.note"), class_="quiet"),
        id="drift",
    )


def _test(one: Watched, words: Words) -> list[Child]:
    what = words(f"dashboard.drift.test.{one.key}", concept=words.phrase(one.concept))
    link = tag("a", one.release, href=f"/models/{quote(one.release, safe='@')}")
    shares: list[Child] = []
    if one.share is not None:
        shares.append(measure_text(one.share, words.reports))
    if one.expected is not None:
        expected = words(f"dashboard.drift.expected.{one.key}", share=numbers.share(one.expected))
        shares.append(tag("small", expected))
    if one.middles is not None:
        new, old = (plain(value) for value in one.middles)
        shares.append(tag("small", words("dashboard.drift.middles", new=new, old=old)))
    for name, new_share, old_share in one.classes[:CLASSES]:
        ends = {"new": numbers.share(new_share), "old": numbers.share(old_share)}
        shares.append(tag("small", words("dashboard.drift.class", name=words.phrase(name), **ends)))
    if one.p is None:
        said: Child = tag("span", words("dashboard.too_few"), class_="quiet")
    else:
        said = tag("span", words("dashboard.drift.alarm" if one.alarm else "dashboard.drift.no_alarm"),
                   class_="alarm" if one.alarm else None)  # fmt: skip
    p = "–" if one.p is None else f"{one.p:.2g}" if one.p >= 1e-4 else "≤ 0.0001"
    return [
        tag("span", what, tag("small", link)),
        f"{one.recent:,}",
        f"{one.reference:,}",
        tag("span", *shares),
        p,
        said,
    ]
