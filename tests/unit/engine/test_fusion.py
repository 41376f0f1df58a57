"""Several inputs, weighed by gates."""

from __future__ import annotations

import torch
from torch import nn

from diascope.engine.network import PRESENT, Fusion, VectorNetwork


class Encoder(nn.Module):
    """Three numbers to four."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = (4,)
        self.layer = nn.Linear(3, 4)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layer(rows)


def test_what_a_case_lacks_changes_nothing() -> None:
    torch.manual_seed(0)
    network = VectorNetwork({"b": Encoder(), "a": Encoder()}, 2).eval()
    here = {"a": torch.randn(2, 3), "b": torch.randn(2, 3), PRESENT: torch.tensor([[1.0, 0.0], [1.0, 1.0]])}
    other = {**here, "b": torch.randn(2, 3)}
    assert torch.allclose(network(here)[0], network(other)[0])
    assert not torch.allclose(network(here)[1], network(other)[1])


def test_a_case_without_anything_is_finite() -> None:
    fusion = Fusion([4, 4]).eval()
    assert torch.isfinite(fusion([torch.randn(1, 4), torch.randn(1, 4)], torch.zeros(1, 2))).all()


def test_training_leaves_inputs_out_but_never_all_of_a_case() -> None:
    torch.manual_seed(0)
    fusion = Fusion([4, 4], dropout=0.5).train()
    present = torch.ones(400, 2)
    kept = fusion._kept(present)
    assert 0.5 < float(kept.mean()) < 0.8
    assert int(kept.sum(dim=1).min()) == 1
    assert torch.equal(fusion._kept(torch.tensor([[0.0, 1.0]] * 50)), torch.tensor([[0.0, 1.0]] * 50))


def test_one_input_is_not_weighed() -> None:
    network = VectorNetwork({"a": Encoder()}, 2)
    assert network.fusion is None
    assert set(network.state_dict()) == {"encoders.a.layer.weight", "encoders.a.layer.bias", "head.weight", "head.bias"}
