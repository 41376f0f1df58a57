"""From what was looked at to a frozen data set: its split, its folds, its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diascope.core import registry
from diascope.core.case import Dataset, Split
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.problem import Problem
from diascope.planning.looked import Looked
from diascope.planning.survey import Survey
from diascope.sources import Request, SourceOptions
from diascope.stages.curate import curate, dataset_name
from diascope.store.workspace import Workspace
from diascope.testing.factories import CLASSES, LESION, a_survey


def frozen(
    folder: Path, survey: Survey, request: Request | None = None, parts: tuple[Split | None, ...] = (None,)
) -> Dataset:
    target = survey.target
    task = "classification" if target is CLASSES else "segmentation"
    cases = tuple(
        case.model_copy(update={"split": parts[number % len(parts)]}) for number, case in enumerate(survey.cases)
    )
    looked = Looked("manifest", cases, (), task, target, survey, ())
    return curate(Workspace(folder), looked, request or Request(location="films")).dataset


@pytest.mark.parametrize(("patients", "expected"), [(4, 4), (12, 5)])
def test_few_patients_get_as_many_folds_as_they_can_fill(tmp_path: Path, patients: int, expected: int) -> None:
    dataset = frozen(tmp_path, a_survey(patients))
    assert len(dataset.folds) == expected
    assert {case.split for case in dataset.cases} == {"train"}


def test_two_patients_are_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="2 patients cannot train, validate and test"):
        frozen(tmp_path, a_survey(2))


def test_more_folds_by_hand_than_patients_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="4 patients cannot be dealt out to 5 folds"):
        frozen(tmp_path, a_survey(4), Request(location="films", folds=5))


def test_two_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="--folds 3"):
        frozen(tmp_path, a_survey(12), Request(location="films", folds=2))


def test_a_split_that_only_says_train_is_no_given_split(tmp_path: Path) -> None:
    few = frozen(tmp_path, a_survey(20), parts=("train",))
    assert (few.given_split, len(few.folds)) == (False, 5)
    some = frozen(tmp_path, a_survey(20), parts=("train", None))
    assert (some.given_split, len(some.folds)) == (False, 5)
    many = frozen(tmp_path, a_survey(200), parts=("train",))
    assert (many.given_split, many.folds) == (False, ())
    assert {case.split for case in many.cases} == {"train", "val", "test"}


def test_a_given_split_holds(tmp_path: Path) -> None:
    dataset = frozen(tmp_path, a_survey(20), parts=("train", "train", "test"))
    assert dataset.given_split
    assert not dataset.folds
    assert {case.id for case in dataset.part("test")} == {f"case{number}" for number in range(2, 20, 3)}


def test_folds_by_hand_leave_the_test_part_of_a_large_set_outside(tmp_path: Path) -> None:
    dataset = frozen(tmp_path, a_survey(200), Request(location="films", folds=3))
    assert len(dataset.folds) == 3
    assert {case.split for case in dataset.cases} == {"train", "test"}


def test_a_task_may_ask_for_several_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.get("tasks", "classification"), "several", True, raising=False)
    dataset = frozen(tmp_path, a_survey(200), Request(location="films"))
    assert len(dataset.folds) == 5
    assert dataset.part("test")
    given = frozen(tmp_path, a_survey(200), Request(location="films"), ("train", "val", "test"))
    assert given.folds == ()


def test_a_small_site_does_not_make_folds_of_a_large_set_of_masks(tmp_path: Path) -> None:
    survey = a_survey(140, LESION)
    cases = tuple(
        case.model_copy(update={"site": "north" if number < 8 else "south"}) for number, case in enumerate(survey.cases)
    )
    (tmp_path / "mask.png").write_bytes(b"mask")
    dataset = frozen(tmp_path, Survey(tmp_path, cases, LESION, survey.facts, {}))
    assert dataset.folds == ()
    assert {case.site for case in dataset.part("test")} == {"north", "south"}


@pytest.mark.parametrize(
    ("target", "expected"), [(None, "films"), ("dx", "films-dx"), ("liver/left lobe", "films-liver-left-lobe")]
)
def test_a_name_is_a_folders_name_whatever_the_target_is_called(target: str | None, expected: str) -> None:
    request = Request(location="/data/films", options=SourceOptions(target=target))
    assert dataset_name(request) == expected


def test_the_licence_of_the_source_is_frozen_with_the_data(tmp_path: Path) -> None:
    survey = a_survey(40)
    looked = Looked("manifest", survey.cases, (), "classification", CLASSES, survey, (), "CC-BY-4.0, stated at x")
    assert curate(Workspace(tmp_path), looked, Request(location="films")).dataset.licence == "CC-BY-4.0, stated at x"


def test_a_poisoned_case_is_named(tmp_path: Path) -> None:
    """F4: `1 image with NaN voxels` of forty tells nobody which."""
    survey = a_survey(40)
    poisoned = tuple(f"case{number}" for number in range(7))
    problem = Problem(
        check="empty_image", severity="warn", title="7 images with NaN voxels", detail="", cases=poisoned,
        exclude=poisoned,
    )  # fmt: skip
    looked = Looked("manifest", survey.cases, (), "classification", CLASSES, survey, (problem,))
    with pytest.raises(DataRefused, match=r"NaN voxels: case0, case1, .* and 2 more") as caught:
        curate(Workspace(tmp_path), looked, Request(location="films"))
    assert caught.value.cases == poisoned


def with_synthetic(survey: Survey, made: int, **changes: object) -> Survey:
    """The last `made` cases of a survey are synthetic."""
    first = len(survey.cases) - made
    cases = tuple(
        case.model_copy(update={"synthetic": True, **changes}) if number >= first else case
        for number, case in enumerate(survey.cases)
    )
    return replace(survey, cases=cases)


@pytest.mark.parametrize("parts", [(None,), ("train", "val", "test")])
def test_what_was_made_is_only_trained_on(tmp_path: Path, parts: tuple[Split | None, ...]) -> None:
    survey = with_synthetic(a_survey(200), 60)
    dataset = frozen(tmp_path, survey, parts=parts)
    assert {case.split for case in dataset.cases if case.synthetic} == {"train"}
    assert {case.split for case in dataset.cases if not case.synthetic} == {"train", "val", "test"}
    assert [case.id for case in dataset.cases] == [case.id for case in survey.cases]


def test_what_was_made_is_in_no_fold_and_no_patient_that_makes_folds_needless(tmp_path: Path) -> None:
    dataset = frozen(tmp_path, with_synthetic(a_survey(300), 260))
    assert len(dataset.folds) == 5
    folded = {patient for fold in dataset.folds for patient in fold}
    assert folded == {case.patient for case in dataset.cases if not case.synthetic}


def test_what_looks_like_a_synthetic_case_is_trained_on_with_it(tmp_path: Path) -> None:
    survey = with_synthetic(a_survey(200), 1)
    look_alike = Problem(
        check="near_duplicates", severity="warn", title="", detail="", groups=(("case3", "case199"),)
    )  # fmt: skip
    looked = Looked("manifest", survey.cases, (), "classification", CLASSES, survey, (look_alike,))
    dataset = curate(Workspace(tmp_path), looked, Request(location="films")).dataset
    assert {case.split for case in dataset.cases if case.id in ("case3", "case199")} == {"train"}
    assert dataset.part("test")


def test_a_set_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="every case is synthetic"):
        frozen(tmp_path, with_synthetic(a_survey(20), 20))
