"""Filters of a plan: around the intensity rule, upright, for the inputs they are meant for, and said in the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Plan
from diascope.engine.building import build_network, input_specs
from diascope.engine.orienting import Turn
from diascope.engine.preparing import prepare
from diascope.engine.room import need
from diascope.formats import Extent
from diascope.testing import a_case
from diascope.testing.factories import CLASSES
from diascope.testing.releases import ORGANS, SMALL, a_plan

LPS = Geometry.from_spacing((2.0, 1.0, 1.0))


def a_volume(seed: int = 0, shape: tuple[int, int, int] = (9, 13, 17)) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 100.0, (1, *shape)).astype(np.float32)


def seen(plan: Plan, **arrays: np.ndarray) -> Any:
    images = {name: Image(array, LPS, "mr", "a.u.") for name, array in arrays.items()}
    return prepare(a_case(), images, plan, Path())


def with_filters(*steps: Any, **changes: Any) -> Plan:
    names = changes.pop("image_inputs", ["image"])
    settled = [
        [name, {**registry.get("transforms", name).settled({k: v for k, v in params.items() if k != "inputs"}),
                **({"inputs": params["inputs"]} if "inputs" in params else {})}]
        for name, params in steps
    ]  # fmt: skip
    plain = {
        "image_inputs": names,
        "channels": dict.fromkeys(names, 1),
        "intensity": {name: {"rule": "z-score"} for name in names},
        "preprocess": settled,
        "model_options": {},
    }
    return a_plan(ORGANS, (8, 8, 8), **{**plain, **changes})


def test_a_filter_before_sees_the_image_and_one_after_what_the_network_reads() -> None:
    array = a_volume()
    window = {"image": {"rule": "window", "low": 0, "high": 300, "mean": 100, "std": 50}}
    found = seen(with_filters(("median", {}), ("clahe", {}), intensity=window), image=array).inputs["image"]
    apply = {name: registry.get("transforms", name).apply for name in ("median", "intensity", "clahe")}
    step, _ = apply["median"](torch.from_numpy(array), LPS, {}, False)
    step, _ = apply["intensity"](step, LPS, window["image"], False)
    step, _ = apply["clahe"](step, LPS, {}, False)
    assert found.tobytes() == step.numpy().tobytes()


def test_a_plan_without_filters_or_from_before_there_were_any_prepares_the_same_bits() -> None:
    old = a_plan(ORGANS, (8, 8, 8), model_options={})
    assert "preprocess" not in old.choices
    one, other = (seen(plan, image=a_volume()) for plan in (old, with_filters()))
    assert one.inputs["image"].tobytes() == other.inputs["image"].tobytes()
    assert one.case.history == other.case.history == ()


def test_what_was_done_is_in_the_history_of_the_case() -> None:
    history = seen(with_filters(("n4", {}), ("clahe", {"clip": 0.03})), image=a_volume()).case.history
    assert [step.what for step in history] == ["n4", "clahe"]
    assert "before the intensity rule" in history[0].detail
    assert "clip 0.03 (of a tile)" in history[1].detail


def test_a_filter_may_be_for_some_of_the_inputs() -> None:
    names = ["one", "other"]
    plan = with_filters(("median", {"inputs": ["other"]}), image_inputs=names)
    plain = with_filters(image_inputs=names)
    found, unfiltered = (seen(each, one=a_volume(1), other=a_volume(2)).inputs["image"] for each in (plan, plain))
    assert found[0].tobytes() == unfiltered[0].tobytes()
    assert found[1].tobytes() != unfiltered[1].tobytes()


@pytest.mark.parametrize("name", ["clahe", "n4", "median", "unsharp_mask"])
def test_a_patient_is_filtered_alike_whichever_way_a_file_stores_it(name: str) -> None:
    stored = LPS.permuted((2, 0, 1)).flipped(1, 9)
    array = a_volume()
    turn = Turn.of(stored, (17, 9, 13))
    upright, other = Image(array, LPS, "mr", "a.u."), Image(turn.back(array), stored, "mr", "a.u.")
    plan = with_filters((name, {}))
    one, two = (prepare(a_case(), {"image": image}, plan, Path()) for image in (upright, other))
    assert one.inputs["image"].tobytes() == two.inputs["image"].tobytes()


def test_slices_make_a_network_of_two_dimensions_of_one_for_volumes() -> None:
    changes = {"slices": 3, "prepare": [["slices", {"count": 3}]], "spacing": [2.0, 1.0, 1.0]}
    plan = a_plan(ORGANS, (1, 8, 16), **changes)
    (spec,) = input_specs(plan).values()
    assert (spec.channels, spec.dimensions, spec.shape) == (3, 2, (1, 8, 16))
    array = a_volume(shape=(5, 16, 16))
    image = seen(plan, image=array).inputs["image"]
    assert image.shape == (3, 5, 16, 16)
    logits = build_network(plan).eval()({"image": torch.from_numpy(image[:, 2:3])[None]})
    assert logits.shape == (1, 3, 1, 16, 16)


def test_a_volume_is_classified_by_the_mean_of_its_slices_features() -> None:
    plan = a_plan(CLASSES, (6, 16, 16), slices=1, prepare=[], model_options=SMALL)
    (spec,) = input_specs(plan).values()
    assert (spec.channels, spec.dimensions, spec.shape) == (1, 2, (1, 16, 16))
    network = build_network(plan).eval()
    volume = torch.randn(2, 1, 6, 16, 16, generator=torch.Generator().manual_seed(0))
    features = network.features({"image": volume})
    encoder = network.encoders["image"].encoder
    alone = torch.stack([encoder(volume[:, :, z : z + 1]) for z in range(6)]).mean(dim=0)
    torch.testing.assert_close(features, alone)
    assert network({"image": volume}).shape == (2, 2)
    maps = registry.get("explainers", "grad_cam").explain(network, volume, 0)
    assert maps.shape == (2, 6, 16, 16)


def test_the_memory_of_filters_and_slices_is_counted() -> None:
    extent = {"image": Extent((1, 40, 128, 128), 2, LPS)}
    window = {"image": {"rule": "window", "low": -160, "high": 240, "mean": 40, "std": 60}}
    plain = need(a_plan(ORGANS, (8, 32, 32), intensity=window), extent, windowed=True)
    sliced = need(a_plan(ORGANS, (1, 32, 32), intensity=window, slices=5), extent, windowed=True)
    even = need(a_plan(ORGANS, (8, 32, 32), intensity=window, preprocess=[["clahe", {}]]), extent, windowed=True)
    voxels = 40 * 128 * 128
    assert sliced.held - plain.held == 4 * 4 * voxels
    assert even.peak > plain.peak + 30 * voxels
