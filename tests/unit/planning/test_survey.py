"""Every case read once: what is measured, what cannot be read, and children that die."""

from __future__ import annotations

import hashlib
import os
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from diascope import formats
from diascope.core.case import Case, FileRef, Label, TableRef, Target
from diascope.core.errors import DiascopeError, DoesNotFit
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.planning import survey as surveys
from diascope.planning.survey import file_digest, take_survey
from diascope.planning.surveying.measuring import measure
from diascope.planning.surveying.parallel import facts_in_children
from diascope.planning.surveying.reading import facts_of
from diascope.planning.surveying.room import kept_bytes, readers

VESSEL = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="vessel", value=1),))


def pixels(seed: int, shape: tuple[int, ...] = (20, 30)) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, shape, dtype=np.uint8)


def a_picture(folder: Path, name: str, array: np.ndarray) -> Case:
    Picture.fromarray(array).save(folder / f"{name}.png")
    return Case(id=name, patient=name, inputs={"image": FileRef(format="picture", paths=(f"{name}.png",))})


def pictures(folder: Path, number: int) -> list[Case]:
    return [a_picture(folder, f"case{index}", pixels(index)) for index in range(number)]


def a_volume(folder: Path, name: str, array: np.ndarray, origin: tuple[float, float, float] = (0, 0, 0)) -> FileRef:
    image = Image(array[None], Geometry.from_spacing((3.0, 1.0, 0.5), origin))
    nifti = formats.registry.get("formats", "nifti")
    nifti.write(image, folder / f"{name}.nii.gz")
    return FileRef(format="nifti", paths=(f"{name}.nii.gz",))


def an_image(array: np.ndarray) -> Image:
    return Image(array, Geometry.unknown())


def test_facts_of_a_picture(tmp_path: Path) -> None:
    array = pixels(0)
    survey = take_survey([a_picture(tmp_path, "a", array)], tmp_path, None)
    facts = survey.facts["a"].inputs["image"]
    assert facts.shape == (1, 20, 30)
    assert (facts.channels, facts.dtype, facts.physical) == (1, "uint8", False)
    assert facts.mean == pytest.approx(array.mean())
    assert facts.std == pytest.approx(array.std())
    assert (facts.minimum, facts.maximum) == (array.min(), array.max())
    assert facts.file_bytes == (tmp_path / "a.png").stat().st_size
    assert facts.file_digest == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert facts.thumbnail.shape == (64, 64)
    assert survey.facts["a"].seconds > 0


def test_same_pixels_in_another_file_and_type_have_the_same_digest(tmp_path: Path) -> None:
    array = pixels(1)
    np.savez(tmp_path / "set.npz", train_images=array[None].astype(np.float64))
    packed = Case(
        id="b", patient="b", inputs={"image": FileRef(format="npz", paths=("set.npz",), item="train_images:0")}
    )
    survey = take_survey([a_picture(tmp_path, "a", array), packed], tmp_path, None)
    assert survey.facts["a"].inputs["image"].digest == survey.facts["b"].inputs["image"].digest
    assert measure(an_image(array.T[None, None]), 0, "").digest != survey.facts["a"].inputs["image"].digest


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_measures_agree_with_numpy_whatever_the_type(dtype: type) -> None:
    array = np.random.default_rng(2).integers(0, 200, (2, 5, 40, 40)).astype(dtype)
    facts = measure(an_image(array), 0, "")
    assert facts.mean == pytest.approx(array.mean(dtype=np.float64))
    assert facts.std == pytest.approx(array.std(dtype=np.float64))
    assert (facts.low, facts.median, facts.high) == pytest.approx(np.percentile(array, (0.5, 50, 99.5)), abs=1.0)
    inside = array[0][array[0] > array[0].min()]
    assert facts.foreground[0] == pytest.approx(
        (inside.mean(dtype=np.float64), inside.std(dtype=np.float64), *np.percentile(inside, (0.5, 99.5))), abs=1.0
    )


def test_a_large_volume_is_measured_in_chunks_and_sampled_without_falling_on_one_column() -> None:
    array = np.tile(np.arange(64, dtype=np.float32), (1, 20, 1024, 1))
    facts = measure(an_image(array), 0, "")
    assert facts.mean == pytest.approx(31.5)
    assert facts.std == pytest.approx(array.std(dtype=np.float64))
    assert facts.median == pytest.approx(31.5, abs=0.6)


def test_values_that_are_not_numbers_are_counted_and_left_out_of_the_moments() -> None:
    array = np.ones((1, 1, 8, 8), np.float32)
    array[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    array[0, 0, 1, 0] = 3
    facts = measure(an_image(array), 0, "")
    assert facts.bad == 3
    assert (facts.minimum, facts.maximum) == (1, 3)
    nothing = measure(an_image(np.full((1, 1, 4, 4), np.nan, np.float32)), 0, "")
    assert (nothing.bad, nothing.mean) == (16, 0.0)


def test_foreground_is_what_the_mask_marks_and_not_what_it_ignores(tmp_path: Path) -> None:
    image = np.zeros((4, 6, 8), np.float32)
    mask = np.zeros((4, 6, 8), np.uint8)
    image[1, 2:4, 2:4], mask[1, 2:4, 2:4] = 50, 1
    image[2], mask[2] = 900, 9
    case = Case(
        id="a",
        patient="a",
        inputs={"image": a_volume(tmp_path, "image", image)},
        targets={"mask": a_volume(tmp_path, "mask", mask)},
    )
    facts = take_survey([case], tmp_path, VESSEL.model_copy(update={"ignore": 9})).facts["a"]
    assert facts.inputs["image"].foreground == ((50.0, 0.0, 50.0, 50.0),)
    assert facts.inputs["image"].steps == pytest.approx((3.0, 1.0, 0.5))
    assert facts.masks["mask"].counts == {0: 192 - 48 - 4, 1: 4, 9: 48}
    assert facts.masks["mask"].across == pytest.approx({1: 3 / 8 - 0.5, 9: 0.0})
    assert facts.masks["mask"].geometry_differs == ""


@pytest.mark.parametrize(
    ("shape", "origin", "said"),
    [((4, 6, 7), (0, 0, 0), "4 x 6 x 7 voxels"), ((4, 6, 8), (5, 0, 0), "5.00 mm away"), ((4, 6, 8), (0.01, 0, 0), "")],
)
def test_a_mask_that_does_not_lie_on_its_image_is_said(
    tmp_path: Path, shape: tuple[int, ...], origin: tuple[float, float, float], said: str
) -> None:
    case = Case(
        id="a",
        patient="a",
        inputs={"image": a_volume(tmp_path, "image", np.ones((4, 6, 8), np.float32))},
        targets={"mask": a_volume(tmp_path, "mask", np.ones(shape, np.uint8), origin)},
    )
    differs = take_survey([case], tmp_path, VESSEL).facts["a"].masks["mask"].geometry_differs
    assert said in differs
    assert bool(differs) == bool(said)


def in_memory(monkeypatch: pytest.MonkeyPatch, folder: Path, **images: Image) -> dict[str, FileRef]:
    """References that `formats.read` answers with these images; their files hold no pixels."""
    for name in images:
        (folder / name).write_bytes(b"")
    monkeypatch.setattr(formats, "read", lambda ref, root: images[ref.paths[0]])
    return {name: FileRef(format="dicom", paths=(name,)) for name in images}


def test_a_mask_without_its_empty_slices_lies_on_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Geometry.from_spacing((3.0, 1.0, 0.5), frame_of_reference="1.2.3")
    image = np.zeros((1, 4, 6, 8), np.float32)
    image[0, 2, 2:4, 2:4] = 50
    cut = Image((image[:, 2:3] > 0).astype(np.uint8), here.moved((2, 0, 0)), history=("segments overlap in 3 voxels",))
    refs = in_memory(monkeypatch, tmp_path, ct=Image(image, here), seg=cut)
    case = Case(id="a", patient="a", inputs={"image": refs["ct"]}, targets={"mask": refs["seg"]})
    facts = facts_of(case, tmp_path, VESSEL)
    assert not isinstance(facts, str)
    mask = facts.masks["mask"]
    assert (mask.geometry_differs, mask.shape, mask.counts) == ("", (4, 6, 8), {0: 192 - 4, 1: 4})
    assert mask.history == ("segments overlap in 3 voxels",)
    assert facts.inputs["image"].foreground == ((50.0, 0.0, 50.0, 50.0),)


def test_inputs_in_different_frames_of_reference_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lying(frame: str | None) -> Image:
        return Image(np.ones((1, 2, 3, 4), np.int16), Geometry.from_spacing((1, 1, 1), frame_of_reference=frame))

    refs = in_memory(monkeypatch, tmp_path, ct=lying("1.2.3"), pt=lying("1.2.4"), mr=lying(None))
    facts = facts_of(Case(id="a", patient="a", inputs=refs), tmp_path, None)
    assert not isinstance(facts, str)
    assert [bool(seen.apart) for seen in facts.inputs.values()] == [False, True, False]
    assert "1.2.4 and 1.2.3" in facts.inputs["pt"].apart


def test_what_cannot_be_read_is_listed_with_its_reason_and_the_others_are_read(tmp_path: Path) -> None:
    cases = pictures(tmp_path, 4)
    (tmp_path / "case1.png").write_bytes((tmp_path / "case1.png").read_bytes()[:60])
    (tmp_path / "case2.png").unlink()
    survey = take_survey(cases, tmp_path, None)
    assert list(survey.facts) == ["case0", "case3"]
    assert list(survey.unreadable) == ["case1", "case2"]
    assert "no such file" in survey.unreadable["case2"]


def test_an_error_in_a_reader_names_its_case_and_a_missing_package_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = pictures(tmp_path, 1)[0]

    def broken(ref: FileRef, root: Path) -> Image:
        raise KeyError("Rows")

    monkeypatch.setattr(formats, "read", broken)
    assert facts_of(case, tmp_path, None) == "the reader failed with KeyError: 'Rows'"

    def missing(ref: FileRef, root: Path) -> Image:
        raise DiascopeError("needs a package")

    monkeypatch.setattr(formats, "read", missing)
    with pytest.raises(DiascopeError, match="needs a package"):
        facts_of(case, tmp_path, None)


def test_a_table_has_no_image_facts_and_an_empty_list_of_cases_is_fine(tmp_path: Path) -> None:
    table = Case(id="t", patient="t", inputs={"table": TableRef(values={"age": 3.0})})
    survey = take_survey([table], tmp_path, None)
    assert survey.facts["t"].inputs == {}
    assert take_survey([], tmp_path, None).facts == {}


def test_children_say_the_same_as_this_process_and_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = pictures(tmp_path, 30)
    (tmp_path / "case7.png").write_bytes(b"not a picture")
    here = take_survey(cases, tmp_path, None)
    monkeypatch.setattr(surveys, "SMALL_BYTES", 0)
    told: list[tuple[int, int]] = []
    there = take_survey(cases, tmp_path, None, workers=2, progress=lambda done, of: told.append((done, of)))
    assert told == [(number, 30) for number in range(1, 31)]
    assert list(there.facts) == list(here.facts)
    assert there.unreadable == here.unreadable
    for key, facts in here.facts.items():
        assert there.facts[key].inputs["image"].digest == facts.inputs["image"].digest


def test_readers_are_as_many_as_their_unpacked_archives_fit_into_memory(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros((10, 100, 100)), b=np.zeros((5, 100, 100)), c=np.zeros(9999))
    refs = [FileRef(format="npz", paths=("x.npz",), item=f"{name}:{index}") for name in "ab" for index in range(5)]
    cases = [Case(id=ref.item or "", patient="p", inputs={"image": ref}) for ref in refs]
    kept = kept_bytes(cases, tmp_path)
    assert 1_200_000 <= kept < 1_201_000, "the arrays that are asked for, each once, and not the third"
    assert [readers(16, kept, free) for free in (10**9, 15 * 10**6, 2 * 10**6, kept)] == [16, 9, 1, 1]
    with pytest.raises(DoesNotFit, match=r"take 41\.6 GB of memory once unpacked.*16\.0 GB are free"):
        readers(16, 41_600_000_000, 16_000_000_000)
    assert readers(16, 0, 0) == 16


def test_a_reader_keeps_only_so_many_archives_and_a_broken_one_is_left_to_reading(tmp_path: Path) -> None:
    cases = []
    for index in range(9):
        np.savez(tmp_path / f"{index}.npz", volume=np.zeros((100, 100), np.uint8))
        ref = FileRef(format="npz", paths=(f"{index}.npz",))
        cases.append(Case(id=str(index), patient="p", inputs={"image": ref}))
    assert 40_000 <= kept_bytes(cases, tmp_path) < 41_000
    (tmp_path / "0.npz").write_bytes(b"PK broken")
    (tmp_path / "1.npz").unlink()
    assert kept_bytes(cases[:2], tmp_path) == 0
    assert list(take_survey(cases[:3], tmp_path, None).unreadable) == ["0", "1"]


def test_a_survey_that_no_reader_has_room_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "x.npz", train_images=np.zeros((2, 500, 500)))
    ref = FileRef(format="npz", paths=("x.npz",), item="train_images:0")
    free = replace(surveys.capabilities(), memory_available=10**6)
    monkeypatch.setattr(surveys, "capabilities", lambda: free)
    with pytest.raises(DoesNotFit, match=r"take 4\.0 MB"):
        take_survey([Case(id="a", patient="a", inputs={"image": ref})], tmp_path, None)


def test_a_child_that_is_killed_takes_only_its_case_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = pictures(tmp_path, 12)
    _in_children(
        tmp_path,
        monkeypatch,
        """
        def read(ref, root):
            if ref.paths == ("case5.png",):
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(ref, root)
        """,
    )
    results = dict(facts_in_children(cases, tmp_path, None, workers=2))
    assert sorted(results) == list(range(12))
    assert [index for index, result in results.items() if isinstance(result, str)] == [5]
    assert "killed by signal 9" in str(results[5])


def test_a_child_killed_once_from_outside_costs_no_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = pictures(tmp_path, 12)
    _in_children(
        tmp_path,
        monkeypatch,
        """
        def read(ref, root):
            once = Path(root) / "once"
            if ref.paths == ("case5.png",) and not once.exists():
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(ref, root)
        """,
    )
    results = dict(facts_in_children(cases, tmp_path, None, workers=2))
    assert not any(isinstance(result, str) for result in results.values())
    assert len(results) == 12


def test_children_that_die_again_and_again_stop_the_survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diascope.planning.surveying.parallel.MOST_DEATHS", 1)
    cases = pictures(tmp_path, 4)
    _in_children(tmp_path, monkeypatch, "def read(ref, root): os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(DiascopeError, match="2 processes that read files ended early"):
        list(facts_in_children(cases, tmp_path, None, workers=2))


def _in_children(folder: Path, monkeypatch: pytest.MonkeyPatch, read: str) -> None:
    """Let the child processes (not this one) read files with another `read`."""
    start = "import os, signal\nfrom pathlib import Path\nfrom diascope import formats\nplain = formats.read\n"
    (folder / "sitecustomize.py").write_text(f"{start}{textwrap.dedent(read)}\nformats.read = read\n")
    monkeypatch.syspath_prepend(str(folder))


def test_file_digest_follows_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = file_digest([path])
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert before == hashlib.sha256(b"one").hexdigest()
    assert file_digest([path]) == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shapes_spacings_and_digest_do_not_depend_on_the_order_in_which_a_file_stores_its_axes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[int, int, int]
) -> None:
    array = np.random.default_rng(0).normal(size=(1, 4, 6, 8)).astype(np.float32)
    marked = (array > 1).astype(np.uint8)
    grid = Geometry.from_spacing((3.0, 0.5, 0.75))

    def stored(values: np.ndarray) -> Image:
        turned = Image(values.transpose(0, *(1 + axis for axis in order)), grid.permuted(order))
        return turned.with_array(np.flip(turned.array, 2).copy(), turned.geometry.flipped(1, turned.shape[1]))

    refs = in_memory(monkeypatch, tmp_path, image=stored(array), mask=stored(marked))
    case = Case(id="a", patient="a", inputs={"image": refs["image"]}, targets={"mask": refs["mask"]})
    facts = facts_of(case, tmp_path, None)
    assert not isinstance(facts, str)
    seen, plain = facts.inputs["image"], measure(Image(array, grid), 0, "", np.flatnonzero(marked[0]))
    assert (seen.shape, seen.digest, seen.foreground) == ((4, 6, 8), plain.digest, plain.foreground)
    assert seen.steps == pytest.approx((3.0, 0.5, 0.75))
    columns = np.nonzero(marked)[3]
    assert facts.masks["mask"].across[1] == pytest.approx((columns.mean() + 0.5) / 8 - 0.5)
