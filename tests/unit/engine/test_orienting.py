"""Whatever order a file stores its axes in, the network sees one patient, and its answer lies on the file."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from diascope.core.case import Target
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Choice, Plan
from diascope.engine.network import DenseNetwork
from diascope.engine.orienting import Turn, upright
from diascope.engine.preparing import prepare
from diascope.engine.reading import Reader
from diascope.testing import a_case

Axes = tuple[tuple[int, int, int], tuple[bool, bool, bool]]
ORDERS = [
    (order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)
]  # fmt: skip
SOME = ORDERS[::5]
OBLIQUE = np.array([[0.96, -0.2, 0.19], [0.22, 0.97, -0.1], [-0.17, 0.14, 0.98]])


def a_volume() -> Image:
    """Upright, oblique by about 15 degrees, anisotropic."""
    axes, _ = np.linalg.qr(OBLIQUE)
    axes *= np.sign(np.diag(axes))
    geometry = Geometry.from_spacing((2.5, 1.0, 1.5), (-30.0, 12.0, 700.0), axes[:, ::-1])
    return Image(np.random.default_rng(0).normal(size=(1, 8, 16, 12)).astype(np.float32), geometry, modality="mr")


def stored_as(image: Image, axes: Axes) -> Image:
    """The same patient in a file with another order of axes."""
    order, flips = axes
    array, geometry = image.array.transpose(0, *(1 + axis for axis in order)), image.geometry.permuted(order)
    for axis, flip in enumerate(flips):
        if flip:
            geometry = geometry.flipped(axis, array.shape[1 + axis])
            array = np.flip(array, 1 + axis)
    return Image(np.ascontiguousarray(array), geometry, modality="mr")


@pytest.mark.parametrize("axes", ORDERS)
def test_every_order_of_axes_becomes_one(axes: Axes) -> None:
    image = a_volume()
    stored = stored_as(image, axes)
    found = upright(stored)
    assert np.array_equal(found.array, image.array)
    assert found.geometry.is_close(image.geometry)
    turn = Turn.of(stored.geometry, stored.shape)
    assert np.array_equal(turn.back(found.array), stored.array)
    assert turn.shape(stored.shape) == image.shape


def test_an_upright_volume_is_not_copied() -> None:
    image = a_volume()
    assert upright(image) is image


@pytest.mark.parametrize("shape", [(1, 9, 7), (5, 9, 7)])
def test_pictures_stay_as_they_are(shape: tuple[int, int, int]) -> None:
    turned = np.diag([-1.0, -1.0, 1.0])
    flat = shape[0] == 1
    geometry = Geometry.from_spacing((1, 1, 1), (0, 0, 0), turned) if flat else Geometry.unknown()
    assert Turn.of(geometry, shape) == Turn()


class Slope(nn.Module):
    """An encoder that knows where head, back and left are: no symmetry hides a wrong turn."""

    channels = (3,)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [torch.cat([image, image.roll(1, 2) - 0.5 * image.roll(2, 3), image.roll(3, 4) + 0.2], dim=1)]


def reduce(logits: Tensor) -> tuple[Tensor, Tensor]:
    probability, label = logits.softmax(0).max(0)
    return label.to(torch.uint8), probability


def a_plan() -> Plan:
    values: dict[str, Any] = {
        "image_inputs": ["image"], "readings": {}, "channels": {"image": 1},
        "intensity": {"image": {"rule": "z-score"}}, "patch": [8, 12, 12], "overlap": 0.5, "mirror_reading": False,
        "mirror_axes": [], "skip_empty": False, "read_batch": 1,
        "prepare": [["resample", {"spacing": [2.0, 1.2, 1.5], "order": 1}]],
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in values.items()}
    target = Target(name="mask", kind="mask", columns=("mask",))
    return Plan(dataset="d", task="segmentation", target=target, seed=0, choices=choices)


def labels_of(image: Image) -> npt.NDArray[Any]:
    torch.manual_seed(0)
    network = DenseNetwork(Slope(), 3, 1, reduce).eval()
    example = prepare(a_case(), {"image": image}, a_plan(), Path())
    return Reader([network], a_plan(), "torch", "fp32").read(example).values


@pytest.mark.parametrize("axes", SOME)
def test_the_network_sees_the_same_bits_and_its_answer_lies_on_the_file(axes: Axes) -> None:
    image = a_volume()
    stored = stored_as(image, axes)
    case = a_case()
    expected = prepare(case, {"image": image}, a_plan(), Path())
    found = prepare(case, {"image": stored}, a_plan(), Path())
    np.testing.assert_allclose(found.inputs["image"], expected.inputs["image"], atol=1e-5)
    assert found.original is not None
    assert found.original[1] == stored.shape
    labels = labels_of(image)
    assert len(np.unique(labels)) == 3
    turn = Turn.of(stored.geometry, stored.shape)
    answer = labels_of(stored)
    assert answer.shape == stored.shape
    assert np.mean(turn.array(answer) == labels) > 0.999
