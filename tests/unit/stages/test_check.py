"""Which target is meant, which inputs are read, what may be accepted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from diascope.core.case import Target
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.plan import Choice, Plan
from diascope.core.problem import Problem
from diascope.planning.looked import Looked
from diascope.sources import Request, SourceOptions
from diascope.stages.check import check, look
from diascope.store.workspace import Workspace


def a_table(root: Path, header: str, rows: Sequence[str], files: str = "abcdef") -> Path:
    """A manifest beside tiny pictures."""
    rng = np.random.default_rng(0)
    for name in files:
        PIL.Image.fromarray(rng.integers(0, 255, (6, 7), dtype=np.uint8)).save(root / f"{name}.png")
    (root / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
    return root


def columns(root: Path, header: str, *values: Sequence[object]) -> Path:
    """A manifest with these columns beside `image`."""
    rows = [f"{name}.png,{','.join(map(str, row))}" for name, *row in zip("abcdef", *values, strict=False)]
    return a_table(root, f"image,{header}", rows)


def looked(root: Path, task: str = "auto", need: bool = True, target: str | None = None, accept: str = "") -> Looked:
    options = SourceOptions(target=target)
    request = Request(location=str(root), task=task, options=options, accept=tuple(filter(None, [accept])))
    return look(request, need_target=need)


def learnt(found: Looked) -> str | None:
    return None if found.target is None else found.target.name


SOME, OTHER = "xyxyxy", "ppqqpp"


@pytest.mark.parametrize("name", ["dx", "Diagnosis", "LABELS", "class name", "y", "outcome", "Finding"])
def test_a_column_that_is_named_like_a_target_is_the_target(name: str, tmp_path: Path) -> None:
    root = columns(tmp_path, f"stage,{name}", OTHER, SOME)
    found = looked(root)
    assert learnt(found) == name
    assert f"target: {name!r}; --target chooses another: stage" in found.notes


def test_other_names_are_not_guessed(tmp_path: Path) -> None:
    root = columns(tmp_path, "stage,type", OTHER, SOME)
    with pytest.raises(BadUsage, match=r"2 things could be learnt.*--target stage.*--target type"):
        looked(root)


TEXTS = [f"remark {number}" for number in range(30)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (TEXTS, "more than 20 different texts"),
        (range(30), "more than 10 numbers"),
        ([""] * 30, "it is empty for every case"),
        ([f"{number}.5" for number in range(30)], "more than 10 numbers"),
        ([f"no-such-{number}.txt" for number in range(30)], "more than 20 different texts"),
    ],
)
def test_a_label_that_makes_no_classes_is_refused_by_name_and_nothing_else_is_learnt(
    values: Sequence[object], why: str, tmp_path: Path
) -> None:
    rows = [f"{number},a.png,{value},{'pq'[number % 2]}" for number, value in enumerate(values)]
    root = a_table(tmp_path, "case,image,label,type", rows)
    with pytest.raises(DataRefused, match=rf"no task can learn the target 'label'.*{why}"):
        looked(root)
    assert learnt(looked(root, target="type")) == "type"


def test_many_classes_with_several_cases_each_can_be_learnt(tmp_path: Path) -> None:
    rows = [f"{number},a.png,class{number % 22},{'pq'[number % 2]}" for number in range(44)]
    found = looked(a_table(tmp_path, "case,image,label,type", rows))
    assert found.target is not None
    assert (learnt(found), len(found.target.labels)) == ("label", 22)


def test_a_task_that_is_named_needs_no_column_of_its_name(tmp_path: Path) -> None:
    for name in "ab":
        array = np.zeros((6, 7), np.uint8)
        array[1, 2:4] = 255
        PIL.Image.fromarray(array).save(tmp_path / f"{name}.gif")
    root = a_table(tmp_path, "image,mask,label", ["a.png,a.gif,x", "b.png,b.gif,y"])
    assert learnt(looked(root)) == "label"
    assert learnt(looked(root, task="segmentation")) == "mask"


def test_a_remark_beside_a_mask_does_not_stand_in_its_way(tmp_path: Path) -> None:
    array = np.zeros((6, 7), np.uint8)
    array[1, 2:4] = 255
    PIL.Image.fromarray(array).save(tmp_path / "m.gif")
    rows = [f"{number},a.png,m.gif,{text},{'pq'[number % 2]}" for number, text in enumerate(TEXTS)]
    assert learnt(looked(a_table(tmp_path, "case,image,mask,finding,type", rows))) == "mask"


def test_masks_where_boxes_are_asked_for_name_the_way(tmp_path: Path) -> None:
    array = np.zeros((6, 7), np.uint8)
    array[1, 2:4] = 255
    PIL.Image.fromarray(array).save(tmp_path / "m.gif")
    root = a_table(tmp_path, "case,image,mask", [f"{number},a.png,m.gif" for number in range(4)])
    with pytest.raises(DataRefused, match="--source mask_boxes"):
        looked(root, task="detection")


def of_target(found: Looked) -> list[Problem]:
    return [problem for problem in found.problems if problem.check == "target"]


def test_a_check_without_a_target_says_so_loudly(tmp_path: Path) -> None:
    root = columns(tmp_path, "stage,type", OTHER, SOME)
    (problem,) = of_target(looked(root, need=False))
    assert (problem.severity, problem.title[:27]) == ("warn", "NO TARGET WAS LOOKED AT: cl")
    assert "--target stage" in problem.detail
    assert of_target(looked(root, need=False, target="type")) == []


def test_a_check_of_a_set_with_one_likely_target_looks_at_it(tmp_path: Path) -> None:
    found = check(Workspace(tmp_path / "ws"), Request(location=str(columns(tmp_path, "dx,dx_type", SOME, OTHER))))
    assert "x 3, y 3 cases" in " ".join(problem.title for problem in found.problems)


def pairs(root: Path, lacking: int, total: int = 8) -> Path:
    """A manifest of two inputs, of which some cases lack the second."""
    rows = [
        f"{n},{'abcdef'[n % 6]}.png,{'' if n < lacking else 'abcdef'[(n + 1) % 6] + '.png'},{'xy'[n % 2]}"
        for n in range(total)
    ]
    return a_table(root, "case,image:ct,image:pet,label", rows)


def test_cases_that_lack_an_input_are_left_out_by_the_rule_of_exclusions(tmp_path: Path) -> None:
    found = looked(pairs(tmp_path, 3))
    (problem,) = [one for one in found.problems if one.check == "missing_inputs"]
    assert problem.exclude == ("0", "1", "2")
    assert "3 of 8 cases (37.5 %) without an image that others have" in problem.title
    assert {name for case in found.usable() for name in case.inputs} == {"ct", "pet"}
    assert all(len(case.inputs) == 2 for case in found.usable())


def test_an_input_that_most_cases_lack_is_left_out_loudly(tmp_path: Path) -> None:
    found = looked(pairs(tmp_path, 5))
    (problem,) = [one for one in found.problems if one.check == "missing_inputs"]
    assert problem.title == "THE INPUT 'pet' IS LEFT OUT: 5 of 8 cases lack it"
    assert problem.exclude == ()
    assert [sorted(case.inputs) for case in found.cases] == [["ct"]] * 8


def test_columns_to_read_are_read_whatever_inputs_are_chosen(tmp_path: Path) -> None:
    rows = [f"{n},{'abcdef'[n % 6]}.png,{'bcdefa'[n % 6]}.png,{40 + n},{'xy'[n % 2]}" for n in range(8)]
    place = a_table(tmp_path, "case,image:ct,image:pet,age,label", rows)
    for inputs in (("ct",), ("ct", "table")):
        options = SourceOptions(target="label", inputs=inputs, reads=("age",))
        found = look(Request(location=str(place), options=options))
        assert {name for case in found.cases for name in case.inputs} == {"ct", "table"}


def test_only_findings_that_can_be_made_are_accepted(tmp_path: Path) -> None:
    root = columns(tmp_path, "label", SOME)
    with pytest.raises(UnknownName, match=r"no check whose finding could be accepted named 'duplicate'.*'duplicates'"):
        looked(root, accept="duplicate")
    for name in ("target", "labels", "missing_inputs"):
        looked(root, accept=name)


def test_another_language_is_refused_before_the_work(tmp_path: Path) -> None:
    root, told = columns(tmp_path, "label", SOME), itertools.count()
    with pytest.raises(UnknownName, match="report language"):
        check(Workspace(tmp_path / "ws"), Request(location=str(root)), lambda _: next(told), lang="fr")
    assert next(told) == 0


def test_a_release_finds_its_time_and_event_whatever_they_are_called(tmp_path: Path) -> None:
    """They were named by hand in training, and are not named like a time and an event."""
    lines = [f"{40 + number},{1 + number},{number % 2}" for number in range(30)]
    (tmp_path / "new.csv").write_text("age,weeks_seen,gone\n" + "\n".join(lines) + "\n")
    target = Target(name="time_to_event", kind="time_to_event", columns=("weeks_seen", "gone"))
    fields = {"image_inputs": [], "readings": {"table": {"kind": "table", "columns": ["age"]}}}
    choices = {name: Choice(value=value, kind="rule", reason="") for name, value in fields.items()}
    plan = Plan(dataset="d", task="survival", target=target, seed=0, choices=choices)
    found = look(Request(location=str(tmp_path / "new.csv"), task="survival"), plans=[plan])
    assert found.target is not None
    assert found.target.columns == ("weeks_seen", "gone")
    assert found.cases[3].targets == {"weeks_seen": 4.0, "gone": 1}
    assert set(found.cases[3].inputs["table"].values) == {"age"}  # type: ignore[union-attr]
