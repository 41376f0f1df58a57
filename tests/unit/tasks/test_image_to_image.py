"""Pairs of images: what the plan says of them, that a network learns them, what is measured, said and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from diascope import formats
from diascope.core import registry
from diascope.core.case import Dataset, FileRef, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.engine.batch import Output
from diascope.engine.building import build_network
from diascope.engine.feeding import Feed
from diascope.engine.preparing import prepared, stored_cases, truth_of
from diascope.engine.reading import Reader
from diascope.planning.fingerprint import fingerprint
from diascope.planning.survey import take_survey
from diascope.reports.words import choose
from diascope.sources import Listing, SourceOptions
from diascope.sources.image_pairs import SOURCE
from diascope.tasks.image_to_image import GAIN, INPUT, TASK
from diascope.tasks.pairs.errors import expected, fitted

SHAPE = (6, 16, 18)
GRID = Geometry.from_spacing((2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
UNET = {"features": [8, 16], "strides": [[1, 1, 1], [2, 2, 2]], "kernels": [[3, 3, 3]] * 2, "blocks": [1, 1],
        "decoder_blocks": [1], "levels": 1}  # fmt: skip


def pairs(root: Path, count: int = 6, bias: float = 40.0, unit: str = "HU") -> Listing:
    """Noisy volumes with a bias, and what they should be."""
    rng = np.random.default_rng(0)
    for number in range(count):
        clean = np.full(SHAPE, -1000.0, np.float32)
        clean[1:5, 3:12, 4 : 12 + number % 3] = 60
        noisy = clean + bias + rng.normal(0, 25, SHAPE)
        for folder, array, said in (("images", noisy, "HU"), ("targets", clean, unit)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            image = Image(array[None].astype(np.float32), GRID, "ct", said)
            registry.get("formats", "nifti").write(image, root / folder / f"{number}.nii.gz")
    return SOURCE.list(str(root), SourceOptions())


def facts(listing: Listing) -> Fingerprint:
    cases = tuple(case.model_copy(update={"split": "train"}) for case in listing.cases)
    dataset = Dataset(
        name="d", source="image_pairs", root=str(listing.root), task="image_to_image", target=listing.targets[0],
        cases=cases,
    )  # fmt: skip
    survey = take_survey(listing.cases, listing.root, listing.targets[0], workers=1)
    assert not survey.unreadable
    return fingerprint(dataset, survey, lambda case: TASK.stratum(case, listing.targets[0]))


def a_plan(found: Fingerprint, target: Target, **changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "image_inputs": ["image"], "readings": {}, "channels": {"image": 1}, "patch": [4, 16, 16], "batch": 4,
        "spacing": [2.0, 1.0, 1.0], "overlap": 0.5, "mirror_axes": [2], "mirror_reading": True, "read_batch": 1,
        "skip_empty": False, "memory_gb": 4.0, "dropout": 0.0, "recipe": [["mirror", {"axes": [2]}]],
        "model_options": UNET,
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in plain.items()}
    choices |= TASK.choices(found, target)
    if not choices["intensity"].value:
        choices["intensity"] = Choice(value={"image": {"rule": "z-score"}}, kind="rule", reason="")
    choices["model"] = Choice(value="unet", kind="fixed", reason="")
    choices |= {name: Choice(value=value, kind="by hand", reason="") for name, value in changes.items()}
    return Plan(dataset="d@1", task="image_to_image", target=target, seed=0, choices=choices)


def learnt(plan: Plan, listing: Listing, steps: int) -> torch.nn.Module:
    torch.manual_seed(0)
    network = build_network(plan)
    feed, (phase,) = Feed(stored_cases(listing.cases, listing.root, plan), plan), TASK.phases(plan)
    optimiser = torch.optim.AdamW(phase.parameters(network), 3e-3)
    for batch in feed.batches(0, steps):
        optimiser.zero_grad()
        phase.loss(network, batch).backward()
        optimiser.step()
    return network.eval()


def test_the_plan_learns_the_difference_where_there_is_one_unit(tmp_path: Path) -> None:
    listing = pairs(tmp_path)
    found = facts(listing)
    assert found.target_image is not None
    assert found.target_image.unit == found.inputs["image"].unit == "HU"
    assert found.pair_difference[0] == pytest.approx(42, abs=3)
    plan = a_plan(found, listing.targets[0])
    assert plan["difference"]
    assert plan["beside_input"]
    assert plan["made_scale"] == [0.0, found.pair_difference[0]]
    assert plan["intensity"]["image"]["rule"] == "window"
    example, masks = prepared(listing.cases[0], listing.root, plan)
    network = build_network(plan).eval()
    with torch.no_grad():
        made = network({"image": torch.from_numpy(example.inputs["image"])[None]})
    assert example.seen is not None
    assert made[0, 0].numpy() == pytest.approx(example.seen.array[0], abs=0.01)  # it begins as the input itself
    assert truth_of(example, masks, plan)["image"] == pytest.approx(masks["target_image"])


def test_another_unit_is_made_anew_and_has_nothing_to_lie_beside(tmp_path: Path) -> None:
    listing = pairs(tmp_path, unit="a.u.")
    found = facts(listing)
    plan = a_plan(found, listing.targets[0])
    assert not plan["difference"]
    assert not plan["beside_input"]
    assert found.target_image is not None
    targets = np.stack([formats.read(case.targets["target_image"], tmp_path).array for case in listing.cases])
    assert plan["made_scale"] == pytest.approx([targets.mean(), targets.std()], rel=0.01)
    assert plan["data_range"] == 1060
    row = {"case": "a", "mae": 1.0, "psnr": 20.0, "ssim": 0.9, "inside": None, "expected": None}
    assert {one.name for one in TASK.score([row], plan).statistics} == {
        "mae",
        "psnr",
        "ssim",
        "below_bound",
        "error_ratio",
    }


def test_it_learns_and_what_is_said_is_in_the_unit(tmp_path: Path) -> None:
    listing = pairs(tmp_path)
    plan = a_plan(facts(listing), listing.targets[0])
    reader = Reader([learnt(plan, listing, 30)], plan, "torch", "fp32")
    rows = []
    for case in listing.cases:
        example, masks = prepared(case, listing.root, plan)
        output = reader.read(example)
        assert output.values.shape == SHAPE
        assert output.spread is not None
        assert (output.spread >= 0).all()
        rows.append(TASK.observe(output, example, truth_of(example, masks, plan), plan))
    decision = TASK.fit_decision(rows, plan)
    assert decision["mae_bound"] is None  # six cases hold no bound for nine of ten
    decided = [TASK.decide(row, decision, plan) for row in rows]
    scores = TASK.score(decided, plan)
    values = {one.name: one.of(np.arange(len(rows))) for one in scores.statistics}
    assert values["mae"] < 0.7 * values[f"mae/{INPUT}"]
    assert values[f"mae/{GAIN}"] == pytest.approx(values["mae"] - values[f"mae/{INPUT}"])
    assert values[f"psnr/{GAIN}"] > 0
    assert values["error_ratio"] == pytest.approx(1, abs=0.01)  # on the cases that the line was fitted on
    assert [figure.kind for figure in TASK.figures(decided, plan, decision)] == ["bars", "chart", "chart"]
    said = TASK.decode(output, example, decision, plan)
    assert said.made is not None
    assert said.error is not None
    assert (said.made.unit, said.made.shape) == ("HU", SHAPE)
    assert said.made.geometry.is_close(GRID)
    measure = said.findings[0].measures["expected absolute error"]
    assert (measure.unit, measure.high) == ("HU", None)
    assert measure.note == "mean over voxels; too few validation cases for a bound"
    assert measure.value == pytest.approx(float(said.error.array.mean()), rel=1e-3)


def test_the_bound_holds_nine_of_ten_and_the_line_follows_the_disagreement() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        spread = rng.uniform(0, 4, 500)
        wrong = 1 + 2 * spread + rng.normal(0, 0.1, 500)
        rows.append({
            "mae": wrong.mean(), "spread": spread.mean(), "spread_squared": (spread**2).mean(),
            "spread_wrong": (spread * wrong).mean(),
        })  # fmt: skip
    decision = fitted(rows)
    assert sum(row["mae"] <= decision["mae_bound"] for row in rows) == 37  # ceil(0.9 * 41)
    assert decision["expected_error"] == pytest.approx([1, 2], abs=0.05)
    assert expected(np.array([0.0, 3.0]), decision) == pytest.approx([1, 7], abs=0.1)
    assert expected(None, decision) is None


def test_augmentations_that_change_values_are_refused(tmp_path: Path) -> None:
    listing = pairs(tmp_path)
    plan = a_plan(facts(listing), listing.targets[0], augment="strong")
    with pytest.raises(BadUsage, match="changes an input without its target"):
        build_network(plan)


def test_input_and_target_are_cut_and_mirrored_alike(tmp_path: Path) -> None:
    listing = pairs(tmp_path, bias=0.0)
    plan = a_plan(facts(listing), listing.targets[0], patch=[4, 8, 8])
    batch = Feed(stored_cases(listing.cases, listing.root, plan), plan).make(0)
    rule = plan["intensity"]["image"]
    seen = batch.inputs["image"][:, 0] * rule["std"][0] + rule["mean"][0]
    assert batch.target["image"].shape == (4, 4, 8, 8)
    assert float((seen - batch.target["image"]).abs().mean()) < 30  # the noise alone: nothing is displaced


def test_without_a_pair_there_is_no_plan(tmp_path: Path) -> None:
    listing = pairs(tmp_path)
    found = facts(listing).model_copy(update={"target_image": None})
    with pytest.raises(DataRefused, match="no pair"):
        TASK.choices(found, listing.targets[0])


def test_a_case_without_a_target_is_left_out(tmp_path: Path) -> None:
    listing = pairs(tmp_path)
    bare = listing.cases[0].model_copy(update={"targets": {"target_image": None}})
    (problem,) = TASK.problems([bare, *listing.cases[1:]], listing.targets[0])
    assert problem.exclude == (bare.id,)
    assert TASK.problems(listing.cases, listing.targets[0]) == []


def test_what_was_made_says_so_in_its_file(tmp_path: Path) -> None:
    image = Image(np.zeros((1, *SHAPE), np.float32), GRID, unit="HU", attributes={"synthetic": "diascope x@1 abc"})
    registry.get("formats", "nifti").write(image, tmp_path / "made.nii.gz")
    back = formats.read(FileRef(format="nifti", paths=("made.nii.gz",)), tmp_path)
    assert back.attributes["synthetic"] == "diascope-x@1-abc"
    assert back.unit == "HU"
    assert any("made by" in note for note in back.history)


def test_a_reading_without_a_grid_says_nothing(tmp_path: Path) -> None:
    listing = pairs(tmp_path)
    plan = a_plan(facts(listing), listing.targets[0])
    example, _ = prepared(listing.cases[0], listing.root, plan)
    decision = {"mae_bound": None, "mae_median": 1.0, "expected_error": None, "rule": ""}
    output = Output(np.zeros(SHAPE, np.float32))
    assert TASK.decode(output, replace(example, original=None), decision, plan).made is None
    said = TASK.decode(output, example, decision, plan)
    assert said.error is None
    measure = said.findings[0].measures["expected absolute error"]
    assert (measure.value, "not of this one: without mirrored readings" in measure.note) == (1.0, True)


def test_every_reason_of_the_plan_is_chinese_as_well(tmp_path: Path) -> None:
    words = choose("zh-CN")
    for number, unit in enumerate(("HU", "a.u.")):
        listing = pairs(tmp_path / str(number), unit=unit)
        for name, choice in TASK.choices(facts(listing), listing.targets[0]).items():
            assert words.phrase(choice.reason) != choice.reason, name


def test_a_picture_of_eight_bits_stays_one_however_white_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "targets"):
        (tmp_path / folder).mkdir()
        for number in range(3):
            Pillow.fromarray(rng.integers(0, 256, (16, 18), np.uint8)).save(tmp_path / folder / f"{number}.png")
    listing = SOURCE.list(str(tmp_path), SourceOptions())
    plan = a_plan(facts(listing), listing.targets[0], patch=[1, 16, 16], spacing=[1.0, 1.0, 1.0])
    example, masks = prepared(listing.cases[0], listing.root, plan)
    truth = truth_of(example, masks, plan)
    output = Output(np.where(truth["image"] > 128, 300, -40).astype(np.float32))
    decision = {"mae_bound": None, "mae_median": 1.0, "expected_error": None, "rule": ""}
    made = TASK.decode(output, example, decision, plan).made
    assert made is not None
    assert (made.array.min(), made.array.max()) == (0, 255)
    assert TASK.observe(output, example, truth, plan)["mae"] == pytest.approx(
        np.abs(made.array - truth["image"]).mean()
    )
