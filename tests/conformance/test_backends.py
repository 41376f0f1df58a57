"""Every back end gives what float32 torch gives: a new file is tested by existing."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.backends.selftest.agreement import agreement
from diascope.core import registry
from diascope.core.errors import MissingPackage, UnknownName

ALL = dict(registry.each("backends"))


class SmallUNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv3d(1, 8, 3, padding=1), nn.Conv3d(8, 16, 3, stride=2, padding=1)
        self.norms = nn.ModuleList([nn.InstanceNorm3d(8, affine=True), nn.InstanceNorm3d(16, affine=True)])
        self.up, self.head = nn.ConvTranspose3d(16, 8, 2, stride=2), nn.Conv3d(16, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = functional.leaky_relu(self.norms[0](self.fine(image)), 0.01)
        coarse = functional.leaky_relu(self.norms[1](self.coarse(fine)), 0.01)
        scores: Tensor = self.head(torch.cat([fine, self.up(coarse)], dim=1))
        return scores


class SmallClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.head = nn.Linear(8, 4)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.head(self.layers(image.squeeze(2)).mean((2, 3)))
        return scores


NETWORKS = {"u-net": (SmallUNet, (1, 1, 8, 12, 16)), "classifier": (SmallClassifier, (2, 3, 1, 24, 24))}


def a_network(kind: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(11)
    build, shape = NETWORKS[kind]
    return build().eval(), torch.randn(shape)


def available(name: str) -> None:
    if not ALL[name].is_available():
        pytest.skip(f"the packages of back end {name} are not installed")


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", ALL)
def test_float32_equals_torch(name: str, kind: str) -> None:
    """For any number of examples, twice the same, and the network is left as it was. (One test: compiling is slow.)"""
    available(name)
    network, example = a_network(kind)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    reference, runner = ALL["torch"].compile(network, example, "fp32"), ALL[name].compile(network, example, "fp32")
    found = agreement(reference, runner, [example, torch.cat([example, example + 1, example * 2])])
    assert found.difference < 1e-4
    assert found.same > 0.999
    assert runner(example).dtype == torch.float32
    assert torch.equal(runner(example), runner(example))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(parameter.is_contiguous() for parameter in network.parameters())


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_precision_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="fp32"):
        ALL[name].compile(*a_network("u-net"), "int3")


@pytest.mark.parametrize("name", [name for name in ALL if name != "torch"])
def test_without_its_packages_it_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"diascope.backends.{name}.find_spec", lambda package: None)
    assert not ALL[name].is_available()
    with pytest.raises(MissingPackage, match=r"pip install 'diascope\["):
        ALL[name].compile(*a_network("classifier"), "fp32")
