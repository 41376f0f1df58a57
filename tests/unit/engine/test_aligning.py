"""Other labelled data and a release: which cases may be measured, and which label stands for which."""

from __future__ import annotations

from typing import Any

import pytest

from diascope.core.case import Label, Split, Target
from diascope.core.errors import DataRefused
from diascope.engine.aligning import aligned, in_values_of, measurable
from diascope.testing import a_case
from diascope.testing.releases import a_plan


def a_mask(*labels: tuple[str, int], ignore: int | None = None, **changes: Any) -> Target:
    found = tuple(Label(name=name, value=value, **changes) for name, value in labels)
    return Target(name="mask", kind="mask", columns=("mask",), labels=found, ignore=ignore)


@pytest.mark.parametrize(
    ("given", "kept", "said"),
    [
        (("train", "val", "test", "test"), [2, 3], "2 of 4 cases are train or val in their source, and were left out"),
        (("train", "test", None), [1, 2], "1 of 3 cases are train or val in their source, and were left out"),
        (("test", "test"), [0, 1], ""),
        ((None, None), [0, 1], ""),
        (("train", "val", None), [0, 1, 2], "THESE CASES MAY HAVE BEEN TRAINED ON: 2 of 3 are train or val"),
        ((), [], ""),
    ],
)
def test_the_test_part_is_measured_where_there_is_one(
    given: tuple[Split | None, ...], kept: list[int], said: str
) -> None:
    cases = [a_case(number, split=split) for number, split in enumerate(given)]
    found, warning = measurable(cases)
    assert found == [cases[number] for number in kept]
    assert warning.startswith(said)
    assert bool(warning) == bool(said)


@pytest.mark.parametrize(("name", "value"), [("1st_manual", 255), ("vessel", 1), ("mask", 1)])
def test_one_structure_stands_for_another(name: str, value: int) -> None:
    plan, theirs = a_plan(a_mask(("mask", 255), ignore=7)), a_mask((name, value))
    scored, note = in_values_of(theirs, plan)
    assert scored.target.labels == (Label(name="mask", value=value),)
    assert scored.target.ignore is None
    assert note == f"the label {name!r} (value {value}) of the data is taken for 'mask' (255)"
    for one in (plan, scored):
        assert aligned([a_case()], theirs, one)[0].split == "test"


def test_the_same_structure_is_not_spoken_of() -> None:
    plan = a_plan(a_mask(("mask", 255)))
    assert in_values_of(a_mask(("mask", 255)), plan) == (plan, "")


@pytest.mark.parametrize(
    "theirs", [a_mask(("vessel", 1), ("vein", 2)), a_mask(("vessel", 1), members=(1, 2))], ids=["two", "region"]
)
def test_several_structures_and_regions_are_known_by_name_only(theirs: Target) -> None:
    plan = a_plan(a_mask(("mask", 255)))
    assert in_values_of(theirs, plan) == (plan, "")
    with pytest.raises(DataRefused, match="does not know the labels vessel"):
        aligned([a_case()], theirs, plan)


def labels(*names: str) -> Target:
    found = tuple(Label(name=name, value=place) for place, name in enumerate(names))
    return Target(name="findings", kind="labels", columns=names, labels=found)


def of_labels(*names: str) -> Any:
    return a_plan().model_copy(update={"target": labels(*names)})


@pytest.mark.parametrize("theirs", [("nodule", "mass"), ("mass", "nodule")])
def test_several_columns_correspond_by_their_names_in_any_order(theirs: tuple[str, ...]) -> None:
    case = a_case(targets={"mass": 1, "nodule": 0, "label": "a"})
    (found,) = aligned([case], labels(*theirs), of_labels("mass", "nodule"))
    assert found.targets == {"mass": 1, "nodule": 0}


def test_labels_that_the_data_lacks_are_not_said_and_others_are_refused() -> None:
    case = a_case(targets={"mass": 1, "hernia": 0})
    (found,) = aligned([case], labels("mass"), of_labels("mass", "nodule"))
    assert found.targets == {"mass": 1, "nodule": None}
    with pytest.raises(DataRefused, match="does not know the labels hernia"):
        aligned([case], labels("mass", "hernia"), of_labels("mass", "nodule"))


def test_a_time_and_an_event_correspond_by_their_place() -> None:
    ours, theirs = (
        Target(name="time_to_event", kind="time_to_event", columns=columns)
        for columns in (("time", "event"), ("os_months", "status"))
    )
    plan = a_plan().model_copy(update={"target": ours})
    (found,) = aligned([a_case(targets={"os_months": 3.0, "status": 1})], theirs, plan)
    assert found.targets == {"time": 3.0, "event": 1}
