"""Networks leave as ONNX and OpenVINO with the numbers that torch gives."""

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.models import InputSpec
from diascope.models.blocks.topology import narrowed

# Both are third parties' warnings about themselves while they read a graph.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
VOLUME = InputSpec("image", 1, 3, (16, 16, 16))
PICTURE = InputSpec("image", 3, 2, (1, 32, 32))


class FirstMap(torch.nn.Module):
    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer = self.encoder(x)
        return answer[0] if isinstance(answer, list) else answer


def a_network(name: str, spec: InputSpec) -> tuple[torch.nn.Module, torch.Tensor, np.ndarray]:
    torch.manual_seed(0)
    model = registry.get("models", name)
    options = model.options(spec)
    options = narrowed(options, 8, spec.dimensions) if model.gives == "dense" else {**options, "width": 8}
    network, x = FirstMap(model.build(spec, options)).eval(), torch.randn(2, spec.channels, *spec.shape)
    with torch.no_grad():
        return network, x, network(x).numpy()


@pytest.mark.parametrize("spec", [VOLUME, PICTURE], ids=["volume", "picture"])
@pytest.mark.parametrize("name", ["unet", "residual_unet", "resnet"])
def test_onnx_gives_the_same(name, spec, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, x, expected = a_network(name, spec)
    torch.onnx.export(network, (x,), str(tmp_path / "network.onnx"), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    answer = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    np.testing.assert_allclose(answer, expected, atol=1e-4)


@pytest.mark.parametrize("spec", [VOLUME, PICTURE], ids=["volume", "picture"])
@pytest.mark.parametrize("name", ["unet", "residual_unet", "resnet"])
def test_openvino_gives_the_same(name, spec):
    openvino = pytest.importorskip("openvino")
    network, x, expected = a_network(name, spec)
    converted = openvino.convert_model(network, example_input=x)
    compiled = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled(x.numpy())[0], expected, atol=1e-4)
