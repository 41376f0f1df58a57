"""Leak detector (RELIABILITY F8): planted copies are found, different pictures are not called copies."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from scipy.ndimage import gaussian_filter

from diascope.checks.copies import likeness
from diascope.checks.copies.likeness import alike, clusters
from diascope.checks.duplicates import CHECK as DUPLICATES
from diascope.checks.judging.verdict import because, excluded, verdict
from diascope.checks.near_duplicates import CHECK as NEAR_DUPLICATES
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.problem import Problem
from diascope.planning.survey import take_survey

CLASSES = Target(
    name="label", kind="category", columns=("label",), labels=(Label(name="a", value=0), Label(name="b", value=1))
)
SIDE = 96


def body_part(seed: int) -> np.ndarray:
    """A picture that shares its coarse structure with all others, as films of one body part do."""
    rng = np.random.default_rng(seed)
    z, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    shared = 120 * np.exp(-2 * (z**2 + x**2)) + 60 * (np.abs(x) < 0.1)
    own = sum(
        weight * gaussian_filter(rng.standard_normal((SIDE, SIDE)), blur) * blur
        for blur, weight in ((1, 25), (2, 40), (4, 60), (10, 60))
    )
    return np.clip(shared + own + 50, 0, 255).astype(np.uint8)


def jpeg(picture: Picture.Image, quality: int) -> Picture.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Picture.open(stream)


CHANGES = {
    "jpeg": lambda picture: jpeg(picture, 70),
    "smaller": lambda picture: picture.resize((SIDE * 9 // 10, SIDE * 9 // 10)),
    "brighter": lambda picture: picture.point(lambda value: min(255, value + 25)),
    "all": lambda picture: jpeg(picture.resize((86, 86)).point(lambda value: min(255, value + 20)), 70),
    "mirrored": lambda picture: picture.transpose(Picture.Transpose.FLIP_LEFT_RIGHT),
}


def a_case(folder: Path, name: str, picture: Picture.Image, **changes: object) -> Case:
    picture.save(folder / f"{name}.png")
    plain = {
        "id": name,
        "patient": name,
        "inputs": {"image": FileRef(format="picture", paths=(f"{name}.png",))},
        "targets": {"label": "a"},
    }
    return Case.model_validate({**plain, **changes})


def originals(folder: Path, number: int, **changes: object) -> list[Case]:
    return [a_case(folder, f"p{seed}", Picture.fromarray(body_part(seed)), **changes) for seed in range(number)]


def problems_of(cases: list[Case], folder: Path) -> list[Problem]:
    survey = take_survey(cases, folder, CLASSES)
    return [*DUPLICATES.look(survey), *NEAR_DUPLICATES.look(survey)]


def test_different_pictures_of_one_body_part_are_not_called_copies(tmp_path: Path) -> None:
    assert problems_of(originals(tmp_path, 120), tmp_path) == []


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_under_another_patient_are_found(tmp_path: Path, change: str) -> None:
    cases = originals(tmp_path, 100)
    changed = CHANGES[change]
    for seed in range(0, 100, 5):
        cases.append(a_case(tmp_path, f"copy{seed}", changed(Picture.fromarray(body_part(seed)))))
    problems = problems_of(cases, tmp_path)
    out = set(excluded(problems))
    assert out <= {f"copy{seed}" for seed in range(0, 100, 5)}
    assert len(out) >= 0.95 * 20
    assert verdict(problems, len(cases)) == (), "a twin of each is kept: nothing is lost"


def test_every_exact_copy_across_splits_is_found_and_the_test_part_is_kept(tmp_path: Path) -> None:
    cases = originals(tmp_path, 40, split="train")
    for seed in range(0, 40, 4):
        part = "test" if seed % 8 else "val"
        cases.append(a_case(tmp_path, f"copy{seed}", Picture.fromarray(body_part(seed)), split=part))
    problems = problems_of(cases, tmp_path)
    assert [problem.title for problem in problems] == ["10 exact duplicates in 10 groups across splits or patients"]
    assert set(problems[0].exclude) == {f"p{seed}" for seed in range(0, 40, 4)}
    assert problems[0].figure is not None


def test_copies_under_two_known_patients_bring_all_their_cases_together(tmp_path: Path) -> None:
    cases = originals(tmp_path, 12)
    same = Picture.fromarray(body_part(3))
    cases += [
        a_case(tmp_path, "under-another-id", CHANGES["jpeg"](same), patient="other"),
        a_case(tmp_path, "of-the-other", Picture.fromarray(body_part(77)), patient="other"),
    ]
    (problem,) = problems_of(cases, tmp_path)
    assert problem.exclude == ("under-another-id",)
    assert problem.groups == (("p3", "of-the-other"),)


def test_copies_with_conflicting_labels_are_left_out_all_of_them(tmp_path: Path) -> None:
    cases = originals(tmp_path, 12)
    same = Picture.fromarray(body_part(3))
    cases.append(a_case(tmp_path, "exact", same, targets={"label": "b"}))
    cases.append(a_case(tmp_path, "near", CHANGES["smaller"](Picture.fromarray(body_part(5))), targets={"label": "b"}))
    exact, near = problems_of(cases, tmp_path)
    assert (exact.severity, exact.exclude) == ("warn", ("p3", "exact"))
    assert (near.severity, near.exclude) == ("warn", ("p5", "near"))


def test_exact_copies_of_one_patient_are_only_noted(tmp_path: Path) -> None:
    cases = originals(tmp_path, 12)
    cases.append(a_case(tmp_path, "again", Picture.fromarray(body_part(3)), patient="p3"))
    cases.append(a_case(tmp_path, "near", CHANGES["jpeg"](Picture.fromarray(body_part(4))), patient="p4"))
    (problem,) = problems_of(cases, tmp_path)
    assert (problem.severity, problem.exclude, problem.cases) == ("note", (), ("p3", "again"))


def test_near_duplicates_of_unknown_patients_stay_together_and_exact_ones_are_left_out(tmp_path: Path) -> None:
    cases = originals(tmp_path, 12, patient_known=False)
    cases.append(a_case(tmp_path, "near", CHANGES["jpeg"](Picture.fromarray(body_part(3))), patient_known=False))
    cases.append(a_case(tmp_path, "exact", Picture.fromarray(body_part(5)), patient_known=False))
    exact, near = problems_of(cases, tmp_path)
    assert exact.exclude == ("exact",)
    assert (near.exclude, near.groups) == ((), (("p3", "near"),))


def test_constant_images_are_not_called_duplicates(tmp_path: Path) -> None:
    black = Picture.fromarray(np.zeros((SIDE, SIDE), np.uint8))
    cases = [*originals(tmp_path, 10), *(a_case(tmp_path, f"black{index}", black) for index in range(2))]
    assert problems_of(cases, tmp_path) == []


def test_few_and_flat_pictures_have_no_pairs() -> None:
    assert alike(np.zeros((0, 64, 64), np.uint8)) == []
    assert alike(np.full((20, 64, 64), 7, np.uint8)) == []


def test_a_frame_that_all_pictures_share_does_not_make_them_alike() -> None:
    rng = np.random.default_rng(0)
    z, x = np.mgrid[-1:1:64j, -1:1:64j]
    disc = 200.0 * (z**2 + x**2 < 0.8)
    pictures = [disc + gaussian_filter(rng.standard_normal((64, 64)), 3) * 60 for _ in range(30)]
    thumbnails = np.clip(np.stack(pictures), 0, 255).astype(np.uint8)
    assert alike(thumbnails) == []


@pytest.mark.parametrize(
    ("side", "noise", "same"), [(28, 2, True), (28, 4.5, False), (48, 2, True), (48, 6, False), (96, 12, True)]
)
def test_the_smaller_pictures_are_the_more_alike_copies_must_be(
    side: int, noise: float, same: bool, tmp_path: Path
) -> None:
    pictures = [Picture.fromarray(body_part(seed)).resize((side, side)) for seed in range(20)]
    changed = np.asarray(pictures[1]) + np.random.default_rng(1).normal(0, noise, (side, side))
    pictures.append(Picture.fromarray(np.clip(changed, 0, 255).astype(np.uint8)))
    cases = [a_case(tmp_path, f"p{number}", picture) for number, picture in enumerate(pictures)]
    (problem,) = problems_of(cases, tmp_path)
    assert (problem.severity, problem.exclude) == (("warn", ("p20",)) if same else ("note", ()))


def planted() -> np.ndarray:
    """Thumbnails with copies of growing noise, every second one mirrored."""
    plain = [np.asarray(Picture.fromarray(body_part(seed)).resize((64, 64))) for seed in range(60)]
    noise = np.random.default_rng(0)
    copies = [plain[seed] + noise.normal(0, seed / 3, (64, 64)) for seed in range(60)]
    copies = [copy[:, :: -1 if seed % 2 else 1] for seed, copy in enumerate(copies)]
    return np.clip(np.stack([*plain, *copies]), 0, 255).astype(np.uint8)


def test_a_first_comparison_of_projections_and_blocks_of_any_size_lose_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    thumbnails = planted()
    found = alike(thumbnails)
    assert len(found) > 30
    assert {pair.mirrored for pair in found} == {False, True}
    monkeypatch.setattr(likeness, "BLOCK", 1)
    monkeypatch.setattr(likeness, "PAIRS", 3)
    assert alike(thumbnails) == found
    monkeypatch.setattr(likeness, "NEAR", -2)
    assert alike(thumbnails) == found


def test_what_a_first_comparison_tells_apart_is_not_compared_further(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 6) * 900
    own = [gaussian_filter(np.random.default_rng(seed).standard_normal((64, 64)), 1) * 30 for seed in range(100)]
    thumbnails = np.clip(128 + shared + np.stack(own), 0, 255).astype(np.uint8)
    proposed: list[int] = []
    verified = likeness._verified

    def counted(details: np.ndarray, indices: tuple[np.ndarray, np.ndarray], *rest: object) -> object:
        proposed.append(len(indices[0]))
        return verified(details, indices, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(likeness, "_verified", counted)
    assert alike(thumbnails) == []
    assert sum(proposed) == 0
    monkeypatch.setattr(likeness, "NEAR", -2)
    assert alike(thumbnails) == []
    assert sum(proposed) > 1000, "hashes alone propose them"


def test_clusters_are_connected_pairs_in_order() -> None:
    assert clusters(6, [(4, 1), (1, 5), (2, 3)]) == [[1, 4, 5], [2, 3]]
    assert clusters(3, []) == []


def test_verdict_counts_what_is_lost_and_not_copies_whose_twin_is_kept() -> None:
    def left_out(check: str, *gone: str) -> Problem:
        return Problem(check=check, severity="warn", title="t", detail="d", cases=("a", "b"), exclude=gone)

    surplus = [left_out("duplicates", "b"), left_out("near_duplicates", "a")]
    conflict, broken = left_out("near_duplicates", "a", "b"), left_out("unreadable", "a")
    assert verdict(surplus, 2) == ()
    assert verdict([*surplus, conflict], 100) == (conflict,)
    assert verdict([*surplus, broken], 99) == (broken,)
    assert verdict([*surplus, broken], 100) == ()


def test_verdict_refuses_when_more_than_one_per_cent_is_left_out_unless_it_is_accepted() -> None:
    leak = Problem(check="duplicates", severity="warn", title="t", detail="d", cases=("a", "b"), exclude=("a", "b"))
    torn = Problem(check="patients", severity="refuse", title="t", detail="d")
    assert because((), 200) == ()
    lost, way_out = because((leak,), 199)
    assert lost == "because 2 of 199 cases (1.0 %) would be left out: more than 1% is your decision"
    assert way_out == "mend the data, or accept with --accept duplicates"
    assert verdict([leak], 200) == ()
    assert verdict([leak], 199) == (leak,)
    assert verdict([leak], 199, {"duplicates"}) == ()
    assert verdict([leak, torn], 1000) == (torn,)
    assert verdict([leak, torn], 100, {"patients"}) == (leak,)
