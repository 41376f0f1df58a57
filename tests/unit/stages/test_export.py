"""export: the file that was written is the one that was proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from diascope.core.errors import DiascopeError, UnknownName
from diascope.stages import export as stage
from diascope.stages.export import export
from diascope.store.workspace import Workspace
from diascope.testing.releases import a_release

PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_an_export_gives_the_answers_of_the_release(tmp_path: Path, to: str) -> None:
    pytest.importorskip(PACKAGES[to])
    found = export(Workspace(tmp_path / "ws"), a_release(tmp_path / "films@1", seeds=(0, 1)), to, tmp_path / "out")
    assert Path(found["file"]).is_file()
    assert found["cases"] == 2
    assert found["largest_difference"] <= 1e-3
    names = {"onnx": {"model.onnx"}, "openvino": {"model.xml", "model.bin"}}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names[to]


@pytest.mark.parametrize("wrong", [0.1, float("nan")])
def test_a_file_with_other_weights_is_noticed_and_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    pytest.importorskip("openvino")
    real = stage.write_openvino

    def damaged(network: torch.nn.Module, *rest: Any) -> None:
        with torch.no_grad():
            kept = {name: value.clone() for name, value in network.state_dict().items()}
            for value in network.parameters():
                value.add_(wrong)
            real(network, *rest)
            network.load_state_dict(kept)

    monkeypatch.setattr(stage, "write_openvino", damaged)
    with pytest.raises(DiascopeError, match="differs from torch"):
        export(Workspace(tmp_path / "ws"), a_release(tmp_path / "films@1"), "openvino", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="onnx, openvino"):
        export(Workspace(tmp_path / "ws"), a_release(tmp_path / "films@1"), "coreml")
