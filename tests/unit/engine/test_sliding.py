import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diascope.core.errors import DiascopeError, DoesNotFit
from diascope.engine.sliding import DenseResult, argmax_labels, predict_labels, predict_values
from diascope.engine.windows import Placement, Shape, WindowPlan, window_starts
from diascope.transforms.resampling.volume import resize


def a_network(classes: int = 4, channels: int = 1) -> nn.Module:
    torch.manual_seed(3)
    layers = nn.Conv3d(channels, 8, 3, padding=1), nn.Tanh(), nn.Conv3d(8, classes, 3, padding=1)
    return nn.Sequential(*layers).eval()


def a_volume(shape: Shape, channels: int = 1) -> Tensor:
    rough = torch.randn((channels, *[max(2, n // 3) for n in shape]), generator=torch.Generator().manual_seed(5))
    return resize(rough, shape, order=3) * 3


def everything_at_once(
    volume: Tensor, network: Callable[[Tensor], Tensor], plan: WindowPlan, original: Shape
) -> tuple[Tensor, Tensor]:
    """The straightforward way: full sums and a full map of counts, then one interpolation."""
    offsets = [torch.arange(p) - (p - 1) / 2 for p in plan.patch]
    z, y, x = (torch.exp(-0.5 * (o / (0.125 * p)) ** 2) for o, p in zip(offsets, plan.patch, strict=True))
    bump = (z[:, None, None] * y[:, None] * x).double()
    total = count = torch.zeros(1)
    shape = volume.shape[1:]
    for start in itertools.product(
        *[window_starts(n, p, plan.overlap) for n, p in zip(shape, plan.patch, strict=True)]
    ):
        box = [slice(s, s + p) for s, p in zip(start, plan.patch, strict=True)]
        scores = network(volume[None, :, *box])[0].detach().double()
        if count.ndim == 1:
            total, count = torch.zeros((len(scores), *shape)).double(), torch.zeros(tuple(shape)).double()
        total[:, *box] += scores * bump
        count[tuple(box)] += bump
    full = resize((total / count).float(), original, order=1)
    return argmax_labels(full)


def check(found: DenseResult, labels: Tensor, probability: Tensor) -> None:
    """Labels agree but for ties, confidence within 1e-4."""
    assert found.labels.dtype == np.uint8
    assert found.labels.shape == tuple(labels.shape)
    assert (found.labels != labels.numpy()).mean() < 1e-3
    for label, mean in found.confidence.items():
        assert mean == pytest.approx(float(probability[labels == label].mean()), abs=2e-3)
    assert set(found.confidence) == set(labels.unique().tolist())


CASES = {
    "z is longest": ((30, 20, 22), (30, 20, 22), (8, 8, 8)),
    "y is longest": ((12, 37, 18), (12, 37, 18), (6, 8, 10)),
    "x is longest, finer original": ((10, 16, 29), (17, 30, 61), (8, 8, 8)),
    "coarser original": ((26, 22, 30), (11, 22, 17), (8, 10, 12)),
    "one window": ((8, 9, 10), (8, 9, 10), (8, 9, 10)),
    "one window, finer original": ((8, 9, 10), (12, 20, 10), (8, 9, 10)),
    "one layer along the longest axis": ((8, 9, 16), (8, 9, 16), (4, 4, 16)),
    "flat": ((1, 30, 25), (1, 44, 40), (1, 12, 12)),
}


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_streaming_equals_everything_at_once(name: str, overlap: float) -> None:
    working, original, patch = CASES[name]
    plan = WindowPlan(patch, overlap=overlap, batch=3)
    network, volume = a_network(), a_volume(working)
    found = predict_labels(volume, network, argmax_labels, plan, Placement.same_box(working, original))
    check(found, *everything_at_once(volume, network, plan, original))
    assert found.skipped == 0


@pytest.mark.parametrize("original", [(24, 30, 20), (40, 45, 33)])
def test_bounded_memory_gives_the_same_labels(original: Shape) -> None:
    working = (24, 30, 20)
    plan, place = WindowPlan((8, 8, 8)), Placement.same_box(working, original)
    network, volume = a_network(), a_volume(working)
    free = predict_labels(volume, network, argmax_labels, plan, place)
    need = free.peak_bytes - volume.nbytes - free.labels.nbytes
    bounds = [int(need * share) for share in (1.0, 0.1, 0.03)]
    for bound in bounds:
        found = predict_labels(volume, network, argmax_labels, replace(plan, memory_bytes=bound), place)
        assert np.array_equal(found.labels, free.labels)
        assert found.confidence == pytest.approx(dict(free.confidence), abs=1e-4)
        assert found.peak_bytes <= volume.nbytes + free.labels.nbytes + bound
    assert found.windows > free.windows


def test_memory_that_cannot_suffice_is_refused_with_the_numbers() -> None:
    plan = WindowPlan((8, 8, 8), memory_bytes=1000)
    with pytest.raises(DoesNotFit, match="MiB"):
        predict_labels(a_volume((9, 9, 9)), a_network(), argmax_labels, plan, Placement.same_box((9, 9, 9), (9, 9, 9)))


@pytest.mark.parametrize("blend", ["gaussian", "constant"])
def test_same_scores_and_argmax_as_monai(
    blend: Literal["gaussian", "constant"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wide Gaussian: MONAI raises weights below 0.001 to 0.001, which our product of vectors does not."""
    from monai.inferers import SlidingWindowInferer

    monkeypatch.setattr("diascope.engine.windows.SIGMA", 0.3)
    shape = (21, 26, 24)
    volume, network = a_volume(shape), a_network()
    with torch.inference_mode():
        inferer = SlidingWindowInferer((10, 12, 12), overlap=0.5, mode=blend, sigma_scale=0.3)
        theirs = inferer(volume[None], network)[0]
    seen = []

    def reduce(scores: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(scores.clone())
        return argmax_labels(scores)

    plan = WindowPlan((10, 12, 12), blend=blend)
    found = predict_labels(volume, network, reduce, plan, Placement.same_box(shape, shape))
    assert torch.allclose(torch.cat(seen, dim=2), theirs, atol=1e-4)
    assert (found.labels != theirs.argmax(0).numpy()).mean() < 1e-3


def test_a_volume_smaller_than_the_window_is_padded() -> None:
    seen = []

    def runner(batch: Tensor) -> Tensor:
        seen.append(batch.shape)
        return torch.cat([batch, 1 - batch], dim=1)

    volume = a_volume((3, 12, 5))
    place = Placement.same_box((3, 12, 5), (3, 12, 5))
    found = predict_labels(volume, runner, argmax_labels, WindowPlan((8, 8, 8)), place)
    assert set(seen) == {(1, 1, 8, 8, 8)}
    assert np.array_equal(found.labels, (volume[0] < 0.5).numpy().astype(np.uint8))


def test_original_voxels_outside_of_a_cropped_or_padded_working_grid() -> None:
    def runner(batch: Tensor) -> Tensor:
        return torch.cat([batch * 0, batch], dim=1)

    place = Placement((6, 8, 8), (1.0, 1.0, 1.0), (-1.0, 2.0, 0.0))  # z cropped by 1, y padded by 2
    volume = torch.ones(1, 4, 12, 8)
    found = predict_labels(volume, runner, argmax_labels, WindowPlan((4, 4, 4)), place)
    assert found.labels[:, 0, 0].tolist() == [0, 1, 1, 1, 1, 0]
    assert (found.labels[1:5] == 1).all()


def test_the_original_shape_alone_means_the_same_box() -> None:
    volume, network, plan = a_volume((9, 10, 11)), a_network(), WindowPlan((8, 8, 8))
    place = Placement.same_box((9, 10, 11), (12, 13, 14))
    expected = predict_labels(volume, network, argmax_labels, plan, place)
    found = predict_labels(volume, network, argmax_labels, plan, (12, 13, 14))
    assert np.array_equal(found.labels, expected.labels)


def test_scores_that_are_not_finite_are_no_finding() -> None:
    with pytest.raises(DiascopeError, match="not finite"):
        predict_labels(a_volume((8, 8, 8)), lambda x: x * torch.nan, argmax_labels, WindowPlan((8, 8, 8)), (8, 8, 8))


def test_mirrored_views_are_averaged() -> None:
    network, volume = a_network(), a_volume((10, 12, 14))
    shape = (10, 12, 14)
    found = predict_labels(
        volume, network, argmax_labels, WindowPlan(shape, mirror_axes=(0, 2)), Placement.same_box(shape, shape)
    )
    views = [(), (2,), (4,), (2, 4)]
    mean = torch.stack([network(volume[None].flip(axes)).flip(axes) for axes in views]).mean(0)[0].detach()
    check(found, *argmax_labels(mean))


def test_empty_windows_are_not_run_and_the_rest_stays_the_same() -> None:
    shape = (12, 40, 12)
    volume = a_volume(shape).abs() + 0.1
    volume[:, :, 20:] = 0
    network, place = a_network(), Placement.same_box(shape, shape)
    plain = predict_labels(volume, network, argmax_labels, WindowPlan((8, 8, 8)), place)
    found = predict_labels(volume, network, argmax_labels, WindowPlan((8, 8, 8), skip_empty=True), place)
    assert found.skipped > 0
    assert found.windows + found.skipped == plain.windows
    assert np.array_equal(found.labels[:, :16], plain.labels[:, :16])
    assert not found.labels[:, 24:].any()


def test_a_volume_of_air_runs_nothing() -> None:
    def runner(batch: Tensor) -> Tensor:
        pytest.fail("an empty window was run")

    place = Placement.same_box((9, 9, 9), (9, 9, 9))
    found = predict_labels(
        torch.zeros(1, 9, 9, 9), runner, argmax_labels, WindowPlan((4, 4, 4), skip_empty=True), place
    )
    assert not found.labels.any()
    assert (found.windows, found.confidence) == (0, {})


def test_memory_that_is_held_stays_near_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 classes at 24 x 150 x 40 would be 9.2 MB of scores at once; the buffer holds 17 of 150 rows."""
    largest = [0]
    original = torch.empty

    def counting(*args: object, **kwargs: object) -> Tensor:
        made = original(*args, **kwargs)
        largest[0] = max(largest[0], made.nbytes)
        return made

    monkeypatch.setattr(torch, "empty", counting)
    monkeypatch.setattr("diascope.engine.sliding.CHUNK_BYTES", 1 << 18)
    reduced = []

    def reduce(scores: Tensor) -> tuple[Tensor, Tensor]:
        reduced.append(scores.nbytes)
        return argmax_labels(scores)

    def runner(batch: Tensor) -> Tensor:
        return batch * torch.arange(16.0).reshape(-1, 1, 1, 1)

    shape = (24, 150, 40)
    found = predict_labels(a_volume(shape), runner, reduce, WindowPlan((16, 16, 16)), Placement.same_box(shape, shape))
    everything = 4 * 16 * 24 * 150 * 40
    assert largest[0] < everything / 8
    assert max(reduced) <= 1 << 18
    assert found.peak_bytes < everything / 2


def test_numbers_are_blended_as_they_are_and_their_spread_is_that_of_the_views() -> None:
    volume, network = a_volume((5, 12, 14)), a_network(classes=1)
    plan = WindowPlan((5, 12, 14), overlap=0.5, mirror_axes=(2,))
    found = predict_values(volume, network, plan, (5, 12, 14))
    with torch.no_grad():
        views = torch.stack([network(volume[None])[0, 0], network(volume[None].flip(4)).flip(4)[0, 0]])
    assert found.values == pytest.approx(views.mean(dim=0).numpy(), abs=1e-5)
    assert found.spread is not None
    assert found.spread == pytest.approx(views.std(dim=0, correction=0).numpy(), abs=1e-5)
    alone = predict_values(volume, network, replace(plan, mirror_axes=()), (5, 12, 14))
    assert alone.spread is None
    windows = replace(plan, patch=(5, 8, 8), mirror_axes=(), memory_bytes=60_000)
    tight = predict_values(volume, lambda patch: patch * 2, windows, (5, 12, 14))
    assert tight.values == pytest.approx(2 * volume[0].numpy(), abs=1e-4)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DiascopeError, match="not finite"):
        predict_values(a_volume((4, 8, 8)), lambda patch: patch / 0, WindowPlan((4, 8, 8)), (4, 8, 8))
