"""What a release keeps of a few cases, and whether a way of reading them comes to the same decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from diascope.core import registry
from diascope.core.case import Case
from diascope.core.plan import Plan
from diascope.engine.batch import Example, Output
from diascope.engine.choosing import agreement, reference_image, same_labels, same_values
from diascope.engine.reading import Reader

Arrays = dict[str, npt.NDArray[Any]]
STATUS = {"present": 1, "absent": 0}
"""How a finding is kept as a number; -1 is neither."""


def reference(
    networks: Sequence[nn.Module], reader: Reader, decision: Mapping[str, Any], cases: Sequence[Example]
) -> Arrays:
    """What a release keeps: `N/image`, `N/calls` (labels or statuses), of vectors and boxes also `N/answer` of torch.

    The calls are those of the release's own back end. A case that plain torch calls otherwise lies so near the
    operating point that it tells no back ends apart: its calls are not kept. Of values there is the answer alone.

    Args:
        networks: The members.
        reader: With the back end and precision that the decision was fitted with.
        decision: Calibration and operating point.
        cases: A few, prepared.
    """
    plan = reader.plan
    if plan["readings"] or reader.output == "image":
        return {}
    plain = Reader(networks, plan, "torch", "fp32", reader.memory_bytes)
    found: Arrays = {}
    images = [reference_image(example, plan).numpy() for example in cases if "image" in example.inputs]
    outputs = zip(images, _read(plain, images), _read(reader, images), strict=True)
    for number, (image, output, said) in enumerate(outputs):
        calls = _calls(said, decision, plan)
        found[f"{number}/image"] = image
        if reader.output in ("vector", "boxes", "values"):
            found[f"{number}/answer"] = output.values[None]
        if reader.output != "values" and not _unlike(_calls(output, decision, plan), calls):
            found[f"{number}/calls"] = calls
    return found


def unproven(reader: Reader, decision: Mapping[str, Any], stored: Mapping[str, npt.NDArray[Any]]) -> str:
    """Why a reader does not reproduce what a release keeps; empty where it does.

    Args:
        reader: To be proven.
        decision: Of the release.
        stored: From `reference`.
    """
    keys = sorted(key for key in stored if key.endswith("/image"))
    for key, output in zip(keys, _read(reader, [stored[key] for key in keys]), strict=True):
        answer, calls = (stored.get(key.replace("/image", f"/{name}")) for name in ("answer", "calls"))
        if reader.output == "values" and answer is not None:
            agrees, words = same_values(answer[0], output.values)
            if not agrees:
                return f"its {words}"
        elif reader.output in ("vector", "boxes") and answer is not None:
            agrees, words = agreement(torch.from_numpy(answer), torch.from_numpy(output.values)[None])
            if not agrees:
                return f"its {words}"
        if calls is not None and (words := _unlike(calls, _calls(output, decision, reader.plan))):
            return words
    return ""


def _read(reader: Reader, images: Sequence[npt.NDArray[Any]]) -> Iterator[Output]:
    case = Case(id="reference", patient="reference", inputs={})
    return reader.read_all(Example(case, {"image": image[0]}, {}) for image in images)


def _calls(output: Output, decision: Mapping[str, Any], plan: Plan) -> npt.NDArray[Any]:
    """The decision: (Z, Y, X) labels, or the status of each finding."""
    if output.values.ndim == 3:
        return output.values
    example = Example(Case(id="reference", patient="reference", inputs={}), {}, {})
    findings = registry.get("tasks", plan.task).decode(output, example, decision, plan).findings
    return np.array([STATUS.get(finding.status, -1) for finding in findings], dtype=np.int8)


def _unlike(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> str:
    if expected.shape != found.shape:
        return f"it makes decisions of shape {found.shape}, and {expected.shape} are stored"
    if expected.ndim == 3:
        same, words = same_labels(expected, found)
        return "" if same else f"only {words}"
    changed = int((expected != found).sum())
    return f"{changed} of {expected.size} findings of a reference case change" if changed else ""
