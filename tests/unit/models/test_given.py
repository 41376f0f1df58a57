"""A network from a file: how its images lie, what its numbers mean, what is refused, and who may run code."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from diascope.core.errors import BadUsage, DataRefused, MissingPackage, Tampered, UnknownName
from diascope.models import InputSpec
from diascope.models.files import opening, trust
from diascope.models.files.arranging import arranged, ours
from diascope.models.files.scores import scores
from diascope.models.given import MODEL, Given

onnx = pytest.importorskip("onnx")
SPEC = InputSpec("image", 1, 2, (1, 4, 6))


def a_file(weights: list[float], shape: tuple[Any, ...] = ("b", 1, 4, 6), outputs: int = 1) -> bytes:
    """ONNX: the mean grey value times each weight; further outputs give the mean itself."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    axes = list(range(1, len(shape)))
    constants = {"w": np.array([weights], np.float32), "axes": np.array(axes, np.int64), "one": np.array([1], np.int64)}
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("MatMul", ["column", "w"], ["scores"]),
    ]
    given = [helper.make_tensor_value_info("image", number, shape)]
    made = [helper.make_tensor_value_info(name, number, None) for name in ("scores", "mean")[:outputs]]
    held = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "g", given, made, held), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    return model.SerializeToString()


def told(content: bytes, **changed: Any) -> dict[str, Any]:
    return {
        "file": "",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "format": opening.kind_of(content),
        "axes": "YX",
        "channels_last": False,
        "output": "",
        "answers": 2,
        "picks": [0, 1],
        "labels": False,
        "activation": "softmax",
        "applied": False,
        **changed,
    }


def built(content: bytes, **changed: Any) -> Given:
    module = MODEL.build(SPEC, told(content, **changed))
    assert isinstance(module, Given)
    module.hold(content)
    return module


def bright(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None, None, None, None].expand(-1, 1, 1, 4, 6).contiguous()


def scripted(weight: float = 2.0) -> bytes:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 2, bias=False))
    torch.nn.init.constant_(network[1].weight, weight / 24)
    kept = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, torch.zeros(1, 1, 4, 6)), kept)
    return kept.getvalue()


@pytest.mark.parametrize("axes", ["SPL", "ZYX", "RAS", "LPS", "ILA", "XYZ"])
def test_a_voxel_lies_where_the_letters_say(axes: str) -> None:
    image = np.zeros((1, 1, 3, 4, 5), np.float32)
    image[0, 0, 2, 0, 1] = 1  # head, front, right: our z rises to the head, y to the back, x to the left
    found = arranged(image, axes, False)[0, 0]
    (place,) = np.argwhere(found)
    towards = {"S": 2, "Z": 2, "I": 0, "P": 0, "Y": 0, "A": 3, "L": 1, "X": 1, "R": 3}
    assert place.tolist() == [towards[one] for one in axes]
    assert ours(found.shape, axes, 1) == [3, 4, 5]


def test_pictures_turn_and_channels_go_last() -> None:
    image = np.arange(24, dtype=np.float32).reshape(1, 2, 1, 3, 4)
    assert np.array_equal(arranged(image, "XY", False)[0], image[0, :, 0].transpose(0, 2, 1))
    assert np.array_equal(arranged(image, "YX", True)[0], image[0, :, 0].transpose(1, 2, 0))


@pytest.mark.parametrize("axes", ["", "Y", "YY", "ZX", "SPLA", "RLS", "yx"])
def test_letters_that_name_no_axes_are_refused(axes: str) -> None:
    with pytest.raises(BadUsage, match="axes are named by a letter each"):
        arranged(np.zeros((1, 1, 1, 2, 2)), axes, False)


P = np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("answers", "options", "expected"),
    [
        (np.log(P) + 3, {}, P),
        (P, {"applied": True}, P),
        (np.log(P), {"picks": [1, 0]}, P[:, ::-1]),
        (np.log(P[:, 1:] / P[:, :1]), {"activation": "sigmoid", "picks": [None, 0]}, P),
        (P[:, 1:], {"activation": "sigmoid", "picks": [None, 0], "applied": True}, P),
        (P[:, :1], {"activation": "sigmoid", "picks": [0, None], "applied": True}, P),
        # Each class for itself: they are made to add up to 1.
        (P * 0.5, {"activation": "sigmoid", "applied": True}, P),
    ],
)
def test_numbers_of_a_file_become_probabilities_of_classes(answers: Any, options: Any, expected: Any) -> None:
    found = torch.softmax(torch.from_numpy(scores(answers, told(b"", **options))), dim=1).numpy()
    assert np.allclose(found, expected, atol=1e-6)


def test_labels_have_log_odds_of_their_own() -> None:
    said = np.array([[0.9, 0.8, 0.3]])
    options = told(b"", activation="sigmoid", applied=True, labels=True, picks=[2, 0])
    assert np.allclose(torch.sigmoid(torch.from_numpy(scores(said, options))).numpy(), [[0.3, 0.9]])


@pytest.mark.parametrize(
    ("answers", "options", "why"),
    [
        ([[np.nan, 1.0]], {}, "not finite"),
        ([[np.inf, 1.0]], {"applied": True}, "not finite"),
        ([[3.0, -2.0]], {"applied": True}, "does not answer with probabilities"),
        ([[0.4, 0.4]], {"applied": True}, "does not answer with probabilities"),
        ([[0.4, 0.6]], {}, "probabilities already"),
        ([[1.7]], {"applied": True, "activation": "sigmoid", "picks": [None, 0]}, "does not answer with probabilities"),
    ],
)
def test_numbers_that_are_not_what_the_manifest_says_are_refused(answers: Any, options: Any, why: str) -> None:
    with pytest.raises(DataRefused, match=why):
        scores(np.array(answers), told(b"", **options))


def test_a_file_of_onnx_answers_and_is_kept_in_the_weights() -> None:
    module = built(a_file([3.0, -1.0]))
    found = module(bright(0.5, 1.0))
    assert torch.allclose(found, torch.log_softmax(torch.tensor([[1.5, -0.5], [3.0, -1.0]]), 1), atol=1e-6)
    again = MODEL.build(SPEC, module.options)
    again.load_state_dict(load(save(module.state_dict())))
    assert torch.equal(again(bright(0.5, 1.0)), found)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_file_that_wants_one_size_of_batch_gets_it(batch: int) -> None:
    fixed, free = (built(a_file([3.0, -1.0], (size, 1, 4, 6))) for size in (batch, "b"))
    images = bright(0.1, 0.2, 0.3)
    assert torch.allclose(fixed(images), free(images))


@pytest.mark.parametrize(
    ("content", "changed", "why"),
    [
        (a_file([1.0, 2.0, 3.0]), {}, "names 2 output"),
        (a_file([1.0, 2.0], ("b", 1, 8, 6)), {}, r"reads arrays \(B, 1, 8, 6\)"),
        (a_file([1.0, 2.0], ("b", 1, 4, 4, 6)), {}, r"reads arrays \(B, 1, 4, 4, 6\)"),
        (b"no network", {}, "cannot open the file"),
    ],
)
def test_a_file_that_does_not_fit_its_manifest_is_refused(content: bytes, changed: Any, why: str) -> None:
    with pytest.raises(DataRefused, match=why):
        built(content, **changed)(bright(1.0))


def test_of_several_outputs_one_is_named() -> None:
    content = a_file([1.0, 2.0], outputs=2)
    with pytest.raises(BadUsage, match="2 outputs"):
        built(content)(bright(1.0))
    with pytest.raises(UnknownName, match="scores"):
        built(content, output="score")(bright(1.0))
    assert built(content, output="scores")(bright(1.0)).shape == (1, 2)


def test_other_bytes_than_those_that_were_adopted_are_never_opened(tmp_path: Path) -> None:
    module, other = built(a_file([3.0, -1.0])), a_file([3.0, -2.0])
    with pytest.raises(Tampered, match="plan was made with"):
        module.hold(other)
    (tmp_path / "model.onnx").write_bytes(other)
    with pytest.raises(Tampered):
        MODEL.fit(module, np.zeros(0, np.float32), {}, {"file": str(tmp_path / "model.onnx")})
    changed = module.content.clone()
    changed[100] ^= 1
    again = MODEL.build(SPEC, module.options)
    again.load_state_dict({"content": changed})
    with pytest.raises(Tampered, match="not the file that was adopted"):
        again(bright(1.0))


def test_torchscript_runs_only_where_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    content = scripted()
    digest = hashlib.sha256(content).hexdigest()
    assert opening.kind_of(content) == "torchscript"
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    for nothing in ("", "1", digest[:8], "0" * 12):
        monkeypatch.setenv(trust.VARIABLE, nothing)
        with pytest.raises(BadUsage, match="runs code"):
            built(content)
    monkeypatch.setenv(trust.VARIABLE, f"{'0' * 64}, {digest[:12]}")
    assert torch.allclose(built(content)(bright(1.0)), torch.full((1, 2), 0.5).log())
    # A plan that calls it something else does not open the door.
    monkeypatch.delenv(trust.VARIABLE)
    with pytest.raises(DataRefused, match="cannot open the file"):
        built(content, format="onnx")(bright(1.0))


def test_weights_alone_are_no_torchscript() -> None:
    kept = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, kept)
    with pytest.raises(DataRefused, match="no TorchScript"):
        opening.opened(kept.getvalue(), "torchscript")


def test_without_a_manifest_there_is_nothing_to_build() -> None:
    with pytest.raises(BadUsage, match="diascope adopt"):
        MODEL.build(SPEC, MODEL.options(SPEC))


def test_without_onnxruntime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"diascope\[export\]"):
        MODEL.build(SPEC, told(a_file([1.0, 2.0])))
