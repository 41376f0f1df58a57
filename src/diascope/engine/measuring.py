"""Decided rows to an evaluation: every figure with its interval, every covariate with its subgroups."""

from __future__ import annotations

import getpass
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.evaluation import CaseScore, CaseValues, Evaluation, Subgroup
from diascope.core.plan import Plan
from diascope.engine.batch import Row
from diascope.engine.task import Scores
from diascope.evidence.intervals import measures

SUBGROUP_VALUES = 6
"""A covariate with more values than this is cut at its quartiles (numbers) or shows its most frequent ones (text)."""
SUBGROUP_RESAMPLES = 400


def measured(
    plan: Plan, rows: Sequence[Row], cases: Sequence[Case], decision: Mapping[str, Any], part: str, release: str
) -> Evaluation:
    """Decided rows to an evaluation: every figure with its interval, every covariate with its subgroups."""
    task = registry.get("tasks", plan.task)
    scores = task.score(rows, plan)
    patients = [case.patient for case in cases]
    found = measures(scores.statistics, patients, seed=plan.seed)
    ranked = sorted(range(len(rows)), key=lambda i: np.nan_to_num(scores.per_case[i], nan=np.inf))
    return Evaluation(
        dataset=plan.dataset,
        part=part,
        task=plan.task,
        release=release,
        cases=len(cases),
        patients=len(set(patients)),
        metrics=found,
        headline=tuple(name for name in scores.headline if name in found),
        decision=dict(decision),
        subgroups=tuple(_subgroups(scores, cases, patients, plan.seed)),
        cases_ranked=tuple(_ranked(cases[i], float(scores.per_case[i])) for i in ranked),
        case_values=tuple(_values(scores, i, cases[i]) for i in ranked) if scores.values else (),
        undefined={name: missing for name, one in scores.values.items() if (missing := int(np.isnan(one).sum()))},
        figures=tuple(task.figures(rows, plan, decision)),
        evaluated_by=_user(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _user() -> str:
    """Who is signed in; the number of the account where it has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13
        return f"uid {os.getuid()}"


def _ranked(case: Case, score: float) -> CaseScore:
    return CaseScore(case=case.id, patient=case.patient, score=_defined(score))


def _values(scores: Scores, index: int, case: Case) -> CaseValues:
    values = {name: _defined(float(column[index])) for name, column in scores.values.items()}
    return CaseValues(case=case.id, patient=case.patient, values=values)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)


def _subgroups(scores: Scores, cases: Sequence[Case], patients: Sequence[str], seed: int) -> list[Subgroup]:
    found = []
    chosen = [one for one in scores.statistics if one.name in scores.headline]
    for covariate, values in _covariates(cases).items():
        for value in sorted(set(values) - {""}):
            index = np.array([i for i, mine in enumerate(values) if mine == value])
            people = [patients[i] for i in index]
            metrics = measures(chosen, patients, index, resamples=SUBGROUP_RESAMPLES, seed=seed)
            found.append(
                Subgroup(covariate=covariate, value=value, cases=len(index), patients=len(set(people)), metrics=metrics)
            )
    return found


def _covariates(cases: Sequence[Case]) -> dict[str, list[str]]:
    """Covariate to each case's value in words; numbers are cut at their quartiles."""
    names = sorted({name for case in cases for name in case.covariates})
    columns: dict[str, list[Any]] = {name: [case.covariates.get(name) for case in cases] for name in names}
    if any(case.site for case in cases):
        columns["site"] = [case.site for case in cases]
    found: dict[str, list[str]] = {}
    for name, values in columns.items():
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if numbers and len(set(numbers)) > SUBGROUP_VALUES:
            found[name] = _quartiles(name, values, numbers)
        elif 1 < len(set(values) - {None}) <= SUBGROUP_VALUES:
            found[name] = ["missing" if v is None else str(v) for v in values]
        elif Counter(values).most_common(1)[0][1] > len(values) / 10 and len(set(values) - {None}) > 1:
            common = {v for v, _ in Counter(v for v in values if v is not None).most_common(SUBGROUP_VALUES)}
            found[name] = [str(v) if v in common else "" for v in values]
    return found


def _quartiles(name: str, values: Sequence[Any], numbers: Sequence[float]) -> list[str]:
    edges = np.unique(np.quantile(np.array(numbers, float), (0, 0.25, 0.5, 0.75, 1)))
    words = [f"{a:g} to {b:g}" for a, b in pairwise(edges)]
    last = len(words) - 1
    return [
        words[min(int(np.searchsorted(edges, v, "right")) - 1, last)] if isinstance(v, int | float) else "missing"
        for v in values
    ]
