"""longitudinal: a table of visits, what is added to it, and what fit makes of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from diascope import cli
from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats.files.registering import rigid
from diascope.sources import SourceOptions
from diascope.stages.longitudinal import Asked, longitudinal

VISITS = """patient,date,volume [mm3],smoker,grade
a,2023-01-01,100,yes,1
a,2024-01-01,150,no,2
b,2023-06-01,90,yes,1
a,2025-01-01,250,no,3
"""


def a_table(folder: Path, text: str = VISITS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "visits.csv").write_text(text)
    return folder / "visits.csv"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_visit_gets_what_the_one_before_was(tmp_path: Path) -> None:
    found = longitudinal(a_table(tmp_path), tmp_path / "out.csv", Asked("grade"))
    assert (found.rows, found.with_earlier) == (4, 2)
    table = rows(tmp_path / "out.csv")
    assert [row["volume before [mm3]"] for row in table] == ["", "100", "", "150"]
    assert float(table[1]["volume change [mm3/a]"]) == pytest.approx(50, rel=0.01)
    assert [row["smoker before"] for row in table] == ["", "yes", "", "no"]
    assert table[1]["time before [d]"] == "365"
    # How the answer changed would be the answer.
    assert not any("grade" in name for name in found.added)


def test_first_visits_may_be_left_out(tmp_path: Path) -> None:
    assert longitudinal(a_table(tmp_path), tmp_path / "o.csv", Asked("grade", follow_ups=True)).rows == 2


def test_the_table_is_one_that_fit_reads(tmp_path: Path) -> None:
    longitudinal(a_table(tmp_path), tmp_path / "out.csv", Asked("grade"))
    listing = registry.get("sources", "table").list(str(tmp_path / "out.csv"), SourceOptions(target="grade"))
    table = listing.cases[1].inputs["table"]
    assert table.values["volume before [mm3]"] == 100
    assert {case.patient for case in listing.cases} == {"a", "b"}


def test_files_are_found_from_the_new_table(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    place = a_table(folder, "patient,date,image,label\na,2023-01-01,1.png,x\na,2024-01-01,2.png,y\n")
    for name in ("1", "2"):
        registry.get("formats", "picture").write(
            Image(np.zeros((1, 1, 8, 8), np.uint8), Geometry.unknown(), unit="grey"), folder / f"{name}.png"
        )
    longitudinal(place, tmp_path / "out.csv", Asked("label"))
    second = rows(tmp_path / "out.csv")[1]
    assert (second["image"], second["image:before"]) == ("data/2.png", "data/1.png")
    listing = registry.get("sources", "manifest").list(str(tmp_path / "out.csv"), SourceOptions(target="label"))
    assert set(listing.cases[1].inputs) == {"image", "before"}


def a_head(shift: int = 0, step: float = 1.5) -> Image:
    """A box with a bright corner in a dark volume."""
    array = np.zeros((24, 40, 40), np.float32)
    array[6:18, 8 + shift : 28 + shift, 10:30] = 100
    array[6:12, 8 + shift : 18 + shift, 10:20] = 200
    return Image(array[None], Geometry.from_spacing((step, step, step)))


def test_an_earlier_volume_is_moved_onto_the_later_one() -> None:
    moved, shift = rigid(a_head(4), a_head())
    assert shift == pytest.approx(6, abs=1)
    difference = np.abs(moved.array - a_head().array).mean()
    assert difference < 0.2 * np.abs(a_head(4).array - a_head().array).mean()
    assert moved.geometry.is_close(a_head().geometry)


def test_volumes_are_registered_where_that_is_asked_for(tmp_path: Path) -> None:
    place = a_table(
        tmp_path, "patient,date,image,label\na,2023-01-01,1.nii,x\na,2024-01-01,2.nii,y\nb,2024-01-01,1.nii,x\n"
    )
    for number, shift in ((1, 4), (2, 0)):
        registry.get("formats", "nifti").write(a_head(shift), tmp_path / f"{number}.nii")
    found = longitudinal(place, tmp_path / "out.csv", Asked("label", register=True))
    assert found.problems == {}
    cells = [row["image:before"] for row in rows(tmp_path / "out.csv")]
    assert cells == ["", "out-before/2image.nii.gz", ""]
    assert (tmp_path / cells[1]).is_file()


def test_what_cannot_be_registered_is_named(tmp_path: Path) -> None:
    place = a_table(tmp_path, "patient,date,image,label\na,2023-01-01,1.nii,x\na,2024-01-01,2.nii,y\n")
    registry.get("formats", "nifti").write(a_head(), tmp_path / "1.nii")
    (tmp_path / "2.nii").write_bytes(b"nothing")
    found = longitudinal(place, tmp_path / "out.csv", Asked("label", register=True))
    assert list(found.problems) == ["row 2"]


def test_a_visit_without_a_date_is_named(tmp_path: Path) -> None:
    found = longitudinal(
        a_table(tmp_path, VISITS.replace("2024-01-01", "")), tmp_path / "out.csv", Asked("grade", follow_ups=True)
    )
    assert (found.rows, found.with_earlier) == (1, 1)
    assert found.notes == (
        "1 rows without a cell in 'date' are no visits: nothing was before them, and they before nothing (row 2)",
    )
    assert rows(tmp_path / "out.csv")[0]["volume before [mm3]"] == "100"


def test_a_table_without_labels_has_every_column_that_a_release_may_want(tmp_path: Path) -> None:
    longitudinal(a_table(tmp_path), tmp_path / "out.csv", Asked("grade"))
    learnt = set(rows(tmp_path / "out.csv")[0]) - {"grade"}
    for text in ("c,2026-01-01,80,yes\n", "c,2026-01-01,,\n"):
        place = a_table(tmp_path / "new", "patient,date,volume [mm3],smoker\n" + text)
        (tmp_path / "new.csv").unlink(missing_ok=True)
        longitudinal(place, tmp_path / "new.csv", Asked(None))
        assert learnt <= set(rows(tmp_path / "new.csv")[0])


def test_names_of_people_are_not_copied(tmp_path: Path) -> None:
    text = VISITS.replace("smoker", "patient_name")
    longitudinal(a_table(tmp_path, text), tmp_path / "out.csv", Asked("grade"))
    assert not any("name" in column for column in rows(tmp_path / "out.csv")[0])
    longitudinal(a_table(tmp_path, text), tmp_path / "o.csv", Asked("grade", patient="patient_name"))
    assert rows(tmp_path / "o.csv")[0]["patient_name"] == "yes"


@pytest.mark.parametrize(
    "written", ["2024/1/1", "2024.01.01", "2024年1月1日", "20240101", "2024/1/1 0:00", " 2024-01-01"]
)
def test_dates_are_read_as_they_are_written_where_the_year_comes_first(tmp_path: Path, written: str) -> None:
    text = VISITS.replace("2024-01-01", written).replace("date", "检查日期")
    longitudinal(a_table(tmp_path, text), tmp_path / "out.csv", Asked("grade"))
    assert rows(tmp_path / "out.csv")[1]["time before [d]"] == "365"


def test_the_row_whose_date_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"row 2 .* is no date. Given: 01/02/2024"):
        longitudinal(
            a_table(tmp_path, VISITS.replace("2024-01-01", "01/02/2024")), tmp_path / "out.csv", Asked("grade")
        )


@pytest.mark.parametrize(
    ("text", "asked", "error", "words"),
    [
        (VISITS, Asked("stage"), UnknownName, "stage"),
        (VISITS.replace("patient", "who"), Asked("grade"), DataRefused, "names the patient"),
        (VISITS.replace("a,", "c,", 1).replace("a,2024", "d,2024"), Asked("grade"), DataRefused, "two rows"),
        (VISITS.replace(",date", ",colour"), Asked("grade"), DataRefused, "when a row was taken"),
    ],
)
def test_what_says_too_little_is_refused(
    text: str, asked: Asked, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        longitudinal(a_table(tmp_path, text), tmp_path / "out.csv", asked)


def test_a_target_is_named_or_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["longitudinal", str(a_table(tmp_path)), "--out", str(tmp_path / "out.csv"), "--quiet"]
    assert cli.run(arguments) == 2
    assert cli.run([*arguments, "--target", "grade", "--no-target"]) == 2
    assert "--no-target" in capsys.readouterr().err
    assert cli.run([*arguments, "--no-target"]) == 0


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["longitudinal", str(a_table(tmp_path)), "--target", "grade", "--out", str(tmp_path / "out.csv")]
    assert cli.run([*arguments, "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["with_earlier"] == 2
    with pytest.raises(BadUsage):
        longitudinal(tmp_path / "visits.csv", tmp_path / "out.csv", Asked("grade"))
