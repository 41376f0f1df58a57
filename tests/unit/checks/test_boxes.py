"""What is wrong with single boxes is said with their image and number, and leaves the image in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.checks.boxes import CHECK
from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.figure import Bars, Gallery
from diascope.planning.survey import Survey
from diascope.testing import a_survey
from diascope.testing.factories import CELLS

SOUND = (0, 8, 9, 1, 20, 30)


def survey(*boxes: list[tuple[float, ...]], root: Path = Path()) -> Survey:
    """One case for each list of corners, of 64 x 64."""
    plain = a_survey(len(boxes), CELLS)
    cases = tuple(
        case.model_copy(update={"targets": {"boxes": Boxes.of(mine, ["cell"] * len(mine))}})
        for case, mine in zip(plain.cases, boxes, strict=True)
    )
    return replace(plain, cases=cases, root=root)


@pytest.mark.parametrize(
    ("boxes", "severity", "title"),
    [
        ([SOUND, (0, 5, 5, 1, 5, 5)], "warn", "1 box without extent in 1 of 2 cases"),
        ([SOUND, (0, 5, 5, 1, 9, 3)], "warn", "1 box without extent"),
        ([SOUND, (0, 70, 70, 1, 90, 90)], "warn", "1 box outside of the image"),
        ([SOUND, (0, 0, 0, 1, 0.5, 0.5)], "note", "1 box far smaller than usual"),
        ([SOUND, (0, 40, 40, 1, 70, 60)], "note", "1 box reaching out of the image"),
        ([SOUND, SOUND], "warn", "1 box drawn twice"),
        ([SOUND, (0, 5, 5, 1, 7, 9)], "note", "1 box far smaller than usual"),
    ],
)
def test_each_fault_is_named_by_case_and_number(boxes: list[tuple[float, ...]], severity: str, title: str) -> None:
    (problem,) = CHECK.look(survey(boxes, [SOUND]))
    assert problem.severity == severity
    assert problem.title.startswith(title)
    assert problem.cases == ("case0",)
    assert problem.exclude == ()
    assert "case0 (2)" in problem.detail


def test_boxes_without_a_place_along_z_are_refused_in_volumes() -> None:
    plain = survey([SOUND], [])
    seen = {
        name: replace(one, inputs={"image": replace(one.inputs["image"], shape=(20, 64, 64))})
        for name, one in plain.facts.items()
    }
    (problem,) = CHECK.look(replace(plain, facts=seen))
    assert problem.severity == "refuse"
    assert problem.title.startswith("1 box in the first slice of a volume in 1 of 2 cases")
    deep = replace(survey([(3, 8, 9, 8, 20, 30)], [SOUND]), facts=seen)
    assert all(problem.severity != "refuse" for problem in CHECK.look(deep))


BEYOND = (0, 70, 70, 1, 90, 90)


def test_where_most_boxes_are_outside_they_belong_to_another_size_of_the_image_and_that_is_refused() -> None:
    def severities(*boxes: list[tuple[float, ...]]) -> dict[str, str]:
        return {problem.title.split(" in ")[0]: problem.severity for problem in CHECK.look(survey(*boxes))}

    assert severities([SOUND], [BEYOND], [SOUND])["1 box outside of the image"] == "warn"
    assert severities([SOUND], [BEYOND], [(0, 40, 40, 1, 90, 90)])["1 box outside of the image"] == "refuse"
    assert (
        severities([BEYOND], [(0, 5, 5, 1, 5, 5)])["2 of 2 cases (100.0 %) without any box that could be learnt"]
        == "refuse"
    )


def test_boxes_that_are_given_as_shares_of_the_sides_are_refused() -> None:
    (problem,) = CHECK.look(survey([(0, 0.1, 0.2, 1, 0.4, 0.5)], [(0, 0.6, 0.6, 1, 1, 1)], []))
    assert problem.severity == "refuse"
    assert "Multiply x by its width" in problem.detail


def test_more_boxes_of_a_label_than_are_ever_said_are_warned_of() -> None:
    many = [(0, 5, 1 + n / 10, 1, 30, 30 + n / 10) for n in range(103)]
    (problem,) = CHECK.look(survey(many, [SOUND]))
    assert (problem.severity, problem.title) == ("warn", "3 boxes beyond the 100 of a label in 1 of 2 cases (50.0 %)")
    assert "case0 (101, 102, 103)" in problem.detail


def test_a_box_that_is_far_below_what_its_label_has_is_tiny() -> None:
    large = (0, 2, 2, 1, 60, 60)
    (problem,) = CHECK.look(survey([large, (0, 3, 3, 1, 7, 7)], [large], [large]))
    assert "far smaller" in problem.title


def test_images_without_a_box_are_said_and_kept_and_nothing_but_them_is_refused() -> None:
    (problem,) = CHECK.look(survey([SOUND], [], []))
    assert (problem.severity, problem.cases, problem.exclude) == ("note", ("case1", "case2"), ())
    assert [one.severity for one in CHECK.look(survey([], []))] == ["refuse"]


def test_sound_boxes_and_other_targets_are_nothing_to_say_about() -> None:
    assert CHECK.look(survey([SOUND], [SOUND])) == []
    assert CHECK.look(a_survey(3)) == []


def test_the_finding_shows_the_image_with_the_box(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((64, 64), 90, np.uint8)).save(tmp_path / "0.png")
    (problem,) = CHECK.look(survey([SOUND, (0, 30, 30, 1, 30, 30)], [SOUND], root=tmp_path))
    assert isinstance(problem.figure, Gallery)
    assert [picture.case for picture in problem.figure.pictures] == ["case0"]
    assert CHECK.look(survey([SOUND, (0, 30, 30, 1, 30, 30)], [SOUND]))[0].figure is None


def test_cases_are_counted_by_the_labels_of_their_boxes() -> None:
    (problem,) = [one for one in registry.get("checks", "class_counts").look(survey(*[[SOUND]] * 20, []))]
    assert problem.title == "cell 20 cases"
    assert isinstance(problem.figure, Bars)
