"""The door to timm's image networks, with weights from a local file; nothing is ever downloaded."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diascope.core.errors import BadUsage, MissingPackage, UnreadableFile
from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.topology import spatial

STRIDE = 32
"""Pixels: nearly every network of timm halves five times."""
DETECTION_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class TimmNetwork(nn.Module):
    """A network of timm without its classifier.

    Attributes:
        last_map: Its output is the last map, (B, D, 1, Y', X'), of networks that make maps: what Grad-CAM weighs.
    """

    gives: Gives = "vector"

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.last_map = nn.Identity()
        self.channels: tuple[int] = (body.num_features,)  # type: ignore[assignment]

    @property
    def stages(self) -> list[list[nn.Module]]:
        """What can be frozen: its parts that have weights, from the input on."""
        return [[part] for part in self.body.children() if any(True for _ in part.parameters())]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 1, Y, X) to (B, D)."""
        found: Tensor = self.body.forward_features(x.squeeze(2))  # type: ignore[operator]
        if found.dim() == 4:
            found = self.last_map(found.unsqueeze(2)).squeeze(2)
        vector: Tensor = self.body.forward_head(found, pre_logits=True)  # type: ignore[operator]
        return vector


class TimmModel:
    """Options: `name` of the network as timm lists it, `weights` a local safetensors file (None: fresh weights)."""

    takes = frozenset({"image"})
    dimensions = frozenset({2})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"name": "resnet18", "weights": None}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        if spatial(spec, "timm") != 2:
            raise BadUsage("the model timm takes 2-D images", given=f"{spec.dimensions} dimensions")
        timm = _timm()
        if not timm.is_model(options["name"]):
            close = difflib.get_close_matches(options["name"], timm.list_models())
            todo = f"Did you mean {' or '.join(close)}?" if close else "See timm.list_models()"
            raise BadUsage("timm has no network of this name", given=options["name"], todo=todo)
        body = timm.create_model(options["name"], pretrained=False, in_chans=spec.channels, num_classes=0)
        if options.get("weights"):
            _load(timm, body, Path(options["weights"]), spec.channels)
        return TimmNetwork(body)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, STRIDE, STRIDE)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, {**options, "weights": None}), spec)


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise MissingPackage("timm", "timm", "the model timm") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    # torchvision's CUDA build beside a CPU torch: the networks need the names of its operators only.
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in DETECTION_SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _KEPT.append(library)
    return importlib.import_module("timm")


_KEPT: list[torch.library.Library] = []
"""A library's operators vanish with the object."""


def _load(timm: Any, body: nn.Module, path: Path, channels: int) -> None:
    """Put a file's weights into a network; the first convolution is adapted to the number of channels."""
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UnreadableFile(path, str(error), "Give a safetensors file of timm's weights") from error
    first = body.pretrained_cfg.get("first_conv")  # type: ignore[union-attr, operator]
    if isinstance(first, str) and f"{first}.weight" in state:
        state[f"{first}.weight"] = timm.models.adapt_input_conv(channels, state[f"{first}.weight"])
    wanted = body.state_dict()
    known = {name: tensor for name, tensor in state.items() if name in wanted}
    wrong = [name for name, tensor in known.items() if tensor.shape != wanted[name].shape]
    missing = [name for name in wanted if name not in known]
    if wrong or missing:
        listed = ", ".join((missing + wrong)[:3])
        reason = f"{len(missing)} weights are missing and {len(wrong)} have another shape ({listed}, ...)"
        raise UnreadableFile(path, reason, "Give the weights of the network that `name` names")
    body.load_state_dict(known)


MODEL: Model = TimmModel()
