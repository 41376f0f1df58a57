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
from diascope.engine.task import Audit, Scores
from diascope.evidence.intervals import measures

SUBGROUP_VALUES = 6
"""Of a covariate with more values: numbers are cut at their quartiles, of words the largest groups are shown."""
MISSING = "missing"
SUBGROUP_RESAMPLES = 400


def measured(
    plan: Plan,
    rows: Sequence[Row],
    cases: Sequence[Case],
    decision: Mapping[str, Any],
    part: str,
    release: str,
    scores: Scores | None = None,
) -> Evaluation:
    """Decided rows to an evaluation: every figure with its interval, every covariate with its subgroups.

    Args:
        plan: By which the rows were made.
        rows: Decided.
        cases: Of the rows.
        decision: Of the release.
        part: `test`, `cross-validated` or `external`.
        release: Its name.
        scores: Of the task for these rows, where it was asked already.
    """
    task = registry.get("tasks", plan.task)
    scores = task.score(rows, plan) if scores is None else scores
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


def audited(
    evaluation: Evaluation, found: Audit, patients: Sequence[str], seed: int, warnings: Sequence[str] = ()
) -> Evaluation:
    """An evaluation with what was found beside the training cases.

    Args:
        evaluation: Of the task's scores.
        found: By its audit.
        patients: Of each case that the audit scored.
        seed: Of the resamples.
        warnings: What must be said of it.
    """
    metrics = evaluation.metrics | measures(found.statistics, patients, seed=seed)
    return evaluation.model_copy(
        update={
            "metrics": metrics,
            "headline": (*evaluation.headline, *(name for name in found.headline if name in metrics)),
            "figures": (*evaluation.figures, *found.figures),
            "blocks": found.blocks,
            "warnings": (*evaluation.warnings, *warnings),
        }
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
    for covariate, groups in _covariates(cases).items():
        for value, members in groups.items():
            index = np.array(members)
            people = [patients[i] for i in index]
            metrics = measures(chosen, patients, index, resamples=SUBGROUP_RESAMPLES, seed=seed)
            found.append(
                Subgroup(covariate=covariate, value=value, cases=len(index), patients=len(set(people)), metrics=metrics)
            )
    return found


def _covariates(cases: Sequence[Case]) -> dict[str, dict[str, list[int]]]:
    """Covariate to its groups, in the order in which they are shown: name of the group to the cases in it."""
    names = sorted({name for case in cases for name in case.covariates})
    columns: dict[str, list[Any]] = {name: [case.covariates.get(name) for case in cases] for name in names}
    if any(case.site for case in cases):
        columns["site"] = [case.site for case in cases]
    found = {}
    for name, values in columns.items():
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        many = len(set(numbers)) > SUBGROUP_VALUES
        groups = _quartiles(values, numbers) if many else _largest([None if v is None else str(v) for v in values])
        if len(groups) > 1:
            found[name] = groups
    return found


def _largest(values: Sequence[str | None]) -> dict[str, list[int]]:
    """The cases of each value; of many values the largest groups, and the rest as one.

    None where each case has a value of its own (a name, a number of a file): these are no groups.
    """
    counts = Counter(value for value in values if value is not None)
    if len(counts) < 2 or counts.most_common(1)[0][1] < 2 < len(counts):
        return {}
    shown = sorted(counts)
    if len(counts) > SUBGROUP_VALUES:
        shown = sorted(value for value, _ in counts.most_common(SUBGROUP_VALUES))
    rest = f"the other {len(counts) - len(shown)} values"
    named = [MISSING if value is None else value if value in shown else rest for value in values]
    return {
        group: [i for i, mine in enumerate(named) if mine == group]
        for group in [*shown, rest, MISSING]
        if group in named
    }


def _quartiles(values: Sequence[Any], numbers: Sequence[float]) -> dict[str, list[int]]:
    edges = np.unique(np.quantile(np.array(numbers, float), (0, 0.25, 0.5, 0.75, 1)))
    words = [f"{a:g} to {b:g}" for a, b in pairwise(edges)]
    last = len(words) - 1
    named = [
        words[min(int(np.searchsorted(edges, v, "right")) - 1, last)] if isinstance(v, int | float) else MISSING
        for v in values
    ]
    return {
        group: [i for i, mine in enumerate(named) if mine == group] for group in [*words, MISSING] if group in named
    }
