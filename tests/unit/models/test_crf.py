"""The chain of tags against every path written out, and its gradient against differences."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import Tensor

from diascope.models.blocks.crf import best_path, forward_backward, log_partition, path_score

LENGTHS = torch.tensor([4, 1, 3])


def a_chain(tags: int = 3, places: int = 4, forbidden: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    scores = 2 * torch.randn((3, places, tags), generator=generator, dtype=torch.float64)
    moves = torch.randn((tags, tags), generator=generator, dtype=torch.float64)
    first = torch.randn(tags, generator=generator, dtype=torch.float64)
    if forbidden:
        moves[0, 2], moves[1, 1], first[2] = -torch.inf, -torch.inf, -torch.inf
    return scores, moves, first


def every_path(scores: Tensor, moves: Tensor, first: Tensor, row: int, length: int) -> dict[tuple[int, ...], float]:
    """Each path of tags with its score, added up one by one."""
    found = {}
    for path in product(range(scores.shape[2]), repeat=length):
        total = float(first[path[0]]) + sum(float(scores[row, place, tag]) for place, tag in enumerate(path))
        total += sum(float(moves[a, b]) for a, b in pairwise(path))
        found[path] = total
    return found


@pytest.mark.parametrize("forbidden", [False, True])
def test_the_sum_over_all_paths(forbidden: bool) -> None:
    chain = a_chain(forbidden=forbidden)
    said = log_partition(*chain, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        whole = np.logaddexp.reduce(list(every_path(*chain, row, length).values()))
        assert float(said[row]) == pytest.approx(whole, abs=1e-10)


@pytest.mark.parametrize("forbidden", [False, True])
def test_the_best_path_and_its_score(forbidden: bool) -> None:
    chain = a_chain(forbidden=forbidden)
    said = best_path(*chain, LENGTHS)
    scored = path_score(*chain, LENGTHS, said.clamp_min(0))
    for row, length in enumerate(LENGTHS.tolist()):
        paths = every_path(*chain, row, length)
        best = max(paths, key=lambda path: paths[path])
        assert tuple(said[row, :length].tolist()) == best
        assert (said[row, length:] == -1).all()
        assert float(scored[row]) == pytest.approx(paths[best], abs=1e-10)


def test_the_probability_of_each_tag_at_each_place() -> None:
    chain = a_chain(forbidden=True)
    ahead, behind, total = forward_backward(*chain, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        paths = every_path(*chain, row, length)
        whole = np.logaddexp.reduce(list(paths.values()))
        for place, tag in product(range(length), range(3)):
            share = sum(np.exp(score - whole) for path, score in paths.items() if path[place] == tag)
            said = float(torch.exp(ahead[row, place, tag] + behind[row, place, tag] - total[row]))
            assert said == pytest.approx(share, abs=1e-10)


def test_the_gradient_is_that_of_differences() -> None:
    chain = tuple(one.requires_grad_() for one in a_chain())
    assert torch.autograd.gradcheck(lambda *given: log_partition(*given, LENGTHS), chain)


def test_moves_that_must_not_be_have_a_finite_gradient() -> None:
    scores, moves, first = a_chain(forbidden=True)
    scores.requires_grad_()
    moves.requires_grad_()
    log_partition(scores, moves, first, LENGTHS).sum().backward()
    assert torch.isfinite(scores.grad).all()
    assert torch.isfinite(moves.grad).all()
    assert float(moves.grad[0, 2]) == 0


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_extreme_scores_stay_finite(scale: float) -> None:
    scores, moves, first = (one.float() for one in a_chain())
    scores = (scores * scale).requires_grad_()
    said = log_partition(scores, moves, first, LENGTHS)
    said.sum().backward()
    assert torch.isfinite(said).all()
    assert torch.isfinite(scores.grad).all()


def test_what_lies_behind_the_end_counts_for_nothing() -> None:
    scores, moves, first = a_chain()
    other = scores.clone()
    other[1, 1:], other[2, 3:] = 50.0, -50.0
    assert torch.equal(log_partition(scores, moves, first, LENGTHS), log_partition(other, moves, first, LENGTHS))
    assert torch.equal(best_path(scores, moves, first, LENGTHS), best_path(other, moves, first, LENGTHS))
