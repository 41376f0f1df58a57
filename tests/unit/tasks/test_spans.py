"""Spans from scores of tags: probabilities against every path written out; the loss of stretches that cut a span."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import nn

from diascope.core.errors import BadUsage
from diascope.engine.batch import Batch
from diascope.tasks.spans.candidates import FLOOR, Candidate, apart, candidates_of
from diascope.tasks.spans.network import SpanNetwork, _counted, span_loss
from diascope.tasks.spans.tags import may_begin, may_end, may_follow, spans_of, tag_count


class Letters(nn.Module):
    """Each code point is its own feature."""

    channels = (4,)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(text.long() % 4, 4).float().transpose(1, 2)


def some_scores(length: int, labels: int, seed: int, scale: float = 1.5) -> np.ndarray:
    count = tag_count(labels)
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(count, length + count))).astype(np.float32)


def every_path(values: np.ndarray, length: int, labels: int) -> dict[tuple[int, ...], float]:
    count = tag_count(labels)
    moves, allowed = values[:, -count:].astype(float), may_follow(labels)
    begin, end = may_begin(labels), may_end(labels)
    found = {}
    for path in product(range(count), repeat=length):
        pairs = list(pairwise(path))
        if begin[path[0]] and end[path[-1]] and all(allowed[a, b] for a, b in pairs):
            found[path] = sum(float(values[tag, n]) for n, tag in enumerate(path)) + sum(moves[a, b] for a, b in pairs)
    return found


@pytest.mark.parametrize(("length", "labels", "seed"), [(1, 2, 0), (2, 2, 1), (4, 2, 2), (6, 1, 3), (5, 1, 4)])
def test_the_probability_of_a_span_is_that_of_all_paths_that_hold_it(length: int, labels: int, seed: int) -> None:
    values = some_scores(length, labels, seed)
    paths = every_path(values, length, labels)
    whole = np.logaddexp.reduce(list(paths.values()))
    share: dict[tuple[int, int, int], float] = {}
    for path, score in paths.items():
        for span in spans_of(path):
            share[span] = share.get(span, 0.0) + float(np.exp(score - whole))
    found = {(one.start, one.stop, one.label): one for one in candidates_of(values, length, labels)}
    best = set(spans_of(max(paths, key=lambda path: paths[path])))
    assert {span for span, p in share.items() if p > FLOOR + 1e-9} <= set(found)
    assert {span for span, one in found.items() if one.on_path} == best
    for span, one in found.items():
        assert one.probability == pytest.approx(share[span], abs=1e-6)


def test_what_is_padded_behind_the_text_counts_for_nothing() -> None:
    values = some_scores(9, 2, 7)
    padded = np.concatenate([values[:, :9], np.full((9, 4), 30, np.float32), values[:, 9:]], axis=1)
    assert candidates_of(padded, 9, 2) == candidates_of(values, 9, 2)
    assert candidates_of(values, 0, 2) == []


def test_of_spans_that_share_characters_the_surest_stays() -> None:
    some = [Candidate(0, 4, 1, 0.9), Candidate(3, 6, 2, 0.8), Candidate(4, 6, 1, 0.5), Candidate(5, 7, 1, 0.4)]
    assert apart(some) == [some[0], some[2]]


def a_batch(text: list[int], label: list[int], first: list[int]) -> Batch:
    target = {"label": torch.tensor([label], dtype=torch.uint8), "first": torch.tensor([first], dtype=torch.bool)}
    return Batch({"note": torch.tensor([text], dtype=torch.int32)}, target, ("c",))


@pytest.mark.parametrize(
    ("text", "label", "first", "counted"),
    [
        ([1, 2, 3, 1, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0], 4),
        ([1, 2, 3, 1, 2, 2], [0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0], 6),
        ([1, 2, 3, 1, 2, 2], [0, 1, 1, 0, 2, 2], [0, 1, 0, 0, 1, 0], 4),
        ([1, 2, 3, 1, 2, 2], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0], 6),
        ([1, 2, 3, 1, 2, 2], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], 1),
    ],
    ids=["padded", "whole", "cut at its end", "begun before", "nothing but a span"],
)
def test_a_span_that_the_end_of_a_stretch_may_cut_does_not_count(
    text: list[int], label: list[int], first: list[int], counted: int
) -> None:
    batch = a_batch(text, label, first)
    assert _counted(batch.inputs["note"], batch.target["label"], batch.target["first"]).tolist() == [counted]
    network = SpanNetwork({"note": Letters()}, 2, 0.0)
    loss = span_loss(network, batch)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(network.moves.grad).all()


def test_the_loss_falls_to_nothing_where_the_truth_can_be_told() -> None:
    torch.manual_seed(0)
    network = SpanNetwork({"note": Letters()}, 2, 0.0)
    batch = a_batch([1, 2, 3, 3, 1, 2, 1, 1], [0, 1, 2, 2, 0, 1, 0, 0], [0, 1, 1, 0, 0, 1, 0, 0])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.2)
    for _ in range(80):
        optimiser.zero_grad()
        loss = span_loss(network, batch)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05
    said = network.eval()(batch.inputs)[0].detach().numpy()
    found = [(one.start, one.stop, one.label) for one in candidates_of(said, 8, 2) if one.on_path]
    assert sorted(found) == [(1, 2, 1), (2, 4, 2), (5, 6, 1)]


def test_several_inputs_are_refused() -> None:
    with pytest.raises(BadUsage, match="one text"):
        SpanNetwork({"note": Letters(), "age": Letters()}, 2, 0.0)
