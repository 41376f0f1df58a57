"""Splits are by patient, stratified, seeded; what the source gave holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diascope.core.case import Case, Split
from diascope.core.errors import DataRefused
from diascope.planning.folding import (
    folds,
    folds_by_rule,
    folds_of_few,
    patients_by_stratum,
    rarest_strata,
    split,
    unit,
    united,
)
from diascope.testing import a_case


def label(case: Case) -> str:
    return str(case.targets["label"])


def cases_of(rows: Sequence[tuple[int, str, Split | None]]) -> list[Case]:
    """Rows of (patient, class, given split)."""
    return [
        a_case(number, patient=f"p{patient}", targets={"label": name}, split=part)
        for number, (patient, name, part) in enumerate(rows)
    ]


rows = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("aaabbc"), st.none()), min_size=1, max_size=120)
given_rows = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("aab"), st.sampled_from([None, "train", "val", "test"])),
    min_size=1,
    max_size=120,
)
joins = st.lists(st.lists(st.integers(0, 119).map("case{}".format), min_size=2, max_size=4), max_size=6)


def sides(cases: Sequence[Case]) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = defaultdict(set)
    for case in cases:
        found[case.patient].add(case.split)
    return found


@given(rows=rows, groups=joins, seed=st.integers(0, 5))
def test_no_patient_and_no_group_lies_on_two_sides(
    rows: list[tuple[int, str, None]], groups: list[list[str]], seed: int
) -> None:
    cases = united(cases_of(rows), groups)
    try:
        found = split(cases, label, seed)
    except DataRefused:
        return
    assert [case.id for case in found] == [case.id for case in cases]
    assert all(len(parts) == 1 for parts in sides(found).values())
    part_of = {case.id: case.split for case in found}
    for group in groups:
        assert len({part_of[member] for member in group if member in part_of}) <= 1


@given(rows=rows, groups=joins, count=st.integers(2, 6))
def test_every_unit_lies_in_exactly_one_fold(
    rows: list[tuple[int, str, None]], groups: list[list[str]], count: int
) -> None:
    cases = united(cases_of(rows), groups)
    units = {unit(case) for case in cases}
    if len(units) < count:
        with pytest.raises(DataRefused, match="fewer folds"):
            folds(cases, label, count, 0)
        return
    dealt = folds(cases, label, count, 0)
    assert sorted(key for fold in dealt for key in fold) == sorted(units)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


@given(rows=given_rows)
def test_a_given_val_never_becomes_test_and_given_test_never_train(rows: list[tuple[int, str, Split | None]]) -> None:
    cases = cases_of(rows)
    try:
        found = split(cases, label, 0)
    except DataRefused:
        return
    assert all(len(parts) == 1 for parts in sides(found).values())
    for before, after in zip(cases, found, strict=True):
        if before.split == "val":
            assert after.split == "val"
        if before.split == "test":
            assert after.split in ("test", "val")


@given(rows=given_rows)
def test_what_is_given_whole_is_left_as_it_is(rows: list[tuple[int, str, Split | None]]) -> None:
    parts: dict[int, Split] = {patient: ("train", "val", "test")[patient % 3] for patient, _, _ in rows}  # type: ignore[misc]
    cases = cases_of([(patient, name, parts[patient]) for patient, name, _ in rows])
    if {case.split for case in cases} != {"train", "val", "test"}:
        return
    assert split(cases, label, 0) == cases


def many(a: int = 140, b: int = 60) -> list[Case]:
    return cases_of([(number, "a" if number < a else "b", None) for number in range(a + b)])


def test_shares_are_about_70_15_15_in_every_stratum() -> None:
    found = split(many(), label, 0)
    for name, total in (("a", 140), ("b", 60)):
        counts = Counter(case.split for case in found if label(case) == name)
        assert counts["test"] == pytest.approx(0.15 * total, abs=1.5)
        assert counts["val"] == pytest.approx(0.15 * total, abs=1.5)
        assert counts["train"] == pytest.approx(0.70 * total, abs=2.5)


def test_a_missing_test_part_is_cut_from_train_and_val_stays() -> None:
    cases = [case.model_copy(update={"split": "val" if n % 5 == 0 else "train"}) for n, case in enumerate(many())]
    found = split(cases, label, 0)
    assert {case.id for case in found if case.split == "val"} == {case.id for case in cases if case.split == "val"}
    assert 20 <= sum(case.split == "test" for case in found) <= 40


def test_folds_hold_every_stratum_alike() -> None:
    by_id = {unit(case): label(case) for case in many()}
    for fold in folds(many(), label, 5, 3):
        assert Counter(by_id[key] for key in fold) == Counter({"a": 28, "b": 12})


def test_the_seed_decides_and_nothing_else_does() -> None:
    assert split(many(), label, 1) == split(many(), label, 1)
    assert split(many(), label, 1) != split(many(), label, 2)
    assert folds(many(), label, 5, 1) == folds(list(reversed(many())), label, 5, 1)


def test_a_patient_with_two_classes_counts_as_the_rarer_one() -> None:
    cases = cases_of([(0, "a", None), (0, "b", None), (1, "a", None), (2, "a", None)])
    assert patients_by_stratum(cases, label) == {"a": ["p1", "p2"], "b": ["p0"]}


@pytest.mark.parametrize(
    ("patients", "expected"),
    [((99, 0), True), ((100, 0), False), ((81, 19), True), ((180, 20), False), ((300, 19), True)],
)
def test_small_sets_are_cross_validated(patients: tuple[int, int], expected: bool) -> None:
    assert folds_by_rule(many(*patients), label) is expected


def test_several_pictures_of_few_patients_are_few_patients() -> None:
    assert folds_by_rule(cases_of([(number % 40, "ab"[number % 2], None) for number in range(400)]), label)


def test_a_small_site_is_no_small_class() -> None:
    cases = many(180, 12)
    assert folds_by_rule(cases, label)
    assert not folds_by_rule(cases, label, {"lesion"}), "the strata are sites; the target tells lesions apart"
    assert folds_by_rule(cases, label, {"a", "b"})


@pytest.mark.parametrize(("patients", "expected"), [(3, 3), (4, 4), (5, 5), (60, 5)])
def test_by_rule_there_are_no_more_folds_than_patients(patients: int, expected: int) -> None:
    cases = many(patients, 0)
    assert folds_of_few(cases) == expected
    assert len(folds(cases, label, folds_of_few(cases), 0)) == expected


def test_joined_patients_count_once_and_two_are_refused() -> None:
    cases = united(many(4, 0), [("case0", "case1"), ("case2", "case3")])
    with pytest.raises(DataRefused, match="2 patients cannot train, validate and test"):
        folds_of_few(cases)


def test_too_few_patients_for_three_parts_are_refused_with_a_way_out() -> None:
    with pytest.raises(DataRefused, match="--folds"):
        split(cases_of([(0, "a", None), (1, "b", None)]), label, 0)


def test_a_lesion_that_two_patients_share_joins_them() -> None:
    cases = [a_case(n, patient=f"p{n}", group="lesion" if n in (1, 3) else None) for n in range(5)]
    found = united(cases, [["case0", "case4"]])
    keys = [unit(case) for case in found]
    assert keys[1] == keys[3]
    assert keys[0] == keys[4]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("parts", [("test",), ("val",), ("val", "test")])
def test_without_a_part_to_train_on_the_way_out_is_evaluate(parts: tuple[Split, ...]) -> None:
    cases = cases_of([(number, "ab"[number % 2], part) for part in parts for number in range(40)])
    with pytest.raises(DataRefused, match=r"nothing to train on.*diascope evaluate"):
        split(cases, label, 0)


def of_several(count: int = 200) -> list[Case]:
    """Cases with a common label, a rarer one beside it, and a rare one."""
    said = [("common", *(["rarer"] if n % 4 == 0 else []), *(["rare"] if n % 20 == 0 else [])) for n in range(count)]
    return [a_case(n, patient=f"p{n}", targets={"label": ";".join(names)}) for n, names in enumerate(said)]


def labels_of(case: Case) -> tuple[str, ...]:
    return tuple(str(case.targets["label"]).split(";"))


def test_a_case_of_several_strata_counts_in_the_rarest() -> None:
    rarest, counts = rarest_strata(of_several(), labels_of)
    assert counts == {"common": 200, "rarer": 50, "rare": 10}
    assert Counter(rarest) == {"common": 150, "rarer": 40, "rare": 10}
    assert {name: len(members) for name, members in patients_by_stratum(of_several(), labels_of).items()} == {
        "common": 150,
        "rare": 10,
        "rarer": 40,
    }


def test_every_label_is_spread_over_parts_and_folds() -> None:
    by_part = {
        part: [case for case in split(of_several(), labels_of, 4) if case.split == part] for part in ("test", "val")
    }
    for cases in by_part.values():
        found = Counter(name for case in cases for name in labels_of(case))
        assert found["rare"] in (1, 2)
        assert 7 <= found["rarer"] <= 9
    by_id = {unit(case): labels_of(case) for case in of_several()}
    for fold in folds(of_several(), labels_of, 5, 4):
        found = Counter(name for key in fold for name in by_id[key])
        assert (found["rare"], found["rarer"], found["common"]) == (2, 10, 40)
