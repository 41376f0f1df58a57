"""Pairs that are none: other grids, copies, scales that differ from case to case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diascope import formats
from diascope.checks.empty_image import CHECK as EMPTY
from diascope.checks.target_images import CHECK
from diascope.core import registry
from diascope.core.case import Case, FileRef, Target
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.problem import Problem
from diascope.planning.survey import take_survey
from diascope.reports.words import choose
from diascope.testing import a_case

TARGET = Target(name="target_image", kind="image", columns=("target_image",))
SHAPE = (4, 8, 9)


def a_pair(
    root: Path, number: int, differs: float = 3.0, origin: float = 0.0, frame: str | None = None, factor: float = 1.0
) -> Case:
    rng = np.random.default_rng(number)
    clean = factor * rng.normal(100, 20, SHAPE)
    refs = {}
    noisy = clean + differs * rng.normal(size=SHAPE)
    for name, array, start, where in (("in", noisy, 0.0, "1.2"), ("out", clean, origin, frame)):
        grid = Geometry.from_spacing((2.0, 1.0, 1.0), (start, 0.0, 0.0), frame_of_reference=where if frame else None)
        path = root / f"{name}{number}.nii.gz"
        registry.get("formats", "nifti").write(Image(array[None].astype(np.float32), grid, "mr"), path)
        refs[name] = FileRef(format="nifti", paths=(path.name,))
    return a_case(number, inputs={"image": refs["in"]}, targets={"target_image": refs["out"]})


def looked(root: Path, *cases: Case) -> list[Problem]:
    survey = take_survey(cases, root, TARGET, workers=1)
    assert not survey.unreadable
    return CHECK.look(survey)


def test_pairs_that_lie_on_each_other_are_no_finding(tmp_path: Path) -> None:
    assert looked(tmp_path, *(a_pair(tmp_path, number) for number in range(3))) == []


def test_another_grid_is_left_out_with_the_way_out(tmp_path: Path) -> None:
    (problem,) = looked(tmp_path, a_pair(tmp_path, 0), a_pair(tmp_path, 1, origin=0.5))
    assert (problem.severity, problem.exclude) == ("warn", ("case1",))
    assert "the target image's origin is 0.50 mm away" in problem.detail
    assert "resample one onto the grid of the other" in problem.detail
    assert "目标图像的原点与图像相距 0.50 mm" in choose("zh-CN").phrase(problem.detail)


def test_where_no_pair_is_one_the_data_is_refused(tmp_path: Path) -> None:
    (problem,) = looked(tmp_path, a_pair(tmp_path, 0, origin=5.0), a_pair(tmp_path, 1, origin=5.0))
    assert problem.severity == "refuse"


@pytest.mark.parametrize(("count", "severity"), [(1, "refuse"), (2, "warn")])
def test_a_copy_is_a_finding(tmp_path: Path, count: int, severity: str) -> None:
    cases = [a_pair(tmp_path, number, differs=3.0 * number) for number in range(count)]
    (problem,) = looked(tmp_path, *cases)
    assert problem.title.endswith("whose target image is a copy of the input")
    assert (problem.severity, problem.exclude) == (severity, ("case0",))


def test_targets_on_scales_of_their_own_are_told(tmp_path: Path) -> None:
    cases = [a_pair(tmp_path, number, factor=1.0 + 2 * number) for number in range(6)]
    (problem,) = looked(tmp_path, *cases)
    assert problem.title.startswith("the scale of the target images differs from case to case")
    assert not problem.exclude


@pytest.mark.parametrize(("value", "title"), [(np.nan, "NaN or infinite voxels"), (0.0, "one value everywhere")])
def test_a_target_without_values_is_left_out_as_an_input_would_be(tmp_path: Path, value: float, title: str) -> None:
    cases = [a_pair(tmp_path, number) for number in range(2)]
    path = tmp_path / "out0.nii.gz"
    target = formats.read(FileRef(format="nifti", paths=(path.name,)), tmp_path)
    spoilt = np.array(target.array)
    spoilt[..., : 2 if np.isnan(value) else None] = value
    registry.get("formats", "nifti").write(target.with_array(spoilt), path)
    survey = take_survey(cases, tmp_path, TARGET, workers=1)
    (problem,) = EMPTY.look(survey)
    assert f"1 image of 'target_image' with {title}" in problem.title
    assert problem.exclude == ("case0",)
