"""Treatments in a column: like cases are compared, and nothing is said where hardly any got it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from diascope.core.case import Target
from diascope.core.figure import Chart, Grid
from diascope.core.plan import Choice, ColumnFacts, Fingerprint, InputFacts, Plan
from diascope.engine.batch import Example, Output, Row
from diascope.tasks.treatments import Others, chances, fit_propensity, told, treatments_in
from diascope.testing import a_case

TARGET = Target(name="time_to_event", kind="time_to_event", columns=("months", "died"))
BENEFIT = 0.15


def a_plan(treatment: str = "drug") -> Plan:
    fields: dict[str, Any] = {
        "readings": {
            "table": {
                "kind": "table", "columns": ["age", "drug", "sex"], "scales": {"age": [60.0, 10.0]},
                "categories": {"sex": ["f", "m"], "drug": ["no", "yes"]},
            }
        },
        "horizons": [10.0], "treatment": treatment,
        "treatment_values": {"drug": ["no", "yes"]},
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="rule", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="survival", target=TARGET, seed=0, choices=choices)


def risks(logits: Sequence[float]) -> np.ndarray:
    """The tests' networks say the risk itself."""
    return np.array([logits[0]])


def rows(count: int = 1200, seed: int = 0) -> list[Row]:
    """The old are treated more often, and die sooner; the drug helps everybody. Below 45 nobody gets it."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        age = rng.normal(60, 10)
        treated = age > 45 and rng.random() < 1 / (1 + np.exp(-(age - 60) / 5))
        risk = np.clip(0.5 + (age - 60) / 50, 0.2, 0.8)
        output = Output(np.zeros(1), under={"no": np.array([risk]), "yes": np.array([risk - BENEFIT])})
        values = np.array([age, float(treated), number % 2], np.float32)
        event = bool(rng.random() < risk - BENEFIT * treated)
        row = told.seen(output, Example(a_case(number), {"table": values}, {}), a_plan())
        found.append({**row, "time": 5.0 if event else 20.0, "event": event})
    return found


def facts(*columns: ColumnFacts) -> Fingerprint:
    table = InputFacts(
        kind="table", modality="table", channels=1, dimensions=0, physical=False, shapes=((1, 1, 1),) * 5,
        spacings=((1.0, 1.0, 1.0),) * 5, intensity={}, per_case={}, columns=tuple(one.name for one in columns),
        table=columns,
    )  # fmt: skip
    return Fingerprint(
        dataset="d", cases=9, patients=9, inputs={"table": table}, strata={}, label_volumes={}, bytes_decoded=0,
        seconds_per_case=0.0,
    )  # fmt: skip


def test_a_column_that_is_named_like_a_treatment_is_one() -> None:
    age = ColumnFacts(name="age", kind="number", quantiles=(20, 30, 50, 70, 90))
    horth = ColumnFacts(name="horTh", kind="category", values=("no", "yes"))
    sex = ColumnFacts(name="sex", kind="number", quantiles=(1, 1, 2, 2, 2))
    assert treatments_in(facts(age, sex, horth)) == ("horTh", {"sex": [1, 2], "horTh": ["no", "yes"]})
    assert treatments_in(facts(age, sex))[0] == ""
    even = ColumnFacts(name="arm", kind="number", quantiles=(0, 0, 0.5, 1, 1))
    assert treatments_in(facts(age, even)) == ("arm", {"arm": [0, 1]})
    dose = ColumnFacts(name="treatment", kind="number", quantiles=(0, 0, 50, 100, 100))
    assert treatments_in(facts(dose)) == ("", {})


def test_the_propensity_is_how_often_like_cases_were_treated() -> None:
    some, plan = rows(), a_plan()
    fitted = told.fitted(some, plan)["treatment"]
    arms = told.arms_of(plan)
    assert arms is not None
    for age, share in ((60, 0.5), (65, 0.73), (55, 0.27)):
        chance = chances(Others.of(plan, arms).design([age, 0.0, 1.0]), fitted)[0]
        assert chance[1] == pytest.approx(share, abs=0.06)
        assert chance.sum() == pytest.approx(1.0)


def test_the_treatment_itself_does_not_tell_who_is_comparable() -> None:
    plan = a_plan()
    arms = told.arms_of(plan)
    assert arms is not None
    design = Others.of(plan, arms).design(np.array([[70, 0, 1], [70, 1, 1], [np.nan, np.nan, np.nan]]))
    np.testing.assert_array_equal(design[0], design[1])
    np.testing.assert_array_equal(design[:, 0], 1)
    np.testing.assert_array_equal(design[2], [1, 0, 1, 0, 0])


def test_risks_are_told_under_each_treatment_that_like_cases_got() -> None:
    plan = a_plan()
    decision = told.fitted(rows(), plan)

    def of(age: float) -> dict[str, Any]:
        output = Output(np.zeros(1), under={"no": np.array([0.6]), "yes": np.array([0.45])})
        row = told.seen(output, Example(a_case(), {"table": np.array([age, 0, 1], np.float32)}, {}), plan)
        return {one.concept.rpartition(" ")[2]: one for one in told.findings(row, decision, plan, risks)}

    usual, young = of(60), of(38)
    assert usual["no"].measures["risk_until_10"].value == pytest.approx(0.6)
    assert usual["yes"].measures["risk_until_10"].value == pytest.approx(0.45)
    assert "not the effect of the treatment" in usual["yes"].rule
    assert young["no"].status == "measured"
    assert young["yes"].status == "abstained"
    assert "too few cases like this one got it" in young["yes"].reason


def test_of_a_treatment_that_few_got_nothing_is_said() -> None:
    plan, some = a_plan(), [row for row in rows(300) if row["arm"] == 0 or row["columns"][0] > 76]
    decision = told.fitted(some, plan)
    assert "with yes" in decision["treatment"]["reason"]
    found = told.findings(some[0], decision, plan, risks)
    assert [one.status for one in found] == ["abstained", "abstained"]
    assert told.figures(some, decision, plan, risks) == ()


def test_the_same_cases_under_each_treatment_are_not_those_who_got_it() -> None:
    plan, some = a_plan(), rows()
    chart, table = told.figures(some, told.fitted(some, plan), plan, risks)
    assert isinstance(chart, Chart)
    assert isinstance(table, Grid)
    no, yes = table.rows
    assert yes[3] > no[3] - 0.05  # the old got it: what was seen of them hides the benefit
    assert no[5] - yes[5] == pytest.approx(BENEFIT, abs=1e-3)
    assert 0 < int(str(no[4])) < int(str(no[1]))


def test_without_a_treatment_nothing_changes() -> None:
    plan = a_plan("")
    output = Output(np.zeros(1))
    assert told.seen(output, Example(a_case(), {"table": np.zeros(3, np.float32)}, {}), plan) == {}
    assert told.fitted([], plan) == {}
    assert told.findings({}, {}, plan, risks) == ()
    assert told.figures([], {}, plan, risks) == ()


def test_a_tie_of_no_column_with_the_treatment_is_a_coin() -> None:
    arm = np.arange(200) % 2
    fitted = fit_propensity(np.ones((200, 1)), arm, ("no", "yes"))
    np.testing.assert_allclose(chances(np.ones((1, 1)), fitted), [[0.5, 0.5]], atol=1e-6)
