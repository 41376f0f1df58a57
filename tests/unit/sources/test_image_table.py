from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.planning.folding import unit, united
from diascope.sources import Listing, SourceOptions
from diascope.sources.image_table import SOURCE

DATA = Path(__file__).parents[4] / "shared" / "data"


def a_table(root: Path, text: str, files: str = "abcdef", folder: str = "images") -> Path:
    (root / folder).mkdir(exist_ok=True)
    for name in files:
        PIL.Image.new("L", (4, 4)).save(root / folder / f"{name}.png")
    (root / "metadata.csv").write_text(text, encoding="utf-8")
    return root


def listed(root: Path, **options: str) -> Listing:
    return SOURCE.list(str(root), SourceOptions(**options))


def test_rows_belong_to_files_by_stem(tmp_path: Path) -> None:
    text = "lesion_id,image_id,dx,age,sex\n" + "".join(
        f"L{index // 2},{name},{'nv' if index % 2 else 'mel'},{'' if name == 'c' else 40.0 + index},male\n"
        for index, name in enumerate("abcdef")
    )
    listing = listed(a_table(tmp_path, text))
    assert listing.cases[2].covariates == {"age": None, "sex": "male"}
    assert listing.cases[3].covariates == {"age": 43.0, "sex": "male"}
    assert [case.patient for case in listing.cases] == ["L0", "L0", "L1", "L1", "L2", "L2"]
    assert [target.name for target in listing.targets] == ["dx"]
    assert any("two lesions of one patient may not" in note for note in listing.notes)


def test_a_patient_comes_before_a_lesion_which_then_groups(tmp_path: Path) -> None:
    text = "image,lesion_id,patient,dx\na,L1,P1,x\nb,L2,P1,y\nc,L3,P2,x\nd,L3,P2,y\n"
    cases = listed(a_table(tmp_path, text, "abcd")).cases
    assert [(case.patient, case.group) for case in cases] == [("P1", "L1"), ("P1", "L2"), ("P2", "L3"), ("P2", "L3")]


def test_a_visit_is_of_one_patient_and_joins_none(tmp_path: Path) -> None:
    text = "image,patient,visit_id,dx\na,P1,1,x\nb,P1,2,y\nc,P2,1,x\nd,,1,y\n"
    cases = listed(a_table(tmp_path, text, "abcd")).cases
    assert [case.group for case in cases] == ["P1/1", "P1/2", "P2/1", "1"]
    apart = [unit(case) for case in united(cases[:3], [])]
    assert (apart[0] == apart[1], apart[0] == apart[2]) == (True, False)


def test_a_file_is_also_found_with_another_ending(tmp_path: Path) -> None:
    text = "Unnamed: 0,image,label\n0,images/a.jpg,x\n1,b.jpg,y\n2,c.dcm,x\n"
    listing = listed(a_table(tmp_path, text, "abc"))
    assert [case.targets["label"] for case in listing.cases] == ["x", "y", "x"]
    assert "columns of metadata.csv without a name: 1, left out" in listing.notes


def test_a_column_of_mask_files_is_no_label(tmp_path: Path) -> None:
    listing = listed(a_table(tmp_path, "image,label,type\na,m/1.png,x\nb,m/2.png,y\n", "ab"))
    assert [(target.name, target.kind) for target in listing.targets] == [("label", "files"), ("type", "category")]
    with pytest.raises(DataRefused, match=r"names image files; masks are listed in a manifest\.csv"):
        listed(tmp_path, target="label")


def test_images_in_the_root_and_a_table_of_any_name(tmp_path: Path) -> None:
    root = a_table(tmp_path, "file,label\na.png,x\nb.png,y\n", "ab", ".")
    (root / "metadata.csv").rename(root / "HAM.csv")
    assert SOURCE.recognises(str(root)) == "images in one folder and the table HAM.csv"
    assert [case.id for case in listed(root).cases] == ["a", "b"]


def test_semicolons_and_a_byte_order_mark(tmp_path: Path) -> None:
    root = a_table(tmp_path, "\ufefffile;label\na;x\nb;y\n", "ab")
    assert [case.targets["label"] for case in listed(root).cases] == ["x", "y"]


def test_few_whole_numbers_are_classes_in_order_and_many_are_not(tmp_path: Path) -> None:
    root = a_table(
        tmp_path,
        "file,grade,count\n" + "".join(f"{n},{i % 3 * 5},{i}\n" for i, n in enumerate("abcdefghijkl")),
        "abcdefghijkl",
    )
    listing = listed(root)
    (grade,) = listing.targets
    assert [label.name for label in grade.labels] == ["0", "5", "10"]
    assert listing.cases[11].covariates == {"count": 11}
    (count, _) = listed(root, target="count").targets
    assert (count.kind, count.labels) == ("number", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nz,x\n", "no column of metadata.csv names any of the 2 images"),
        ("file,label\na,x\na,y\n", "two rows of metadata.csv name one file and differ"),
        ("file,label,label\na,x,x\n", "two columns have one name"),
        ("file,label\na,x,extra\n", "line 2 has 3 cells"),
        ("", "the table is empty"),
        ("file,label,split\na,x,someday\n", "'someday' is none"),
    ],
)
def test_a_bad_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=message):
        listed(a_table(tmp_path, text, "ab"))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    root = a_table(tmp_path, "", "ab")
    (root / "metadata.csv").write_bytes("file,label\na,männlich\n".encode("latin-1"))
    with pytest.raises(UnreadableFile, match=r"not UTF-8 at byte 14.*UTF-8"):
        listed(root)


def test_texts_that_are_no_classes_are_refused_as_target(tmp_path: Path) -> None:
    names = [chr(97 + index) for index in range(24)]
    root = a_table(tmp_path, "file,remark\n" + "".join(f"{name},text {name}\n" for name in names), "".join(names))
    assert listed(root).targets == ()
    with pytest.raises(DataRefused, match="24 different texts in 24 cases"):
        listed(root, target="remark")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_skin() -> None:
    listing = listed(DATA / "skin", target="dx")
    assert len(listing.cases) == 1998
    assert len({case.patient for case in listing.cases}) == 1500
    assert len(listing.targets[0].labels) == 7
    assert sum(case.covariates["age"] is None for case in listing.cases) > 0
    assert set(listing.cases[0].covariates) == {"age", "sex", "localization", "dx_type"}
