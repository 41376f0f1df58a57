"""One case from file to working grid, and other data brought to a release's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope.core import registry
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.errors import DataRefused, UnreadableFile, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Choice, Plan
from diascope.engine.aligning import aligned
from diascope.engine.preparing import prepare, prepared, read_images, stored_cases, unchanged, with_target
from diascope.store.files import file_digest
from diascope.testing import a_case
from diascope.testing.factories import oblique

MASK = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="organ", value=1),))


def a_plan(names: tuple[str, ...] = ("image",), target: Target = MASK, **changes: Any) -> Plan:
    plain: dict[str, Any] = {
        "image_inputs": list(names),
        "readings": {},
        "channels": dict.fromkeys(names, 1),
        "intensity": {name: {"rule": "z-score"} for name in names},
        "prepare": [["resample", {"spacing": [1.5, 0.7, 1.1], "order": 1}]],
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    return Plan(dataset="d", task="segmentation", target=target, seed=0, choices=choices)


def write(folder: Path, name: str, array: np.ndarray, geometry: Geometry, unit: str = "a.u.") -> FileRef:
    registry.get("formats", "nifti").write(Image(array[None], geometry, "mr", unit), folder / name)
    return FileRef(format="nifti", paths=(name,), modality="mr")


def a_volume(folder: Path) -> Case:
    """A case whose mask is where its image is above 100."""
    rng = np.random.default_rng(0)
    array = rng.normal(50, 5, (6, 10, 12)).astype(np.float32)
    array[1:4, 2:7, 3:9] += 100
    image = write(folder, "image.nii.gz", array, oblique())
    mask = write(folder, "mask.nii.gz", (array > 100).astype(np.uint8), oblique(), "label")
    return a_case(inputs={"image": image}, targets={"mask": mask})


def test_image_and_mask_land_on_one_grid(tmp_path: Path) -> None:
    example = with_target(*prepared(a_volume(tmp_path), tmp_path, a_plan()), a_plan())
    image, mask = example.inputs["image"], example.target["mask"]
    assert image.shape[1:] == mask.shape == (12, 10, 12)
    assert image.dtype == np.float32
    assert set(np.unique(mask)) == {0, 1}
    inside, outside = image[0][mask == 1], image[0][mask == 0]
    assert inside.mean() > outside.mean() + 1.5
    assert example.original is not None
    assert example.original[1] == (6, 10, 12)


def test_preparing_twice_gives_the_same_bits(tmp_path: Path) -> None:
    case = a_volume(tmp_path)
    one, other = (stored_cases([case], tmp_path, a_plan())[0].arrays for _ in range(2))
    assert all(one[key].tobytes() == other[key].tobytes() for key in one)


def test_a_second_input_is_brought_to_the_grid_of_the_first(tmp_path: Path) -> None:
    case = a_volume(tmp_path)
    ramp = np.broadcast_to(np.arange(24.0)[None, None], (6, 10, 24)).astype(np.float32)
    steps = oblique().affine @ np.diag([1, 1, 0.5, 1])
    fine = write(tmp_path, "fine.nii.gz", np.ascontiguousarray(ramp), Geometry(steps))
    both = case.model_copy(update={"inputs": {**case.inputs, "fine": fine}})
    example, _ = prepared(both, tmp_path, a_plan(("image", "fine")))
    assert example.inputs["image"].shape == (2, 12, 10, 12)
    rising = np.diff(example.inputs["image"][1, 5, 5])
    assert bool((rising[1:-1] > 0).all())


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="case case0 has no image input 'flair'"):
        read_images(a_volume(tmp_path), tmp_path, ("flair",))


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_file_that_is_not_the_one_that_was_checked_is_refused(tmp_path: Path, harm: str) -> None:
    case = a_volume(tmp_path)
    paths = {name: tmp_path / f"{name}.nii.gz" for name in ("image", "mask")}
    sealed = case.model_copy(
        update={
            "inputs": {"image": _with_digest(case.inputs["image"], paths["image"])},
            "targets": {"mask": _with_digest(case.targets["mask"], paths["mask"])},
        }
    )
    prepared(sealed, tmp_path, a_plan())
    for name in ("mask", "image"):
        paths[name].unlink() if harm == "gone" else paths[name].write_bytes(paths[name].read_bytes() + b"x")
        with pytest.raises(DataRefused, match=rf"{name}\.nii\.gz of case case0 has changed or vanished"):
            prepared(sealed, tmp_path, a_plan())


def _with_digest(ref: Any, path: Path) -> FileRef:
    found: FileRef = ref.model_copy(update={"digest": file_digest([path])})
    return found


def test_a_file_without_a_digest_must_only_be_there(tmp_path: Path) -> None:
    case = a_volume(tmp_path)
    ref = case.inputs["image"]
    assert isinstance(ref, FileRef)
    unchanged(case, ref, tmp_path)
    (tmp_path / "image.nii.gz").write_bytes(b"broken")
    with pytest.raises(UnreadableFile):
        prepared(case, tmp_path, a_plan())


@pytest.mark.parametrize(("have", "want"), [(1, 3), (3, 1)])
def test_grey_and_colour_stand_for_each_other(tmp_path: Path, have: int, want: int) -> None:
    np.savez(tmp_path / "a.npz", images=np.full((1, 4, 4, 3) if have == 3 else (1, 4, 4), 90, np.uint8))
    case = a_case(inputs={"image": FileRef(format="npz", paths=("a.npz",), item="images:0", modality="photo")})
    plan = a_plan(channels={"image": want}, prepare=[], intensity={"image": {"rule": "grey"}})
    array = prepared(case, tmp_path, plan)[0].inputs["image"]
    assert array.shape == (want, 1, 4, 4)
    assert array == pytest.approx(90 / 255, abs=1e-3)


@pytest.mark.parametrize("size", [4, 5])
def test_another_frame_of_reference_is_refused_also_where_the_grids_agree(size: int) -> None:
    images = {
        name: Image(np.ones((1, size if name == "pt" else 4, 4, 4)), Geometry(np.eye(4), frame_of_reference=frame))
        for name, frame in (("ct", "1.2.3"), ("pt", "1.2.4"))
    }
    with pytest.raises(UnsoundGeometry, match="'pt' and 'ct': different frames of reference"):
        prepare(a_case(), images, a_plan(("ct", "pt"), prepare=[]), Path())


def test_other_data_is_brought_to_the_names_of_a_release() -> None:
    ours = Target(
        name="dx", kind="category", columns=("dx",), labels=(Label(name="a", value=0), Label(name="b", value=1))
    )
    theirs = Target(name="label", kind="category", columns=("label",), labels=ours.labels[:1])
    case = a_case(0, inputs={"film": FileRef(format="picture", paths=("0.png",))}, split="train")
    (found,) = aligned([case], theirs, a_plan(target=ours))
    assert found.targets == {"dx": "a"}
    assert set(found.inputs) == {"image"}
    assert found.split == "test"
    assert aligned([], theirs, a_plan(target=ours)) == []


def test_what_does_not_correspond_is_refused_by_name() -> None:
    ours = Target(
        name="dx", kind="category", columns=("dx",), labels=(Label(name="a", value=0), Label(name="b", value=1))
    )
    strange = ours.model_copy(update={"labels": (Label(name="c", value=0),)})
    with pytest.raises(DataRefused, match=r"does not know the labels c.*it knows a, b"):
        aligned([a_case()], strange, a_plan(target=ours))
    with pytest.raises(DataRefused, match="kind 'mask'"):
        aligned([a_case()], MASK, a_plan(target=ours))
    two = MASK.model_copy(update={"labels": (Label(name="organ", value=1), Label(name="lesion", value=2))})
    moved = MASK.model_copy(update={"labels": (Label(name="organ", value=2),)})
    with pytest.raises(DataRefused, match="organ have other voxel values"):
        aligned([a_case()], moved, a_plan(target=two))
    with pytest.raises(DataRefused, match="has no input t1, t2"):
        aligned([a_case()], ours, a_plan(("t1", "t2"), target=ours))


@pytest.mark.parametrize("rule", [{"rule": "window", "low": 0, "high": 90, "mean": 40, "std": 9}, {"rule": "grey"}])
def test_a_large_volume_is_scaled_in_slabs_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any]
) -> None:
    case, plan = a_volume(tmp_path), a_plan(intensity={"image": rule}, channels={"image": 3})
    whole = prepared(case, tmp_path, plan)[0].inputs["image"]
    monkeypatch.setattr("diascope.engine.preparing.SLAB", 250)  # two slices of 120 voxels
    assert prepared(case, tmp_path, plan)[0].inputs["image"].tobytes() == whole.tobytes()
