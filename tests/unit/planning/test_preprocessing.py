"""Filters and slices as a user asks for them: checked when the plan is made, with reasons; nothing is measured here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Case, Dataset, FileRef, Label, Target
from diascope.core.errors import BadUsage, UnknownName
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Fingerprint, InputFacts, Plan
from diascope.engine.building import build_network, input_specs
from diascope.engine.devices import Arithmetic, Capabilities
from diascope.planning import planner
from diascope.planning.budget import Budget
from diascope.planning.probe import Probe

GB = 10**9
MASK = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="organ", value=1),))
CLASSES = Target(
    name="dx", kind="category", columns=("dx",), labels=(Label(name="a", value=0), Label(name="b", value=1))
)


def facts_of(modality: str, shape: tuple[int, int, int], steps: tuple[float, float, float]) -> InputFacts:
    return InputFacts(
        kind="image", modality=modality, channels=1, dimensions=2 if shape[0] == 1 else 3, physical=shape[0] > 1,
        shapes=(shape,) * 5, spacings=(steps,) * 5,
        intensity={name: (1.0,) for name in ("mean", "std", "low", "high")}, per_case={},
    )  # fmt: skip


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def made(
        target: Target = MASK, shape: tuple[int, int, int] = (20, 32, 24), modality: str = "mr",
        steps: tuple[float, float, float] = (1.0, 1.0, 1.0), inputs: dict[str, str] | None = None, **by_hand: Any,
    ) -> Plan:  # fmt: skip
        names = inputs or {"image": modality}
        geometry = Geometry.from_spacing(steps) if shape[0] > 1 else Geometry.unknown()
        array = np.random.default_rng(0).gamma(2.0, 50.0, (1, *shape)).astype(np.float32)
        registry.get("formats", "nifti").write(Image(array, geometry, "mr", "a.u."), tmp_path / "a.nii.gz")
        ref = FileRef(format="nifti", paths=("a.nii.gz",))
        parts = ("train", "train", "val", "test")
        cases = tuple(
            Case(id=f"c{n}", patient=f"p{n}", inputs=dict.fromkeys(names, ref), split=parts[n % 4]) for n in range(40)
        )
        task = "segmentation" if target is MASK else "classification"
        dataset = Dataset(name="d", source="manifest", root=str(tmp_path), task=task, target=target, cases=cases)
        facts = Fingerprint(
            dataset="d", cases=40, patients=40, order=tuple(names),
            inputs={name: facts_of(kind, shape, steps) for name, kind in names.items()},
            strata={"": 20} if target is MASK else {"a": 10, "b": 10},
            label_volumes={"organ": 900.0} if target is MASK else {},
            bytes_decoded=40 * 4 * int(np.prod(shape)), seconds_per_case=0.002,
        )  # fmt: skip
        machine = Capabilities(2, False, False, 0, False, False, 16 * GB, 8 * GB)
        probe = Probe(Arithmetic("fp32", channels_last=True, threads=2), 0.1, 1.0, {})
        monkeypatch.setattr(planner, "capabilities", lambda: machine)
        monkeypatch.setattr(planner, "_probe", lambda *_: probe)
        return planner.make_plan(dataset, facts, Budget(minutes=15.0), by_hand, 0, lambda message: None)

    return made


def test_without_a_word_nothing_is_filtered_and_the_plan_says_so(make: Any) -> None:
    plan = make()
    assert (plan["preprocess"], plan["slices"]) == ([], 0)
    assert "no filter" in plan.choices["preprocess"].reason


def test_filters_stand_in_the_plan_with_all_their_parameters_and_the_reason(make: Any) -> None:
    plan = make(preprocess=["n4", ["median", {"size": 5}], "clahe"])
    assert plan["preprocess"] == [
        ["n4", {"shrink": 4, "levels": 4, "iterations": 50}],
        ["median", {"size": 5}],
        ["clahe", {"clip": 0.01, "tiles": 8}],
    ]
    choice = plan.choices["preprocess"]
    assert choice.kind == "by hand"
    assert "size 5 (voxels); before the intensity rule, in units of the image" in choice.reason
    assert "s a case" in choice.reason
    assert Plan.from_json(plan.to_json()) == plan


def test_the_time_that_filters_take_is_in_the_time_of_the_plan(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diascope.planning.preprocessing._seconds", lambda *_: 5.0)
    slow, quick = make(preprocess=["median"]), make()
    assert slow["steps"] < quick["steps"]
    assert slow["train_seconds"] < quick["train_seconds"] - 200


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("median", "takes a list of filters"),
        ([["median"]], "a name, or a list of a name and its parameters"),
        ([["median", {"size": 2}]], "an odd whole number"),
        (["clahe", "median"], r"median works in units of the image.*Name median before clahe"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(make: Any, asked: Any, words: str) -> None:
    with pytest.raises(BadUsage, match=words):
        make(preprocess=asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["medain"], r"no filter named 'medain'.*Did you mean 'median'"),
        (["resample"], "no filter named 'resample'"),
        (["mirror"], "no filter named 'mirror'"),
        ([["median", {"sise": 3}]], r"no parameter of the filter median named 'sise'.*'size'"),
        ([["median", {"inputs": ["t1"]}]], r"no image input for the filter median named 't1'"),
    ],
)
def test_an_unknown_name_names_the_closest(make: Any, asked: Any, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        make(preprocess=asked)


def test_bias_fields_are_corrected_in_magnetic_resonance_only(make: Any) -> None:
    with pytest.raises(BadUsage, match="n4 is for images of the kinds mr and unknown, and 'image' is ct"):
        make(modality="ct", preprocess=["n4"])
    inputs = {"ct": "ct", "t1": "mr"}
    with pytest.raises(BadUsage, match=r'Name the inputs that it is for: \[\["n4", \{"inputs": \["t1"\]\}\]\]'):
        make(inputs=inputs, preprocess=["n4"])
    plan = make(inputs=inputs, preprocess=[["n4", {"inputs": ["t1"]}]])
    assert plan["preprocess"][0][1]["inputs"] == ["t1"]


@pytest.mark.parametrize("count", [1, 3, 5])
def test_volumes_are_segmented_slice_by_slice(make: Any, count: int) -> None:
    plan = make(slices=count)
    assert plan["slices"] == count
    assert plan["patch"][0] == 1
    assert (["slices", {"count": count}] in plan["prepare"]) == (count > 1)
    (spec,) = input_specs(plan).values()
    assert (spec.channels, spec.dimensions) == (count, 2)
    assert plan["mirror_axes"] == [2]
    build_network(plan)


def test_slices_stay_the_last_step_on_a_coarser_grid_and_of_a_preparation_given_by_hand(make: Any) -> None:
    prepare = [["resample", {"spacing": [1.5, 1.5, 1.5], "order": 1}]]
    assert make(slices=3, prepare=prepare)["prepare"] == [*prepare, ["slices", {"count": 3}]]
    plan = make(CLASSES, (300, 128, 128), slices=3)
    assert plan["prepare"][-1] == ["slices", {"count": 3}]
    assert [name for name, _ in plan["prepare"]].count("slices") == 1


def test_volumes_are_classified_by_a_network_for_slices(make: Any) -> None:
    plan = make(CLASSES, slices=3)
    assert plan["patch"][0] > 1
    (spec,) = input_specs(plan).values()
    assert (spec.channels, spec.dimensions, spec.shape) == (3, 2, (1, *plan["patch"][1:]))
    assert 0 not in plan["mirror_axes"]  # neighbours would change places
    assert build_network(plan).encoders["image"].encoder.stem.weight.ndim == 4


@pytest.mark.parametrize("count", [2, -1, 17, True, "3", 3.0])
def test_only_an_odd_number_of_slices_is_taken(make: Any, count: Any) -> None:
    with pytest.raises(BadUsage, match="slices takes an odd number up to 15"):
        make(slices=count)


def test_pictures_have_no_slices_and_thick_ones_are_cut_along_their_own_axis(make: Any) -> None:
    with pytest.raises(BadUsage, match="these images are flat"):
        make(CLASSES, (1, 64, 64), "xray", slices=3)
    with pytest.raises(BadUsage, match="recorded as slices across another axis"):
        make(steps=(0.5, 0.5, 4.0), slices=3)
    assert make(steps=(4.0, 0.5, 0.5), slices=3)["slices"] == 3
