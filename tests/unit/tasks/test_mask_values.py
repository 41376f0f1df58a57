"""A mask may use any value up to 65,535 for a structure: the network numbers the labels, the file keeps its values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diascope.core.case import FileRef, Label, Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Batch, Example, Output
from diascope.engine.building import build_network
from diascope.engine.sliding import argmax_labels
from diascope.tasks.segmentation import IGNORED, TASK, _channels, _reduce_regions
from diascope.testing import a_case
from diascope.testing.factories import oblique
from diascope.transforms import affine_elastic

VESSELS = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="vessel", value=255),), ignore=7)
CORTEX = Target(
    name="mask",
    kind="mask",
    columns=("mask",),
    labels=(Label(name="insula", value=2035), Label(name="stem", value=16), Label(name="bank", value=1001)),
    ignore=300,
)
NESTED = Target(
    name="mask",
    kind="mask",
    columns=("mask",),
    labels=(Label(name="whole", value=1000, members=(1000, 2000)), Label(name="core", value=2000, members=(2000,))),
)
SHAPE = (4, 8, 8)


def a_plan(target: Target) -> Plan:
    values = {
        "model": "residual_unet",
        "model_options": {
            "features": [4, 8], "strides": [[1, 1, 1], [2, 2, 2]], "kernels": [[3, 3, 3]] * 2, "blocks": [1, 1],
            "decoder_blocks": [1], "levels": 2,
        },
        "image_inputs": ["image"], "readings": {}, "channels": {"image": 1},
        "intensity": {"image": {"rule": "z-score"}}, "patch": list(SHAPE), "spacing": [1.0, 1.0, 1.0],
        "loss": "dice_cross_entropy",
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in values.items()}
    return Plan(dataset="d", task="segmentation", target=target, seed=0, choices=choices)


def an_example() -> Example:
    return Example(a_case(), {}, {}, oblique(), (oblique(), SHAPE))


def a_mask(target: Target) -> np.ndarray:
    """Each label in a slice of its own, after a slice of background; ignored voxels in a corner."""
    mask = np.zeros(SHAPE, np.int64)
    for number, label in enumerate(target.labels, 1):
        mask[number, 2:6, 2:6] = label.value
    if target.ignore is not None:
        mask[:, 0, 0] = target.ignore
    return mask


def numbers(mask: np.ndarray, target: Target) -> np.ndarray:
    """A perfect answer."""
    return sum(((mask == label.value) * number for number, label in enumerate(target.labels, 1))).astype(np.uint8)  # type: ignore[union-attr]


def test_values_become_channels_and_ignored_voxels_stay_apart() -> None:
    mask = torch.tensor([[[[0, 255, 7]]]], dtype=torch.uint8)
    assert _channels(mask, VESSELS).flatten().tolist() == [0, 1, IGNORED]


@pytest.mark.parametrize("target", [VESSELS, CORTEX, NESTED], ids=["vessels", "cortex", "nested"])
def test_a_mask_is_learnt_scored_and_written_with_its_own_values(target: Target) -> None:
    plan, mask = a_plan(target), a_mask(target)
    truth = TASK.encode(a_case(), {"mask": mask}, target)["mask"]
    np.testing.assert_array_equal(truth, mask)
    assert truth.dtype == (np.uint8 if target is VESSELS else np.int32)
    network = build_network(plan)
    (phase,) = TASK.phases(plan)
    batch = Batch({"image": torch.randn(1, 1, *SHAPE)}, {"mask": torch.from_numpy(truth)[None]}, ())
    assert bool(torch.isfinite(phase.loss(network, batch)))
    said = Output(numbers(mask, target), {1: 0.9})
    row = TASK.observe(said, an_example(), {"mask": truth}, plan)
    assert [row[f"dice/{label.name}"] for label in target.labels] == [1.0] * len(target.labels)
    answer = TASK.decode(said, an_example(), {}, plan)
    assert answer.mask is not None
    np.testing.assert_array_equal(answer.mask.array[0], np.where(mask == (target.ignore or -1), 0, mask))
    assert [one.status for one in answer.findings] == ["present"] * len(target.labels)
    assert answer.findings[0].measures["confidence"].value == 0.9


def test_what_nobody_declared_is_background_and_no_other_value() -> None:
    strange = np.array([[[255 + 256, 7, 255, -1]]])
    assert TASK.encode(a_case(), {"mask": strange}, VESSELS)["mask"].tolist() == [[[0, 7, 255, 0]]]


def test_labels_are_numbered_in_the_order_of_the_target() -> None:
    logits = torch.zeros(4, 1, 1, 4)
    for number in range(4):
        logits[number, 0, 0, number] = 5.0
    labels, probability = argmax_labels(logits)
    assert labels.flatten().tolist() == [0, 1, 2, 3]
    assert float(probability.min()) > 0.9
    inner = torch.tensor([-5.0, 5.0, 5.0]).view(1, 1, 1, 3), torch.tensor([-5.0, -5.0, 5.0]).view(1, 1, 1, 3)
    assert _reduce_regions(torch.cat(inner))[0].flatten().tolist() == [0, 1, 2]


def test_augmentation_moves_wide_values_as_they_are() -> None:
    mask = torch.from_numpy(a_mask(CORTEX).astype(np.int32))[None, None]
    transform = affine_elastic.TRANSFORM
    params = {
        "probability": 1.0, "rotation": [20.0, 0.0, 0.0], "scale": [1.0, 1.0], "translation": 1.0, "shear": 0.0,
        "elastic": 0.0, "distance": 10.0, "spacing": [1.0, 1.0, 1.0],
    }  # fmt: skip
    drawn = transform.draw(np.random.default_rng(0), 1, SHAPE, params)
    _, moved = transform.apply(torch.zeros(1, 1, *SHAPE), mask, drawn)
    assert moved is not None
    assert moved.dtype == torch.int32
    assert set(moved.unique().tolist()) - {0} <= set(mask.unique().tolist()) - {0}
    assert 2035 in moved


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([Label(name=f"l{n}", value=n) for n in range(1, 256)], "255 labels"),
        ([Label(name="far", value=70000)], "the value 70000"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(labels: list[Label], said: str) -> None:
    target = CORTEX.model_copy(update={"labels": tuple(labels)})
    case = a_case(targets={"mask": FileRef(format="nifti", paths=("m",))})
    (problem,) = TASK.problems([case], target)
    assert problem.severity == "refuse"
    assert said in problem.title
    assert TASK.problems([case], CORTEX) == []


def test_ignored_voxels_teach_no_region() -> None:
    target = NESTED.model_copy(update={"ignore": 5})
    plan = a_plan(target)
    (phase,) = TASK.phases(plan)
    network = build_network(plan)
    image, mask = torch.randn(1, 1, *SHAPE), torch.from_numpy(a_mask(NESTED).astype(np.int32))[None]
    ignored, learnt = mask.clone(), mask.clone()
    ignored[0, :, 6:], learnt[0, :, 6:] = 5, 2000
    losses = [phase.loss(network, Batch({"image": image}, {"mask": one}, ())) for one in (mask, ignored, learnt)]
    assert len({float(loss.detach()) for loss in losses}) == 3
