"""From a fingerprint and a budget to a plan; the machine and the probe are made up, so that nothing is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Case, Dataset, FileRef, Label, Target
from diascope.core.errors import BadUsage, DoesNotFit, UnknownName
from diascope.core.plan import Fingerprint, InputFacts, Plan
from diascope.engine.devices import Arithmetic, Capabilities
from diascope.planning import planner
from diascope.planning.budget import RESERVE, Budget
from diascope.planning.planner import make_plan, preparation
from diascope.planning.probe import Probe
from diascope.planning.timing import EPOCHS_WHOLE

Made = Callable[..., Plan]
GB = 10**9


def films(count: int = 400, folds: int = 0) -> tuple[Dataset, Fingerprint]:
    labels = (Label(name="ill", value=0), Label(name="well", value=1))
    target = Target(name="label", kind="category", columns=("label",), labels=labels, positive="ill")
    return _set("classification", target, (1, 64, 64), count, folds), _facts("xray", (1, 64, 64), count, {})


def volumes(count: int = 200, folds: int = 0, side: int = 24) -> tuple[Dataset, Fingerprint]:
    target = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="organ", value=1),))
    shape = (side // 2, side, side)
    return _set("segmentation", target, shape, count, folds), _facts("mr", shape, count, {"organ": 900.0})


def _set(task: str, target: Target, shape: tuple[int, int, int], count: int, folds: int) -> Dataset:
    parts = ("train", "train", "train", "val", "test") if not folds else ("train",)
    ref = FileRef(format="npz", paths=("a.npz",), item="images:0")
    cases = tuple(
        Case(id=f"c{n}", patient=f"p{n}", inputs={"image": ref}, split=parts[n % len(parts)])  # type: ignore[arg-type]
        for n in range(count)
    )
    dealt = tuple(tuple(f"p{n}" for n in range(count) if n % folds == fold) for fold in range(folds))
    return Dataset(name="d", source="manifest", root=".", task=task, target=target, cases=cases, folds=dealt)


def _facts(modality: str, shape: tuple[int, int, int], count: int, volumes: dict[str, float]) -> Fingerprint:
    flat = shape[0] == 1
    one = InputFacts(
        kind="image", modality=modality, channels=1, dimensions=2 if flat else 3, physical=not flat,
        shapes=(shape,) * 5, spacings=((1.0, 1.0, 1.0),) * 5,
        intensity={name: (1.0,) for name in ("mean", "std", "low", "high")},
        per_case={}, integer=flat,
    )  # fmt: skip
    strata = {"ill": count // 4, "well": count // 2} if flat else {"": count}
    return Fingerprint(
        dataset="d", cases=count, patients=count, inputs={"image": one}, strata=strata, label_volumes=volumes,
        bytes_decoded=count * 4 * shape[0] * shape[1] * shape[2], seconds_per_case=0.002,
    )  # fmt: skip


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Made:
    def made(
        what: tuple[Dataset, Fingerprint], minutes: float = 15.0, memory: float | None = None, step: float = 0.1,
        compiler: bool = True, **by_hand: Any,
    ) -> Plan:  # fmt: skip
        machine = Capabilities(2, False, False, 0, False, compiler, 16 * GB, 8 * GB)
        arithmetic = Arithmetic("fp32", channels_last=True, threads=2)
        probe = Probe(arithmetic, step, 1.0, {"fp32 channels-last": step})
        monkeypatch.setattr(planner, "capabilities", lambda: machine)
        monkeypatch.setattr(planner, "_probe", lambda *_: probe)
        budget = Budget(minutes=minutes, memory_gb=memory)
        return make_plan(*what, budget, by_hand, 7, lambda message: None)

    return made


@pytest.mark.parametrize("what", [films(), volumes(), films(60, 5), volumes(60, 5)], ids=["2d", "3d", "2d k", "3d k"])
def test_every_field_has_its_kind_and_a_reason_and_the_plan_can_be_written(
    make: Made, what: tuple[Dataset, Fingerprint]
) -> None:
    plan = make(what)
    assert all(choice.reason and "\n" not in choice.reason for choice in plan.choices.values())
    assert {choice.kind for choice in plan.choices.values()} == {"fixed", "rule", "measured"}
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.seed == 7


@pytest.mark.parametrize("what", [films(), volumes(), volumes(60, 5)], ids=["2d", "3d", "3d k"])
@pytest.mark.parametrize("minutes", [2, 60])
def test_minutes_become_steps_that_fit_them(make: Made, what: tuple[Dataset, Fingerprint], minutes: float) -> None:
    plan = make(what, minutes)
    assert plan["predicted_minutes"] <= minutes * 1.001
    assert plan["steps"] * plan["seconds_per_step"] * max(1, plan["folds"]) < RESERVE * 60 * minutes
    assert plan["warmup"] < plan["steps"]
    assert 1 <= plan["validate_every"] <= plan["steps"]
    assert plan["checkpoint_every"] >= 10


def test_twice_the_time_a_step_is_half_the_steps(make: Made) -> None:
    fast, slow = make(volumes(), step=0.2)["steps"], make(volumes(), step=0.4)["steps"]
    assert slow == pytest.approx(fast / 2, rel=0.1)


def test_a_small_set_is_not_learnt_by_heart(make: Made) -> None:
    plan = make(films(100), 60, step=0.01)
    assert plan["steps"] == plan["steps_cap"]
    assert plan["steps"] * plan["batch"] == pytest.approx(EPOCHS_WHOLE * 60, abs=plan["batch"])


def test_steps_by_hand_hold_and_no_clock_changes_them(make: Made) -> None:
    plan = make(volumes(), steps=123)
    assert plan["steps"] == 123
    assert plan["train_seconds"] is None
    assert plan.choices["steps"].kind == "by hand"
    assert "the rule says" in plan.choices["steps"].reason


def test_what_is_set_by_hand_beats_rule_task_and_measurement(make: Made) -> None:
    by_hand = {
        "batch": 3,
        "learning_rate": 0.5,
        "precision": "fp32",
        "mirror_axes": [],
        "recipe": [],
        "patch": [16, 16, 16],
    }
    plan = make(volumes(), **by_hand)
    for field, value in by_hand.items():
        assert plan[field] == value
        assert plan.choices[field].kind == "by hand"


def test_a_field_that_does_not_exist_is_named_with_the_closest(make: Made) -> None:
    with pytest.raises(UnknownName, match=r"no plan field named 'learnin_rate'.*Did you mean 'learning_rate'"):
        make(films(), learnin_rate=0.1)


def test_a_model_of_another_kind_is_refused_before_anything_is_measured(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadUsage, match="the task 'classification' needs 'vector'"):
        make(films(), model="unet")


@pytest.mark.parametrize("memory", [2.5, 4.0])
def test_less_memory_makes_a_smaller_network_or_batch(make: Made, memory: float) -> None:
    plan = make(volumes(side=96), memory=memory, minutes=600)
    assert plan["estimated_gb"] <= memory
    assert plan["predicted_gb"] <= memory


def test_what_cannot_fit_is_refused_with_the_numbers(make: Made) -> None:
    with pytest.raises(DoesNotFit, match=r"\d\.\d GB.*0\.5 GB are allowed.*--memory"):
        make(volumes(), memory=0.5)


def test_compilation_is_for_volumes_with_time_and_a_compiler(make: Made) -> None:
    assert make(volumes(), 60)["compile"]
    assert not make(volumes(), 5)["compile"]
    assert not make(films(), 60)["compile"]
    assert not make(volumes(), 60, compiler=False)["compile"]


@pytest.mark.parametrize("what", [films(), volumes(), volumes(side=100)], ids=["2d", "3d", "large"])
def test_the_patch_is_one_that_the_network_takes(make: Made, what: tuple[Dataset, Fingerprint]) -> None:
    plan = make(what, 60)
    stride = registry.get("models", plan["model"]).stride(plan["model_options"])
    assert all(side % step == 0 for side, step in zip(plan["patch"], stride, strict=True))


def test_short_time_makes_a_narrower_network_than_long_time(make: Made) -> None:
    short, long = make(volumes(side=64), 2)["model_options"], make(volumes(side=64), 600)["model_options"]
    assert sum(short["features"]) < sum(long["features"])
    assert all(width % 8 == 0 for width in short["features"])


def test_folds_are_no_field_to_set_once_the_data_set_is_frozen(make: Made) -> None:
    with pytest.raises(BadUsage, match="--folds 3"):
        make(films(), folds=3)


def test_minutes_that_nothing_fits_into_are_refused_with_the_numbers(make: Made) -> None:
    with pytest.raises(
        DoesNotFit, match=r"at least \d+\.\d minutes are needed.*Given: 0\.1 minutes.*Give --minutes \d"
    ):
        make(volumes(), 0.1, step=0.5)


def test_mirrored_readings_are_left_out_where_reading_would_take_too_long(make: Made) -> None:
    assert make(volumes(), 15, step=0.1)["mirror_reading"] is True
    plan = make(volumes(60, 5, side=128), 15, step=0.4)
    assert plan["mirror_reading"] is False
    assert "mirrored readings" in plan.choices["mirror_reading"].reason


def large(voxels: float) -> tuple[Dataset, Fingerprint]:
    dataset, _ = volumes(40)
    facts = _facts("ct", (120, 512, 512), 40, {"organ": voxels})
    return dataset, facts.model_copy(update={"strata": {"": 24}})


def test_large_volumes_are_brought_to_a_grid_on_which_they_are_read_in_time(make: Made) -> None:
    plan = make(large(200_000.0), 15)
    assert max(plan["spacing"]) >= 1.5
    assert plan["prepare"][0] == ["resample", {"spacing": plan["spacing"], "order": 3}]
    assert "training and reading fit the time" in plan.choices["prepare"].reason
    assert max(make(large(200_000.0), 24 * 60)["spacing"]) < max(plan["spacing"])


def test_large_volumes_that_training_would_hardly_see_are_brought_to_a_coarser_grid(make: Made) -> None:
    short, long = (make(large(200_000.0), minutes)["spacing"] for minutes in (15, 24 * 60))
    assert max(short) >= 2.5 > max(long)
    assert 200_000 / float(np.prod(short)) >= 1000


def test_thick_slices_stay_while_fine_pixels_are_joined(make: Made) -> None:
    dataset, facts = large(200_000.0)
    thick = facts.inputs["image"].model_copy(update={"spacings": ((5.0, 0.8, 0.8),) * 5})
    plan = make((dataset, facts.model_copy(update={"inputs": {"image": thick}})), 15)
    z, y, x = plan["spacing"]
    assert z == 5.0
    assert 1.2 <= y == x <= 5.0
    assert plan["patch"][0] >= 8


def test_a_structure_that_no_training_case_holds_does_not_hold_the_grid(make: Made) -> None:
    dataset, facts = large(200_000.0)
    plan = make((dataset, facts.model_copy(update={"label_volumes": {"organ": 200_000.0, "absent": 0.0}})), 15)
    assert max(plan["spacing"]) > 1


def test_windows_overlap_less_before_training_starves(make: Made) -> None:
    plan = make(large(3000.0), 30, step=0.4)
    assert plan["overlap"] == 0.25
    assert plan.choices["overlap"].kind == "rule"


def test_figures_of_many_cases_and_classes_are_in_the_time(make: Made) -> None:
    labels = tuple(Label(name=f"k{n}", value=n) for n in range(9))
    dataset, facts = films(40_000)
    target = dataset.target.model_copy(update={"labels": labels, "positive": None})
    many = make((dataset.model_copy(update={"target": target}), facts), 15)
    assert many["steps"] < make((dataset, facts), 15)["steps"]


def test_a_small_structure_does_not_vanish_on_a_coarser_grid(make: Made) -> None:
    assert max(make(large(3000.0), 24 * 60, step=0.001)["spacing"]) ** 3 <= 10


def test_how_cases_are_prepared_is_known_without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "_probe", lambda *_: pytest.fail("something was measured"))
    plan = preparation(*volumes())
    assert plan["image_inputs"] == ["image"]
    assert plan["intensity"]["image"]["rule"]
    assert "prepare" in plan.choices
    assert "steps" not in plan.choices


def images(side: int, count: int = 800) -> tuple[Dataset, Fingerprint]:
    dataset, facts = films(count)
    whole = facts.inputs["image"].model_copy(update={"shapes": ((1, side, side),) * 5})
    target = dataset.target.model_copy(update={"kind": "images"})
    dataset = dataset.model_copy(update={"task": "synthesis", "target": target})
    return dataset, facts.model_copy(update={"inputs": {"image": whole}})


@pytest.mark.slow
def test_a_task_that_names_grids_gets_the_largest_that_leaves_enough_steps(make: Made) -> None:
    short, long = make(images(256), minutes=15), make(images(256), minutes=2000, memory=12, step=0.5)
    assert (short["patch"], long["patch"]) == ([1, 64, 64], [1, 128, 128])
    assert short["prepare"] == [["resample", {"shape": [1, 64, 64], "order": 3, "anti_alias": True}]]
    assert short["spacing"] == [1.0, 2.0, 2.0]
    assert long["model_options"]["width"] >= short["model_options"]["width"]
    assert make(images(28))["patch"] == [1, 28, 28]
    assert make(images(256), grids=[32])["patch"] == [1, 32, 32]


@pytest.mark.slow
def test_a_task_says_how_often_it_may_see_a_case_and_what_its_audit_takes(make: Made) -> None:
    plan = make(images(256), minutes=60)
    assert plan["steps_cap"] > 10 * EPOCHS_WHOLE * 480 / plan["batch"]
    quick, thorough = (make(images(256), minutes=5, audit_seconds=seconds) for seconds in (0.0, 60.0))
    assert thorough["steps"] < quick["steps"] - 500
