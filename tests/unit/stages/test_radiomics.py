"""radiomics: from images with masks to a table, and from the table to a model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli
from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.features import Bins
from diascope.sources import Request, SourceOptions
from diascope.stages.radiomics import Grid, radiomics

SPACING = (2.0, 1.0, 1.0)


def a_study(folder: Path, count: int = 4, spacings: tuple[tuple[float, float, float], ...] = (SPACING,)) -> Path:
    """NIfTI volumes with a block of bright voxels, its mask, and a label a case."""
    folder.mkdir()
    nifti = registry.get("formats", "nifti")
    lines = ["image,mask,patient,kind,age"]
    for number in range(count):
        rng = np.random.default_rng(number)
        values = rng.normal(0, 10, (6, 12, 12)).astype(np.float32)
        mask = np.zeros(values.shape, np.uint8)
        mask[1:4, 2 : 6 + number % 2, 3:7] = 1
        geometry = Geometry.from_spacing(spacings[number % len(spacings)])
        nifti.write(Image((values + 100 * mask)[None], geometry), folder / f"{number}.nii.gz")
        nifti.write(Image(mask[None], geometry), folder / f"{number}-mask.nii.gz")
        lines.append(f"{number}.nii.gz,{number}-mask.nii.gz,p{number},{'ab'[number % 2]},{40 + number}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_a_case_with_what_is_known_of_it(tmp_path: Path) -> None:
    told: list[Any] = []
    found = radiomics(Request(location=str(a_study(tmp_path / "s"))), tmp_path / "f.csv", Grid(), told.append)
    table = rows(tmp_path / "f.csv")
    assert (found.cases, len(table), found.left_out, found.notes) == (4, 4, {}, ())
    assert [row["kind"] for row in table] == ["a", "b", "a", "b"]
    assert [row["age"] for row in table] == ["40", "41", "42", "43"]
    assert float(table[0]["shape_VoxelVolume [mm3]"]) == 3 * 4 * 4 * 2
    assert float(table[1]["shape_VoxelVolume [mm3]"]) == 3 * 5 * 4 * 2
    assert 90 < float(table[0]["firstorder_Mean"]) < 110
    assert not any(name.startswith("shape2d") for name in table[0])
    assert told[-1]["done"] == told[-1]["total"] == 4
    settings = json.loads((tmp_path / "f.json").read_text())
    assert settings["levels"] == {"count": 32}


def test_the_table_is_one_that_fit_reads(tmp_path: Path) -> None:
    radiomics(Request(location=str(a_study(tmp_path / "s", 6))), tmp_path / "f.csv", Grid())
    source = registry.get("sources", "table")
    assert source.recognises(str(tmp_path / "f.csv"))
    listing = source.list(str(tmp_path / "f.csv"), SourceOptions(target="kind"))
    assert {case.patient for case in listing.cases} == {f"p{n}" for n in range(6)}
    table = listing.cases[0].inputs["table"]
    assert table.kind == "table"
    assert table.units["shape_VoxelVolume [mm3]"] == "mm3"


def test_levels_and_spacing_are_as_asked(tmp_path: Path) -> None:
    place = Request(location=str(a_study(tmp_path / "s", spacings=(SPACING, (1.0, 1.0, 1.0)))))
    apart = radiomics(place, tmp_path / "apart.csv", Grid())
    assert "texture is comparable only after --spacing" in apart.notes[0]
    alike = radiomics(place, tmp_path / "alike.csv", Grid(Bins(width=10), spacing=1.0))
    assert alike.notes == ()
    table, whole = rows(tmp_path / "alike.csv"), rows(tmp_path / "apart.csv")
    for one, other in zip(table, whole, strict=True):
        assert float(one["shape_VoxelVolume [mm3]"]) == pytest.approx(float(other["shape_VoxelVolume [mm3]"]), rel=0.2)
    assert json.loads((tmp_path / "alike.json").read_text())["levels"] == {"width": 10}


def test_a_case_that_cannot_be_measured_is_named(tmp_path: Path) -> None:
    place = a_study(tmp_path / "s")
    (place.parent / "2-mask.nii.gz").write_bytes(b"nothing")
    nifti = registry.get("formats", "nifti")
    nifti.write(
        Image(np.zeros((1, 6, 12, 12), np.uint8), Geometry.from_spacing(SPACING)), place.parent / "1-mask.nii.gz"
    )
    found = radiomics(Request(location=str(place)), tmp_path / "f.csv", Grid())
    assert found.cases == 2
    assert len(found.left_out) == 2
    assert any("marks nothing" in why for why in found.left_out.values())


def test_a_mask_on_another_grid_than_its_image_is_named_and_not_guessed(tmp_path: Path) -> None:
    place, nifti = a_study(tmp_path / "s"), registry.get("formats", "nifti")
    mask = np.ones((1, 6, 6, 6), np.uint8)
    nifti.write(Image(mask, Geometry.from_spacing((2.0, 2.0, 2.0))), place.parent / "1-mask.nii.gz")
    found = radiomics(Request(location=str(place)), tmp_path / "f.csv", Grid())
    assert found.cases == 3
    assert "the mask is 6 x 6 x 6 voxels, the image 6 x 12 x 12" in next(iter(found.left_out.values()))


def test_a_mask_may_lie_on_another_image_than_the_first(tmp_path: Path) -> None:
    place, nifti = a_study(tmp_path / "s"), registry.get("formats", "nifti")
    for number in range(4):
        coarse = Geometry.from_spacing(SPACING).resized((6, 12, 12), (6, 6, 6))
        nifti.write(Image(np.full((1, 6, 6, 6), 50.0, np.float32), coarse), place.parent / f"{number}-b.nii.gz")
    head, *lines = place.read_text().splitlines()
    names = [f"{number}-b.nii.gz,{line}" for number, line in enumerate(lines)]
    place.write_text("\n".join([head.replace("image,", "image:a,image:b,"), *names]) + "\n")
    assert radiomics(Request(location=str(place)), tmp_path / "f.csv", Grid()).cases == 4
    assert rows(tmp_path / "f.csv")[0]["b_shape_VoxelVolume [mm3]"] == "96"


def test_pictures_are_measured_in_pixels(tmp_path: Path) -> None:
    place = tmp_path / "s" / "manifest.csv"
    place.parent.mkdir()
    picture, rng = registry.get("formats", "picture"), np.random.default_rng(0)
    mask = np.zeros((1, 1, 20, 20), np.uint8)
    mask[0, 0, 5:10, 4:14] = 1
    for name, array in (("0", rng.integers(0, 255, mask.shape).astype(np.uint8)), ("m", mask)):
        picture.write(Image(array, Geometry.unknown(), unit="grey"), place.parent / f"{name}.png")
    place.write_text("image,mask,patient\n0.png,m.png,p0\n")
    found = radiomics(Request(location=str(place)), tmp_path / "f.csv", Grid())
    assert found.notes == ("1 of 1 cases know no millimetres: their sizes are in pixels",)
    assert rows(tmp_path / "f.csv")[0]["shape2d_PixelSurface"] == "50"
    with pytest.raises(DataRefused, match="no millimetres"):
        radiomics(Request(location=str(place)), tmp_path / "g.csv", Grid(spacing=1.0))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    place = Request(location=str(a_study(tmp_path / "s")))
    radiomics(place, tmp_path / "f.csv", Grid())
    with pytest.raises(BadUsage, match="new CSV"):
        radiomics(place, tmp_path / "f.csv", Grid())
    with pytest.raises(BadUsage, match="new CSV"):
        radiomics(place, tmp_path / "f.xlsx", Grid())


def test_what_has_no_mask_is_refused(tmp_path: Path) -> None:
    place = a_study(tmp_path / "s")
    place.write_text(place.read_text().replace(",mask,", ",other,"))
    with pytest.raises(DataRefused, match="mask"):
        radiomics(Request(location=str(place)), tmp_path / "f.csv", Grid())


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, out = a_study(tmp_path / "s"), tmp_path / "f.csv"
    assert cli.run(["radiomics", str(place), "--out", str(out), "--levels", "16", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == 4
    assert cli.run(["radiomics", str(place), "--out", str(tmp_path / "g.csv"), "--levels", "16", "--width", "5"]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert cli.run(["radiomics", str(place), "--out", str(tmp_path / "g.csv"), "--quiet"]) == 0
    assert "4 cases, 107 features" in capsys.readouterr().out
