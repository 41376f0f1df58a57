"""Every loss keeps its family's promises: finite, lowest when right, differentiable whatever the logits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from diascope.core import registry
from diascope.core.errors import BadUsage, UnknownName

NAMES = registry.names("losses")
CLASSES = 3


def of(name: str):
    return registry.get("losses", name)


def a_target(kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    size = (6,) if kind == "category" else (2, 4, 5, 6)
    return torch.randint(0, CLASSES, size, generator=generator)


def right_logits(target: Tensor, certainty: float = 30.0) -> Tensor:
    return torch.nn.functional.one_hot(target, CLASSES).movedim(-1, 1).float() * certainty


def a_guess(target: Tensor) -> Tensor:
    return torch.randn(right_logits(target).shape, generator=torch.Generator().manual_seed(1))


def of_kind(kind: str) -> list[str]:
    return [name for name in NAMES if of(name).kind == kind]


OF_CLASSES = [*of_kind("category"), *of_kind("mask")]
OF_LABELS = of_kind("labels")
OTHERS = [*of_kind("number"), *of_kind("image"), *of_kind("hazards"), *OF_LABELS]


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name):
    assert name in {*OF_CLASSES, *OTHERS}


@pytest.mark.parametrize("name", OTHERS)
def test_of_numbers_hazards_and_labels_the_loss_falls_to_its_least_where_right(name):
    loss, generator = of(name), torch.Generator().manual_seed(0)
    if of(name).kind == "labels":
        target = torch.tensor([[0.0, 1.0, torch.nan], [1.0, torch.nan, 0.0], [torch.nan, torch.nan, torch.nan]])
        logits = torch.zeros((3, 3), requires_grad=True)
    elif of(name).kind == "number":
        target = torch.randn(8, generator=generator)
        logits = torch.zeros((8, 1), requires_grad=True)
    elif of(name).kind == "image":
        target = torch.randn((2, 3, 4, 5), generator=generator)
        logits = torch.zeros((2, 1, 3, 4, 5), requires_grad=True)
    else:
        target = torch.tensor([[0.0, 1.0, torch.nan], [0.0, 0.0, 0.0], [1.0, torch.nan, torch.nan]])
        logits = torch.zeros((3, 3), requires_grad=True)
    first = float(loss(logits, target, {}).detach())
    optimiser = torch.optim.Adam([logits], lr=0.05 if of(name).kind == "image" else 0.5)
    for _ in range(80):
        optimiser.zero_grad()
        value = loss(logits, target, {})
        value.backward()
        optimiser.step()
    assert value.dtype == torch.float32
    assert 0 <= value < 0.05 < first
    with pytest.raises(UnknownName, match="label_smoothing"):
        loss(logits, target, {"label_smoothng": 0.1})


@pytest.mark.parametrize("name", OF_CLASSES)
def test_it_is_a_finite_scalar_and_lowest_when_right(name):
    loss, target = of(name), a_target(of(name).kind)
    guess, right = loss(a_guess(target), target, {}), loss(right_logits(target), target, {})
    wrong = loss(right_logits((target + 1) % CLASSES), target, {})
    assert guess.shape == ()
    assert 0 <= right < 1e-3 < guess < wrong < float("inf")


@pytest.mark.parametrize("name", OF_CLASSES)
def test_following_the_gradient_leads_to_the_minimum(name):
    loss, target = of(name), a_target(of(name).kind)
    logits = a_guess(target).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.5)
    for _ in range(60):
        optimiser.zero_grad()
        value = loss(logits, target, {})
        value.backward()
        optimiser.step()
    assert value < 0.02


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_extreme_logits_have_a_finite_loss_and_gradient(name, size):
    loss, target = of(name), a_target(of(name).kind)
    for logits in (right_logits(target, size), right_logits((target + 1) % CLASSES, size)):
        logits.requires_grad_()
        value = loss(logits, target, {})
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", OF_CLASSES)
def test_it_is_computed_in_float32_under_autocast(name):
    loss, target = of(name), a_target(of(name).kind)
    logits = a_guess(target).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(logits, target, {})
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(logits.float(), target, {}))


@pytest.mark.parametrize("name", of_kind("category"))
def test_class_weights_count_as_repeats_do(name):
    loss = of(name)
    logits, target = a_guess(torch.tensor([0, 1])), torch.tensor([0, 1])
    weighted = loss(logits, target, {"class_weights": [1.0, 2.0, 1.0]})
    repeated = loss(logits[[0, 1, 1]], target[[0, 1, 1]], {})
    assert weighted == pytest.approx(repeated.item(), rel=1e-6)


@pytest.mark.parametrize("name", OF_CLASSES)
def test_an_unknown_option_or_a_wrong_number_of_weights_is_refused(name):
    loss, target = of(name), a_target(of(name).kind)
    with pytest.raises(UnknownName, match="label_smoothing"):
        loss(a_guess(target), target, {"label_smoothng": 0.1})
    with pytest.raises(BadUsage, match="3 positive numbers"):
        loss(a_guess(target), target, {"class_weights": [1.0, 2.0]})


@pytest.mark.parametrize("name", of_kind("category"))
def test_soft_targets_of_one_class_each_equal_that_class(name):
    loss, target = of(name), a_target("category")
    logits = a_guess(target)
    soft = torch.nn.functional.one_hot(target, CLASSES).float()
    assert loss(logits, soft, {}) == pytest.approx(loss(logits, target, {}).item(), rel=1e-6)


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("name", of_kind("mask"))
def test_empty_masks_are_fine(name, regions, batch_dice):
    loss = of(name)
    options = {"regions": regions, "batch_dice": batch_dice}
    target = torch.zeros(2, CLASSES, 4, 5, 6) if regions else torch.zeros(2, 4, 5, 6, dtype=torch.long)
    empty = -right_logits(torch.zeros(2, 4, 5, 6, dtype=torch.long) + 1) if regions else right_logits(target)
    empty = torch.full_like(empty, -30.0) if regions else empty
    logits = a_guess(torch.zeros(2, 4, 5, 6, dtype=torch.long)).requires_grad_()
    value = loss(logits, target, options)
    value.backward()
    assert torch.isfinite(logits.grad).all()
    assert 0 <= loss(empty, target, options) < 1e-3 < value


@pytest.mark.parametrize("name", of_kind("mask"))
def test_ignored_voxels_do_not_count(name):
    loss, target = of(name), a_target("mask")
    logits = a_guess(target)
    ignored = torch.rand(target.shape, generator=torch.Generator().manual_seed(2)) < 0.3
    marked = target.masked_fill(ignored, 255)
    changed = torch.where(ignored.unsqueeze(1), -5 * logits, logits)
    values = [loss(each, marked, {"ignore": 255}) for each in (logits, changed)]
    assert torch.equal(*values)
    assert loss(logits, target, {}) != values[0]
    nothing = loss(logits.clone().requires_grad_(), torch.full_like(target, 255), {"ignore": 255})
    assert nothing == 0


@pytest.mark.parametrize("name", of_kind("mask"))
def test_ignored_voxels_of_regions_do_not_count(name):
    loss = of(name)
    target = (torch.rand(2, CLASSES, 4, 5, 6, generator=torch.Generator().manual_seed(3)) < 0.5).float()
    logits = torch.randn(target.shape, generator=torch.Generator().manual_seed(4))
    ignored = torch.rand(2, 1, 4, 5, 6, generator=torch.Generator().manual_seed(5)) < 0.3
    marked = target.masked_fill(ignored, 255)
    changed = torch.where(ignored, -5 * logits, logits)
    options = {"regions": True, "ignore": 255}
    assert torch.equal(loss(logits, marked, options), loss(changed, marked, options))


def some_labels() -> tuple[Tensor, Tensor]:
    """Logits and presences (6, 3), a third of which nobody knows."""
    generator = torch.Generator().manual_seed(6)
    target = (torch.rand(6, CLASSES, generator=generator) < 0.5).float()
    unknown = torch.rand(target.shape, generator=generator) < 0.3
    return torch.randn(target.shape, generator=generator), target.masked_fill(unknown, torch.nan)


@pytest.mark.parametrize("name", OF_LABELS)
def test_what_is_not_known_does_not_count(name):
    loss, (logits, target) = of(name), some_labels()
    changed = torch.where(torch.isnan(target), 1e6, logits).requires_grad_()
    value = loss(changed, target, {"positive_weights": [2.0, 1.0, 3.0], "label_smoothing": 0.1})
    value.backward()
    assert torch.equal(value, loss(logits, target, {"positive_weights": [2.0, 1.0, 3.0], "label_smoothing": 0.1}))
    assert not changed.grad[torch.isnan(target)].any()
    assert changed.grad[~torch.isnan(target)].all()
    nothing = logits.clone().requires_grad_()
    value = loss(nothing, torch.full_like(target, torch.nan), {})
    value.backward()
    assert value == 0
    assert not nothing.grad.any()


@pytest.mark.parametrize("name", OF_LABELS)
def test_positive_weights_count_as_repeats_of_the_present_do(name):
    loss, logits = of(name), torch.tensor([[0.3], [-1.2], [0.7]])
    weighted = loss(logits, torch.tensor([[1.0], [0.0], [1.0]]), {"positive_weights": [2.0]})
    repeated = loss(logits[[0, 0, 1, 2, 2]], torch.tensor([[1.0], [1.0], [0.0], [1.0], [1.0]]), {})
    assert weighted == pytest.approx(repeated.item(), rel=1e-6)
    with pytest.raises(BadUsage, match="positive_weights must be 1 positive numbers"):
        loss(logits, torch.zeros(3, 1), {"positive_weights": [0.0]})
    with pytest.raises(UnknownName, match="label_smoothing"):
        loss(logits, torch.zeros(3, 1), {"label_smoothng": 0.1})


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("name", OF_LABELS)
def test_extreme_logits_of_labels_have_a_finite_loss_and_gradient_also_in_half_precision(name, size):
    loss, (_, target) = of(name), some_labels()
    for sign in (-1, 1):
        logits = (sign * size * (2 * target.nan_to_num() - 1)).requires_grad_()
        value = loss(logits, target, {})
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(logits.bfloat16(), target, {}).dtype == torch.float32
