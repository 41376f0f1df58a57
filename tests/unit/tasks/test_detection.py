"""Loss, decisions and findings of boxes on pictures made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diascope.core.boxes import Boxes
from diascope.core.case import Label, Target
from diascope.core.errors import BadUsage
from diascope.core.figure import Chart, Grid
from diascope.core.geometry import Geometry
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import build_network
from diascope.engine.reading import Reader
from diascope.evidence.intervals import measures
from diascope.tasks.boxes.assignment import TAUGHT, assigned
from diascope.tasks.boxes.candidates import KEPT, suppressed
from diascope.tasks.boxes.network import grids, positions
from diascope.tasks.detection import TASK
from diascope.testing import a_case

TARGET = Target(
    name="boxes",
    kind="boxes",
    columns=("boxes",),
    labels=(Label(name="cell", value=1), Label(name="speck", value=2, code="SCT:4147007")),
)
SHAPE = (1, 64, 96)


def a_plan(**fields: Any) -> Plan:
    plain: dict[str, Any] = {
        "model": "feature_pyramid",
        "model_options": {"width": 16, "depth": [1, 1, 1, 1], "strides": [[1, 2, 2]] * 5},
        "image_inputs": ["image"],
        "readings": {},
        "channels": {"image": 1},
        "intensity": {"image": {"rule": "z-score"}},
        "patch": list(SHAPE),
        "spacing": [1.0, 1.0, 1.0],
        "levels": [1, 2, 3],
        "suppression": 0.5,
        "whole": True,
        "read_batch": 2,
        "mirror_reading": True,
        "mirror_axes": [1, 2],
        "operating_point": {"name": "f1"},
        **fields,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in plain.items()}
    return Plan(dataset="d", task="detection", target=TARGET, seed=0, choices=choices)


def a_picture(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(1, 1, Y, X) with large dark discs (label 0) and small bright ones (label 1), and their boxes (N, 8)."""
    _, height, width = SHAPE
    y, x = np.mgrid[:height, :width] + 0.5
    image, boxes = rng.normal(0, 0.3, (1, *SHAPE)).astype(np.float32), []
    for label, (least, most) in enumerate(((10, 14), (5, 7))):
        for _ in range(rng.integers(1, 3)):
            r = rng.uniform(least, most)
            cy, cx = rng.uniform(r, height - r), rng.uniform(r, width - r)
            image[0, 0][(y - cy) ** 2 + (x - cx) ** 2 < r**2] = 2.0 if label else -2.0
            boxes.append([0, cy - r, cx - r, 1, cy + r, cx + r, label, 0])
    return image, np.array(boxes, np.float32)


def a_batch(rng: np.random.Generator, count: int = 4) -> Batch:
    pictures = [a_picture(rng) for _ in range(count)]
    most = max(len(boxes) for _, boxes in pictures)
    target = np.full((count, most, 8), np.nan, np.float32)
    for number, (_, boxes) in enumerate(pictures):
        target[number, : len(boxes)] = boxes
    images = torch.from_numpy(np.stack([image for image, _ in pictures]))
    return Batch({"image": images}, {"boxes": torch.from_numpy(target)}, ())


def an_example(geometry: Geometry | None = None, shape: tuple[int, int, int] = SHAPE) -> Example:
    place = geometry or Geometry.unknown()
    return Example(
        a_case(), {"image": np.zeros((1, *SHAPE), np.float32)}, {}, place.resized(shape, SHAPE), (place, shape)
    )


def said(*candidates: tuple[tuple[float, float, float, float], tuple[float, float]]) -> Output:
    """An output from ((top, left, bottom, right) on the working grid, scores of the two labels)."""
    rows = [[0, t, left, 1, b, r, *scores] for (t, left, b, r), scores in candidates]
    return Output(np.array(rows, np.float32).reshape(-1, 8))


def truth(*boxes: tuple[float, float, float, float, int]) -> dict[str, np.ndarray]:
    return {"boxes": np.array([[0, t, le, 1, b, r, k, 0] for t, le, b, r, k in boxes], np.float32).reshape(-1, 8)}


def test_the_loss_is_finite_and_falls() -> None:
    torch.manual_seed(0)
    network = build_network(a_plan())
    (phase,) = TASK.phases(a_plan())
    optimiser = torch.optim.AdamW(phase.parameters(network), lr=3e-3)
    rng, losses = np.random.default_rng(0), []
    for _ in range(40):
        optimiser.zero_grad()
        loss = phase.loss(network, a_batch(rng))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])


def test_images_with_nothing_in_them_survive_the_loss() -> None:
    network = build_network(a_plan())
    (phase,) = TASK.phases(a_plan())
    for boxes in (torch.zeros((2, 0, 8)), torch.full((2, 3, 8), torch.nan)):
        loss = phase.loss(network, Batch({"image": torch.zeros(2, 1, *SHAPE)}, {"boxes": boxes}, ()))
        loss.backward()
        assert bool(torch.isfinite(loss))
    assert all(bool(torch.isfinite(one.grad).all()) for one in network.parameters() if one.grad is not None)


def test_what_is_ignored_is_neither_taught_nor_denied() -> None:
    places = positions(SHAPE, ((1, 8, 8), (1, 16, 16)))
    logits, boxes = torch.zeros(1, len(places[0]), 2), torch.zeros(1, len(places[0]), 6)
    boxes[..., 3:] = 8
    ignored = torch.tensor([[[0, 10, 10, 1, 50, 50, 0, 1.0]]])
    taught = assigned((logits, boxes), places, ignored)
    inside = ((places[0][:, 1:] > 10) & (places[0][:, 1:] < 50)).all(dim=1)
    assert not bool(taught.scores.any())
    assert torch.equal(taught.counted[0], ~inside)


def test_every_box_is_taught_somewhere_however_small_it_is() -> None:
    torch.manual_seed(0)
    places = positions(SHAPE, ((1, 8, 8), (1, 16, 16)))
    centres, strides = places
    boxes = torch.cat([centres - strides, centres + strides], dim=1)[None]
    boxes[..., 0], boxes[..., 3] = 0, 1
    small = torch.tensor([[[0, 15.5, 15.5, 1, 16.5, 16.5, 1, 0], [0, 20, 30, 1, 60, 80, 0, 0]]])
    taught = assigned((torch.zeros(1, len(centres), 2), boxes), places, small)
    of_label = (taught.scores > 0).sum(dim=1)[0]
    assert 1 <= int(of_label[1]) <= TAUGHT
    assert 1 <= int(of_label[0]) <= TAUGHT
    assert bool((taught.weight <= 1).all())


def test_suppression_keeps_the_surest_of_boxes_that_say_the_same() -> None:
    candidates = said(
        ((0, 0, 20, 20), (0.9, 0.0)), ((1, 1, 21, 21), (0.8, 0.0)), ((1, 1, 21, 21), (0.0, 0.7)),
        ((30, 30, 50, 50), (0.6, 0.0)), ((0, 0, 20, 20), (0.001, 0.0)),
    )  # fmt: skip
    kept = suppressed(candidates.values, 0.5)
    assert list(zip(kept.labels.tolist(), kept.scores.round(2).tolist(), strict=True)) == [(0, 0.9), (1, 0.7), (0, 0.6)]
    assert suppressed(np.zeros((5, 8), np.float32), 0.5).corners.shape == (0, 6)
    far = np.array([[0, 50 * n, 0, 1, 50 * n + 10, 10, 0.9, 0.9] for n in range(KEPT + 20)], np.float32)
    assert np.bincount(suppressed(far, 0.5).labels).tolist() == [KEPT, KEPT]


def test_what_is_said_of_a_mirrored_image_comes_back_to_its_place() -> None:
    torch.manual_seed(0)
    network = build_network(a_plan()).eval()
    image = torch.randn(1, 1, *SHAPE)
    with torch.no_grad():
        straight = network({"image": image})
        for axis in (1, 2):
            twice = network.mirrored(network.mirrored(straight, axis), axis)
            assert torch.allclose(twice, straight, atol=1e-4)
    for stride in network.strides:
        assert grids(SHAPE, [stride])[0][1] * stride[1] == SHAPE[1]
    # A position that says a box around itself says it, mirrored, around the position on the other side.
    centres, strides = positions(SHAPE, network.strides)
    own = torch.cat([centres - strides / 2, centres + strides, torch.rand(len(centres), 2)], dim=1)[None]
    back = network.mirrored(own, 2)
    middle = (back[0, :, 2] + back[0, :, 5]) / 2
    assert torch.allclose(middle, centres[:, 2] - strides[:, 2] / 4, atol=1e-3)


def test_a_reader_gives_candidates_of_each_image_whatever_else_is_in_the_batch() -> None:
    torch.manual_seed(0)
    plan = a_plan()
    reader = Reader([build_network(plan).eval()], plan, "torch", "fp32")
    rng = np.random.default_rng(1)
    examples = [Example(a_case(n), {"image": a_picture(rng)[0]}, {}) for n in range(3)]
    found = list(reader.read_all(examples))
    assert {one.values.shape for one in found} == {(12 * 8 + 6 * 4 + 3 * 2, 8)}
    assert np.allclose(found[2].values, reader.read(examples[2]).values, atol=1e-4)
    assert reader.together(examples[0]) == 2


def rows_of(plan: Plan, count: int = 30, seed: int = 0) -> list[Row]:
    """Images in which most boxes are found, some missed, and some are false and less sure."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(count):
        boxes, candidates = [], []
        for label in range(2):
            for _ in range(rng.integers(0, 3)):
                top, left = rng.uniform(0, 40), rng.uniform(0, 70)
                boxes.append((top, left, top + 12.0, left + 14.0, label))
                if rng.random() < 0.85:
                    score = float(rng.uniform(0.4, 0.95))
                    candidates.append(((top + 1, left, top + 12, left + 13), (score, 0) if label == 0 else (0, score)))
        for _ in range(rng.integers(0, 3)):
            top, left, score = rng.uniform(0, 40), rng.uniform(0, 70), float(rng.uniform(0.05, 0.6))
            candidates.append(((top, left, top + 9, left + 9), (score, 0)))
        example = Example(a_case(number), {}, {}, Geometry.unknown(), (Geometry.unknown(), SHAPE))
        rows.append(TASK.observe(said(*candidates), example, truth(*boxes), plan))
    return rows


def decided(rows: list[Row], plan: Plan) -> tuple[list[Row], dict[str, Any]]:
    decision = TASK.fit_decision(rows, plan)
    return [TASK.decide(row, decision, plan) for row in rows], decision


def test_a_perfect_answer_scores_perfectly_and_an_empty_one_does_not() -> None:
    plan = a_plan()
    boxes = ((4.0, 5.0, 20.0, 30.0, 0), (30.0, 40.0, 42.0, 55.0, 1))
    perfect = said(((4, 5, 20, 30), (0.9, 0)), ((30, 40, 42, 55), (0, 0.8)))
    rows = [TASK.observe(one, an_example(), truth(*boxes), plan) for one in (perfect, said())]
    _, decision = decided([rows[0]] * 12, plan)
    scores = TASK.score([TASK.decide(row, decision, plan) for row in rows], plan)
    found = {one.name: one for one in scores.statistics}
    for name in ("map50", "map50_95", "froc", "sensitivity", "f1", "map50/cell", "sensitivity/speck"):
        assert found[name].of(np.array([0])) == pytest.approx(1.0), name
        assert found[name].of(np.array([1])) == pytest.approx(0.0), name
    assert found["false_positives"].of(np.array([0, 1])) == 0
    assert scores.per_case.tolist() == [1.0, 0.0]


def test_false_positives_of_all_labels_are_added_also_of_one_that_has_no_truth() -> None:
    plan = a_plan()
    boxes = ((4.0, 5.0, 20.0, 30.0, 0),)
    two_false = said(((4, 5, 20, 30), (0.9, 0)), ((30, 5, 42, 20), (0.9, 0)), ((30, 40, 42, 55), (0, 0.8)))
    row = TASK.observe(two_false, an_example(), truth(*boxes), plan)
    row["said"] = [one.scores >= 0.5 for one in row["matches"]]
    found = {one.name: one.of(np.array([0])) for one in TASK.score([row], plan).statistics}
    assert (found["false_positives/cell"], found["false_positives/speck"], found["false_positives"]) == (1, 1, 2)


def test_figures_and_intervals_come_for_every_label() -> None:
    plan = a_plan()
    rows, decision = decided(rows_of(plan), plan)
    scores = TASK.score(rows, plan)
    found = measures(scores.statistics, [row["patient"] for row in rows], resamples=100)
    assert set(scores.headline) <= set(found)
    for name in ("map50", "map50/cell", "froc/speck", "sensitivity_at_1_false_positives", "false_positives/cell"):
        assert found[name].low is not None, name
    assert found["map50_95"].value <= found["map50"].value
    figures = TASK.figures(rows, plan, decision)
    assert [type(one) for one in figures] == [Chart, Chart, Chart, Grid]
    table = figures[-1]
    assert isinstance(table, Grid)
    for line in table.rows:
        name, threshold, true, called, hits, missed, false, _ = line
        assert threshold == round(decision["labels"][name]["point"]["threshold"], 3)
        assert (hits + missed, hits + false) == (true, called)
    assert [line[0] for line in table.rows] == ["cell", "speck"]


def test_resampling_counts_an_image_as_often_as_it_was_drawn() -> None:
    plan = a_plan()
    rows, _ = decided(rows_of(plan), plan)
    index = np.array([0, 0, 3, 5, 5, 5, 8, 11])
    drawn = TASK.score([rows[number] for number in index], plan)
    whole = {one.name: one for one in TASK.score(rows, plan).statistics}
    for one in drawn.statistics:
        assert one.of(np.arange(len(index))) == pytest.approx(whole[one.name].of(index), nan_ok=True), one.name


def test_probabilities_say_how_often_a_box_hits() -> None:
    plan = a_plan()
    rows, _ = decided(rows_of(plan, 300), plan)
    scores = np.concatenate([row["matches"][0].scores for row in rows])
    hits = np.concatenate([row["matches"][0].hits[0] for row in rows])
    assert scores.mean() == pytest.approx(hits.mean(), abs=0.02)
    surer = scores > np.median(scores)
    assert hits[surer].mean() == pytest.approx(scores[surer].mean(), abs=0.08)


def test_without_any_box_nothing_fails() -> None:
    plan = a_plan()
    rows = [TASK.observe(said(), an_example(), truth(), plan) for _ in range(3)]
    rows, decision = decided(rows, plan)
    scores = TASK.score(rows, plan)
    assert scores.per_case.tolist() == [1.0] * 3
    assert all(np.isnan(one.of(np.arange(3))) for one in scores.statistics if one.name.startswith("map"))
    assert TASK.figures(rows, plan, decision)
    assert TASK.figures([], plan, decision) == ()
    prediction = TASK.decode(said(), an_example(), decision, plan)
    assert [finding.status for finding in prediction.findings] == ["absent", "absent"]
    assert prediction.boxes == Boxes()


def sure(plan: Plan) -> dict[str, Any]:
    """A decision that leaves scores as they are, and says what reaches one half."""
    point = {"name": "fixed", "value": 0.5}
    rows = [TASK.observe(said(), an_example(), truth(), plan)]
    return TASK.fit_decision(rows, plan.with_choice("operating_point", point, "fixed", ""))


def test_findings_lie_inside_the_image_as_it_was_read_in_pixels_and_millimetres() -> None:
    plan, place = a_plan(), Geometry.from_spacing((1.0, 0.5, 0.25), (10.0, 20.0, 30.0))
    example = an_example(place, (1, 128, 288))
    output = said(((10, 20, 26, 40), (0.9, 0.1)), ((50, 90, 80, 120), (0, 0.8)), ((-30, -30, -5, -5), (0.9, 0)))
    prediction = TASK.decode(output, example, sure(plan), plan)
    cell, speck = prediction.findings
    assert (cell.concept, cell.status, speck.concept, speck.code) == ("cell", "present", "speck", "SCT:4147007")
    assert cell.place is not None
    assert (cell.place.start, cell.place.stop) == ((0, 20, 60), (1, 52, 120))
    assert cell.place.centre_mm == pytest.approx(place.to_mm(np.array([0, 35.5, 89.5])), abs=0.01)
    assert (cell.measures["width"].value, cell.measures["width"].unit) == (15.0, "mm")
    assert (cell.measures["height"].value, cell.measures["probability"].value) == (16.0, pytest.approx(0.9, abs=1e-4))
    assert speck.place is not None
    assert speck.place.stop == (1, 128, 288)
    assert prediction.boxes is not None
    assert prediction.boxes.array[0].tolist() == [0, 20, 60, 1, 52, 120]
    assert prediction.boxes.scores[0] == pytest.approx(0.9, abs=1e-4)
    assert cell.operating_point is not None
    assert (cell.operating_point.of, cell.operating_point.value, cell.operating_point.rule) == (
        "cell",
        0.5,
        "fixed 0.5",
    )


def test_without_millimetres_sizes_are_in_pixels() -> None:
    finding = TASK.decode(said(((10, 20, 26, 40), (0.9, 0))), an_example(), sure(a_plan()), a_plan()).findings[0]
    assert finding.place is not None
    assert finding.place.centre_mm is None
    assert (finding.measures["width"].value, finding.measures["width"].unit) == (20.0, "{pixels}")


def test_a_decision_is_plain_json_and_the_same_row_is_decided_alike() -> None:
    import json

    plan = a_plan()
    rows, decision = decided(rows_of(plan), plan)
    again = json.loads(json.dumps(decision))
    for row, one in zip(rows_of(plan), rows, strict=True):
        assert all(
            np.array_equal(a, b) for a, b in zip(TASK.decide(row, again, plan)["said"], one["said"], strict=True)
        )


def test_cases_in_which_nobody_drew_boxes_are_left_out_and_empty_ones_are_kept() -> None:
    drawn, empty = a_case(0, targets={"boxes": Boxes()}), a_case(1, targets={"boxes": None})
    (problem,) = TASK.problems([drawn, empty, a_case(2)], TARGET)
    assert problem.exclude == ("case1", "case2")
    assert TASK.problems([drawn], TARGET) == []


def test_the_stratum_is_what_is_in_the_image_and_no_bare_label() -> None:
    boxes = {name: Boxes.of([[0, 1, 1, 1, 2, 2]] * len(labels), labels) for name, labels in
             {"one": ["cell"], "two": ["speck", "cell"], "none": []}.items()}  # fmt: skip
    strata = [TASK.stratum(a_case(targets={"boxes": one}), TARGET) for one in boxes.values()]
    assert strata == ["cell alone", "cell + speck", "no box"]
    assert not set(strata) & {"cell", "speck"}


def facts(sides: dict[str, tuple[float, ...]], size: tuple[int, int, int] = (1, 480, 640)) -> Fingerprint:
    seen = InputFacts(
        kind="image", modality="photo", channels=3, dimensions=2, physical=False, shapes=(size,) * 5,
        spacings=((1.0, 1.0, 1.0),) * 5, intensity={}, per_case={},
    )  # fmt: skip
    return Fingerprint(
        dataset="d", cases=9, patients=9, inputs={"image": seen}, strata={}, box_sides=sides, bytes_decoded=0,
        seconds_per_case=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sides", "side", "levels"),
    [
        ({"big": (80.0, 90, 100, 110, 120), "small": (30.0, 35, 39, 43, 54)}, 320, [1, 2, 3]),
        ({"huge": (200.0, 250, 300, 350, 400)}, 256, [2, 3]),
        ({"tiny": (3.0, 5, 6, 7, 8)}, 640, [0, 1, 2, 3]),
        ({}, 256, [1, 2, 3]),
    ],
)
def test_the_working_size_lets_small_boxes_be_seen(sides: Any, side: int, levels: list[int]) -> None:
    chosen = TASK.choices(facts(sides), TARGET)
    assert chosen["longest_side"].value == side
    assert chosen["levels"].value == levels
    assert all(choice.reason for choice in chosen.values())


def test_volumes_are_learnt_in_patches_half_of_them_around_boxes() -> None:
    deep = facts({"cell": (4.0, 5, 6, 7, 8), "speck": (20.0, 24, 26, 27, 28)}, (30, 40, 50))
    seen = deep.inputs["image"].model_copy(update={"dimensions": 3})
    chosen = TASK.choices(deep.model_copy(update={"inputs": {"image": seen}}), TARGET)
    assert (chosen["whole"].value, chosen["foreground"].value) == (False, 0.5)
    assert chosen["levels"].value == [0, 1, 2, 3]
    assert "longest_side" not in chosen
    assert all(choice.reason for choice in chosen.values())


DEEP = (32, 32, 32)


def a_deep_plan(**fields: Any) -> Plan:
    options = {"width": 8, "depth": [1, 1, 1, 1], "strides": [[2, 2, 2]] * 5}
    plain: dict[str, Any] = {
        "model_options": options, "patch": list(DEEP), "levels": [0, 1, 2, 3], "whole": False, "overlap": 0.5,
        "suppression": 0.1, "mirror_axes": [2], "slices": 0, **fields,
    }  # fmt: skip
    return a_plan(**plain)


def deep_said(*candidates: tuple[tuple[float, ...], tuple[float, float]]) -> Output:
    return Output(np.array([[*box, *scores] for box, scores in candidates], np.float32).reshape(-1, 8))


def test_the_loss_falls_in_three_dimensions() -> None:
    torch.manual_seed(0)
    network = build_network(a_deep_plan())
    (phase,) = TASK.phases(a_deep_plan())
    optimiser = torch.optim.AdamW(phase.parameters(network), lr=3e-3)
    image, boxes = torch.zeros(2, 1, *DEEP), torch.full((2, 1, 8), torch.nan)
    image[0, 0, 8:16, 4:14, 10:20] = 2
    boxes[0, 0] = torch.tensor([8.0, 4, 10, 16, 14, 20, 1, 0])
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = phase.loss(network, Batch({"image": image}, {"boxes": boxes}, ()))
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


def test_a_volume_is_read_by_windows() -> None:
    torch.manual_seed(0)
    plan = a_deep_plan()
    reader = Reader([build_network(plan).eval()], plan, "torch", "fp32")
    shape = (32, 48, 64)
    example = Example(a_case(), {"image": np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)}, {})
    assert reader.windowed
    assert reader.together(example) == 1
    values = reader.read(example).values
    assert len(values) >= np.prod(grids(shape, reader.networks[0].strides)[0])
    assert np.isfinite(values).all()
    patch = Example(a_case(), {"image": example.inputs["image"][:, :, :32, :32]}, {})
    assert reader.read(patch).values.shape == (len(reader.networks[0].places), 8)


def test_in_volumes_a_box_hits_from_a_tenth_on_or_by_its_middle() -> None:
    plan, grid = a_deep_plan(), (40, 40, 40)
    place = Geometry.from_spacing((2.0, 1.0, 1.0))
    example = Example(a_case(), {}, {}, place, (place, grid))
    true = {"boxes": np.array([[10, 10, 10, 14, 14, 14, 0, 0]], np.float32)}
    # Overlap .125 and a middle within; overlap .125 and a middle outside; far away.
    near = deep_said(((8, 8, 8, 16, 16, 16), (0.9, 0)))
    beside = deep_said(((10, 10, 12.2, 14, 14, 20.2), (0.9, 0)))
    rows = [TASK.observe(one, example, true, plan) for one in (near, beside)]
    done, decision = decided(rows, plan)
    found = {one.name: one for one in TASK.score(done, plan).statistics}
    assert [found[name].of(np.array([0])) for name in ("map10", "map50", "froc", "froc_centre")] == [1, 0, 1, 1]
    assert [found[name].of(np.array([1])) for name in ("map10", "map50", "froc", "froc_centre")] == [1, 0, 1, 0]
    assert found["map10_50"].of(np.array([0])) == pytest.approx(1 / 9)
    assert TASK.score(done, plan).headline[0] == "map10"
    titles = [figure.title for figure in TASK.figures(done, plan, decision)]
    assert titles[:2] == ["FROC: sensitivity against false positives", "FROC by where the middle of a box lies"]
    prediction = TASK.decode(near, example, decision, plan)
    (finding,) = [one for one in prediction.findings if one.status == "present"]
    assert finding.measures["depth"].value == 16
    assert finding.measures["depth"].unit == "mm"
    assert finding.place is not None
    assert finding.place.centre_mm == (11.5, 11.5, 23.0)


def test_boxes_in_volumes_are_not_learnt_slice_by_slice() -> None:
    with pytest.raises(BadUsage, match="three dimensions"):
        build_network(a_deep_plan(slices=3))
