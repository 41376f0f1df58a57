"""Hazards: the likelihood of what was seen of a case, and nothing of what was not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from diascope.evidence.survival.grid import told
from diascope.losses.hazards import LOSS


def test_it_is_the_likelihood_of_what_was_seen() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0], [-1.0, 0.5, 3.0]])
    hazards = torch.sigmoid(logits)
    target = torch.from_numpy(told([1.5, 1.6], [1, 0], [0.0, 1.0, 2.0, 3.0]))
    event = -math.log((1 - hazards[0, 0]) * hazards[0, 1])
    censored = -math.log((1 - hazards[1, 0]) * (1 - hazards[1, 1]))
    assert float(LOSS(logits, target, {})) == pytest.approx((event + censored) / 2, rel=1e-5)


def test_what_was_not_seen_moves_nothing() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    LOSS(logits, torch.from_numpy(told([0.2], [0], [0.0, 1.0, 2.0, 3.0])), {}).backward()
    np.testing.assert_array_equal(logits.grad, np.zeros((1, 3)))


def test_the_best_hazard_is_the_share_of_events() -> None:
    target = torch.from_numpy(told([0.5, 2.0, 2.0, 2.0], [1, 0, 0, 0], [0.0, 1.0]))
    logit = math.log(0.25 / 0.75)
    best = [float(LOSS(torch.full((4, 1), logit + shift), target, {})) for shift in (-0.3, 0.0, 0.3)]
    assert min(best) == best[1]
