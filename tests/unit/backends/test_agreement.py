import pytest
import torch

from diascope.backends.selftest.agreement import agreement


def test_counts_decisions_and_measures_differences() -> None:
    examples = [torch.tensor([[3.0, 1.0], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [5.0, 4.5]])]
    found = agreement(lambda x: x, lambda x: x + torch.tensor([0.0, 0.75]), examples)
    assert found.examples == 2
    assert found.same == 0.75
    assert found.difference == 0.75
    assert found.spread == pytest.approx(float(examples[1].std(correction=0)))


def test_a_single_score_decides_by_its_sign() -> None:
    assert agreement(lambda x: x, lambda x: x - 1, [torch.tensor([[0.5], [2.0]])]).same == 0.5


def test_not_a_number_is_an_infinite_difference() -> None:
    found = agreement(lambda x: x, lambda x: x * torch.nan, [torch.tensor([[0.5, 1.0]])])
    assert found.difference == float("inf")


def test_no_examples_prove_nothing() -> None:
    assert agreement(lambda x: x, lambda x: x, []).same == 0.0
