"""Augmentation inside of a game: what it does, that gradients go through, and that two sets can share the draws."""

from __future__ import annotations

import pytest
import torch

from diascope.models.blocks.differentiable import CUT, Draws, augmented, draw


def nothing(count: int) -> Draws:
    """Draws that change nothing but for a square far outside of the picture."""
    half = torch.full((count,), 1.0)
    return Draws(torch.zeros(count), half, half, torch.zeros(count, 2), torch.full((count, 2), 9.0))


def changed(**parts: torch.Tensor) -> Draws:
    plain = nothing(2)
    return Draws(**{name: parts.get(name, getattr(plain, name)) for name in Draws.__dataclass_fields__})


def pictures(channels: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand((2, channels, 12, 16), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_nothing_changes_nothing():
    assert torch.allclose(augmented(pictures(), nothing(2)), pictures(), atol=1e-6)


def test_each_change_is_what_it_is_called():
    images = pictures()
    lighter = augmented(images, changed(brightness=torch.tensor([0.25, -0.25])))
    assert torch.allclose(lighter - images, torch.tensor([0.25, -0.25]).view(2, 1, 1, 1).expand_as(images), atol=1e-6)
    grey = augmented(images, changed(saturation=torch.zeros(2)))
    assert torch.allclose(grey, images.mean(dim=1, keepdim=True).expand_as(images), atol=1e-6)
    flat = augmented(images, changed(contrast=torch.zeros(2)))
    assert torch.allclose(flat, images.mean(dim=(1, 2, 3), keepdim=True).expand_as(images), atol=1e-6)


def test_a_grey_picture_has_no_saturation():
    images = pictures(channels=1)
    assert torch.allclose(augmented(images, changed(saturation=torch.zeros(2))), images, atol=1e-6)


def test_a_shift_moves_down_and_right_and_leaves_blank_behind():
    images = pictures()
    moved = augmented(images, changed(shift=torch.tensor([[1.0, 2.0], [-1.0, 0.0]])))
    assert torch.allclose(moved[0, :, 1:, 2:], images[0, :, :-1, :-2], atol=1e-6)
    assert not moved[0, :, 0].any()
    assert not moved[0, :, :, :2].any()
    assert torch.allclose(moved[1, :, :-1], images[1, :, 1:], atol=1e-6)


def test_the_blank_square_has_its_size_and_may_reach_over_the_rim():
    ones = torch.ones((2, 1, 12, 16))
    cut = augmented(ones, changed(hole=torch.tensor([[0.5, 0.5], [0.0, 0.0]]))) == 0
    assert int(cut[0].sum()) == int(12 * CUT) * int(16 * CUT)
    assert 0 < int(cut[1].sum()) < int(cut[0].sum())
    assert cut[1, 0, 0, 0]


def test_the_largest_shift_stays_in_the_padding():
    drawn = [draw(pictures(seed=seed)).shift for seed in range(200)]
    furthest = torch.stack(drawn).abs().amax(dim=(0, 1))
    assert furthest.tolist() == [1.0, 2.0]  # an eighth of 12 and of 16, in whole pixels


def test_gradients_go_through_to_every_pixel_that_is_shown():
    images = pictures().requires_grad_()
    torch.manual_seed(3)
    augmented(images, draw(images)).square().sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert (images.grad != 0).float().mean() > 0.3


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(4)
    images = torch.rand((1, 2, 6, 6), dtype=torch.float64, requires_grad=True)
    drawn = draw(images)
    assert torch.autograd.gradcheck(lambda one: augmented(one, drawn), (images,))


def test_real_and_made_pictures_are_changed_alike():
    """The same draws on two sets: their difference is changed by what is no constant, and by nothing else."""
    real, made = pictures(seed=1), pictures(seed=2)
    torch.manual_seed(5)
    drawn = draw(real)
    both = augmented(torch.cat([real, made]), Draws(*(torch.cat([part, part]) for part in vars(drawn).values())))
    assert torch.equal(both, torch.cat([augmented(real, drawn), augmented(made, drawn)]))


@pytest.mark.parametrize("size", [(5, 7), (64, 64), (28, 20)])
def test_any_size(size: tuple[int, int]):
    images = torch.rand((3, 1, *size))
    assert augmented(images, draw(images)).shape == images.shape
