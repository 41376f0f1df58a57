"""A network that others trained, run as it is: the bytes of an ONNX or TorchScript file. Nothing is learnt here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage, DataRefused, DiascopeError, Tampered, UnreadableFile
from diascope.core.presence import LABELS
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.files.arranging import arranged
from diascope.models.files.opening import Opened, opened, refuse_missing
from diascope.models.files.scores import scores
from diascope.models.files.trust import refuse_untrusted


class Given(nn.Module):
    """Log-probabilities of classes, or log odds of labels, from whole images.

    Args:
        options: Of the model.
    """

    gives: Gives = "answer"
    content: Tensor

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.options = dict(options)
        self.channels = (len(options["picks"]),)
        # The file itself: a release stays one sealed safetensors.
        self.register_buffer("content", torch.zeros(int(options["bytes"]), dtype=torch.uint8))
        self._opened: Opened | None = None

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, Z, Y, X) to (B, K).

        Raises:
            DataRefused: When the answers are not what the manifest says.
        """
        said = scores(self.answers(images.cpu().numpy()), self.options)
        return torch.from_numpy(said).to(images.device, torch.float32)

    def answers(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(B, C, Z, Y, X) to the (B, N) numbers of the file, as they are.

        Raises:
            DataRefused: When there are others than the manifest names.
        """
        network = self._network()
        batch = arranged(images, self.options["axes"], self.options["channels_last"])
        _refuse_shape(network.shape, batch.shape)
        size = (network.shape[0] if network.shape else None) or len(batch)
        parts = [_filled(network, batch[start : start + size], size) for start in range(0, len(batch), size)]
        found = np.concatenate(parts)
        found = found.reshape(len(found), -1) if found.size == len(found) * self.options["answers"] else found
        if found.shape != (len(images), self.options["answers"]):
            raise DataRefused(
                f"the model answers with an array {found.shape[1:]} for each case, and the manifest names "
                f"{self.options['answers']} output(s)",
                todo="Name every output in their order in `outputs`; null for one that is not used",
            )
        return found.astype(np.float64)

    def _network(self) -> Opened:
        if self._opened is None:
            content = self.content.cpu().numpy().tobytes()
            digest = hashlib.sha256(content).hexdigest()
            if digest != self.options["sha256"]:
                raise Tampered("the model in the release is not the file that was adopted", given=f"SHA-256 {digest}")
            if self.options["format"] != "onnx":
                refuse_untrusted(digest)
            self._opened = opened(content, self.options["format"], self.options["output"])
        return self._opened

    def hold(self, content: bytes) -> None:
        """Keep the bytes of a file.

        Raises:
            Tampered: When they are not those that were planned with.
        """
        if hashlib.sha256(content).hexdigest() != self.options["sha256"]:
            raise Tampered("the file of the model is not the one that the plan was made with", todo="Adopt it again")
        self.content.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        self._opened = None


def _filled(network: Opened, batch: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Answers for a batch, which is filled up where the file wants one size."""
    missing = size - len(batch)
    whole = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
    found = network.run(whole)
    if not found.ndim or len(found) != size:
        raise DataRefused(f"the model answers {size} case(s) with an array {found.shape}")
    return found[: len(batch)]


def _refuse_shape(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> None:
    if not wanted:
        return
    sides = zip(wanted[1:], given[1:], strict=False)
    if len(wanted) != len(given) or any(want is not None and want != have for want, have in sides):
        shown = ["B", *("any" if side is None else str(side) for side in wanted[1:])]
        raise DataRefused(
            f"the model reads arrays ({', '.join(shown)})",
            given=f"({', '.join(map(str, ('B', *given[1:])))}), as the manifest says",
            todo="Mend `shape`, `axes`, `channels` or `channels_last` in the manifest",
        )


def _refuse_unnamed(options: Mapping[str, Any]) -> None:
    if not options.get("sha256"):
        raise BadUsage("the model given is a file with a manifest", todo="Use diascope adopt MANIFEST SOURCE")


class GivenModel:
    """Options, all from the manifest of `diascope adopt`: `file`, `sha256`, `bytes` and `format` of the network.

    `axes` and `channels_last` say how it orders an image; `output` which of its outputs is meant, `answers` how many
    numbers that is, `picks` which of them is that of each label, `labels` whether any label may be present.
    `activation` (`softmax`, `sigmoid`) makes probabilities of them, and is `applied` by the file itself or not.
    """

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"category", LABELS})
    learns = False

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        _refuse_unnamed(options)
        if options["format"] == "onnx":
            refuse_missing()
        else:
            refuse_untrusted(options["sha256"])
        return Given(options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        # The file is held twice: as bytes, and opened.
        _refuse_unnamed(options)
        size = int(options["bytes"])
        return Cost(parameters=size // 4, gflop=0.0, activation_bytes=2 * size)

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[np.float32],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Read the file; no case is looked at."""
        if not isinstance(module, Given):
            raise DiascopeError("this is not the module that given builds", given=type(module).__name__)
        try:
            module.hold(Path(options["file"]).read_bytes())
        except OSError as error:
            raise UnreadableFile(options["file"], str(error)) from error


MODEL: FittedAtOnce = GivenModel()
