"""ONNX Runtime, float32 on the CPU: no faster than torch there, but it proves that an exported file means the same."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diascope.backends import Runner
from diascope.backends.exchange.onnx import write_onnx
from diascope.core.errors import MissingPackage, UnknownName

PACKAGES = ("onnxruntime", "onnx", "onnxscript")


class OnnxRuntime:
    """Exports the network to ONNX, then runs that."""

    def is_available(self) -> bool:
        return all(find_spec(package) is not None for package in PACKAGES)

    def compile(self, network: nn.Module, example: Tensor, precision: str) -> Runner:
        if precision != "fp32":
            raise UnknownName("precision of the back end onnxruntime", precision, ("fp32",))
        for package in PACKAGES:
            if find_spec(package) is None:
                raise MissingPackage(package, "export", "the back end onnxruntime")
        with tempfile.TemporaryDirectory(prefix="diascope-onnx-") as folder:
            path = Path(folder) / "network.onnx"
            write_onnx(network, example, path)
            return open_onnx(path)


def open_onnx(path: Path) -> Runner:
    """A runner from an ONNX file with one input and one output.

    Raises:
        MissingPackage: Without onnxruntime.
    """
    if find_spec("onnxruntime") is None:
        raise MissingPackage("onnxruntime", "export", "running an ONNX file")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session: Any = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: Tensor) -> Tensor:
        (found,) = session.run(None, {name: np.ascontiguousarray(batch.cpu().numpy(), np.float32)})
        return torch.from_numpy(found).to(batch.device)

    return run


BACKEND = OnnxRuntime()
