"""bf16 on the back ends that have it: close to float32, and really another arithmetic."""

import pytest
import torch
from torch import nn

from diascope.backends.openvino import capabilities
from diascope.backends.selftest.agreement import agreement
from diascope.core import registry
from diascope.core.errors import DiascopeError


def a_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv3d(16, 3, 3, padding=1)).eval()


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_bf16_is_close_to_float32_and_not_the_same(name: str) -> None:
    backend = registry.get("backends", name)
    if name == "openvino":
        pytest.importorskip("openvino")
        if "BF16" not in capabilities():
            pytest.skip("this processor has no bf16 arithmetic")
    network, example = a_network(), torch.randn(1, 1, 8, 16, 16)
    exact, fast = backend.compile(network, example, "fp32"), backend.compile(network, example, "bf16")
    found = agreement(exact, fast, [example])
    assert 1e-6 < found.difference < 0.2 * found.spread
    assert found.same > 0.95
    assert fast(example).dtype == torch.float32


def test_openvino_refuses_bf16_where_the_processor_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setattr("diascope.backends.openvino.capabilities", lambda: ("FP32",))
    with pytest.raises(DiascopeError, match="no bf16"):
        registry.get("backends", "openvino").compile(a_network(), torch.zeros(1, 1, 4, 4, 4), "bf16")
