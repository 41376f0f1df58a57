"""Long inputs: stretches that cover them, cut with what lies on them, and read whole whatever their length."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from diascope.core.case import Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Example
from diascope.engine.feeding import Feed, Stored
from diascope.engine.reading import Reader
from diascope.engine.stretches import cut, long_input, moved, pieces_of, starts_of
from diascope.testing import a_case


def a_plan(**changes: Any) -> Plan:
    fields = {
        "readings": {"note": {"kind": "text", "length": 8, "whole": True}},
        **{"patch": [1, 1, 8], "overlap": 0.5, "read_batch": 3, "batch": 4, "whole": False, "recipe": []},
        **changes,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    target = Target(name="t", kind="spans", columns=("t",))
    return Plan(dataset="d", task="entities", target=target, seed=2, choices=choices)


def stored(lengths: list[int]) -> list[Stored]:
    """Texts whose characters say where they are, and a target that says the same."""
    found = []
    for number, length in enumerate(lengths):
        text = np.zeros(max(8, length), np.int32)
        text[:length] = np.arange(1, length + 1) + 1000 * number
        found.append(Stored(f"c{number}", {"input/note": text, "target/same": text[:length].copy()}))
    return found


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 40))
def test_stretches_cover_everything_and_stay_inside(length: int, size: int, step: int) -> None:
    starts = starts_of(length, size, min(step, size))
    covered = np.zeros(max(length, size), bool)
    for start in starts:
        assert 0 <= start <= max(0, length - size)
        covered[start : start + size] = True
    assert covered[:length].all()


@given(st.integers(0, 100), st.integers(1, 100), st.integers(1, 40), st.integers(0, 5))
def test_a_moved_stretch_stays_inside(start: int, length: int, size: int, seed: int) -> None:
    there = moved(start, length, size, np.random.default_rng(seed))
    assert 0 <= there <= max(0, length - size)


def test_an_epoch_holds_every_stretch_of_every_text() -> None:
    assert [(piece.case, piece.start) for piece in pieces_of([8, 20, 8], 8)] == [
        (0, 0),
        (1, 0),
        (1, 6),
        (1, 12),
        (2, 0),
    ]
    feed = Feed(stored([5, 20, 8]), a_plan(batch=5))
    batch = feed.make(0)
    assert sorted(batch.cases) == ["c0", "c1", "c1", "c1", "c2"]


def test_target_and_input_are_cut_alike_and_padded_behind() -> None:
    feed = Feed(stored([5, 40]), a_plan())
    for step in range(6):
        batch = feed.make(step)
        assert batch.inputs["note"].shape == (4, 8)
        assert torch.equal(batch.inputs["note"], batch.target["same"])
    whole = cut(stored([5])[0].arrays, "note", 0, 8)
    assert whole["target/same"].tolist() == [1, 2, 3, 4, 5, 0, 0, 0]


def test_the_batch_depends_on_seed_and_step_alone() -> None:
    one, other = (Feed(stored([30, 9, 50]), a_plan()) for _ in range(2))
    other.make(0)
    assert torch.equal(one.make(7).inputs["note"], other.make(7).inputs["note"])


def test_an_input_that_is_seen_whole_is_not_cut() -> None:
    plan = a_plan(readings={"note": {"kind": "text", "length": 8}})
    assert long_input(plan) is None
    assert Feed(stored([8, 8]), plan).make(0).inputs["note"].shape == (4, 8)


class Sees(nn.Module):
    """Says of each character what it is, and of characters at the edge of a window something else; two columns more."""

    output = "tokens"

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        text = inputs["note"].float()
        edge = torch.zeros_like(text)
        edge[:, 0] = edge[:, -1] = 1
        ends = torch.tensor([[7.0, 8.0], [9.0, 10.0]]).expand(len(text), 2, 2)
        return torch.cat([torch.stack([text, edge], dim=1), ends], dim=2)


def examples(lengths: list[int]) -> list[Example]:
    return [Example(a_case(n), {"note": one.arrays["input/note"]}, {}) for n, one in enumerate(stored(lengths))]


def test_every_character_is_read_whatever_the_length() -> None:
    reader = Reader([Sees().eval()], a_plan(), "torch", "fp32")
    lengths = [3, 8, 9, 31, 100]
    for length, output, one in zip(lengths, reader.read_all(examples(lengths)), examples(lengths), strict=True):
        assert output.values.shape == (2, max(8, length) + 2)
        assert np.allclose(output.values[0, :-2], one.inputs["note"])
        assert output.values[:, -2:].tolist() == [[7.0, 8.0], [9.0, 10.0]]


def test_the_middle_of_a_window_counts_most() -> None:
    (output,) = Reader([Sees().eval()], a_plan(), "torch", "fp32").read_all(examples([20]))
    edge = output.values[1, :-2]
    assert edge[0] == edge[-1] == 1
    assert edge[1:-1].max() < 0.25


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_how_many_are_read_together_changes_nothing(batch: int) -> None:
    plan = a_plan(read_batch=batch)
    together = list(Reader([Sees().eval()], plan, "torch", "fp32").read_all(examples([30, 9, 50])))
    alone = [Reader([Sees().eval()], a_plan(), "torch", "fp32").read(one) for one in examples([30, 9, 50])]
    for one, other in zip(together, alone, strict=True):
        assert np.allclose(one.values, other.values)


def test_several_networks_are_averaged() -> None:
    class Twice(Sees):
        def forward(self, inputs: dict[str, Tensor]) -> Tensor:
            return 3 * super().forward(inputs)

    (output,) = Reader([Sees().eval(), Twice().eval()], a_plan(), "torch", "fp32").read_all(examples([12]))
    assert np.allclose(output.values[0, :12], 2 * np.arange(1, 13))
    assert output.values[0, -1] == 16
