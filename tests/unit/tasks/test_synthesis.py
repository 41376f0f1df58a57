"""The task of making images: what it claims, what it keeps of a case, what it measures, and what it blocks."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom

from diascope.core.case import Target
from diascope.core.errors import BadUsage
from diascope.core.figure import Chart, Gallery, Grid
from diascope.core.plan import Fingerprint, InputFacts, Plan
from diascope.engine.batch import Batch, Example, Output, Row
from diascope.engine.building import build_network
from diascope.engine.measuring import audited, measured
from diascope.engine.task import Audit
from diascope.tasks.sampling import audit as auditing
from diascope.tasks.sampling import classifier
from diascope.tasks.sampling.spaces import mirrored, of_fixed_network, of_pixels
from diascope.tasks.synthesis import FEWEST, TASK
from diascope.testing.factories import CLASSES, LESION, a_case
from diascope.testing.releases import a_plan

IMAGES = CLASSES.model_copy(update={"kind": "images"})
SIDE = 16


def plan(target: Target = IMAGES, **changes: Any) -> Plan:
    plain = {"model": "gan", "model_options": {"width": 8, "noise": 4}, "intensity": {"image": {"rule": "grey"}}}
    return a_plan(CLASSES, (1, SIDE, SIDE), **{**plain, **changes}).model_copy(
        update={"task": "synthesis", "target": target}
    )


def pictures(count: int, seed: int) -> np.ndarray:
    """Clouds of grey, no two alike; in every other one (class 1) a bright square on the right."""
    rng = np.random.default_rng(seed)
    array = 90 + 30 * zoom(rng.normal(size=(count, 1, 6, 6)), (1, 1, SIDE / 6, SIDE / 6), order=1)
    for number in range(1, count, 2):
        y, size = rng.integers(2, 8), rng.integers(4, 6)
        array[number, 0, y : y + size, 9 : 9 + size] += 80
    return array.clip(0, 255).astype(np.uint8)


def rows(real: np.ndarray, made: np.ndarray, start: int = 0) -> list[Row]:
    return [
        {"case": f"case{start + n}", "unit": f"p{start + n}", "class": n % 2, "real": one, "made": other}
        for n, (one, other) in enumerate(zip(real, made, strict=True))
    ]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the judges learn is tested by one test alone."""
    monkeypatch.setattr(classifier, "STEPS", 8)


def test_it_takes_classes_for_images_and_makes_images_of_which_nothing_is_said_without() -> None:
    assert TASK.claim([CLASSES, LESION]) == (IMAGES,)
    (nothing,) = TASK.claim([LESION])
    assert (nothing.columns, nothing.labels) == ((), ())
    case = a_case(1)
    assert (TASK.stratum(case, IMAGES), TASK.stratum(case, nothing)) == ("b", "")
    assert TASK.encode(case, {}, nothing) == {}
    assert int(TASK.encode(case, {}, IMAGES)["class"]) == 1


def test_few_patients_are_refused_and_cases_without_a_label_left_out() -> None:
    few = [a_case(number) for number in range(FEWEST - 1)]
    assert [one.severity for one in TASK.problems(few, IMAGES)] == ["refuse"]
    many = [a_case(number) for number in range(FEWEST)] + [a_case(500, targets={"label": "other"})]
    assert [one.exclude for one in TASK.problems(many, IMAGES)] == [("case500",)]


def test_volumes_are_refused() -> None:
    with pytest.raises(BadUsage, match="flat images only"):
        TASK.choices(facts(3), IMAGES)
    assert TASK.choices(facts(2), IMAGES)["model"].value == "gan"


def facts(dimensions: Literal[2, 3]) -> Fingerprint:
    shape = (1 if dimensions == 2 else 8, SIDE, SIDE)
    one = InputFacts(
        kind="image", modality="us", channels=1, dimensions=dimensions, physical=False, shapes=(shape,) * 5,
        spacings=((1.0, 1.0, 1.0),) * 5, intensity={}, per_case={},
    )  # fmt: skip
    return Fingerprint(
        dataset="d", cases=9, patients=9, inputs={"image": one}, strata={"a": 9}, bytes_decoded=1, seconds_per_case=0.1
    )


def test_of_a_case_its_picture_and_one_made_of_its_class_are_kept() -> None:
    image = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(1, 1, SIDE, SIDE)
    made = np.stack([np.full((1, SIDE, SIDE), value, np.float32) for value in (0.2, 0.6)])
    row = TASK.observe(Output(made), Example(a_case(1), {"image": image}, {}), {"class": np.array(1)}, plan())
    assert row["class"] == 1
    assert row["made"].dtype == np.uint8
    assert row["made"].tolist() == np.full((1, SIDE, SIDE), 153).tolist()
    assert (row["real"].min(), row["real"].max()) == (0, 255)


def test_one_image_of_each_class_leaves() -> None:
    made = np.stack([np.full((1, SIDE, SIDE), value, np.float32) for value in (0.0, 1.0)])
    said = TASK.decode(Output(made), Example(a_case(), {}, {}), {}, plan())
    assert not said.findings
    assert [one.array.max() for one in said.images] == [0, 255]
    assert said.images[0].array.shape == (1, 1, SIDE, SIDE)


@pytest.mark.parametrize("model", ["gan", "vae"])
def test_the_phases_are_the_parts_of_the_model_with_their_rates(model: str) -> None:
    chosen = plan(model=model)
    torch.manual_seed(0)
    network = build_network(chosen)
    batch = Batch({"image": torch.rand(4, 1, 1, SIDE, SIDE)}, {"class": torch.tensor([0, 1, 0, 1])}, ("c",) * 4)
    phases = TASK.phases(chosen)
    assert [phase.rate for phase in phases] == {"gan": [2.0, 1.0], "vae": [4.0]}[model]
    for phase in phases:
        assert torch.isfinite(phase.loss(network, batch))
        assert list(phase.parameters(network))


def test_pictures_are_mirrored_only_where_the_plan_allows_it() -> None:
    seen: list[torch.Tensor] = []
    network = build_network(plan(mirror_axes=[2]))
    network.model.loss = lambda part, images, classes: seen.append(images) or images.sum()  # type: ignore[method-assign]
    ramp = torch.linspace(0, 1, SIDE).expand(64, 1, 1, SIDE, SIDE).contiguous()
    torch.manual_seed(0)
    for axes in ([2], []):
        TASK.phases(plan(mirror_axes=axes))[0].loss(network, Batch({"image": ramp}, {}, ("c",) * 64))
    falling = [(images[:, 0, 0, 0, 0] > images[:, 0, 0, 0, -1]).float().mean() for images in seen]
    assert 0.3 < falling[0] < 0.7
    assert falling[1] == 0


def test_the_score_tells_real_images_from_others() -> None:
    real = pictures(60, 1)
    scores = {
        name: TASK.score(rows(real, made), plan())
        for name, made in {"fresh": pictures(60, 2), "grey": np.full_like(real, 90)}.items()
    }
    found = {
        name: {one.name.split("/")[0]: one.of(np.arange(60)) for one in score.statistics}
        for name, score in scores.items()
    }
    for distance in ("kernel_distance", "frechet_distance"):
        assert found["fresh"][distance] < 0.1 * found["grey"][distance]
    assert found["fresh"]["image_precision"] > 0.6
    assert found["fresh"]["image_recall"] > 0.6
    assert (found["grey"]["image_precision"], found["grey"]["image_recall"]) == (0, 0)
    assert all("/" in name for name in scores["fresh"].headline)  # the feature space is stated


def test_a_distance_of_no_cases_or_of_one_is_undefined() -> None:
    for count in (0, 1):
        scores = TASK.score(rows(pictures(count, 1), pictures(count, 2)), plan())
        assert all(np.isnan(one.of(np.arange(count))) for one in scores.statistics[:2])


def laid(made_of_test: np.ndarray, made_of_training: np.ndarray, target: Target = IMAGES) -> Any:
    """An evaluation with its audit."""
    training, held = pictures(160, 3), pictures(60, 4)
    chosen, cases = plan(target), [a_case(number) for number in range(60)]
    seen = rows(held, made_of_test)
    evaluation = measured(chosen, seen, cases, {}, "test", "run")
    audit = TASK.score(seen, chosen).audit
    assert audit is not None
    found = audit(rows(training, made_of_training, start=60))
    return audited(evaluation, found, [case.patient for case in cases], 0)


def test_a_fresh_sampler_passes_and_its_images_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 50)
    evaluation = laid(pictures(60, 5), pictures(160, 6))
    assert evaluation.blocks == ()
    metrics = evaluation.metrics
    assert metrics["copies"].value == 0
    assert metrics["near_training_images/grey values"].value < 0.15
    taught, made = (metrics[f"balanced_accuracy/trained on {what} images"] for what in ("real", "made"))
    assert taught.value > 0.85
    assert made.value > 0.85
    difference = metrics["made_minus_real_balanced_accuracy"]
    assert difference.value == pytest.approx(made.value - taught.value)
    assert difference.low is not None or "do not vary" in difference.note
    floor = metrics["kernel_distance_of_training_images/classifier of the training part"]
    assert abs(floor.value) < 1
    assert all(measure.low is not None or measure.note for measure in metrics.values())
    kinds = [type(figure) for figure in evaluation.figures]
    assert kinds == [Gallery, Chart, Gallery, Grid]


def test_a_copier_is_blocked() -> None:
    training = pictures(160, 3)
    noisy = np.random.default_rng(7).normal(0, 4, training.shape)
    copies = (training + noisy).clip(0, 255).astype(np.uint8)
    evaluation = laid(copies[:60], copies)
    assert len(evaluation.blocks) == 2
    assert evaluation.blocks[0].startswith("training images are reproduced: 220 of 220")
    assert evaluation.metrics["copies"].value == 1


def test_a_few_copies_among_fresh_images_are_blocked() -> None:
    made = pictures(160, 6)
    made[:3] = pictures(160, 3)[10:13]
    evaluation = laid(pictures(60, 5), made)
    assert [line.split(":")[1].split(" of ")[0].strip() for line in evaluation.blocks] == ["3"]


def test_mirrored_copies_are_copies_where_the_plan_mirrors() -> None:
    training, held = pictures(160, 3), pictures(60, 4)
    turned = rows(training, training[..., ::-1].copy(), start=60)
    for axes, blocked in (([2], True), ([], False)):
        chosen = plan(TASK.claim([])[0], mirror_axes=axes)
        found = auditing.audit(rows(held, pictures(60, 5)), turned, chosen)
        assert any("reproduced" in line for line in found.blocks) == blocked


def test_without_classes_there_is_no_classifier() -> None:
    (nothing,) = TASK.claim([])
    seen = [{**row, "class": 0} for row in rows(pictures(60, 4), pictures(60, 5))]
    training = [{**row, "class": 0} for row in rows(pictures(160, 3), pictures(160, 6), start=60)]
    found = auditing.audit(seen, training, plan(nothing))
    assert not [one.name for one in found.statistics if "classifier" in one.name or "trained on" in one.name]
    assert TASK.figures(seen, plan(nothing), {})[0].pictures[0].caption.startswith("images:")


def test_nothing_to_lay_beside_says_nothing() -> None:
    assert auditing.audit([], [], plan()) == Audit()


def test_training_a_judge_leaves_the_stream_of_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    classifier.trained(pictures(20, 1), np.arange(20) % 2, 2, (2,), seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_the_same_judge_twice() -> None:
    one, other = (classifier.trained(pictures(20, 1), np.arange(20) % 2, 2, (), seed=1) for _ in range(2))
    assert np.array_equal(one.probabilities(pictures(5, 2)), other.probabilities(pictures(5, 2)))


def test_feature_spaces_are_fixed_and_finite() -> None:
    some = pictures(6, 1)
    for space in (of_fixed_network, of_pixels):
        features = space(some)
        assert np.isfinite(features).all()
        assert np.allclose(space(some[2:3]), features[2:3], atol=1e-5)
    assert of_fixed_network(some[:0]).shape == (0, 64)
    colour = np.repeat(some, 3, axis=1)
    assert of_fixed_network(colour).shape == (6, 64)
    assert of_pixels(np.zeros((2, 1, 128, 64), np.uint8)).shape == (2, 32 * 16)


def test_mirror_images_follow_their_picture() -> None:
    some = pictures(3, 1)
    both = mirrored(some, (2,))
    assert np.array_equal(both[::2], some)
    assert np.array_equal(both[1::2], some[..., ::-1])
    assert mirrored(some, ()).shape == some.shape
