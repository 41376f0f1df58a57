"""Columns that each say whether something is present: which cells say what, and when they are learnt together."""

from __future__ import annotations

from pathlib import Path

import pytest

from diascope.core.errors import DataRefused, UnknownName
from diascope.sources import Listing, SourceOptions
from diascope.sources.image_folder import SOURCE as IMAGE_FOLDER
from diascope.sources.image_table import SOURCE as IMAGE_TABLE
from diascope.sources.manifest import SOURCE as MANIFEST
from diascope.sources.table import SOURCE as TABLE
from diascope.sources.tables.findings import said

PNG = b"\x89PNG\r\n\x1a\n"
ROWS = """image,patient,effusion,mass,nodule,age
a.png,p1,1.0,no,-1,50
b.png,p2,0.0,,yes,61
c.png,p3,,YES,0,40
"""


def a_manifest(folder: Path, text: str = ROWS) -> Path:
    for name in "abc":
        (folder / f"{name}.png").write_bytes(PNG)
    (folder / "manifest.csv").write_text(text)
    return folder


def listed(folder: Path, target: str | None = None, text: str = ROWS) -> Listing:
    return MANIFEST.list(str(a_manifest(folder, text)), SourceOptions(target=target))


@pytest.mark.parametrize(
    ("cell", "meaning"),
    [
        *((cell, 1) for cell in ("1", "1.0", "Yes", "TRUE", "present", "Pos")),
        *((cell, 0) for cell in ("0", "0.0", "no", "False", "absent", "negative")),
        *((cell, "uncertain") for cell in ("-1", "-1.0", "u", "Uncertain", "possible")),
        (None, None),
    ],
)
def test_what_a_cell_says(cell: str | None, meaning: object) -> None:
    assert said(cell, "mass") == meaning


@pytest.mark.parametrize("cell", ["2", "0.5", "perhaps", "-2"])
def test_a_cell_that_says_something_else_is_refused_by_its_column(cell: str) -> None:
    with pytest.raises(DataRefused, match=r"'mass' does not say.*1 \(present\)"):
        said(cell, "mass")


def test_columns_that_are_named_are_learnt_together_in_that_order(tmp_path: Path) -> None:
    listing = listed(tmp_path, "nodule, effusion")
    target = listing.targets[0]
    assert (target.name, target.kind, target.columns) == ("findings", "labels", ("nodule", "effusion"))
    assert [(label.name, label.value) for label in target.labels] == [("nodule", 0), ("effusion", 1)]
    first, second, third = (dict(case.targets) for case in listing.cases)
    assert (first["nodule"], first["effusion"]) == ("uncertain", 1)
    assert (second["nodule"], second["effusion"]) == (1, 0)
    assert (third["nodule"], third["effusion"]) == (0, None)
    assert set(listing.cases[0].covariates) == {"age", "mass"}


def test_without_being_asked_where_nothing_else_could_be_learnt(tmp_path: Path) -> None:
    listing = listed(tmp_path)
    assert [(one.name, one.columns) for one in listing.targets] == [("findings", ("effusion", "mass", "nodule"))]
    assert (
        "3 columns say whether something is present, and are learnt together: effusion, mass, nodule" in listing.notes
    )
    assert set(listing.cases[0].covariates) == {"age"}
    assert listed(tmp_path, "findings").targets == listing.targets


def test_one_of_them_alone_is_a_class_as_ever(tmp_path: Path) -> None:
    listing = listed(tmp_path, "mass")
    assert (listing.targets[0].name, listing.targets[0].kind) == ("mass", "category")
    assert [case.targets["mass"] for case in listing.cases] == ["no", None, "YES"]


def test_where_something_else_could_be_learnt_they_are_only_offered(tmp_path: Path) -> None:
    text = ROWS.replace(",age", ",diagnosis").replace("50", "well").replace("61", "ill").replace("40", "ill")
    listing = listed(tmp_path, None, text)
    assert (listing.targets[0].name, listing.targets[-1].name) == ("diagnosis", "findings")
    assert listing.cases[0].targets["effusion"] == "1"
    chosen = listed(tmp_path, "findings", text)
    assert (chosen.targets[0].kind, chosen.cases[0].targets["effusion"]) == ("labels", 1)


def test_a_column_of_that_name_keeps_it(tmp_path: Path) -> None:
    text = ROWS.replace(",age", ",findings").replace("50", "clear").replace("61", "a mass").replace("40", "a shadow")
    assert listed(tmp_path, "findings", text).targets[0].kind == "category"
    assert listed(tmp_path, "mass,nodule", text).targets[0].name == "all_findings"


def test_columns_must_exist_and_say_presence(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"'nodul'.*Did you mean 'nodule'"):
        listed(tmp_path, "mass,nodul")
    with pytest.raises(DataRefused, match="'age' does not say"):
        listed(tmp_path, "mass,age")


def test_a_case_without_a_row_says_nothing(tmp_path: Path) -> None:
    a_manifest(tmp_path).joinpath("manifest.csv").unlink()
    (tmp_path / "metadata.csv").write_text("file,effusion,mass,nodule\na.png,1,0,1\nb.png,0,1,0\n")
    listing = IMAGE_TABLE.list(str(tmp_path), SourceOptions())
    assert listing.cases[2].targets == {"effusion": None, "mass": None, "nodule": None}


def test_a_table_beside_class_folders(tmp_path: Path) -> None:
    for name in ("ill/a", "ill/b", "well/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(PNG)
    rows = "file,effusion,mass\nill/a.png,1,0\nill/b.png,,1\nwell/c.png,0,uncertain\n"
    (tmp_path / "index.csv").write_text(rows)
    assert IMAGE_FOLDER.list(str(tmp_path), SourceOptions()).targets[0].name == "label"
    listing = IMAGE_FOLDER.list(str(tmp_path), SourceOptions(target="mass,effusion"))
    assert (listing.targets[0].kind, listing.targets[0].columns) == ("labels", ("mass", "effusion"))
    said = {case.id: (case.targets["mass"], case.targets["effusion"]) for case in listing.cases}
    assert said == {"ill/a": (0, 1), "ill/b": (1, None), "well/c": ("uncertain", 0)}


def test_a_table_of_values_learns_labels_only_where_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "labs.csv"
    path.write_text("ast,smokes,ill,dies\n31,0,1,0\n35,1,0,1\n39,1,1,1\n33,0,0,0\n")
    assert all(target.kind != "labels" for target in TABLE.list(str(path), SourceOptions()).targets)
    listing = TABLE.list(str(path), SourceOptions(target="ill,dies"))
    assert (listing.targets[0].kind, listing.targets[0].columns) == ("labels", ("ill", "dies"))
    assert listing.cases[0].targets["ill"] == 1


def test_a_time_and_an_event_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "study.csv"
    path.write_text("ast,months,gone\n31,4,1\n35,9,0\n39,12,1\n33,7,0\n")
    assert TABLE.list(str(path), SourceOptions(target="months,gone")).targets[0].kind == "time_to_event"
