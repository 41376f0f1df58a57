"""The traps of `../shared/data` are found (issue 2, section 4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from diascope import sources
from diascope.checks.copies.likeness import alike
from diascope.checks.judging.verdict import excluded, verdict
from diascope.core import registry
from diascope.core.problem import Problem
from diascope.planning.survey import take_survey
from diascope.sources import SourceOptions

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data"),
]


def problems_of(folder: str, target: str | None = None) -> tuple[list[Problem], int]:
    location = str(DATA / folder)
    source = registry.get("sources", sources.recognise(location))
    listing = source.list(location, SourceOptions(target=target))
    chosen = next(one for one in listing.targets if target in (None, one.name))
    survey = take_survey(listing.cases, listing.root, chosen)
    assert survey.unreadable == {}
    return [problem for _, check in registry.each("checks") for problem in check.look(survey)], len(survey.cases)


def said(problems: list[Problem], check: str) -> dict[str, str]:
    return {problem.title: problem.severity for problem in problems if problem.check == check}


def test_breast_ultrasound_has_an_image_in_two_classes_and_no_patients() -> None:
    problems, number = problems_of("breast-ultrasound")
    assert said(problems, "duplicates") == {"1 image filed under different labels (2 cases)": "warn"}
    assert said(problems, "patients") == {"PATIENT UNKNOWN for 780 of 780 cases (100.0 %)": "warn"}
    left_out = excluded(problems)
    assert {"433", "145"} <= {"".join(filter(str.isdigit, key)) for key in left_out}
    assert any(len(problem.groups) > 50 for problem in problems if problem.check == "near_duplicates")
    assert verdict(problems, number) == ()


def test_small_ultrasound_pictures_are_called_the_same_hardly_more_often_than_large_ones() -> None:
    files = sorted((DATA / "breast-ultrasound").glob("*/*.jpg"))
    large = np.stack([np.asarray(Picture.open(file).convert("L").resize((64, 64))) for file in files])
    thumbnails = [Picture.open(file).convert("L").resize((28, 28)).resize((64, 64)) for file in files]
    known = {(pair.first, pair.second) for pair in alike(large) if pair.same}
    pairs = alike(np.stack([np.asarray(one) for one in thumbnails]), np.full(len(files), 28))
    found = {(pair.first, pair.second) for pair in pairs if pair.same}
    assert len(found - known) < 0.5 * len(known)
    assert len(known & found) > 0.9 * len(known)


def test_chest_films_have_duplicates_and_several_films_of_a_patient_but_no_false_near_duplicate() -> None:
    problems, _ = problems_of("chest-xray-pneumonia")
    assert said(problems, "duplicates") == {"26 exact duplicates in 24 groups within one patient": "note"}
    assert said(problems, "patients") == {
        "644 of 3,669 patients (17.6 %) have several cases, 2,207 cases in all": "note"
    }
    assert said(problems, "near_duplicates") == {}
    assert excluded(problems) == {}


def test_pneumoniamnist_has_duplicates_across_its_splits() -> None:
    problems, number = problems_of("pneumoniamnist")
    assert said(problems, "duplicates") == {"26 exact duplicates in 24 groups across splits or patients": "warn"}
    assert len(excluded(problems)) == 26
    assert verdict(problems, number) == ()


def test_hippocampus_has_mixed_types_and_scales() -> None:
    problems, _ = problems_of("hippocampus")
    titles = said(problems, "intensity")
    assert "stored types of 'image' are mixed: float32 155 cases, uint8 45 cases" in titles
    assert any("scale of 'image' differs from case to case" in title for title in titles)
    assert said(problems, "near_duplicates") == {}


def test_skin_has_several_pictures_of_a_lesion_and_missing_ages() -> None:
    problems, _ = problems_of("skin", "dx")
    assert said(problems, "covariates") == {"age is missing for 12 of 1,998 cases (0.6 %)": "note"}
    assert "389 of 1,500 patients (25.9 %) have several cases, 887 cases in all" in said(problems, "patients")
    assert excluded(problems) == {}
