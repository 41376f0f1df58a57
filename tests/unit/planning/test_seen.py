"""Cases that a release was made from: known again by their bytes, wherever they lie, and left out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused
from diascope.core.plan import Choice
from diascope.planning.looked import Looked
from diascope.planning.scope import to_measure
from diascope.planning.seen import SEEN, to_json, unseen
from diascope.testing import a_case
from diascope.testing.factories import CLASSES
from diascope.testing.releases import a_plan


def a_release(folder: Path, cases: list[Case], root: Path, **readings: Any) -> Any:
    folder.mkdir()
    plan = a_plan()
    choices = {**plan.choices, "readings": Choice(value=readings, kind="rule", reason="")}
    plan = plan.model_copy(update={"choices": choices})
    (folder / SEEN).write_bytes(to_json(cases, root, plan))
    return SimpleNamespace(folder=folder, plan=plan, release=SimpleNamespace(label="films@1"))


def films(root: Path, contents: list[bytes]) -> list[Case]:
    root.mkdir()
    for number, content in enumerate(contents):
        (root / f"{number}.png").write_bytes(content)
    ref = [FileRef(format="picture", paths=(f"{number}.png",)) for number in range(len(contents))]
    return [a_case(number, inputs={"image": one}, targets={"label": "a"}) for number, one in enumerate(ref)]


def looked(cases: list[Case], root: Path) -> Looked:
    survey: Any = SimpleNamespace(root=root, unreadable={}, facts={})
    return Looked("images", tuple(cases), (), "classification", CLASSES, survey, ())


def test_files_that_were_learnt_from_are_left_out_under_any_name(tmp_path: Path) -> None:
    opened = a_release(tmp_path / "r", films(tmp_path / "here", [b"one", b"two"]), tmp_path / "here")
    there = films(tmp_path / "there", [b"three", b"two", b"four"])
    found = unseen(opened, looked(there, tmp_path / "there"))
    assert [problem.title for problem in found.problems] == ["1 of 3 cases were used to make films@1: left out"]
    assert [case.id for case in found.usable()] == [there[0].id, there[2].id]


def test_other_files_are_measured(tmp_path: Path) -> None:
    opened = a_release(tmp_path / "r", films(tmp_path / "here", [b"one"]), tmp_path / "here")
    assert unseen(opened, looked(films(tmp_path / "there", [b"other"]), tmp_path / "there")).problems == ()


def test_items_of_one_file_are_cases_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "all.npz").write_bytes(b"everything")
    cases = [
        a_case(n, inputs={"image": FileRef(format="npz", paths=("all.npz",), item=f"images:{n}")}) for n in range(4)
    ]
    found = unseen(a_release(tmp_path / "r", cases[:2], tmp_path), looked(cases, tmp_path))
    assert [case.id for case in found.usable()] == [case.id for case in cases[2:]]


def test_where_nothing_is_left_the_refusal_says_why(tmp_path: Path) -> None:
    cases = films(tmp_path / "here", [b"one", b"two"])
    opened = a_release(tmp_path / "r", cases, tmp_path / "here")
    with pytest.raises(DataRefused, match="2 of 2 cases were used to make films@1"):
        to_measure(unseen(opened, looked(cases, tmp_path / "here")))


def rows(values: list[float]) -> list[Case]:
    tables = [TableRef(values={"ALT": value, "sex": "f", "note": "x"}) for value in values]
    return [a_case(number, inputs={"table": table}) for number, table in enumerate(tables)]


@pytest.mark.parametrize(("values", "found"), [([1.0, 2.0, 3.0, 9.0], 1), ([1.0, 7.0, 8.0, 9.0], 0)])
def test_rows_are_told_of_where_most_are_known_and_never_left_out(
    tmp_path: Path, values: list[float], found: int
) -> None:
    opened = a_release(tmp_path / "r", rows([1.0, 2.0, 3.0]), tmp_path, table={"columns": ["ALT", "sex"]})
    judged = unseen(opened, looked(rows(values), tmp_path))
    assert len(judged.problems) == found
    assert len(judged.usable()) == len(values)


def test_no_value_of_a_row_can_be_guessed_from_its_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = to_json(rows([1.0]), tmp_path, a_release(tmp_path / "r", [], tmp_path, table={"columns": ["ALT"]}).plan)
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path / "other.key"))
    there = to_json(rows([1.0]), tmp_path, a_release(tmp_path / "s", [], tmp_path, table={"columns": ["ALT"]}).plan)
    assert here != there


def test_a_release_of_before_has_no_marks(tmp_path: Path) -> None:
    opened = SimpleNamespace(folder=tmp_path, plan=a_plan())
    assert unseen(opened, looked([], tmp_path)).problems == ()
