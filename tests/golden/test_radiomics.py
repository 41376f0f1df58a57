"""Features agree with the baseline of PyRadiomics (its own test cases)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import FileRef
from diascope.features import Bins, Region
from diascope.formats import read

DATA = Path(__file__).parents[3] / "shared" / "data" / "radiomics" / "data"
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {DATA}")]

CASES = ("brain1", "brain2", "breast1")
GROUPS = ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape")
SHIFT = 2000.0
"""That the baseline adds to the values before it squares them."""
SHIFTED = ("Energy", "RootMeanSquared", "TotalEnergy")
MESH = ("MeshVolume", "Sphericity", "SurfaceArea", "SurfaceVolumeRatio")
"""Of the mesh around the voxels: where voxels meet at edges alone, two tables of marching cubes differ."""


def the_region(case: str) -> Region:
    image = read(FileRef(format="itk", paths=(f"{case}_image.nrrd",)), DATA)
    mask = read(FileRef(format="itk", paths=(f"{case}_label.nrrd",)), DATA)
    return Region.cut(image.array[0], mask.array[0] == 1, image.geometry.spacing, Bins(width=25))


def baseline(group: str, case: str) -> dict[str, float]:
    with (DATA / "baseline" / f"baseline_{group}.csv").open(newline="") as stream:
        head, *rows = csv.reader(stream)
    column = head.index(case)
    return {row[0].rpartition("_")[2]: float(row[column]) for row in rows if row[0].startswith("original")}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("group", GROUPS)
def test_features_are_those_of_the_baseline(group: str, case: str) -> None:
    region = the_region(case)
    found, wanted = registry.get("features", group).measure(region), baseline(group, case)
    assert found.keys() == wanted.keys()
    if group == "firstorder":
        energy = ((region.inside + SHIFT) ** 2).sum()
        found |= {"Energy": energy, "TotalEnergy": energy * np.prod(region.spacing)}
        found["RootMeanSquared"] = np.sqrt(energy / region.inside.size)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=0.005 if name in MESH else 1e-6), name
