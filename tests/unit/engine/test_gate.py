"""The input gate: what a release was not made for is refused with every reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diascope.core.evaluation import Gate, GateRule
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.engine.batch import Example, Output
from diascope.engine.gate import FEWEST, broken_rules, distance, features, fit_gate
from diascope.testing import a_case, an_image

CT = GateRule(
    input="image", modality="ct", dimensions=3, channels=1, spacing_low=(1.5, 0.35, 0.5), spacing_high=(6.0, 1.5, 2.2)
)
XRAY = GateRule(input="image", modality="xray", dimensions=2, channels=1)


def reasons(rule: GateRule, image: Image) -> list[str]:
    return broken_rules(Gate(rules=(rule,)), {"image": image})


def test_what_it_was_made_for_passes() -> None:
    assert reasons(CT, an_image("ct")) == []
    assert reasons(XRAY, an_image("xray")) == []


@pytest.mark.parametrize("modality", ["mr", "pt"])
def test_another_modality_is_refused(modality: str) -> None:
    (reason,) = reasons(CT, an_image(modality))
    assert modality in reason
    assert "ct" in reason


def test_a_photograph_is_refused_for_every_reason() -> None:
    found = " ".join(reasons(CT, an_image("photo")))
    assert "modality photo" in found
    assert "2-D image, trained on 3-D" in found
    assert "no millimetres" in found


@pytest.mark.parametrize("value", [0, -1000, 77])
def test_a_blank_image_is_refused(value: int) -> None:
    blank = an_image("ct").with_array(np.full((1, 4, 9, 9), value, np.int16))
    assert reasons(CT, blank) == ["image: the image is blank"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    array = an_image("ct").array.astype(np.float32)
    array[0, 1, 2, 3] = value
    assert reasons(CT, an_image("ct").with_array(array)) == ["image: some voxels are not finite"]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [((3.0, 0.7, 1.1), False), ((0.7, 3.0, 1.1), False), ((9.0, 0.7, 1.1), True), ((3.0, 0.1, 1.1), True)],
)
def test_spacing_is_compared_whatever_the_order_of_the_axes(steps: tuple[float, float, float], refused: bool) -> None:
    image = an_image("ct")
    other = Image(image.array, Geometry.from_spacing(steps), "ct", "HU")
    assert bool(reasons(CT, other)) is refused


def test_a_missing_input_is_named() -> None:
    assert broken_rules(Gate(rules=(CT,)), {}) == ["the input 'image' is missing"]


def test_grey_may_stand_for_colour() -> None:
    photo = GateRule(input="image", modality="photo", dimensions=2, channels=3)
    grey = Image(an_image("photo").array[:1], Geometry.unknown(), "photo", "grey")
    assert reasons(photo, grey) == []


@pytest.mark.parametrize(("tint", "refused"), [((1.0, 1.0, 1.0), False), ((1.0, 0.2, 0.2), True)])
def test_a_grey_release_reads_films_saved_in_colour_but_no_photograph(
    tint: tuple[float, float, float], refused: bool
) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (1, 1, 40, 30)).astype(np.float32)
    saved = Image((grey * np.array(tint)[:, None, None, None]).astype(np.uint8), Geometry.unknown())
    assert bool(reasons(XRAY, saved)) is refused


@pytest.mark.parametrize(("add", "times", "refused"), [(0, 1, False), (40, 1.2, False), (1024, 1, True), (0, 12, True)])
def test_numbers_on_another_scale_are_refused(add: float, times: float, refused: bool) -> None:
    """HU without their intercept, or grey values of another kind of file."""
    image = an_image("ct")
    mean, std = float(image.array.mean()), float(image.array.std())
    rule = CT.model_copy(update={"intensity": {"mean": (mean - 300, mean + 300), "std": (std / 2, std * 2)}})
    other = image.with_array(image.array.astype(np.float32) * times + add)
    found = reasons(rule, other)
    assert bool(found) is refused
    assert all("trained on" in reason for reason in found)


class Nothing(dict[str, Any]):
    """A plan of one that reads no input."""

    def __missing__(self, key: str) -> Any:
        return {}


PLAN: Any = Nothing()


def pictures(count: int, kind: str = "like", seed: int = 0) -> list[np.ndarray]:
    """Features of pictures like those in training, or of others."""
    found = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        y, x = np.mgrid[-1:1:24j, -1:1:24j]  # type: ignore[misc]
        body = ((x - rng.normal(0, 0.05)) ** 2 + y**2 < rng.normal(0.6, 0.05)).astype(np.float32)
        image = {
            "like": body * rng.normal(1.5, 0.1) + rng.normal(0, 0.1, body.shape),
            "noise": rng.normal(0, 1, body.shape),
            "inverted": 1.5 - body * 1.5 + rng.normal(0, 0.1, body.shape),
            "stripes": np.sign(np.sin(20 * x)) + rng.normal(0, 0.1, body.shape),
            "dark": body * 0.05,
        }[kind]
        example = Example(a_case(number), {"image": image[None, None].astype(np.float32)}, {})
        found.append(features(example, Output(np.zeros(2), {}, np.zeros(0, np.float32)), PLAN))
    return found


def names(count: int) -> list[str]:
    return [f"patient {number}" for number in range(count)]


def test_few_cases_have_no_distance() -> None:
    gate, arrays = fit_gate(Nothing(), None, pictures(FEWEST - 1), names(FEWEST - 1))  # type: ignore[arg-type]
    assert gate.distance_limit is None
    assert arrays == {}


def test_the_distance_refuses_other_pictures_and_few_of_those_like_training() -> None:
    gate, arrays = fit_gate(Nothing(), None, pictures(80), names(80))  # type: ignore[arg-type]
    assert gate.distance_limit is not None
    assert gate.false_refusal_rate is not None
    assert gate.false_refusal_high is not None
    # Nobody can promise 0 % after 80 cases.
    assert gate.false_refusal_rate < 0.06
    assert 0.03 < gate.false_refusal_high < 0.15
    assert gate.fitted_on == 80
    like = np.array([distance(row, arrays) for row in pictures(200, "like", 1)])
    assert np.mean(like > gate.distance_limit) <= 0.03
    for kind in ("noise", "inverted", "stripes", "dark"):
        other = np.array([distance(row, arrays) for row in pictures(50, kind, 2)])
        assert np.mean(other > gate.distance_limit) >= 0.99, kind


def test_rows_with_learnt_features_are_judged_by_what_was_fitted() -> None:
    rows = pictures(40)
    _, arrays = fit_gate(Nothing(), None, rows, names(40))  # type: ignore[arg-type]
    assert distance(np.concatenate([rows[0], np.full(512, 99.0)]), arrays) == distance(rows[0], arrays)


def test_no_patient_is_judged_by_a_fit_on_himself() -> None:
    """Ten patients with four equal pictures each: alone, none of them is like the others by more than chance."""
    rows = [row for row in pictures(10) for _ in range(4)]
    patients = [name for name in names(10) for _ in range(4)]
    apart, _ = fit_gate(Nothing(), None, rows, patients)  # type: ignore[arg-type]
    mixed, _ = fit_gate(Nothing(), None, rows, names(40))  # type: ignore[arg-type]
    assert apart.distance_limit is not None
    assert mixed.distance_limit is not None
    assert apart.distance_limit > mixed.distance_limit


def test_features_of_an_image_do_not_depend_on_what_else_is_read() -> None:
    assert np.array_equal(pictures(3)[2], pictures(5)[2])
    assert all(np.isfinite(row).all() for row in pictures(3))
