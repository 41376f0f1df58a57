"""Reading: the same answer whatever else is in the batch, and only back ends that agree are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diascope.core.case import Target
from diascope.core.plan import Choice, Plan
from diascope.engine import choosing
from diascope.engine.batch import Example
from diascope.engine.choosing import agreement, choose_backend
from diascope.engine.network import VectorNetwork
from diascope.engine.reading import Reader
from diascope.testing import a_case


def a_plan(**changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "image_inputs": ["image"],
        "readings": {},
        "patch": [1, 8, 8],
        "whole": True,
        "overlap": 0.5,
        "mirror_axes": [2],
        "mirror_reading": True,
        "read_batch": 4,
        "skip_empty": False,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    target = Target(name="label", kind="category", columns=("label",))
    return Plan(dataset="d", task="classification", target=target, seed=0, choices=choices)


class Encoder(nn.Module):
    channels = (6,)

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(1, 6, (1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.convolution(x)).mean(dim=(2, 3, 4))  # type: ignore[no-any-return]


def a_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return VectorNetwork({"image": Encoder()}, 3, dropout=0.5).eval()


def examples(count: int) -> list[Example]:
    rng = np.random.default_rng(0)
    return [Example(a_case(n), {"image": rng.normal(size=(1, 1, 8, 8)).astype(np.float32)}, {}) for n in range(count)]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_an_answer_does_not_depend_on_what_is_read_with_it(count: int) -> None:
    reader = Reader([a_network()], a_plan(), "torch", "fp32")
    together = list(reader.read_all(examples(count)))
    assert len(together) == count
    for one, example in zip(together, examples(count), strict=True):
        alone = reader.read(example)
        assert np.abs(one.values - alone.values).max() <= 1e-6
        assert np.abs(one.features - alone.features).max() <= 1e-6


def test_flat_images_are_best_read_as_many_as_a_batch_is_filled_up_to() -> None:
    flat = examples(1)[0]
    deep = Example(flat.case, {"image": np.zeros((1, 4, 8, 8), np.float32)}, {})
    with_row = Example(flat.case, {**flat.inputs, "blood": np.zeros(2, np.float32)}, {})
    row = Example(flat.case, {"blood": np.zeros(2, np.float32)}, {})
    reader = Reader([a_network()], a_plan(), "torch", "fp32")
    assert [reader.together(one) for one in (flat, deep, with_row, row)] == [4, 1, 1, 1]
    reader.output = "dense"
    assert reader.together(flat) == 1


def test_outputs_and_features_are_told_apart() -> None:
    output = Reader([a_network()], a_plan(), "torch", "fp32").read(examples(1)[0])
    assert output.values.shape == (3,)
    assert output.features.shape == (6,)


def test_members_are_averaged() -> None:
    plan, members = a_plan(), [a_network(0), a_network(1)]
    single = [Reader([member], plan, "torch", "fp32").read(examples(1)[0]).values for member in members]
    both = Reader(members, plan, "torch", "fp32").read(examples(1)[0]).values
    assert both == pytest.approx(np.mean(single, axis=0), abs=1e-6)


def test_a_mirrored_image_has_the_same_answer_where_mirroring_is_on() -> None:
    example = examples(1)[0]
    mirrored = Example(example.case, {"image": example.inputs["image"][..., ::-1].copy()}, {})
    on = Reader([a_network()], a_plan(), "torch", "fp32")
    off = Reader([a_network()], a_plan(mirror_reading=False), "torch", "fp32")
    assert on.read(example).values == pytest.approx(on.read(mirrored).values, abs=1e-6)
    assert np.abs(off.read(example).values - off.read(mirrored).values).max() > 1e-4


def test_agreement_is_of_labels_for_voxels_and_of_numbers_for_vectors() -> None:
    one = torch.tensor([[0.0, 10.0], [3.0, 1.0]])
    assert agreement(one, one + 0.1)[0]
    assert not agreement(one, one + 0.5)[0]
    dense = torch.zeros((1, 2, 10, 10, 10))
    dense[:, 1] = 1
    other = dense.clone()
    other[0, 1, 0, 0, :4] = -1  # 4 of 1000 voxels.
    assert agreement(dense, other)[0]
    other[0, 1, 0, 0, :6] = -1
    assert not agreement(dense, other)[0]


class Backend:
    """A made-up back end: fast, and right or wrong."""

    def __init__(self, wrong: float) -> None:
        self.wrong = wrong

    def is_available(self) -> bool:
        return True

    def compile(self, network: nn.Module, example: Tensor, precision: str) -> Any:
        known: dict[bytes, Tensor] = {}

        def run(images: Tensor) -> Tensor:
            key = images.numpy().tobytes()
            if key not in known:
                with torch.no_grad():
                    known[key] = network(images) + self.wrong
            return known[key]

        return run


@pytest.mark.parametrize(("wrong", "chosen"), [(0.0, "openvino"), (0.5, "torch")])
def test_a_fast_back_end_is_taken_only_when_it_says_the_same(
    monkeypatch: pytest.MonkeyPatch, wrong: float, chosen: str
) -> None:
    real = choosing.registry.get

    def made_up(family: str, name: str) -> Any:
        return Backend(wrong) if (family, name) == ("backends", "openvino") else real(family, name)

    monkeypatch.setattr(choosing.registry, "get", made_up)
    monkeypatch.setattr(choosing, "CANDIDATES", (("openvino", "fp32"),))
    found = choose_backend([a_network()], a_plan(), examples(4))
    assert found["backend"] == chosen
    assert found["agreement"]


def test_a_back_end_by_hand_and_data_without_images_need_no_trial() -> None:
    plan = a_plan(backend="onnxruntime", read_precision="fp32")
    assert choose_backend([a_network()], plan, examples(2))["backend"] == "onnxruntime"
    nothing: Mapping[str, Any] = {"row": np.zeros(3, np.float32)}
    assert choose_backend([a_network()], a_plan(), [Example(a_case(), nothing, {})])["backend"] == "torch"
