"""Rows that know of treatments, and the findings and figures that are made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Chart, Figure, Grid, Line
from diascope.core.finding import Finding, Measure
from diascope.core.plan import Plan
from diascope.engine.arms import Arms, arms_of
from diascope.engine.batch import Example, Output, Row
from diascope.evidence.survival.curves import kaplan_meier
from diascope.tasks.treatments import Others, chances, fit_propensity

RULE = (
    "what the model says of cases like this one that got it, as the records hold them; not the effect of the "
    "treatment: why each got what he got may not be in the table"
)
NOTE = (
    "comparable: cases of which enough like ones got each treatment; the model's mean risk of the same cases under "
    "each. Not the effect of the treatment: why each got what he got may not be in the table"
)
BINS = 10
Floats = npt.NDArray[np.float64]
Risks = Callable[[Sequence[float]], Floats]
"""Logits of one case to its calibrated risk until each horizon."""


def seen(output: Output, example: Example, plan: Plan) -> Row:
    """What a row keeps so that treatments can be told apart; nothing where the plan names none."""
    arms = arms_of(plan)
    if arms is None or arms.input not in example.inputs:
        return {}
    values = [float(value) for value in example.inputs[arms.input]]
    return {
        "columns": values,
        "arm": arms.number_of(values[arms.place]),
        "under": {word: [float(value) for value in said] for word, said in output.under.items()},
    }


def fitted(rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
    """What a decision keeps of who is comparable; nothing where the plan names no treatment."""
    arms = arms_of(plan)
    if arms is None:
        return {}
    known = [row for row in rows if row.get("arm") is not None]
    design = Others.of(plan, arms).design([row["columns"] for row in known]) if known else np.ones((0, 1))
    return {"treatment": fit_propensity(design, np.array([row["arm"] for row in known], np.intp), tuple(arms.codes))}


def findings(row: Row, decision: Mapping[str, Any], plan: Plan, risks: Risks) -> tuple[Finding, ...]:
    """One finding for each treatment; it abstains where hardly any case like this one got it."""
    arms, known = arms_of(plan), decision.get("treatment")
    if arms is None or known is None or not row.get("under"):
        return ()
    found = []
    chance = None if "reason" in known else chances(Others.of(plan, arms).design(row["columns"]), known)[0]
    for place, word in enumerate(arms.codes):
        concept = f"{plan.target.name} with {plan['treatment']} = {word}"
        if chance is None:
            found.append(_abstained(concept, str(known["reason"])))
            continue
        share, least = float(chance[place]), float(known["least"][place])
        if share < least:
            why = f"too few cases like this one got it: {share:.1%} (propensity), and {least:.1%} are needed"
            found.append(_abstained(concept, why))
            continue
        measures = {
            f"risk_until_{horizon:g}": Measure(value=round(float(risk), 6), note=f"{share:.0%} of like cases got it")
            for horizon, risk in zip(plan["horizons"], risks(row["under"][word]), strict=True)
        }
        found.append(Finding(concept=concept, status="measured", measures=measures, rule=RULE))
    return tuple(found)


def _abstained(concept: str, why: str) -> Finding:
    return Finding(concept=concept, status="abstained", reason=f"not available, because {why}")


def figures(rows: Sequence[Row], decision: Mapping[str, Any], plan: Plan, risks: Risks) -> tuple[Figure, ...]:
    """How far the treatments overlap, and what was said of the same cases under each, beside what was."""
    arms, known = arms_of(plan), decision.get("treatment")
    some = [row for row in rows if row.get("arm") is not None]
    if arms is None or known is None or "reason" in known or not some:
        return ()
    chance = chances(Others.of(plan, arms).design([row["columns"] for row in some]), known)
    comparable = np.asarray((chance >= np.asarray(known["least"])).all(axis=1))
    middle = len(plan["horizons"]) // 2
    said = np.array([[risks(row["under"][word])[middle] for word in arms.codes] for row in some])
    table = _table(some, arms, plan, (comparable, said))
    return (table,) if len(arms.codes) != 2 else (_overlap(some, arms, plan, chance[:, 1]), table)


def _table(some: Sequence[Row], arms: Arms, plan: Plan, told: tuple[npt.NDArray[np.bool_], Floats]) -> Grid:
    comparable, said = told
    horizon = plan["horizons"][len(plan["horizons"]) // 2]
    arm = np.array([row["arm"] for row in some])
    time, event = (np.array([row[name] for row in some], float) for name in ("time", "event"))
    cells: list[tuple[str | int | float | None, ...]] = []
    for place, word in enumerate(arms.codes):
        mine = arm == place
        lived = float(kaplan_meier(time[mine], event[mine] > 0).at(horizon)) if mine.any() else float("nan")
        seen_risk = None if np.isnan(lived) else round(1 - lived, 3)
        mean = round(float(said[comparable, place].mean()), 3) if comparable.any() else None
        cells.append((word, int(mine.sum()), int(event[mine].sum()), seen_risk, int((mine & comparable).sum()), mean))
    columns = (
        *("treatment", "cases", "events", f"share with the event until {horizon:g} (Kaplan-Meier)"),
        *("comparable cases", f"mean risk until {horizon:g} of all comparable cases under it"),
    )
    return Grid(title=f"Treatments: {plan['treatment']}", columns=columns, rows=tuple(cells), note=NOTE)


def _overlap(some: Sequence[Row], arms: Arms, plan: Plan, chance: Floats) -> Chart:
    arm, edges = np.array([row["arm"] for row in some]), np.linspace(0, 1, BINS + 1)
    lines = []
    for place, word in enumerate(arms.codes):
        counts, _ = np.histogram(chance[arm == place], edges)
        shares = counts / max(1, counts.sum())
        lines.append(Line(label=word, x=tuple(map(float, (edges[:-1] + edges[1:]) / 2)), y=tuple(map(float, shares))))
    return Chart(
        title=f"Overlap of treatments: {plan['treatment']}",
        x_label=f"chance of {tuple(arms.codes)[1]} by the other columns (propensity)",
        y_label="share of the cases that got it",
        lines=tuple(lines),
        x_range=(0, 1),
        note="where one line is at 0 nobody comparable got that treatment, and nothing is said of it",
    )
