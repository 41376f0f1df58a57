"""export: a release's network for other programs, after it gave the same answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diascope.backends import Runner
from diascope.backends.exchange.onnx import write_onnx
from diascope.backends.onnxruntime import open_onnx
from diascope.backends.openvino import open_openvino, write_openvino
from diascope.core import registry
from diascope.core.errors import DiascopeError, UnknownName
from diascope.engine.fit import load_weights
from diascope.engine.reading import Flat
from diascope.models import learns
from diascope.store.releases import open_usable
from diascope.store.workspace import Workspace

TARGETS = ("onnx", "openvino")
"""What can be written; the file itself must give torch's answers."""
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
        Blocked: When the release's own evaluation speaks against it.
        UnknownName: For another format.
        DiascopeError: When the written network does not give the same answers; nothing is left behind.
    """
    if to not in TARGETS:
        raise UnknownName("export format", to, TARGETS)
    opened = open_usable(release)
    if not learns(registry.get("models", opened.plan["model"])):
        raise DiascopeError(
            f"{opened.release.label} holds a network that was made elsewhere, as a file that is run as it is",
            todo="Use that file itself; calibration and operating point are in release.json",
        )
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
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as unproven:
        written, runner = _written(network, images[0], Path(unproven), to)
        with torch.no_grad():
            apart = [_apart(network(image), runner(image)) for image in images]
        if not max(apart) <= LARGEST_DIFFERENCE:
            raise DiascopeError(
                f"the exported network differs from torch by {max(apart):.2g}", todo="Use the torch back end"
            )
        del runner  # it may hold the files open
        for path in written:
            path.replace(folder / path.name)
    return {
        "file": str(folder / written[0].name),
        "largest_difference": max(apart),
        "cases": len(images),
        "release": opened.release.label,
    }


def _apart(expected: torch.Tensor, found: torch.Tensor) -> float:
    """Largest difference; infinite where one of them is not a number, or the shapes differ."""
    if expected.shape != found.shape:
        return float("inf")
    return float((expected - found).abs().nan_to_num(nan=torch.inf).max())


def _written(network: nn.Module, example: torch.Tensor, folder: Path, to: str) -> tuple[list[Path], Runner]:
    """The files, the one to name first, and a runner that was made of them and of nothing else."""
    if to == "onnx":
        path = folder / "model.onnx"
        write_onnx(network, example, path)
        return [path], open_onnx(path)
    path = folder / "model.xml"
    write_openvino(network, example, path)
    return [path, path.with_suffix(".bin")], open_openvino(path)
