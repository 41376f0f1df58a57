"""Loss, decisions and findings of segmentation on small volumes made here."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.case import FileRef, Label, Target
from diascope.core.errors import UnsoundGeometry
from diascope.core.figure import Bars
from diascope.core.geometry import Geometry
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import build_network
from diascope.evidence.intervals import measures
from diascope.tasks.segmentation import METRICS, TASK
from diascope.testing import a_case
from diascope.testing.factories import oblique

LABELS = (Label(name="organ", value=1), Label(name="lesion", value=2))
REGIONS = (Label(name="whole", value=1, members=(1, 2)), Label(name="core", value=2, members=(2,)))


def a_target(labels: tuple[Label, ...] = LABELS, ignore: int | None = None) -> Target:
    return Target(name="mask", kind="mask", columns=("mask",), labels=labels, ignore=ignore)


def a_plan(target: Target | None = None, patch: tuple[int, int, int] = (8, 8, 8)) -> Plan:
    flat = patch[0] == 1
    stride, kernel = ([1, 2, 2], [1, 3, 3]) if flat else ([2, 2, 2], [3, 3, 3])
    plain: dict[str, Any] = {
        "model": "residual_unet",
        "model_options": {
            "features": [8, 16], "strides": [[1, 1, 1], stride], "kernels": [kernel, kernel], "blocks": [1, 1],
            "decoder_blocks": [1], "levels": 2,
        },
        "image_inputs": ["image"],
        "readings": {},
        "channels": {"image": 1},
        "intensity": {"image": {"rule": "z-score"}},
        "patch": list(patch),
        "spacing": [1.0, 1.0, 1.0],
        "loss": "dice_cross_entropy",
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in plain.items()}
    return Plan(dataset="d", task="segmentation", target=target or a_target(), seed=0, choices=choices)


def phantoms(count: int = 4, shape: tuple[int, int, int] = (8, 8, 8)) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with a box of label 1 and a brighter one of label 2 in it."""
    rng = np.random.default_rng(0)
    mask = np.zeros((count, *shape), np.uint8)
    mask[..., 1:6, 1:7] = 1
    mask[..., 2:4, 3:5] = 2
    image = rng.normal(0, 0.3, mask.shape) + mask * 1.5
    return torch.from_numpy(image[:, None].astype(np.float32)), torch.from_numpy(mask)


@pytest.mark.parametrize("labels", [LABELS, REGIONS], ids=["labels", "regions"])
@pytest.mark.parametrize("shape", [(8, 8, 8), (1, 8, 8)], ids=["3d", "2d"])
def test_the_loss_is_finite_and_falls_and_the_answer_overlaps(labels: Any, shape: tuple[int, int, int]) -> None:
    plan = a_plan(a_target(labels), shape)
    torch.manual_seed(0)
    network = build_network(plan)
    (phase,) = TASK.phases(plan)
    image, mask = phantoms(4, shape)
    optimiser = torch.optim.AdamW(phase.parameters(network), lr=3e-3)
    losses = []
    for step in range(60):
        optimiser.zero_grad()
        loss = phase.loss(network, Batch({"image": image}, {"mask": mask}, (), step))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]
    with torch.no_grad():
        said, sure = network.eval().reduce(network({"image": image})[0])
    assert said.dtype == torch.uint8
    assert bool(((sure > 0) & (sure <= 1.0001)).all())
    assert float(((said > 0) == (mask[0] > 0)).float().mean()) > 0.9


@pytest.mark.parametrize("ignore", [None, 9])
def test_an_image_with_nothing_in_it_survives_loss_scores_and_findings(ignore: int | None) -> None:
    plan = a_plan(a_target(ignore=ignore))
    network = build_network(plan)
    (phase,) = TASK.phases(plan)
    empty = torch.zeros((2, 8, 8, 8), dtype=torch.uint8) + (ignore or 0)
    loss = phase.loss(network, Batch({"image": torch.zeros(2, 1, 8, 8, 8)}, {"mask": empty}, (), 0))
    loss.backward()
    assert bool(torch.isfinite(loss))
    said = Output(np.zeros((8, 8, 8), np.uint8))
    row = TASK.observe(said, an_example((8, 8, 8)), {"mask": empty[0].numpy()}, plan)
    decided = [TASK.decide(row, TASK.fit_decision([row], plan), plan)]
    scores = TASK.score(decided, plan)
    assert {one.name for one in scores.statistics} >= {"dice", "dice/organ", "dice/lesion", "hd95"}
    assert TASK.figures(decided, plan, {})
    findings = TASK.decode(said, an_example((8, 8, 8)), {}, plan).findings
    assert [finding.status for finding in findings] == ["absent", "absent"]
    assert all(finding.place is None for finding in findings)


def an_example(shape: tuple[int, int, int], geometry: Geometry | None = None) -> Example:
    place = geometry or oblique()
    return Example(a_case(), {"image": np.zeros((1, *shape), np.float32)}, {}, place, (place, shape))


def test_a_perfect_answer_scores_perfectly_and_a_wrong_one_does_not() -> None:
    plan, mask = a_plan(), phantoms()[1][0].numpy()
    rows = [TASK.observe(Output(said), an_example((8, 8, 8)), {"mask": mask}, plan) for said in (mask, 0 * mask)]
    dice = {one.name: one for one in TASK.score(rows, plan).statistics}["dice"]
    assert dice.of(np.array([0])) == 1.0
    assert dice.of(np.array([1])) == 0.0
    assert dice.of(np.array([0, 1])) == 0.5
    assert TASK.score(rows, plan).per_case.tolist() == [1.0, 0.0]


def scored_rows(cases: int, with_lesion: int) -> list[Row]:
    """Rows of cases of which the first ones have a lesion."""
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for number in range(cases):
        row: Row = {"case": f"c{number}", "physical": True}
        for name in ("organ", "lesion"):
            there = name == "organ" or number < with_lesion
            row |= {f"{metric}/{name}": float(rng.uniform(0.5, 1)) if there else np.nan for metric in METRICS}
        rows.append(row)
    return rows


def test_every_metric_of_every_case_and_structure_is_kept() -> None:
    rows = scored_rows(4, 3)
    values = TASK.score(rows, a_plan()).values
    assert set(values) == {f"{metric}/{name}" for metric in METRICS for name in ("organ", "lesion")}
    for name, column in values.items():
        assert column.tolist() == pytest.approx([row[name] for row in rows], nan_ok=True)
    single = TASK.score(rows, a_plan(a_target(LABELS[:1]))).values
    assert set(single) == set(METRICS)
    assert single["hd95"].tolist() == [row["hd95/organ"] for row in rows]


@pytest.mark.parametrize(("ill", "note"), [(4, "too few: 4 patients in class lesion"), (5, "")])
def test_a_structure_of_few_patients_has_no_interval_nor_has_the_mean_over_structures(ill: int, note: str) -> None:
    statistics = TASK.score(scored_rows(30, ill), a_plan()).statistics
    found = measures(statistics, [f"p{number}" for number in range(30)], resamples=200)
    assert found["dice/organ"].low is not None
    assert found["dice/lesion"].note == note
    assert found["dice"].note == note
    assert (found["dice/lesion"].low is None) is bool(note)


def test_a_mean_over_structures_is_undefined_where_one_of_them_is_in_no_case() -> None:
    dice = TASK.score(scored_rows(10, 3), a_plan()).statistics[0]
    assert np.isfinite(dice.of(np.arange(10)))
    assert np.isnan(dice.of(np.arange(3, 10)))


def test_no_figure_repeats_the_table_of_metrics() -> None:
    titles = [figure.title for figure in TASK.figures(scored_rows(4, 3), a_plan(), {})]
    assert titles == ["Dice of organ: cases", "Dice of lesion: cases"]


def test_ignored_voxels_are_not_scored() -> None:
    plan, mask = a_plan(a_target(ignore=9)), phantoms()[1][0].numpy()
    truth = mask.copy()
    truth[4:] = 9
    row = TASK.observe(
        Output(np.where(truth == 9, 1, mask).astype(np.uint8)), an_example((8, 8, 8)), {"mask": truth}, plan
    )
    assert row["dice/organ"] == 1.0


def test_nested_regions_are_scored_as_unions() -> None:
    plan, mask = a_plan(a_target(REGIONS)), phantoms()[1][0].numpy()
    row = TASK.observe(Output(mask), an_example((8, 8, 8)), {"mask": mask}, plan)
    assert row["dice/whole"] == row["dice/core"] == 1.0


def test_a_mask_on_another_grid_is_refused_by_name() -> None:
    with pytest.raises(UnsoundGeometry, match="mask of case0"):
        TASK.observe(
            Output(np.zeros((8, 8, 8), np.uint8)), an_example((8, 8, 8)), {"mask": np.zeros((8, 8, 7))}, a_plan()
        )


def test_findings_lie_inside_the_image_in_millimetres_and_in_the_right_place() -> None:
    shape, place = (8, 10, 12), oblique(3)
    said = np.zeros(shape, np.uint8)
    said[6:8, 1:3, 9:12] = 2
    prediction = TASK.decode(Output(said, {2: 0.87}), an_example(shape, place), {"rule": "r"}, a_plan())
    organ, lesion = prediction.findings
    assert (organ.status, lesion.status) == ("absent", "present")
    assert lesion.place is not None
    assert (lesion.place.start, lesion.place.stop) == ((6, 1, 9), (8, 3, 12))
    assert lesion.place.centre_mm == pytest.approx(place.to_mm(np.array([6.5, 1.5, 10.0])), abs=0.01)
    assert lesion.measures["volume"].unit == "mL"
    assert lesion.measures["volume"].value == pytest.approx(12 * 3.0 * 0.7 * 1.1 / 1000, abs=1e-4)
    assert lesion.measures["confidence"].value == 0.87
    assert prediction.mask is not None
    assert prediction.mask.geometry is place


def test_without_millimetres_a_volume_is_counted_in_pixels() -> None:
    said = np.ones((1, 4, 4), np.uint8)
    finding = TASK.decode(Output(said), an_example((1, 4, 4), Geometry.unknown()), {}, a_plan()).findings[0]
    assert (finding.measures["volume"].value, finding.measures["volume"].unit) == (16.0, "{pixels}")
    assert finding.place is not None
    assert finding.place.centre_mm is None


def test_cases_without_a_mask_are_left_out_and_named() -> None:
    masked = a_case(0, targets={"mask": FileRef(format="npz", paths=("m.npz",))})
    (problem,) = TASK.problems([masked, a_case(1, targets={}), a_case(2)], a_target())
    assert problem.exclude == ("case1", "case2")
    assert TASK.problems([masked], a_target()) == []


def test_findings_say_their_operating_point_in_numbers() -> None:
    said = np.ones((1, 4, 4), np.uint8)
    place = an_example((1, 4, 4), Geometry.unknown())
    points = [
        TASK.decode(Output(said), place, {}, a_plan(a_target(labels))).findings[0].operating_point
        for labels in (LABELS, REGIONS)
    ]
    assert [(point.of, point.value, point.rule) for point in points if point is not None] == [
        ("organ", None, "largest"),
        ("whole", 0.5, "fixed"),
    ]


def test_where_a_structure_is_takes_little_memory() -> None:
    said = np.ones((40, 100, 100), np.uint8)
    example = an_example(said.shape, oblique())
    tracemalloc.start()
    TASK.decode(Output(said), example, {}, a_plan())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * said.nbytes  # coordinates of every voxel took 24 times as much


@pytest.mark.parametrize("least", [0.0, 0.71, 0.9, 0.995, 1.0])
def test_the_histogram_of_dice_holds_every_case_and_ends_at_1(least: float) -> None:
    rows = [
        {**row, "dice/organ": value} for row, value in zip(scored_rows(4, 3), (least, 1.0, 1.0, least), strict=True)
    ]
    bars = TASK.figures(rows, a_plan(), {})[0]
    assert isinstance(bars, Bars)
    assert bars.histogram
    assert sum(bars.values) == 4
    assert bars.values[0] > 0
    assert bars.values[-1] > 0
