"""The bytes of an ONNX or TorchScript file as something that can be called."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from diascope.core.errors import BadUsage, DataRefused, MissingPackage, UnknownName

Kind = Literal["onnx", "torchscript"]
Array = npt.NDArray[Any]
ARCHIVE = b"PK\x03\x04"
"""How a TorchScript file begins (a zip archive); what `torch.save` writes begins so as well."""
NUMBERS: MappingProxyType[str, type[np.generic]] = MappingProxyType(
    {
        "tensor(float)": np.float32,
        "tensor(float16)": np.float16,
        "tensor(double)": np.float64,
        "tensor(uint8)": np.uint8,
    }
)
"""What an ONNX file may read."""


@dataclass(frozen=True)
class Opened:
    """A network that is run as it is.

    Args:
        run: (B, ...) float32 in the file's order of axes to (B, ...).
        shape: Of what it reads, None where any size will do; empty where the file does not say.
    """

    run: Callable[[Array], Array]
    shape: tuple[int | None, ...] = ()


def kind_of(content: bytes) -> Kind:
    """What a file is, by its first bytes."""
    return "torchscript" if content[:4] == ARCHIVE else "onnx"


def opened(content: bytes, kind: Kind, output: str = "") -> Opened:
    """Open a file; TorchScript runs code, see `trust.py`.

    Args:
        content: Its bytes.
        kind: From `kind_of`.
        output: Name of the output that is wanted, of several.

    Raises:
        MissingPackage: Without onnxruntime, of an ONNX file.
        DataRefused: When the bytes are no such network.
        BadUsage: When it has several inputs, or several outputs of which none is named.
    """
    return _onnx(content, output) if kind == "onnx" else _torchscript(content)


def refuse_missing() -> None:
    """Refuse an ONNX file where nothing runs it.

    Raises:
        MissingPackage: Without onnxruntime.
    """
    if find_spec("onnxruntime") is None:
        raise MissingPackage("onnxruntime", "export", "running an ONNX file")


def _onnx(content: bytes, output: str) -> Opened:
    refuse_missing()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # what it would say on stderr is in the error
    try:
        session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no other base
        raise DataRefused(
            f"onnxruntime cannot open the file: {_line(error)}",
            todo="Give one ONNX file that holds its weights (save_as_external_data=False)",
        ) from error
    inputs, name = session.get_inputs(), _output_of(session, output)
    if len(inputs) != 1 or inputs[0].type not in NUMBERS:
        listed = ", ".join(f"{one.name} {one.type}" for one in inputs)
        raise BadUsage("a model that is adopted reads one array of numbers", given=listed or "no input")
    dtype = NUMBERS[inputs[0].type]

    def run(batch: Array) -> Array:
        array = np.rint(batch).clip(0, 255) if dtype is np.uint8 else batch
        try:
            (found,) = session.run([name], {inputs[0].name: np.ascontiguousarray(array, dtype)})
        except Exception as error:  # as above
            raise DataRefused(f"onnxruntime cannot run the file: {_line(error)}", given=batch.shape) from error
        return np.asarray(found)

    return Opened(run, tuple(side if isinstance(side, int) else None for side in inputs[0].shape))


def _output_of(session: Any, wanted: str) -> str:
    names = [one.name for one in session.get_outputs()]
    if wanted and wanted not in names:
        raise UnknownName("output of the file", wanted, names)
    if not wanted and len(names) != 1:
        todo = 'Name the one that is the answer in the manifest: "output": "NAME"'
        raise BadUsage(f"the file has {len(names)} outputs", given=", ".join(names), todo=todo)
    return wanted or str(names[0])


def _torchscript(content: bytes) -> Opened:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would have everybody export anew; what was given can not be
            network: Any = torch.jit.load(io.BytesIO(content), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise DataRefused(
            f"the file is no TorchScript: {_line(error)}",
            todo="Weights alone are no network: give what torch.jit.save wrote (models/model.ts), or an ONNX file",
        ) from error

    def run(batch: Array) -> Array:
        try:
            with torch.inference_mode():
                found = network(torch.from_numpy(np.ascontiguousarray(batch, np.float32)))
        except RuntimeError as error:
            raise DataRefused(f"the TorchScript fails: {_line(error)}", given=batch.shape) from error
        if not isinstance(found, torch.Tensor):
            raise BadUsage("a model that is adopted answers with one array", given=type(found).__name__)
        return np.asarray(found.float().numpy())

    return Opened(run)


def _line(error: Exception) -> str:
    """The last line that says something: libraries begin with where they are."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
