"""export: a release's network for other programs, after it gave the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from diascope.backends.exchange.onnx import write_onnx
from diascope.core import registry
from diascope.core.errors import DiascopeError, UnknownName
from diascope.engine.fit import load_weights
from diascope.engine.reading import Flat
from diascope.store.releases import open_release
from diascope.store.workspace import Workspace

TARGETS = {"onnx": "onnxruntime", "openvino": "openvino"}
"""What can be written, and the back end that must reproduce the answers."""
LARGEST_DIFFERENCE = 1e-3


class Mean(nn.Module):
    """An ensemble as one network."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The mean of the members' outputs."""
        total: torch.Tensor = self.members[0](image)
        for member in list(self.members)[1:]:
            total = total + member(image)
        mean: torch.Tensor = total / len(self.members)
        return mean


def export(workspace: Workspace, release: Path, to: str, out: Path | None = None) -> dict[str, Any]:
    """Write the network of a release in another format.

    Args:
        workspace: `exports/` is made in it where no folder is given.
        release: Folder of the release.
        to: `onnx` or `openvino`.
        out: Folder to write to.

    Returns:
        `file`, `largest_difference` (from torch float32 on the release's reference cases), `cases`.

    Raises:
        UnknownName: For another format.
        DiascopeError: When the written network does not give the same answers; nothing is left behind.
    """
    if to not in TARGETS:
        raise UnknownName("export format", to, TARGETS)
    opened = open_release(release)
    members: list[nn.Module] = [
        Flat(load_weights(opened.plan, opened.folder / name)) for name in opened.release.members
    ]
    network = members[0] if len(members) == 1 else Mean(members)
    stored = opened.arrays("reference.safetensors")
    images = [torch.from_numpy(stored[key]) for key in sorted(stored) if key.endswith("/image")]
    if not images:
        raise DiascopeError("this release has no image input; there is no network to export")
    folder = Path(out) if out is not None else workspace.root / "exports" / opened.release.label
    folder.mkdir(parents=True, exist_ok=True)
    runner = registry.get("backends", TARGETS[to]).compile(network, images[0], "fp32")
    with torch.no_grad():
        apart = max(float(np.abs(runner(image).numpy() - network(image).numpy()).max()) for image in images)
    if apart > LARGEST_DIFFERENCE:
        raise DiascopeError(f"the exported network differs from torch by {apart:.2g}", todo="Use the torch back end")
    path = _write(network, images[0], folder, to)
    return {"file": str(path), "largest_difference": apart, "cases": len(images), "release": opened.release.label}


def _write(network: nn.Module, example: torch.Tensor, folder: Path, to: str) -> Path:
    if to == "onnx":
        path = folder / "model.onnx"
        write_onnx(network, example, path)
        return path
    from diascope.backends.openvino import write_openvino

    path = folder / "model.xml"
    write_openvino(network, example, path)
    return path
