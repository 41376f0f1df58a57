"""Other data against a release, by what was seen of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import FileRef, Target
from diascope.core.evaluation import Gate
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Choice
from diascope.planning.looked import Looked
from diascope.planning.scope import in_scope
from diascope.planning.survey import take_survey
from diascope.testing import a_case
from diascope.testing.releases import a_plan

TARGET = Target(name="target_image", kind="image", columns=("target_image",))


def a_maker(unit: str) -> Any:
    plan = a_plan()
    choices = {**plan.choices, "target_unit": Choice(value=unit, kind="measured", reason="")}
    release = SimpleNamespace(gate=Gate(rules=()), label="r@1")
    return SimpleNamespace(plan=plan.model_copy(update={"choices": choices}), release=release)


@pytest.mark.parametrize(("unit", "found"), [("HU", 0), ("a.u.", 1)])
def test_targets_in_another_unit_than_what_is_made_are_told(tmp_path: Path, unit: str, found: int) -> None:
    for name, said in (("in", "HU"), ("out", unit)):
        values = np.random.default_rng(0).normal(size=(1, 3, 8, 9)) + 5 * (name == "in")
        image = Image(values.astype(np.float32), Geometry.from_spacing((1.0, 1.0, 1.0)), "ct", said)
        registry.get("formats", "nifti").write(image, tmp_path / f"{name}.nii.gz")
    refs = {name: FileRef(format="nifti", paths=(f"{name}.nii.gz",)) for name in ("in", "out")}
    case = a_case(0, inputs={"image": refs["in"]}, targets={"target_image": refs["out"]})
    survey = take_survey([case], tmp_path, TARGET, workers=1)
    looked = Looked("image_pairs", (case,), (), "image_to_image", TARGET, survey, ())
    problems = in_scope(a_maker("HU"), looked).problems
    assert len(problems) == found
    assert all(one.title.endswith("target images are in a.u., and the release makes HU") for one in problems)
