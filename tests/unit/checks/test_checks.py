"""Each check finds what was planted for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from diascope.checks.judging.seen import outliers, same_label
from diascope.checks.judging.words import count, share, some
from diascope.core import registry
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.problem import Problem
from diascope.planning.survey import CaseFacts, InputFactsOfCase, MaskFacts, Survey
from diascope.planning.surveying.measuring import measure

CLASSES = Target(
    name="label", kind="category", columns=("label",), labels=(Label(name="a", value=0), Label(name="b", value=1))
)
ORGANS = Target(
    name="mask",
    kind="mask",
    columns=("mask",),
    labels=(Label(name="liver", value=1), Label(name="lesion", value=2)),
    ignore=255,
)
MASK = FileRef(format="nifti", paths=("mask.nii.gz",))


def a_case(index: int, **changes: object) -> Case:
    plain = {
        "id": f"case{index}",
        "patient": f"patient{index}",
        "inputs": {"image": FileRef(format="picture", paths=(f"{index}.png",))},
        "targets": {"label": "ab"[index % 2]},
    }
    return Case.model_validate({**plain, **changes})


def image_facts(index: int, **changes: object) -> InputFactsOfCase:
    array = np.random.default_rng(index).integers(0, 256, (1, 1, 64, 64), dtype=np.uint8)
    plain = measure(Image(array, Geometry.unknown(), modality="mr", unit="a.u."), 4096, "")
    return replace(plain, **changes)  # type: ignore[arg-type]


def a_survey(
    cases: list[Case],
    target: Target | None = CLASSES,
    images: dict[int, dict[str, object]] | None = None,
    masks: dict[int, MaskFacts] | None = None,
) -> Survey:
    facts = {
        case.id: CaseFacts(
            {"image": image_facts(index, **(images or {}).get(index, {}))},
            {"mask": masks[index]} if masks is not None and index in masks else {},
            0.01,
        )
        for index, case in enumerate(cases)
    }
    return Survey(Path(), tuple(cases), target, facts, {})


def look(name: str, survey: Survey) -> list[Problem]:
    return list(registry.get("checks", name).look(survey))


def titles(name: str, survey: Survey) -> list[tuple[str, str]]:
    return [(problem.severity, problem.title) for problem in look(name, survey)]


def test_unreadable_cases_are_left_out_with_the_reason() -> None:
    plain = a_survey([a_case(index) for index in range(3)])
    survey = replace(plain, facts={"case0": plain.facts["case0"]}, unreadable={"case1": "truncated", "case2": "gone"})
    (problem,) = look("unreadable", survey)
    assert problem.title == "2 of 3 cases (66.7 %) cannot be read"
    assert problem.exclude == ("case1", "case2")
    assert problem.figure is not None
    assert problem.figure.rows == (("case1", "truncated"), ("case2", "gone"))  # type: ignore[union-attr]
    everything = replace(survey, facts={}, unreadable=dict.fromkeys(plain.facts, "gone"))
    assert look("unreadable", everything)[0].severity == "refuse"


def test_empty_images_are_left_out() -> None:
    flat = {"minimum": 0.0, "maximum": 0.0}
    survey = a_survey([a_case(index) for index in range(4)], images={1: flat, 2: {"bad": 5}})
    constant, bad = look("empty_image", survey)
    assert (constant.exclude, bad.exclude) == (("case1",), ("case2",))
    assert "1 all zero" in constant.title
    assert "case2 (5)" in bad.detail


def test_a_known_patient_in_two_given_splits_refuses() -> None:
    cases = [a_case(0, split="train", patient="p"), a_case(1, split="test", patient="p"), a_case(2, split="test")]
    severities = {problem.severity: problem for problem in look("patients", a_survey(cases))}
    assert severities["refuse"].title == "1 of 2 patients (50.0 %) is in two given splits"
    assert severities["refuse"].cases == ("case0", "case1")
    assert "1 of 2 patients (50.0 %) have several cases, 2 cases in all" in severities["note"].title


def test_unknown_patients_are_said_loudly_and_never_called_torn() -> None:
    cases = [
        a_case(index, patient="p", patient_known=False, split=part) for index, part in enumerate(("train", "test"))
    ]
    assert titles("patients", a_survey(cases)) == [("warn", "PATIENT UNKNOWN for 2 of 2 cases (100.0 %)")]


def test_missing_and_undeclared_labels_are_left_out() -> None:
    given = ["a", None, "c", 1, "", float("nan"), "1"]
    cases = [a_case(index, targets={"label": value}) for index, value in enumerate(given)]
    missing, strange = look("labels", a_survey(cases))
    assert missing.exclude == ("case1", "case4", "case5")
    assert strange.exclude == ("case2", "case6")
    assert "'c' (1)" in strange.detail
    nothing = look("labels", a_survey([a_case(0, targets={})]))
    assert [problem.severity for problem in nothing] == ["refuse"]


@pytest.mark.parametrize(("given", "expected"), [("a", True), (0, True), (0.0, True), ("0", False), (False, False)])
def test_a_label_is_meant_by_its_name_or_its_number(given: object, expected: bool) -> None:
    assert same_label(given, "a", 0) is expected  # type: ignore[arg-type]


def test_masks_with_undeclared_values_are_left_out_and_empty_ones_noted() -> None:
    masks = {
        0: MaskFacts({0: 10, 1: 5}, (1, 64, 64)),
        1: MaskFacts({0: 10, 7: 5}, (1, 64, 64)),
        2: MaskFacts({0: 10, 255: 3}, (1, 64, 64)),
    }
    cases = [a_case(index, targets={"mask": MASK}) for index in range(3)]
    strange, empty = look("labels", a_survey(cases, ORGANS, masks=masks))
    assert (strange.severity, strange.exclude) == ("warn", ("case1",))
    assert (empty.severity, empty.cases, empty.exclude) == ("note", ("case2",), ())
    only_empty = look("labels", a_survey(cases[:1], ORGANS, masks={0: masks[2]}))
    assert [problem.severity for problem in only_empty] == ["refuse"]


def test_a_mask_that_does_not_lie_on_its_image_is_left_out() -> None:
    masks = {0: MaskFacts({1: 5}, (1, 64, 64)), 1: MaskFacts({1: 5}, (1, 60, 64), "the mask is smaller")}
    cases = [a_case(index, targets={"mask": MASK}) for index in range(2)]
    (problem,) = look("mask_geometry", a_survey(cases, ORGANS, masks=masks))
    assert problem.exclude == ("case1",)
    assert "the mask is smaller" in problem.detail


def test_inputs_in_different_frames_of_reference_are_left_out() -> None:
    survey = a_survey([a_case(0), a_case(1)], images={1: {"apart": "different frames of reference, 1 and 2"}})
    (problem,) = look("input_geometry", survey)
    assert (problem.severity, problem.exclude) == ("warn", ("case1",))
    assert "'image': different frames of reference, 1 and 2" in problem.detail


def test_corrections_made_while_reading_a_mask_are_shown() -> None:
    masks = {
        index: MaskFacts({1: 5}, (1, 64, 64), history=(f"segments overlap in {9 + index} voxels",))
        for index in range(2)
    }
    survey = a_survey([a_case(index, targets={"mask": MASK}) for index in range(2)], ORGANS, masks=masks)
    (problem,) = look("corrections", survey)
    assert (problem.severity, problem.cases) == ("note", ("case0", "case1"))
    assert "segments overlap in 9 voxels" in problem.title


def test_class_counts_warn_of_a_class_with_one_patient_and_of_an_empty_one() -> None:
    target = CLASSES.model_copy(update={"labels": (*CLASSES.labels, Label(name="c", value=2))})
    cases = [a_case(index, targets={"label": "a"}) for index in range(30)]
    cases += [a_case(30, targets={"label": "b"}, patient="p"), a_case(31, targets={"label": "b"}, patient="p")]
    found = titles("class_counts", a_survey(cases, target))
    assert found[0] == ("note", "a 30, b 2, c 0 cases; unbalanced 30 : 1")
    assert ("warn", "'b' has one patient (2 cases)") in found
    assert ("warn", "no case of 'c'") in found


def test_class_counts_of_masks_count_the_cases_with_each_structure() -> None:
    masks = {index: MaskFacts({0: 10, 1: 5, 2: index % 2}, (1, 64, 64)) for index in range(40)}
    cases = [a_case(index, targets={"mask": MASK}) for index in range(40)]
    (problem,) = look("class_counts", a_survey(cases, ORGANS, masks=masks))
    assert problem.title == "liver 40, lesion 20 cases"


def test_mixed_types_scales_and_modalities_are_warned_of() -> None:
    scaled = {index: {"high": 100.0 * 1.5**index, "low": 0.0} for index in range(20)}
    found = titles("intensity", a_survey([a_case(index) for index in range(20)], images=scaled))
    assert len(found) == 1
    assert found[0][0] == "warn"
    assert "the intensity scale of 'image' differs from case to case" in found[0][1]
    mixed = titles(
        "intensity",
        a_survey([a_case(index) for index in range(3)], images={0: {"dtype": "float32"}, 1: {"unit": "HU"}}),
    )
    assert mixed[0] == ("warn", "stored types of 'image' are mixed: uint8 2 cases, float32 1 case")
    assert mixed[1][1].startswith("modalities or units of 'image' are mixed: mr, a.u. 2 cases")


def test_a_dark_image_among_many_is_an_outlier() -> None:
    survey = a_survey([a_case(index) for index in range(30)], images={4: {"mean": 3.0}})
    (problem,) = look("intensity", survey)
    assert (problem.severity, problem.cases) == ("note", ("case4",))


def test_mixed_dimensions_and_channels_refuse_but_grey_among_colour_does_not() -> None:
    cases = [a_case(index) for index in range(4)]
    assert titles("spacing_size", a_survey(cases, images={0: {"shape": (9, 64, 64)}}))[0] == (
        "refuse",
        "'image' is 2-D in 3 cases and 3-D in 1 case",
    )
    assert titles("spacing_size", a_survey(cases, images={0: {"channels": 2}}))[0][0] == "refuse"
    assert titles("spacing_size", a_survey(cases, images={0: {"channels": 3}})) == [
        ("note", "'image' is grey in 3 cases and in colour in 1 case")
    ]
    assert titles("spacing_size", a_survey(cases, images={0: {"physical": True}}))[0][0] == "warn"


def test_outliers_of_spacing_and_size_are_noted() -> None:
    volumes = {index: {"physical": True, "steps": (3.0, 1.0, 1.0), "shape": (20, 64, 64)} for index in range(20)}
    volumes[3]["steps"] = (30.0, 1.0, 1.0)
    volumes[5]["shape"] = (20, 64, 900)
    (problem,) = look("spacing_size", a_survey([a_case(index) for index in range(20)], images=volumes))
    assert problem.cases == ("case3", "case5")
    assert "spacing z 30 mm, median 3 mm" in problem.detail


def test_missing_covariates_are_counted() -> None:
    cases = [a_case(index, covariates={"age": None if index < 1 else 50.0, "sex": None}) for index in range(40)]
    assert titles("covariates", a_survey(cases)) == [
        ("note", "age is missing for 1 of 40 cases (2.5 %)"),
        ("warn", "sex is missing for 40 of 40 cases (100.0 %)"),
    ]


def test_corrections_made_while_reading_are_shown_once_for_all_numbers() -> None:
    survey = a_survey(
        [a_case(index) for index in range(3)],
        images={
            0: {"history": ("gantry tilt of 5.5 degrees removed",)},
            2: {"history": ("gantry tilt of 7 degrees removed",)},
        },
    )
    (problem,) = look("corrections", survey)
    assert problem.title == "corrected while reading 2 of 3 cases (66.7 %): gantry tilt of 5.5 degrees removed"


def a_film(index: int, letter: bool) -> npt.NDArray[np.uint8]:
    film = np.random.default_rng(index).integers(100, 140, (64, 64), dtype=np.uint8)
    if letter:
        film[3:9, 3:9:2] = 255
    return film


@pytest.mark.parametrize(
    ("name", "shortcut"),
    [
        ("file size", lambda index: {"file_bytes": 4000 + 3000 * (index % 2) + index}),
        ("borders", lambda index: {"border": (0.1 * (index % 2) + 0.001 * index, 0.5, 0.5, 0.5)}),
        ("aspect and size", lambda index: {"shape": ((1, 32, 128), (1, 128, 32))[index % 2]}),
        ("header", lambda index: {"attributes": {"manufacturer": "AB"[index % 2]}}),
        ("corners", lambda index: {"thumbnail": a_film(index, letter=index % 2 == 1)}),
    ],
)
def test_a_planted_shortcut_is_found_in_its_family_only(name: str, shortcut: object) -> None:
    images = {index: shortcut(index) for index in range(80)}  # type: ignore[operator]
    summary, *warnings = look("shortcuts", a_survey([a_case(index) for index in range(80)], images=images))
    assert [f"by its {name} alone" in warning.title for warning in warnings] == [True]
    measure_of = summary.measures[name]
    assert measure_of.value is not None
    assert measure_of.low is not None
    assert measure_of.value > 0.9
    assert measure_of.low < measure_of.value


def test_the_corner_probe_sees_corners_only() -> None:
    def disease(index: int) -> npt.NDArray[np.uint8]:
        film = a_film(index, letter=False)
        film[20:44, 20:44:2] = 255 * (index % 2)
        return film

    images = {index: {"thumbnail": disease(index)} for index in range(80)}
    assert len(look("shortcuts", a_survey([a_case(index) for index in range(80)], images=images))) == 1


def test_what_differs_by_patient_only_is_no_shortcut() -> None:
    cases = [a_case(index, patient=f"p{index // 4}", targets={"label": "ab"[index // 4 % 2]}) for index in range(240)]
    images = {index: {"file_bytes": 5000 + 997 * (index // 4 * 37 % 60)} for index in range(240)}
    assert [problem.severity for problem in look("shortcuts", a_survey(cases, images=images))] == ["note"]


def test_outliers_need_enough_values_and_survive_equal_ones() -> None:
    assert list(outliers([1, 1, 100])) == []
    assert list(outliers([5.0] * 20 + [50.0])) == [(20, 50.0, 5.0)]
    assert list(outliers([0.0] * 20)) == []


def test_numbers_in_words() -> None:
    assert count(1, "copy", "copies") == "1 copy"
    assert share(12, 1998) == "12 of 1,998 cases (0.6 %)"
    assert some(["a", "b"]) == "a, b"
    assert some("abcdefg") == "a, b, c, d, e and 2 more"


def test_cases_that_lack_an_image_are_left_out() -> None:
    both = {name: FileRef(format="picture", paths=(f"{name}.png",)) for name in ("ct", "pet")}
    cases = [a_case(index, inputs=both if index else {"ct": both["ct"]}) for index in range(4)]
    (problem,) = look("missing_inputs", Survey(Path(), tuple(cases), None, {}, {}))
    assert (problem.exclude, problem.severity) == (("case0",), "warn")
    assert "case0 (pet)" in problem.detail
    assert look("missing_inputs", Survey(Path(), tuple(cases[1:]), None, {}, {})) == []


def test_synthetic_pictures_refuse_where_nothing_marks_them() -> None:
    cases = [a_case(0), a_case(1, synthetic=True), a_case(2)]
    history = {"history": ("a synthetic picture, made by films@1 0123, seed 0",)}
    (problem,) = look("unmarked_synthetic", a_survey(cases, images={0: history, 1: history}))
    assert (problem.severity, problem.cases) == ("refuse", ("case0",))
    assert problem.title.startswith("1 of 3 cases (33.3 %) SHOW NOBODY")
