"""Learning from images alone: what is hidden, what is found again, and that the loss falls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.case import Target
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Batch, Example, Output
from diascope.engine.building import build_network
from diascope.engine.reading import Reader
from diascope.tasks.contrastive_images import EMBEDDED, changed, views
from diascope.tasks.masked_images import blocks, edge, middle
from diascope.testing import a_case
from diascope.testing.releases import SMALL

NOTHING = Target(name="images", kind="none", columns=())
TASKS = ("contrastive_images", "masked_images")


def a_plan(task: str, patch: tuple[int, int, int] = (8, 16, 16), **changes: Any) -> Plan:
    dense = registry.get("tasks", task).needs == "dense"
    plain: dict[str, Any] = {
        "image_inputs": ["image"], "readings": {}, "channels": {"image": 1},
        "intensity": {"image": {"rule": "z-score"}}, "prepare": [], "patch": list(patch), "spacing": [1.0, 1.0, 1.0],
        "whole": not dense, "overlap": 0.5, "mirror_axes": [2], "mirror_reading": False, "read_batch": 1,
        "skip_empty": False, "memory_gb": 4.0, "dropout": 0.0, "hidden_share": 0.6, "contrast_temperature": 0.2,
        "model": "unet" if dense else "resnet",
        "model_options": {"features": [8, 16], "strides": [[1, 1, 1], [2, 2, 2]], "kernels": [[3, 3, 3]] * 2,
                          "blocks": [1, 1], "decoder_blocks": [1], "levels": 1}
        if dense else {**SMALL, "strides": [[1, 1, 1]] * 2 + [[1, 2, 2]] * 4, "stem": [1, 3, 3]},
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    return Plan(dataset="d@1", task=task, target=NOTHING, seed=0, choices=choices)


def balls(count: int, shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    places = np.indices(shape).astype(float)
    found = []
    for _ in range(count):
        centre = [rng.uniform(0.3 * side, 0.7 * side) for side in shape]
        away = sum((axis - at) ** 2 for axis, at in zip(places, centre, strict=True))
        found.append(2.0 * (away < rng.uniform(6, 30)) + rng.normal(0, 0.1, shape) - 0.5)
    return torch.from_numpy(np.stack(found)[:, None].astype(np.float32))


@pytest.mark.parametrize("task", TASKS)
def test_it_is_meant_only_when_it_is_named_and_leaves_an_encoder(task: str) -> None:
    plugin = registry.get("tasks", task)
    assert plugin.claim(()) == (NOTHING,)
    assert plugin.writes == ("encoder",)
    assert plugin.problems([a_case()], NOTHING) == []
    assert plugin.encode(a_case(), {}, NOTHING) == {}


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_falls(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a few steps: of copies that differ by noise alone."""
    monkeypatch.setattr("diascope.tasks.contrastive_images.views", lambda plan: [("noise", {"probability": 1.0})])
    plan = a_plan(task)
    torch.manual_seed(0)
    network = build_network(plan).train()
    (phase,) = registry.get("tasks", task).phases(plan)
    optimiser = torch.optim.AdamW(phase.parameters(network), lr=3e-3)
    images, losses = balls(16, (8, 16, 16)), []
    for step in range(24):
        torch.manual_seed(step)
        loss = phase.loss(network, Batch({"image": images}, {}, (), step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-4:]) < 0.85 * np.mean(losses[:4])


@pytest.mark.parametrize("task", TASKS)
def test_a_step_depends_on_its_own_seed_alone(task: str) -> None:
    plan = a_plan(task)
    torch.manual_seed(0)
    network = build_network(plan).eval()
    (phase,) = registry.get("tasks", task).phases(plan)
    batch = Batch({"image": balls(4, (8, 16, 16))}, {}, ())

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return float(phase.loss(network, batch).detach())

    assert loss(1) == loss(1) != loss(2)


@pytest.mark.parametrize("task", TASKS)
def test_images_are_read_one_by_one_and_scored(task: str) -> None:
    plan = a_plan(task)
    plugin = registry.get("tasks", task)
    torch.manual_seed(0)
    reader = Reader([build_network(plan).eval()], plan, "torch", "fp32")
    shapes = [(8, 16, 16)] * 3 if plan["whole"] else [(8, 16, 16), (5, 20, 9), (12, 30, 17)]
    examples = [Example(a_case(n), {"image": balls(1, shape, n)[0].numpy()}, {}) for n, shape in enumerate(shapes)]
    rows = [
        plugin.observe(output, example, {}, plan)
        for example, output in zip(examples, reader.read_all(examples), strict=True)
    ]
    scores = plugin.score(rows, plan)
    for statistic in scores.statistics:
        assert np.isfinite(statistic.of(np.arange(3)))
        assert statistic.better == registry.get("metrics", statistic.name).better
    assert set(scores.headline) <= {one.name for one in scores.statistics}
    assert plugin.decode(Output(np.zeros(2)), examples[0], {}, plan).findings == ()


def test_the_share_that_is_asked_for_is_hidden_in_whole_blocks() -> None:
    torch.manual_seed(0)
    hidden = blocks((20, 12, 36, 48), 0.6)
    assert hidden.shape == (20, 1, 12, 36, 48)
    assert float(hidden.float().mean()) == pytest.approx(0.6, abs=0.03)
    assert not torch.equal(hidden[0], hidden[1])
    lines = hidden[0, 0, 6, 18].int()
    changes = np.flatnonzero(np.diff(lines.numpy()))
    assert len(changes) > 1
    assert (np.diff(changes) % edge(48) == 0).all()


def test_blocks_of_a_picture_lie_in_its_plane() -> None:
    hidden = blocks((3, 1, 64, 64), 0.5, torch.Generator().manual_seed(0))
    assert hidden.shape == (3, 1, 1, 64, 64)
    assert edge(1) == 1
    assert edge(64) == 10
    assert torch.equal(hidden, blocks((3, 1, 64, 64), 0.5, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("shape", [(4, 6, 8), (5, 10, 14), (9, 15, 21)])
def test_the_middle_is_cut_or_filled_up_with_the_lowest_value(shape: tuple[int, int, int]) -> None:
    images = balls(2, shape) + 5
    found = middle(images, (6, 10, 14))
    assert found.shape == (2, 1, 6, 10, 14)
    for one, other in zip(found, images, strict=True):
        cut = shape == (9, 15, 21)
        inner = other[:, 2:8, 3:13, 4:18]
        assert float(one.min()) == pytest.approx(float((inner if cut else other).min()), abs=1e-5)


def test_a_network_that_fills_in_perfectly_explains_all() -> None:
    plugin = registry.get("tasks", "masked_images")
    rows = [{"case": "a", "error": 0.0, "spread": 2.0}, {"case": "b", "error": 0.0, "spread": 1.0}]
    first, second = plugin.score(rows, a_plan("masked_images")).statistics
    assert (first.of(np.arange(2)), second.of(np.arange(2))) == (1.0, 0.0)
    worse = plugin.score([{**row, "error": row["spread"]} for row in rows], a_plan("masked_images")).statistics
    assert worse[0].of(np.arange(2)) == 0.0


def test_copies_that_are_nearest_to_their_own_image_are_found() -> None:
    plugin = registry.get("tasks", "contrastive_images")
    one, other = np.eye(EMBEDDED)[:2]
    rows = [{"case": "a", "embedded": [*one, *one]}, {"case": "b", "embedded": [*other, *one]}]
    (found,) = plugin.score(rows, a_plan("contrastive_images")).statistics
    assert found.of(np.array([0])) == 1.0
    assert found.of(np.arange(2)) == 0.5


def test_a_changed_copy_has_the_size_of_the_image() -> None:
    images = balls(2, (1, 12, 20))
    assert changed(images).shape == images.shape
    assert not torch.equal(changed(images), images)
    names = [name for name, _ in views(a_plan("contrastive_images", (1, 32, 32)))]
    assert all(registry.get("transforms", name).scope == "batch" for name in names)
