"""Evaluations: every case in them, what is undefined counted, subgroups, and who evaluated."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Label, Target
from diascope.core.plan import Plan
from diascope.engine.batch import Row
from diascope.engine.measuring import _user, measured
from diascope.engine.task import Scores, Statistic
from diascope.testing import a_case


class ATask:
    """Scores a column of numbers by its mean."""

    def score(self, rows: Sequence[Row], plan: Plan) -> Scores:
        column = np.array([row["dice"] for row in rows])

        def mean_of(index: Any) -> float:
            defined = column[index][~np.isnan(column[index])]
            return float(defined.mean()) if defined.size else float("nan")

        mean = Statistic("dice", mean_of)
        return Scores((mean,), ("dice",), column, {"dice": column})

    def figures(self, *rest: Any) -> tuple[()]:
        return ()


def evaluated(monkeypatch: pytest.MonkeyPatch, values: Sequence[float], **changes: Sequence[Any]) -> Any:
    """An evaluation of cases with these values; `changes` are fields of the cases, one value each."""
    monkeypatch.setattr(registry, "get", lambda family, name: ATask())
    target = Target(name="m", kind="mask", columns=("m",), labels=(Label(name="organ", value=1),))
    plan = Plan(dataset="d", task="t", target=target, seed=0, choices={})
    fields = [dict(zip(changes, each, strict=True)) for each in zip(*changes.values(), strict=True)]
    cases = [a_case(n, **(fields[n] if fields else {})) for n in range(len(values))]
    rows: list[Row] = [{"case": case.id, "dice": value} for case, value in zip(cases, values, strict=True)]
    return measured(plan, rows, cases, {}, "test", "r@1")


def test_every_case_is_in_the_record_worst_first_and_undefined_ones_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = evaluated(monkeypatch, [0.9, np.nan, 0.25, np.nan])
    assert [(one.case, one.values) for one in found.case_values] == [
        ("case2", {"dice": 0.25}),
        ("case0", {"dice": 0.9}),
        ("case1", {"dice": None}),
        ("case3", {"dice": None}),
    ]
    assert [one.case for one in found.cases_ranked] == [one.case for one in found.case_values]
    assert found.undefined == {"dice": 2}
    assert type(found).from_json(found.to_json()) == found


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_container_without_a_passwd_entry_has_a_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert _user() == f"uid {os.getuid()}"


def test_who_is_signed_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert _user() == "ada"


def shown(found: Any, covariate: str) -> list[tuple[str, int, int]]:
    return [(one.value, one.cases, one.patients) for one in found.subgroups if one.covariate == covariate]


def test_of_many_sites_the_largest_are_shown_and_the_rest_is_one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {f"site {letter}": 4 if letter < "g" else 2 for letter in "abcdefghijklmnop"}
    sites = [site for site, size in sizes.items() for _ in range(size)]
    assert max(sizes.values()) / len(sites) < 0.1
    found = evaluated(monkeypatch, [0.5] * len(sites), site=sites, patient=[f"p{n // 2}" for n in range(len(sites))])
    assert shown(found, "site") == [
        *((f"site {letter}", 4, 2) for letter in "abcdef"),
        ("the other 10 values", 20, 10),
    ]


def test_cases_without_a_value_are_a_group_and_words_of_their_own_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    covariates = [{"sex": [None, "f", "m"][n % 3], "note": f"free text {n}", "alike": "x"} for n in range(12)]
    found = evaluated(monkeypatch, [0.5] * 12, covariates=covariates)
    assert shown(found, "sex") == [("f", 4, 4), ("m", 4, 4), ("missing", 4, 4)]
    assert shown(found, "note") == []
    assert shown(found, "alike") == []


def test_numbers_are_cut_at_their_quartiles_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    covariates = [{"age": None if n == 0 else float(n)} for n in range(21)]
    found = evaluated(monkeypatch, [0.5] * 21, covariates=covariates)
    assert [one[0] for one in shown(found, "age")] == [
        "1 to 5.75",
        "5.75 to 10.5",
        "10.5 to 15.25",
        "15.25 to 20",
        "missing",
    ]
    assert sum(one[1] for one in shown(found, "age")) == 21
