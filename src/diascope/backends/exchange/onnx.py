"""A network as an ONNX file."""

from __future__ import annotations

import copy
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from diascope.core.errors import MissingPackage

OPSET = 20


def write_onnx(network: nn.Module, example: Tensor, path: Path) -> None:
    """Write one self-contained file, float32, with input `image` and output `scores`; the batch size is free.

    Args:
        network: In `eval()`, maps (B, C, Z, Y, X) to one tensor.
        example: (B, C, Z, Y, X); C, Z, Y, X are fixed by it.
        path: Where to write.

    Raises:
        MissingPackage: Without `onnx` and `onnxscript`.
    """
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise MissingPackage(package, "export", "writing an ONNX file")
    # With a batch of 1 the exporter would take the batch size for a constant.
    batch = torch.cat([example[:1]] * 2).float().cpu()
    plain = copy.deepcopy(network).cpu().float().eval()
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's own deprecations; the result is compared with torch
            torch.onnx.export(
                plain,
                (batch,),
                str(path),
                input_names=["image"],
                output_names=["scores"],
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
