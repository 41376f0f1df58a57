"""From a release to a reader: only what reproduces the release's stored decisions on this machine reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save
from torch import Tensor, nn

from diascope.core import registry
from diascope.core.errors import BadUsage, DiascopeError
from diascope.core.evaluation import Release
from diascope.engine import choosing
from diascope.engine.choosing import same_labels
from diascope.engine.opening import ready
from diascope.store.files import file_sha256
from diascope.store.releases import INDEX, open_release, sealed
from diascope.testing.releases import ORGANS, a_plan, a_release

DENSE = a_plan(ORGANS, (8, 16, 16))


class Backend:
    """A made-up back end: torch with an error added, or one that does not run."""

    def __init__(self, wrong: float = 0.0, fails: bool = False, available: bool = True) -> None:
        self.wrong, self.fails, self.available = wrong, fails, available

    def is_available(self) -> bool:
        return self.available

    def compile(self, network: nn.Module, example: Tensor, precision: str) -> Any:
        if self.fails:
            raise RuntimeError("Unsupported instruction\nat line 3")
        shift = self.wrong
        return lambda images: network(images).detach() + shift * network(images).detach().flip(1)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a made-up back end in the place of openvino."""
    real = registry.get

    def put(backend: Backend) -> None:
        monkeypatch.setattr(registry, "get", lambda family, name: backend if name == "openvino" else real(family, name))

    return put


@pytest.mark.parametrize("plan", [a_plan(), DENSE], ids=["vector", "dense"])
def test_a_release_keeps_its_decisions_and_they_are_reproduced(tmp_path: Path, plan: Any) -> None:
    opened = open_release(a_release(tmp_path / "films@1", plan, seeds=(0, 1)))
    stored = opened.arrays("reference.safetensors")
    assert {key for key in stored if key.endswith("/calls")} == {"0/calls", "1/calls"}
    shape = (8, 16, 16) if plan is DENSE else (2,)
    assert stored["0/calls"].shape == shape
    opening = ready(opened)
    assert opening.words == "torch fp32"
    assert opening.notes == ()
    assert len(opening.reader.networks) == 2


def _changed(folder: Path, name: str, value: Any) -> None:
    """The same release with one stored array changed, its hashes right."""
    path = folder / "reference.safetensors"
    path.write_bytes(save({**load(path.read_bytes()), name: value}))
    release = Release.read(folder / INDEX)
    hashes = {**release.hashes, path.name: file_sha256(path)}
    sealed(release.model_copy(update={"hashes": hashes})).write(folder / INDEX)


@pytest.mark.parametrize("plan", [a_plan(), DENSE], ids=["vector", "dense"])
def test_the_own_back_end_is_proven_too(tmp_path: Path, plan: Any) -> None:
    """The same name on another processor may decide otherwise: here the stored decision is another one."""
    folder = a_release(tmp_path / "films@1", plan)
    calls = open_release(folder).arrays("reference.safetensors")["1/calls"]
    _changed(folder, "1/calls", np.ascontiguousarray((1 - calls) if calls.ndim == 1 else np.full_like(calls, 2)))
    with pytest.raises(DiascopeError, match="nothing here reproduces the decisions of films@1"):
        ready(open_release(folder))


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (Backend(available=False), "not installed here"),
        (Backend(fails=True), "fails here: RuntimeError: Unsupported instruction"),
        (Backend(wrong=1.0), "findings of a reference case change|outputs differ"),
    ],
    ids=["absent", "broken", "wrong"],
)
def test_what_cannot_be_used_here_gives_way_to_plain_torch_with_a_note(
    tmp_path: Path, pretend: Any, backend: Backend, reason: str
) -> None:
    pretend(Backend())
    folder = a_release(tmp_path / "films@1", backend="openvino")
    pretend(backend)
    opening = ready(open_release(folder))
    assert opening.words == "torch fp32"
    assert len(opening.notes) == 1
    assert opening.notes[0].startswith("read with torch fp32: openvino fp32 is not used, because ")
    assert re.search(reason, opening.notes[0])


def test_bf16_without_a_processor_that_has_it_falls_back(
    tmp_path: Path, pretend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(Backend())
    folder = a_release(tmp_path / "films@1", backend="openvino", precision="bf16")
    monkeypatch.setattr(choosing, "usable", lambda name, precision: precision == "fp32")
    monkeypatch.setattr("diascope.engine.opening.usable", lambda name, precision: precision == "fp32")
    assert ready(open_release(folder)).words == "torch fp32"
    assert ready(open_release(folder), "openvino").words == "openvino fp32"


def test_a_back_end_that_was_asked_for_is_used_or_refused(tmp_path: Path, pretend: Any) -> None:
    folder = a_release(tmp_path / "films@1")
    pretend(Backend())
    assert ready(open_release(folder), "openvino").words == "openvino fp32"
    pretend(Backend(wrong=1.0))
    with pytest.raises(DiascopeError, match="openvino fp32 is not used"):
        ready(open_release(folder), "openvino")
    pretend(Backend(available=False))
    with pytest.raises(BadUsage, match="not installed"):
        ready(open_release(folder), "openvino")


def test_a_small_structure_that_vanishes_is_noticed_however_large_the_background() -> None:
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[3, 5:10, 5:10] = 2
    assert same_labels(labels, labels)[0]
    assert same_labels(labels, np.where(np.arange(40) == 9, 0, labels))[0]  # 5 voxels of its rim
    assert (labels == 0).mean() > choosing.SAME_LABELS
    agrees, words = same_labels(labels, np.zeros_like(labels))
    assert not agrees
    assert "2 covers other voxels" in words
