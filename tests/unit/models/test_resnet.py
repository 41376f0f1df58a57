"""ResNet: its stem follows the size of the images, and its last map is there to be looked at."""

import pytest
import torch

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.models import InputSpec

MODEL = registry.get("models", "resnet")
FILM = InputSpec("image", 1, 2, (1, 224, 224))
ICON = InputSpec("image", 3, 2, (1, 28, 28))
VOLUME = InputSpec("image", 1, 3, (32, 64, 64))


def network(spec: InputSpec, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return MODEL.build(spec, {**MODEL.options(spec), "width": 8, **changes})


def test_small_pictures_have_a_small_stem():
    assert MODEL.options(ICON)["stem"] == [1, 3, 3]
    assert MODEL.options(FILM)["stem"] == [1, 7, 7]


def test_it_is_resnet_18():
    # torchvision's has 11,689,512 parameters: 513,000 of them in the classifier, 6,272 for two more input channels.
    assert MODEL.cost(FILM, MODEL.options(FILM)).parameters == 11_689_512 - 513_000 - 6_272


def test_volumes_cost_what_two_cores_can_pay():
    cost = MODEL.cost(VOLUME, MODEL.options(VOLUME))
    assert cost.gflop < 12


def test_thick_slices_are_halved_late():
    strides = MODEL.options(InputSpec("image", 1, 3, (16, 64, 64), spacing=(5.0, 1.0, 1.0)))["strides"]
    assert strides == [[1, 1, 1], [1, 2, 2], [1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2]]


@pytest.mark.parametrize("spec", [ICON, VOLUME], ids=["picture", "volume"])
def test_the_vector_is_the_mean_of_the_last_map(spec):
    net, seen = network(spec).eval(), []
    net.last_map.register_forward_hook(lambda module, given, out: seen.append(out))
    vector = net(torch.randn(2, spec.channels, *spec.shape))
    assert seen[0].dim() == 5
    assert torch.equal(vector, seen[0].mean(dim=(2, 3, 4)))


def test_a_block_starts_as_its_shortcut():
    net = network(ICON)
    block, x = net.stages[0][0].eval(), torch.rand(2, 8, 5, 5)
    assert torch.equal(block(x), x)


def test_missing_strides_are_refused():
    with pytest.raises(BadUsage, match="stride"):
        network(ICON, strides=[[1, 1, 1]])
