"""OpenVINO: the fastest on x86 processors. The precision is always asked for: left alone it takes bf16 where it can."""

from __future__ import annotations

import copy
import ctypes
import functools
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diascope.backends import Runner
from diascope.core.errors import DiascopeError, MissingPackage, UnknownName

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class OpenVino:
    """Runs on the CPU with as many threads as torch."""

    def is_available(self) -> bool:
        return find_spec("openvino") is not None

    def compile(self, network: nn.Module, example: Tensor, precision: str) -> Runner:
        if precision not in PRECISIONS:
            raise UnknownName("precision of the back end openvino", precision, PRECISIONS)
        if not self.is_available():
            raise MissingPackage("openvino", "fast", "the back end openvino")
        if precision == "bf16" and "BF16" not in capabilities():
            raise DiascopeError("this processor has no bf16 arithmetic", todo="Use precision fp32")
        return _Compiled(convert(network, example), PRECISIONS[precision])


class _Compiled:
    """One compiled model a shape (a last, smaller batch is another shape)."""

    def __init__(self, model: Any, hint: str) -> None:
        self.model, self.hint = model, hint
        self.shapes: dict[tuple[int, ...], Any] = {}

    def __call__(self, batch: Tensor) -> Tensor:
        shape = tuple(batch.shape)
        if shape not in self.shapes:
            self.model.reshape(list(shape))
            self.shapes[shape] = _core().compile_model(self.model, "CPU", self._settings())
        found: np.ndarray[Any, Any] = self.shapes[shape](np.ascontiguousarray(batch.cpu().numpy(), np.float32))[0]
        return torch.from_numpy(found).to(batch.device, torch.float32)

    def _settings(self) -> dict[str, Any]:
        return {
            "INFERENCE_PRECISION_HINT": self.hint,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }


def convert(network: nn.Module, example: Tensor) -> Any:
    """The network as an `openvino.Model` with float32 weights, for inputs of the shape of `example`.

    Raises:
        MissingPackage: Without openvino.
    """
    if find_spec("openvino") is None:
        raise MissingPackage("openvino", "fast", "converting to OpenVINO")
    import openvino

    plain = copy.deepcopy(network).cpu().float().eval()
    with torch.no_grad(), warnings.catch_warnings():
        # The converter traces, which torch calls deprecated and (for norms that look at shapes) inexact; what comes
        # out is for one shape only and is compared with torch.
        warnings.simplefilter("ignore")
        # Traced here, as the converter would, but once: it would run the network twice more to check the trace.
        traced = torch.jit.trace(plain, example.detach().cpu().float(), check_trace=False)  # type: ignore[no-untyped-call]
        model = openvino.convert_model(traced, example_input=example.detach().cpu().float())
    model.reshape(list(example.shape))
    _give_memory_back()
    return model


def _give_memory_back() -> None:
    """What tracing took (it runs the network) goes back to the system: OpenVINO allocates its own way, beside it."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def write_openvino(network: nn.Module, example: Tensor, path: Path) -> None:
    """Write `path` (.xml) and the weights (.bin) beside it, float32.

    Raises:
        MissingPackage: Without openvino.
    """
    model = convert(network, example)
    import openvino

    openvino.save_model(model, path, compress_to_fp16=False)


def open_openvino(path: Path) -> Runner:
    """A runner, float32, from what `write_openvino` wrote.

    Raises:
        MissingPackage: Without openvino.
    """
    if find_spec("openvino") is None:
        raise MissingPackage("openvino", "fast", "running an OpenVINO file")
    return _Compiled(_core().read_model(path), PRECISIONS["fp32"])


def capabilities() -> tuple[str, ...]:
    """What the processor can do, as OpenVINO names it (`FP32`, `BF16`, `INT8`, ...)."""
    return tuple(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


@functools.cache
def _core() -> Any:
    import openvino

    return openvino.Core()


BACKEND = OpenVino()
