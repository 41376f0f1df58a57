"""The values of the losses, against PyTorch's own and against numbers worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.losses.terms.targets import shares


def of(name: str):
    return registry.get("losses", name)


def random_logits(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def test_shares_of_labels_are_one_for_that_label():
    assert shares(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_shares_of_soft_targets_are_themselves():
    soft = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    assert shares(soft, 2).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_pytorch(smoothing):
    logits, target = random_logits(5, 3), torch.tensor([0, 1, 2, 1, 0])
    ours = of("cross_entropy")(logits, target, {"label_smoothing": smoothing})
    assert ours == pytest.approx(functional.cross_entropy(logits, target, label_smoothing=smoothing).item(), rel=1e-6)


def test_weighted_cross_entropy_is_that_of_pytorch():
    logits, target, weights = random_logits(5, 3), torch.tensor([0, 1, 2, 1, 0]), [1.0, 5.0, 0.5]
    ours = of("cross_entropy")(logits, target, {"class_weights": weights})
    assert ours == pytest.approx(functional.cross_entropy(logits, target, torch.tensor(weights)).item(), rel=1e-6)


def test_mixed_targets_give_the_mix_of_losses():
    logits = random_logits(1, 2)
    each = [of("cross_entropy")(logits, torch.tensor([label]), {}) for label in (0, 1)]
    mixed = of("cross_entropy")(logits, torch.tensor([[0.3, 0.7]]), {})
    assert mixed == pytest.approx((0.3 * each[0] + 0.7 * each[1]).item(), rel=1e-6)


def test_focal_without_gamma_is_cross_entropy_and_with_it_less():
    logits, target = random_logits(5, 3), torch.tensor([0, 1, 2, 1, 0])
    entropy = of("cross_entropy")(logits, target, {}).item()
    assert of("focal")(logits, target, {"gamma": 0.0}) == pytest.approx(entropy, rel=1e-6)
    assert of("focal")(logits, target, {}) < entropy


def test_dice_cross_entropy_of_even_odds_by_hand():
    # Two classes, 8 voxels, 4 of them foreground, every chance 1/2: cross-entropy ln 2;
    # Dice (2 * 4 * 0.5 + 1) / (8 * 0.5 + 4 + 1) = 5 / 9.
    target = torch.tensor([0, 1]).repeat(4).view(1, 2, 2, 2)
    value = of("dice_cross_entropy")(torch.zeros(1, 2, 2, 2, 2), target, {})
    assert value == pytest.approx(math.log(2) + 4 / 9, rel=1e-6)


def test_regions_may_overlap():
    target = torch.ones(1, 2, 2, 2, 2)
    value = of("dice_cross_entropy")(torch.full((1, 2, 2, 2, 2), 30.0), target, {"regions": True})
    assert value < 1e-6


def test_batch_dice_takes_the_batch_as_one_volume():
    logits, target = random_logits(3, 2, 2, 3, 4), (random_logits(3, 2, 3, 4) > 0.5).long()
    whole = of("dice_cross_entropy")(logits, target, {"batch_dice": True})
    stacked = of("dice_cross_entropy")(logits.transpose(0, 1).flatten(1, 2)[None], target.flatten(0, 1)[None], {})
    assert whole == pytest.approx(stacked.item(), rel=1e-6)
    assert whole != pytest.approx(of("dice_cross_entropy")(logits, target, {}).item(), rel=1e-6)


def test_class_weights_of_a_mask_change_its_cross_entropy_only():
    logits, target = random_logits(2, 3, 2, 3, 4), random_logits(2, 3, 2, 3, 4).argmax(dim=1)
    loss, weights = of("dice_cross_entropy"), [1.0, 5.0, 0.5]
    change = loss(logits, target, {"class_weights": weights}) - loss(logits, target, {})
    expected = functional.cross_entropy(logits, target, torch.tensor(weights)) - functional.cross_entropy(
        logits, target
    )
    assert change == pytest.approx(expected.item(), abs=1e-6)


def test_label_smoothing_of_a_mask_is_that_of_pytorch():
    logits, target = random_logits(2, 3, 2, 3, 4), random_logits(2, 3, 2, 3, 4).argmax(dim=1)
    loss = of("dice_cross_entropy")
    change = loss(logits, target, {"label_smoothing": 0.2}) - loss(logits, target, {})
    expected = functional.cross_entropy(logits, target, label_smoothing=0.2) - functional.cross_entropy(logits, target)
    assert change == pytest.approx(expected.item(), abs=1e-6)


def test_regions_need_a_target_with_channels():
    with pytest.raises(BadUsage, match="regions"):
        of("dice_cross_entropy")(torch.zeros(1, 2, 2, 2, 2), torch.zeros(1, 2, 2, 2), {"regions": True})


def test_l1_of_images_counts_edges_where_asked():
    made, true = torch.zeros((1, 1, 1, 4, 4)), torch.zeros((1, 1, 4, 4))
    true[..., 2:] = 3.0
    assert float(of("l1")(made, true, {})) == pytest.approx(1.5)
    assert float(of("l1")(made, true, {"gradient": 0.5})) == pytest.approx(1.5 + 0.25 * 3 * 4 / 12)
