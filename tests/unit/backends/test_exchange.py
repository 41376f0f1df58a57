from pathlib import Path

import pytest
import torch
from torch import nn

from diascope.backends.exchange import onnx as exchange
from diascope.backends.onnxruntime import open_onnx
from diascope.backends.openvino import write_openvino
from diascope.core.errors import MissingPackage


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.InstanceNorm3d(4), nn.Conv3d(4, 3, 1)).eval()


def test_onnx_file_is_one_file_that_gives_the_same_scores(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, example = a_network(), torch.randn(1, 2, 4, 6, 8)
    exchange.write_onnx(network, example, tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    three = torch.randn(3, 2, 4, 6, 8)
    assert torch.allclose(open_onnx(tmp_path / "network.onnx")(three), network(three).detach(), atol=1e-5)


def test_openvino_file_gives_the_same_scores(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    network, example = a_network(), torch.randn(1, 2, 4, 6, 8)
    write_openvino(network, example, tmp_path / "network.xml")
    model = openvino.Core().compile_model(tmp_path / "network.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = torch.from_numpy(model(example.numpy())[0])
    assert torch.allclose(found, network(example).detach(), atol=1e-5)


def test_without_onnx_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "find_spec", lambda package: None)
    with pytest.raises(MissingPackage, match="onnx"):
        exchange.write_onnx(a_network(), torch.zeros(1, 2, 4, 4, 4), tmp_path / "network.onnx")
