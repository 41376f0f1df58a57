"""A table as a data set: what is read, what is learnt, what describes, and what is left out and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.core.case import TableRef
from diascope.core.errors import DataRefused, UnknownName
from diascope.sources import SourceOptions, recognise
from diascope.sources.table import SOURCE

LINES = """patient,age,sex,glucose [mg/dL],ast,remark,grade,outcome
p1,61,f,104,<5,fine on Monday,1,benign
p1,62,f,,31,came back,2,malignant
p2,48,m,98,12,left early,3,benign
"""


def a_table(folder: Path, text: str = LINES, name: str = "labs.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def values(case: object) -> dict[str, object]:
    ref = case.inputs["table"]  # type: ignore[attr-defined]
    assert isinstance(ref, TableRef)
    return ref.values


def test_every_column_is_read_but_those_that_say_who_and_what(tmp_path: Path) -> None:
    found = SOURCE.list(str(a_table(tmp_path)), SourceOptions())
    first = found.cases[0]
    assert [case.id for case in found.cases] == ["row-1", "row-2", "row-3"]
    assert (first.patient, first.patient_known) == ("p1", True)
    assert set(values(first)) == {"age", "sex", "glucose [mg/dL]", "ast", "remark", "grade", "outcome"}
    assert values(first)["ast"] == 5
    assert values(found.cases[1])["glucose [mg/dL]"] is None
    assert first.inputs["table"].units == {"glucose [mg/dL]": "mg/dL"}  # type: ignore[union-attr]
    assert first.covariates == {"age": 61, "sex": "f"}
    assert found.targets[0].name == "outcome"


def test_free_text_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    rows = "".join(f"p{n},{n},f,1,2,remark number {n},1,a\n" for n in range(40))
    found = SOURCE.list(str(a_table(tmp_path, LINES + rows)), SourceOptions())
    assert "remark" not in values(found.cases[0])
    assert any("remark" in note and "different texts" in note for note in found.notes)


def test_a_column_can_be_left_out_and_must_exist(tmp_path: Path) -> None:
    path = str(a_table(tmp_path))
    found = SOURCE.list(path, SourceOptions(without=("ast", "age")))
    assert not {"ast", "age"} & set(values(found.cases[0]))
    assert found.cases[0].covariates == {"sex": "f"}
    with pytest.raises(UnknownName, match="alt"):
        SOURCE.list(path, SourceOptions(without=("alt",)))


def test_a_number_can_be_the_target_with_its_unit(tmp_path: Path) -> None:
    found = SOURCE.list(str(a_table(tmp_path)), SourceOptions(target="glucose [mg/dL]"))
    assert (found.targets[0].kind, found.targets[0].unit) == ("number", "mg/dL")
    assert found.cases[0].targets["glucose [mg/dL]"] == 104


def test_ids_come_from_a_column_that_counts_the_rows_and_are_not_read(tmp_path: Path) -> None:
    found = SOURCE.list(str(a_table(tmp_path, "id,x,label\n7,1,a\n8,2,b\n9,3,a\n")), SourceOptions())
    assert [case.id for case in found.cases] == ["7", "8", "9"]
    assert set(values(found.cases[0])) == {"x", "label"}


def test_two_rows_of_one_case_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="one case"):
        SOURCE.list(str(a_table(tmp_path, "case,x,label\na,1,0\na,2,1\n")), SourceOptions())


def test_a_table_of_images_is_no_table_of_values(tmp_path: Path) -> None:
    assert recognise(str(a_table(tmp_path))) == "table"
    path = a_table(tmp_path, "image,label\na.png,1\n", "manifest.csv")
    assert SOURCE.recognises(str(path)) is None


def test_a_target_with_limits_of_detection_is_a_number(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'<0.5' if number % 3 == 0 else f'{number / 7:.2f}'}\n" for number in range(30))
    found = SOURCE.list(str(a_table(tmp_path, f"x,crp\n{rows}")), SourceOptions(target="crp"))
    assert found.targets[0].kind == "number"
    assert [case.targets["crp"] for case in found.cases[:3]] == [0.5, 0.14, 0.29]
    rows = "".join(f"{number},{'<5' if number % 3 else '>=5'}\n" for number in range(30))
    found = SOURCE.list(str(a_table(tmp_path, f"x,crp\n{rows}")), SourceOptions(target="crp"))
    assert [label.name for label in found.targets[0].labels] == ["<5", ">=5"]


def test_a_release_finds_its_columns_whatever_one_row_makes_them_look_like(tmp_path: Path) -> None:
    line = "id,Sodium [mmol/l],crp,remark,sex,extra\n7,140,<5,,1.0,3\n"
    asked = SourceOptions(columns=("sodium [mmol/L]", "crp", "id", "remark", "sex"))
    (case,) = SOURCE.list(str(a_table(tmp_path, line)), asked).cases
    assert values(case) == {"Sodium [mmol/l]": 140, "crp": "<5", "id": 7, "remark": None, "sex": 1}
    assert case.inputs["table"].units == {"Sodium [mmol/l]": "mmol/l"}  # type: ignore[union-attr]


@pytest.mark.parametrize(("text", "why"), [("a,b\n1,2,3\n", "3 cells"), ("", "empty"), ('a,b\n"1,2\n', "line 2")])
def test_a_broken_table_is_refused_in_the_words_of_its_reader(tmp_path: Path, text: str, why: str) -> None:
    path = str(a_table(tmp_path, text))
    assert recognise(path) == "table"
    with pytest.raises(DataRefused, match=why):
        SOURCE.list(path, SourceOptions())


def test_a_status_of_1_and_2_is_read_as_r_writes_it_and_that_is_said(tmp_path: Path) -> None:
    text = "patient,age,time,status\na,60,306,2\nb,71,455,1\nc,55,1010,\n"
    found = SOURCE.list(str(a_table(tmp_path, text)), SourceOptions())
    asked = SOURCE.list(str(a_table(tmp_path, text)), SourceOptions(target="time,status"))
    (problem,) = found.problems
    assert found.targets[0].kind == "time_to_event"
    assert [case.targets["status"] for case in found.cases] == [1, 0, None]
    assert [case.targets["status"] for case in asked.cases] == [1, 0, None]
    assert problem.severity == "warn"
    assert "2 counts as the event" in problem.title


CHINESE = """患者编号,姓名,年龄（岁）,性别,血钾（mmol/L）,生存时间（月）,是否死亡,诊断
101,王,61,女,4.1,30,是,正常
102,李,48,男,3.9,12.5,否,心衰
101,王,62,女,4.4,,,心衰
"""


def test_chinese_columns_are_known_by_their_names(tmp_path: Path) -> None:
    found = SOURCE.list(str(a_table(tmp_path, CHINESE)), SourceOptions(target="诊断"))
    survival = SOURCE.list(str(a_table(tmp_path, CHINESE)), SourceOptions()).targets[0]
    assert [case.patient for case in found.cases] == ["101", "102", "101"]
    assert set(values(found.cases[0])) == {"年龄（岁）", "性别", "血钾（mmol/L）", "生存时间（月）", "是否死亡", "诊断"}
    assert found.cases[0].covariates == {"性别": "女"}
    assert found.targets[0].positive == "心衰"
    assert (survival.kind, survival.unit) == ("time_to_event", "mo")
    assert survival.columns == ("生存时间（月）", "是否死亡")


def test_another_endpoint_of_the_same_follow_up_is_not_read(tmp_path: Path) -> None:
    text = "patient,age,OS,OS.time,PFI,PFI.time,dose\na,60,1,306,1,100,2.5\nb,71,0,455,0,455,1.5\n"
    found = SOURCE.list(str(a_table(tmp_path, text)), SourceOptions(target="OS.time,OS"))
    assert set(values(found.cases[0])) == {"age", "dose"}
    assert found.cases[0].covariates == {"age": 60}
    assert any("PFI, PFI.time" in note for note in found.notes)
