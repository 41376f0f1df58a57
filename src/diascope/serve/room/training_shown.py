"""What a step on the way to a release shows: what a check found, a plan with its reasons, a training, its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diascope.core.finding import Measure
from diascope.core.plan import Choice, Plan
from diascope.core.problem import Problem
from diascope.reports import data, results
from diascope.reports.making import KINDS
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.numbers import measure_text, number
from diascope.reports.results import long_value
from diascope.reports.tables import fold, table
from diascope.serve.http.routes.jobs import Job
from diascope.serve.room import numbers
from diascope.serve.room.models import Model
from diascope.serve.room.models import address_of as model_address
from diascope.serve.room.training import STEPS, made_of, problems_of, report_address, said, step_of, verb_of, works_on
from diascope.serve.room.words import Words

FIRST = (
    "model", "steps", "folds", "batch", "patch", "spacing", "loss",
    "learning_rate", "augment", "operating_point", "weights",
)  # fmt: skip
"""Choices of a plan that stand open, in this order; the others are folded."""
LONGEST = 12
"""Findings that are shown with their pictures."""


def head(job: Job, words: Words) -> Markup:
    """What it is, and where on the way it stands."""
    now = STEPS.index(step_of(job))
    steps = [
        tag(
            "li",
            words(f"training.step.{name}"),
            class_="past" if at < now else "now" if at == now else None,
            aria_current="step" if at == now else None,
        )
        for at, name in enumerate(STEPS)
    ]
    about = [
        (words("training.data"), works_on(job)),
        (words("training.by"), job.by.removeprefix("user:")),
        (words("training.at"), numbers.moment(job.created.timestamp())),
    ]
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in about]
    return tag(
        "header",
        tag("p", tag("a", words("training.back"), href="/training")),
        tag("h1", words(f"training.verb.{verb_of(job)}"), " ", state(job, words)),
        tag("ol", steps, class_="steps", aria_label=words("training.steps")),
        tag("dl", facts, class_="facts"),
    )


def state(job: Job, words: Words) -> Markup:
    """Where a job stands."""
    return tag("span", words(f"training.state.{job.state}"), class_=f"work {job.state}")


def live(job: Job, words: Words) -> Markup:
    """What the script fills while it goes on: progress, remaining time, curves."""
    done, total = (job.progress.done, job.progress.total) if job.progress else (0, 0)
    bar = tag("progress", id="bar", max=max(total, 1), value=done or None, aria_label=words("training.progress"))
    note = words("training.waits" if job.state == "queued" else "training.live.work")
    return tag(
        "section",
        bar,
        tag("p", tag("span", note, id="note"), " ", tag("strong", id="left"), class_="going"),
        tag("div", id="curves", class_="figures") if verb_of(job) in ("fit", "train") else None,
        tag("p", id="said", class_="quiet", aria_live="off"),
        id="live",
    )


def course(words: Words) -> Markup:
    """The curves of a training that has ended; the script draws them."""
    return tag(
        "section",
        tag("h2", words("training.course")),
        tag("div", id="curves", class_="figures"),
        tag("p", id="said", class_="quiet"),
    )


def failed(job: Job, words: Words) -> Markup | None:
    """What was wrong and what to do."""
    if job.error is None or job.state not in ("failed", "cancelled"):
        return None
    error = job.error
    return tag(
        "section",
        tag("p", tag("strong", words.phrase(error.wrong)), class_="wrong"),
        tag("p", tag("code", error.given)) if error.given else None,
        tag("p", words.phrase(error.todo)) if error.todo else None,
        role="alert",
        class_="failed",
    )


def found(job: Job, words: Words) -> Markup:
    """What a check found, the gravest first, and its report."""
    problems, about = problems_of(job), said(job)
    cases, patients = int(about.get("cases", 0)), int(about.get("patients", 0))
    shown: Child = tag("p", words("training.long"), class_="quiet")
    if problems is not None:
        shown = data.problem_list(problems, (), words.reports)
    report = made_of(job, "reports")
    link = tag("p", tag("a", words("training.report"), href=report_address(report))) if report else None
    verdict = "refuse" if about.get("refused") else _worst(problems or ())
    notes = [tag("li", words.phrase(str(one))) for one in about.get("notes", [])]
    return tag(
        "section",
        tag("h2", words("training.found")),
        tag("p", words.reports(f"verdict.{verdict}"), class_=f"sentence is-{verdict}"),
        data.check_cards(cases, patients, problems or (), words.reports),
        link,
        shown,
        fold(words("training.notes"), tag("ul", notes, class_="plain")) if notes else None,
        id="found",
    )


def planned(plan: Plan, problems: Sequence[Problem], words: Words) -> Markup:
    """What will be done and why, and what was found in the data, with pictures."""
    choices = plan.choices
    cards = [
        _card(words("training.minutes.predicted"), choices.get("predicted_minutes"), "min", words),
        _card(words("training.memory.predicted"), choices.get("predicted_gb"), "GB", words),
        _card(words("training.networks"), choices.get("folds"), "", words),
        _card(words("training.steps.each"), choices.get("steps"), "", words),
    ]
    first = {name: choices[name] for name in FIRST if name in choices}
    others = {name: one for name, one in choices.items() if name not in first}
    pictures = [one for one in problems if one.figure is not None or one.severity != "note"][:LONGEST]
    return tag(
        "section",
        tag("h2", words("training.plan")),
        tag("p", words("training.plan.lead", task=words.phrase(plan.task), dataset=plan.dataset), class_="lead"),
        tag("div", cards, class_="cards small"),
        _choices(first, words),
        fold(words.count("training.choices", len(others)), _choices(others, words)) if others else None,
        fold(words("training.pictures"), data.problem_list(pictures, (), words.reports)) if pictures else None,
        id="planned",
    )


def came_of_it(one: Model, words: Words) -> Markup:
    """The headline of what was measured; all of it is on the model's page."""
    evaluation = one.evidence.evaluation
    more = tag("p", tag("a", words("training.evidence", release=one.label), href=model_address(one.label)))
    if evaluation is None:
        return tag("section", tag("h2", one.label), tag("p", one.evidence.wrong, class_="warning"), more, id="result")
    blocks = [
        tag("p", words("training.blocked", why=words.phrase(each)), class_="warning") for each in evaluation.blocks
    ]
    part = evaluation.part if evaluation.part in ("test", "cross-validated", "external") else "other"
    size = words(f"models.part.{part}", n=f"{evaluation.patients:,}", cases=f"{evaluation.cases:,}")
    warnings = [tag("li", words.phrase(line)) for line in evaluation.warnings]
    return tag(
        "section",
        tag("h2", one.label),
        tag("p", size, class_="lead"),
        blocks,
        results.headline_cards(evaluation, words.reports),
        fold(words.count("training.warnings", len(warnings)), tag("ul", warnings, class_="plain"))
        if warnings
        else None,
        more,
        id="result",
    )


def compared(job: Job, words: Words) -> Markup:
    """Two releases on the same cases, metric by metric."""
    about = said(job)
    one, other = (str(name) for name in (*about.get("releases", []), "", "")[:2])
    rows = [_difference(name, row, words) for name, row in about.get("metrics", {}).items()]
    names = [words("training.metric"), one, other, words("training.difference"), "p"]
    size = words("training.compared.on", n=f"{about.get('patients', 0):,}", cases=f"{about.get('cases', 0):,}")
    warnings = [tag("p", words.phrase(str(line)), class_="warning") for line in about.get("warnings", [])]
    shown = table(names, rows, ("", "number", "number", "number", "number")) if rows else None
    return tag(
        "section", tag("h2", words("training.compared")), tag("p", size, class_="lead"), warnings, shown, id="result"
    )


def _difference(name: str, row: Mapping[str, Any], words: Words) -> list[Child]:
    difference = Measure.model_validate(row["difference"])
    why = tag("small", words.phrase(difference.note)) if difference.note and difference.low is None else None
    p = row.get("p")
    values = ["–" if row.get(key) is None else number(float(row[key]), 3) for key in ("one", "other")]
    said_ = [measure_text(difference, words.reports), why]
    return [words.reports.metric(name), *values, said_, "–" if p is None else number(float(p), 3)]


def _choices(choices: Mapping[str, Choice], words: Words) -> Markup:
    rows: list[list[Child]] = []
    for field, choice in choices.items():
        gloss = words.reports.field(field)
        name = [tag("code", field), tag("small", gloss) if gloss != field else None]
        kind = KINDS[choice.kind]
        badge = tag("span", words.reports(f"kind.{kind}"), class_=f"badge {kind}")
        rows.append([name, long_value(choice.value, words.reports), badge, words.phrase(choice.reason)])
    head_ = [words.reports(f"column.{name}") for name in ("field", "value", "kind", "reason")]
    return table(head_, rows, ("", "wide", "", "wide"), class_="plan")


def _card(name: str, choice: Choice | None, unit: str, words: Words) -> Markup | None:
    if choice is None or not isinstance(choice.value, int | float):
        return None
    big = [f"{choice.value:g}", tag("span", f" {unit}", class_="unit") if unit else None]
    small = tag("small", words.phrase(choice.reason))
    return tag("div", tag("p", name, class_="name"), tag("p", big, class_="big"), small, class_="card")


def _worst(problems: Sequence[Problem]) -> str:
    return next((one for one in data.ORDER if any(each.severity == one for each in problems)), "none")
