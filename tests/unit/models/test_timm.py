"""The door to timm: what happens without it, and with local weights where it is installed."""

import importlib
import importlib.util

import pytest
import torch
from safetensors.torch import save_file

from diascope.core import registry
from diascope.core.errors import BadUsage, MissingPackage, UnreadableFile
from diascope.models import InputSpec

MODEL = registry.get("models", "timm")
FILM = InputSpec("image", 1, 2, (1, 64, 64))
needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingPackage, match=r"diascope\[timm\]"):
        MODEL.build(FILM, MODEL.options(FILM))


def test_volumes_are_refused():
    spec = InputSpec("image", 1, 3, (8, 8, 8))
    with pytest.raises(BadUsage, match="2-D"):
        MODEL.build(spec, MODEL.options(spec))


@needs_timm
def test_local_weights_of_three_channels_are_summed_for_one(tmp_path):
    colour = MODEL.build(InputSpec("image", 3, 2, (1, 64, 64)), MODEL.options(FILM))
    save_file(colour.body.state_dict(), tmp_path / "weights.safetensors")
    grey = MODEL.build(FILM, {"name": "resnet18", "weights": str(tmp_path / "weights.safetensors")})
    torch.testing.assert_close(grey.body.conv1.weight, colour.body.conv1.weight.sum(dim=1, keepdim=True))


@needs_timm
@pytest.mark.parametrize("change", [{"weights": "/nowhere.safetensors"}])
def test_weights_that_cannot_be_read_are_refused(change):
    with pytest.raises(UnreadableFile, match="safetensors"):
        MODEL.build(FILM, {**MODEL.options(FILM), **change})


@needs_timm
def test_an_unknown_network_names_the_closest():
    with pytest.raises(BadUsage, match="resnet18"):
        MODEL.build(FILM, {"name": "resnet81", "weights": None})
