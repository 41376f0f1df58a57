"""Models of samples: two players that do not move each other, and an autoencoder that learns."""

from __future__ import annotations

import pytest
import torch

from diascope.models import InputSpec, gan, vae
from diascope.models.blocks.making import finer_sizes

SPEC = InputSpec("image", 1, 2, (1, 16, 16), outputs=2)
SMALL = {"width": 8, "noise": 8}
MODELS = [gan.MODEL, vae.MODEL]


def built(model=gan.MODEL, spec: InputSpec = SPEC):
    torch.manual_seed(0)
    return model.build(spec, SMALL)


def spots(count: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright pictures of class 0, dark ones of class 1, with a square somewhere."""
    rng = torch.Generator().manual_seed(1)
    classes = torch.arange(count) % 2
    images = torch.where(classes == 0, 0.5, -0.5).view(-1, 1, 1, 1, 1).repeat(1, 1, 1, 16, 16)
    for number, (y, x) in enumerate(torch.randint(2, 10, (count, 2), generator=rng).tolist()):
        images[number, :, :, y : y + 4, x : x + 4] *= -1
    return images, classes


@pytest.mark.parametrize("part", ["critic", "generator"])
def test_a_part_of_the_game_moves_one_player_alone(part):
    game = built()
    images, classes = spots(4)
    game.loss(part, images, classes).backward()
    mine = {id(one) for one in game.moves(part)}
    touched = {id(one) for one in game.parameters() if one.grad is not None}
    assert touched
    assert touched <= mine
    assert all(one.requires_grad for one in game.parameters())


def test_the_players_share_nothing_and_are_all_there_is():
    game = built()
    critic, generator = ({id(one) for one in game.moves(part)} for part in ("critic", "generator"))
    assert not critic & generator
    assert critic | generator == {id(one) for one in game.parameters()}


def test_what_makes_has_no_statistics_of_training():
    """The averaged weights are what is released: buffers that belong to other weights would spoil what they make."""
    assert not list(built().generator.buffers())
    assert not list(built(vae.MODEL).decoder.buffers())


@pytest.mark.parametrize("model", MODELS)
def test_the_class_changes_what_is_made_and_noise_does(model):
    network = built(model).eval()
    noise = torch.randn((2, 8), generator=torch.Generator().manual_seed(2))
    first, second = (network(noise, torch.full((2,), label)) for label in (0, 1))
    assert not torch.allclose(first, second)
    assert not torch.allclose(first[0], first[1])
    assert torch.equal(network(noise), first)  # without a class, the first one


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 17, 40), (1, 4, 4)])
def test_any_size_in_colour_and_without_classes(model, shape):
    spec = InputSpec("image", 3, 2, shape)
    network = model.build(spec, SMALL)
    assert network(torch.zeros(2, 8)).shape == (2, 3, *shape)
    for part in model.parts:
        assert torch.isfinite(network.loss(part.name, torch.zeros(2, 3, *shape), None))


def test_sizes_halve_down_to_four_pixels():
    assert finer_sizes((64, 64)) == [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64)]
    assert finer_sizes((30, 17)) == [(4, 3), (8, 5), (15, 9), (30, 17)]


@pytest.mark.parametrize("model", MODELS)
def test_the_cost_grows_with_width_and_counts_a_whole_step(model):
    narrow, wide = (model.cost(SPEC, {"width": width, "noise": 8}) for width in (8, 16))
    assert wide.gflop > 2 * narrow.gflop > 0
    assert wide.activation_bytes > narrow.activation_bytes > 0


def trained(network, parts, steps: int, rate: float = 2e-3) -> list[float]:
    torch.manual_seed(5)
    images, classes = spots(64)
    optimisers = {
        part.name: torch.optim.Adam(network.moves(part.name), rate * part.rate, (0.0, 0.99)) for part in parts
    }
    losses = []
    for _ in range(steps):
        for part in parts:
            optimisers[part.name].zero_grad()
            loss = network.loss(part.name, images, classes)
            loss.backward()
            optimisers[part.name].step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_what_tells_the_classes_apart(model):
    network = built(model)
    losses = trained(network, model.parts, 60 if model is gan.MODEL else 40, 1e-3)
    assert model is gan.MODEL or losses[-1] < losses[0] - 0.5
    noise = torch.randn((32, 8), generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        bright, dark = (float(network.eval()(noise, torch.full((32,), label)).mean()) for label in (0, 1))
    assert bright > dark + 0.3


def test_the_critic_sees_whether_a_batch_is_all_alike():
    game = built().eval()
    images, classes = spots(4)
    alone = game.critic(images[:1].squeeze(2).repeat(4, 1, 1, 1), classes[:1].repeat(4))
    mixed = game.critic(images.squeeze(2), classes)
    assert torch.allclose(alone, alone[:1].expand(4))
    assert not torch.allclose(mixed[0], alone[0])


def test_pictures_that_are_all_the_same_are_told_from_varied_ones():
    real = torch.randn((6, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 1, 0, 1, 0, 1])
    of_class = torch.stack([real[0], real[1]] * 3)
    assert float(gan.sameness(real, real, classes)) == 0
    # As different as can be between the classes, and one picture in each.
    assert float(gan.sameness(of_class, real, classes)) > 0.99
    # Brighter, or with more contrast, is no other picture.
    assert float(gan.sameness(of_class * torch.arange(1, 7)[:, None, None, None] + 1, real, classes)) > 0.9


def test_variety_is_asked_for_where_there_is_a_pair_to_compare():
    real = torch.randn((2, 1, 8, 8))
    assert float(gan.sameness(real[:1].expand(2, 1, 8, 8), real, torch.tensor([0, 1]))) == 0
    assert float(gan.sameness(real[:1], real[:1], None)) == 0
    assert float(gan.sameness(real[:1].expand(2, 1, 8, 8), real, None)) == 1


def test_the_generator_is_moved_towards_variety():
    made = torch.zeros((4, 1, 8, 8)) + torch.linspace(0, 1, 8)
    made = (made + 1e-3 * torch.randn((4, 1, 8, 8))).requires_grad_()
    gan.sameness(made, torch.randn((4, 1, 8, 8)), None).backward()
    assert float(made.grad.abs().sum()) > 0
