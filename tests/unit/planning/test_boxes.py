"""What is known of boxes before anything is learnt, and what a plan makes of it; nothing is measured here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core.boxes import Boxes
from diascope.core.case import Case, Dataset
from diascope.core.errors import DoesNotFit
from diascope.core.plan import Fingerprint, InputFacts, Plan
from diascope.engine.choosing import agreement
from diascope.engine.devices import Arithmetic, Capabilities
from diascope.planning import planner
from diascope.planning.budget import Budget
from diascope.planning.fingerprint import fingerprint
from diascope.planning.planner import make_plan
from diascope.planning.probe import Probe
from diascope.planning.recipe import recipe
from diascope.testing import a_survey
from diascope.testing.factories import CELLS

GB = 10**9


def a_dataset(cases: tuple[Case, ...]) -> Dataset:
    return Dataset(name="d", source="manifest", root=".", task="detection", target=CELLS, cases=cases)


def facts(size: tuple[int, int, int] = (1, 480, 640), side: float = 35.0) -> Fingerprint:
    seen = InputFacts(
        kind="image", modality="photo", channels=3, dimensions=2, physical=False, shapes=(size,) * 5,
        spacings=((1.0, 1.0, 1.0),) * 5, intensity={name: (1.0,) * 3 for name in ("mean", "std", "low", "high")},
        per_case={}, integer=True,
    )  # fmt: skip
    return Fingerprint(
        dataset="d", cases=300, patients=300, inputs={"image": seen}, strata={"cell alone": 200},
        box_sides={"cell": (0.8 * side, side, 1.1 * side, 1.2 * side, 1.5 * side)}, bytes_decoded=GB,
        seconds_per_case=0.01,
    )  # fmt: skip


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(found: Fingerprint, minutes: float = 15.0, step: float = 0.2, **by_hand: Any) -> Plan:
        machine = Capabilities(2, False, False, 0, False, True, 16 * GB, 8 * GB)
        probe = Probe(Arithmetic("fp32", channels_last=True, threads=2), step, 1.0, {"fp32 channels-last": step})
        monkeypatch.setattr(planner, "capabilities", lambda: machine)
        monkeypatch.setattr(planner, "_probe", lambda *_: probe)
        parts = ("train", "train", "val", "test")
        cases = tuple(
            case.model_copy(update={"split": parts[n % 4]}) for n, case in enumerate(a_survey(300, CELLS).cases)
        )
        return make_plan(a_dataset(cases), found, Budget(minutes=minutes), by_hand, 0, lambda message: None)

    return made


def test_sides_are_those_of_the_boxes_that_can_be_learnt_in_the_training_part() -> None:
    survey = a_survey(4, CELLS)
    drawn = [
        Boxes.of([[0, 0, 0, 1, 10, 40], [0, 5, 5, 1, 5, 5]], ["cell"] * 2),
        Boxes.of([[0, 0, 0, 1, 30, 30], [0, 200, 200, 1, 300, 300]], ["cell"] * 2),
        Boxes(),
        Boxes.of([[0, 0, 0, 1, 60, 60]], ["cell"]),
    ]
    splits = ("train", "train", "train", "test")
    cases = tuple(
        case.model_copy(update={"targets": {"boxes": boxes}, "split": split})
        for case, boxes, split in zip(survey.cases, drawn, splits, strict=True)
    )
    survey = type(survey)(Path(), cases, CELLS, survey.facts, {})
    found = fingerprint(a_dataset(cases), survey, lambda case: "")
    assert found.box_sides["cell"] == pytest.approx(tuple(np.quantile([20, 30], (0.05, 0.25, 0.5, 0.75, 0.95))))
    assert Fingerprint.from_json(found.to_json()) == found


def test_whole_images_get_a_size_that_the_strides_divide(make: Any) -> None:
    plan = make(facts())
    ((name, params),) = plan["prepare"]
    assert name == "resample"
    assert params["shape"] == plan["patch"] == [1, 256, 320]
    assert "strides" in plan.choices["prepare"].reason
    assert plan["spacing"] == [1.0, 1.0, 1.0]


def volumes(side: float, size: tuple[int, int, int] = (120, 256, 256)) -> Fingerprint:
    found = facts(size, side)
    changes = {
        "dimensions": 3, "modality": "ct", "channels": 1, "physical": True, "spacings": ((2.0, 1.0, 1.0),) * 5,
        "intensity": {name: (1.0,) for name in ("mean", "std", "low", "high")},
    }  # fmt: skip
    return found.model_copy(update={"inputs": {"image": found.inputs["image"].model_copy(update=changes)}})


def test_volumes_are_learnt_in_patches_that_the_strides_divide(make: Any) -> None:
    plan = make(volumes(side=9.0))
    assert not plan["whole"]
    assert all(side % stride == 0 for side, stride in zip(plan["patch"], (16, 32, 32), strict=True))
    assert plan["levels"] == [0, 1, 2, 3]
    assert dict(plan["recipe"])["affine_elastic"]["translation"] <= 8


def test_large_volumes_come_to_a_coarser_grid_only_where_small_boxes_stay(make: Any) -> None:
    size = (300, 512, 512)
    assert make(volumes(60.0, size), minutes=30)["spacing"][1] > 1.0
    assert make(volumes(7.0, size), minutes=300)["spacing"] == [2.0, 1.0, 1.0]
    with pytest.raises(DoesNotFit, match="minutes to read the cases"):
        make(volumes(7.0, size), minutes=30)


def test_the_longest_side_may_be_set_by_hand(make: Any) -> None:
    plan = make(facts(), longest_side=512, minutes=60)
    assert plan["patch"] == [1, 384, 512]
    assert plan.choices["longest_side"].kind == "by hand"


def test_more_minutes_buy_steps_before_width(make: Any) -> None:
    plans = [make(facts(), minutes=minutes) for minutes in (5, 15, 60)]
    widths = [plan["model_options"]["width"] for plan in plans]
    assert widths == sorted(widths)
    assert widths[-1] < 48
    assert plans[-1]["steps"] > 1.5 * plans[1]["steps"]


def test_a_task_may_say_how_often_a_case_is_seen(make: Any) -> None:
    plan = make(facts(), minutes=600, step=0.02)
    assert plan["steps"] == plan["steps_cap"] == -(-400 * 150 // plan["batch"])


def test_boxes_are_magnified_and_moved_and_hardly_turned() -> None:
    found = dict(recipe(facts().inputs["image"], "scaled", (1, 2), (1.0, 1.0, 1.0)))
    assert found["mirror"] == {"axes": [1, 2]}
    assert found["affine_elastic"]["rotation"][0] <= 10
    assert "elastic" not in found["affine_elastic"]
    assert "mirror" not in dict(recipe(facts().inputs["image"], "scaled", (), (1.0, 1.0, 1.0)))


def candidates(**changes: float) -> Any:
    import torch

    rows = torch.tensor([[[0, 10, 10, 1, 30, 40, 0.8], [0, 50, 50, 1, 60, 60, 0.02]]])
    for key, value in changes.items():
        place, column = (int(part) for part in key.lstrip("_").split("_"))
        rows[0, place, column] = value
    return rows


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"_0_6": 0.78}, True),
        ({"_0_6": 0.7}, False),
        ({"_0_4": 30.5}, True),
        ({"_0_4": 40.0}, False),
        ({"_1_4": 90.0}, True),  # nobody would say it
        ({"_1_6": 0.3}, False),
        ({"_1_6": float("nan")}, False),
    ],
)
def test_back_ends_must_say_the_same_boxes(changes: dict[str, float], same: bool) -> None:
    agrees, words = agreement(candidates(), candidates(**changes))
    assert agrees is same
    assert words
