"""Every explainer keeps its promises, on a small network that has learnt to see a bright square."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from diascope.core import registry
from diascope.explainers import is_available, kind_taken
from diascope.explainers.sanity import randomised, weights_check

IMAGES = [
    pytest.param(name, marks=pytest.mark.skipif(not is_available(plugin), reason=f"what {name} needs is not installed"))
    for name, plugin in registry.each("explainers")
    if kind_taken(plugin) == "image"
]
SHAPES = {"flat": (1, 24, 32), "volume": (12, 16, 20)}


class SeesSquares(nn.Module):
    """Two convolutions, a pooled answer; a flat image loses its empty axis, as in the 2-D models."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        norm = nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm3d
        self.flat = dimensions == 2
        self.encoder = nn.Sequential(
            convolution(1, 6, 3, padding=1, stride=2), norm(6), nn.ReLU(inplace=True), convolution(6, 8, 3, padding=1),
            nn.ReLU(),
        )  # fmt: skip
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 2)

    def forward(self, inputs):
        images = inputs["image"][:, :, 0] if self.flat else inputs["image"]
        return self.head(self.drop(self.encoder(images).flatten(2).mean(2)))


def squares(shape: tuple[int, int, int], count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of noise (B, 1, Z, Y, X) of which every other has a bright square, and where it is (B, Z, Y, X)."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 1, *shape, generator=generator) * 0.3
    where = torch.zeros(count, *shape, dtype=torch.bool)
    for number in range(0, count, 2):
        corner = [int(torch.randint(max(1, size - 6), (1,), generator=generator)) for size in shape]
        where[(number, *(slice(at, at + 6) for at in corner))] = True
    return images + 2 * where[:, None], where


@cache
def trained(kind: str) -> nn.Module:
    torch.manual_seed(0)
    network = SeesSquares(2 if kind == "flat" else 3)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    images, where = squares(SHAPES[kind], 32, seed=1)
    truth = where.flatten(1).any(1).long()
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(network({"image": images}), truth).backward()
        optimiser.step()
    return network.eval()


each = pytest.mark.parametrize("name", IMAGES)
kinds = pytest.mark.parametrize("kind", SHAPES)


@each
@kinds
def test_a_map_has_the_size_of_the_image_and_lies_in_0_to_1(name, kind):
    images, _ = squares(SHAPES[kind], 3, seed=2)
    maps = registry.get("explainers", name).explain(trained(kind), images, 1)
    assert maps.shape == (3, *SHAPES[kind])
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() == pytest.approx(1, abs=1e-6)


@each
@kinds
def test_a_map_does_not_depend_on_the_rest_of_the_batch(name, kind):
    images, _ = squares(SHAPES[kind], 4, seed=3)
    explain = registry.get("explainers", name).explain
    together = explain(trained(kind), images, 1)
    alone = np.concatenate([explain(trained(kind), images[index : index + 1], 1) for index in range(4)])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@each
@kinds
def test_a_map_shows_what_the_network_has_learnt_to_see(name, kind):
    images, where = squares(SHAPES[kind], 8, seed=4)
    maps = registry.get("explainers", name).explain(trained(kind), images, 1)
    for shown, place in zip(maps[::2], where[::2].numpy(), strict=True):
        assert shown[place].mean() > 2 * shown[~place].mean()


@each
@kinds
def test_a_map_changes_when_the_weights_are_randomised(name, kind):
    images, _ = squares(SHAPES[kind], 8, seed=5)
    explainer = registry.get("explainers", name)
    before = explainer.explain(trained(kind), images[::2], 1)
    after = explainer.explain(randomised(trained(kind), seed=0), images[::2], 1)
    assert np.abs(before - after).max() > 0.1


@each
@kinds
def test_the_network_is_left_as_it_was(name, kind):
    network = trained(kind)
    network.train()
    network.head.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images, _ = squares(SHAPES[kind], 2, seed=6)
    with torch.inference_mode():
        registry.get("explainers", name).explain(network, images, 0)
    assert network.training
    assert network.drop.training
    assert not network.head.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    network.eval()


class ShowsTheImage:
    """An explainer that never asks the network, as an edge detector would."""

    def explain(self, network, images, output):
        low = images.amin(dim=(2, 3, 4), keepdim=True)
        return ((images - low) / (images - low).amax())[:, 0].numpy()


class ShowsNothing:
    def explain(self, network, images, output):
        return np.zeros((images.shape[0], *images.shape[2:]), np.float32)


@each
@kinds
def test_the_check_repeats_itself_and_leaves_the_global_generator_alone(name, kind):
    images, _ = squares(SHAPES[kind], 4, seed=7)
    state = torch.get_rng_state()
    explainer = registry.get("explainers", name)
    first = weights_check(trained(kind), explainer, images, 1, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    assert first == weights_check(trained(kind), explainer, images, 1, seed=3)
    assert first.images >= 2


def test_the_check_fails_an_explainer_that_ignores_the_network():
    images, _ = squares(SHAPES["flat"], 4, seed=7)
    result = weights_check(trained("flat"), ShowsTheImage(), images, 1)
    assert not result.passed
    assert result.similarity == pytest.approx(1)
    assert "hidden" in result.words["en"]


def test_the_check_fails_maps_that_are_empty():
    images, _ = squares(SHAPES["flat"], 4, seed=7)
    result = weights_check(trained("flat"), ShowsNothing(), images, 1)
    assert not result.passed
    assert result.similarity is None


@pytest.mark.parametrize("name", IMAGES)
def test_it_has_a_title_for_people(name: str) -> None:
    title = registry.get("explainers", name).title
    assert title[0].isupper()
    assert "_" not in title
