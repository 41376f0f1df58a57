"""What explainers refuse, and the parts of the randomised-weights check."""

import numpy as np
import pytest
import torch
from torch import nn

from diascope.core import registry
from diascope.core.errors import BadUsage, DiascopeError
from diascope.explainers.maps import finished
from diascope.explainers.occlusion import Occlusion
from diascope.explainers.sanity import SanityResult, randomised, spearman


class Flattens(nn.Module):
    """Answers without any feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 2)

    def forward(self, inputs):
        return self.head(inputs["image"].flatten(1))


class Convolves(nn.Module):
    """Feature maps that pooling makes smaller and smaller, one of them beside the way to the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.coarse = nn.Sequential(nn.MaxPool2d(4), nn.Conv2d(3, 4, 3, padding=1))
        self.aside = nn.Conv2d(3, 2, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        maps = self.first(inputs["image"][:, :, 0])
        answer = self.head(self.coarse(maps).mean((2, 3)))
        self.aside(maps)
        return answer


def test_a_network_without_feature_maps_is_referred_to_occlusion():
    images = torch.rand(2, 1, 1, 8, 8)
    with pytest.raises(DiascopeError, match="'occlusion'"):
        registry.get("explainers", "grad_cam").explain(Flattens(), images, 0)
    assert registry.get("explainers", "occlusion").explain(Flattens(), images, 0).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("name", registry.names("explainers"))
def test_an_output_that_does_not_exist_is_refused_and_no_hook_stays(name):
    network = Convolves()
    with pytest.raises(BadUsage, match="output 2"):
        registry.get("explainers", name).explain(network, torch.rand(1, 1, 1, 16, 16), 2)
    assert not any(module._forward_hooks for module in network.modules())


def test_grad_cam_takes_fine_maps_and_passes_by_what_the_answer_ignores():
    torch.manual_seed(0)
    network = Convolves()
    # 8 pixels: the last map has 2 cells, too few; the one before the pooling has places.
    shown = registry.get("explainers", "grad_cam").explain(network, torch.rand(1, 1, 1, 8, 8), 0)[0, 0]
    assert len(np.unique(shown.round(4))) > 8


def test_grad_cam_works_with_frozen_weights_and_half_precision():
    network = Convolves().requires_grad_(False).to(torch.bfloat16)
    shown = registry.get("explainers", "grad_cam").explain(network, torch.rand(2, 1, 1, 16, 16).bfloat16(), 1)
    assert shown.dtype == np.float32
    assert np.isfinite(shown).all()


def test_occlusion_points_at_the_only_pixels_that_count():
    class SumsCorner(nn.Module):
        def forward(self, inputs):
            return inputs["image"][:, 0, :, :4, :4].sum((1, 2, 3))[:, None]

    images = torch.ones(1, 1, 1, 16, 16)
    images[..., 8:, 8:] = 0.0
    shown = Occlusion(cells_flat=4).explain(SumsCorner(), images, 0)[0, 0]
    assert shown[:3, :3].min() > 0.5
    assert shown[8:, 8:].max() == 0


def test_a_map_without_positive_parts_is_empty():
    assert finished(-torch.ones(1, 1, 2, 2), (1, 4, 4)).max() == 0


def test_randomising_is_repeatable_and_changes_a_copy_only():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(3, 3))
    network[1].running_mean.fill_(5.0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    one, again = randomised(network, 1), randomised(network, 1)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert torch.equal(one[0].weight, again[0].weight)
    assert not torch.equal(one[0].weight, network[0].weight)
    assert not torch.equal(one[0].weight, randomised(network, 2)[0].weight)
    assert one[1].running_mean.abs().max() == 0


def test_rank_correlation_of_maps():
    rising = np.arange(100, dtype=np.float32).reshape(1, 10, 10)
    assert spearman(rising, rising**3) == pytest.approx(1)
    assert spearman(rising, -rising) == pytest.approx(-1)
    assert spearman(rising, np.zeros_like(rising)) == 0
    assert spearman(np.zeros_like(rising), rising) is None


@pytest.mark.parametrize(
    ("similarity", "passed", "word"), [(0.2, True, "learnt"), (0.8, False, "hidden"), (None, False, "empty")]
)
def test_the_result_says_in_words_what_is_shown(similarity, passed, word):
    result = SanityResult(similarity=similarity, passed=passed, images=3)
    assert word in result.words["en"]
    assert result.words["zh-CN"]
