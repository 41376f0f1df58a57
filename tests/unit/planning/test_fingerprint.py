"""What the data is: on which input others lie, what a picture is where no file says it, and what a plan makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diascope.core.case import Case, Dataset, FileRef, Label, Target
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Fingerprint
from diascope.planning.draft import Draft
from diascope.planning.fingerprint import fingerprint
from diascope.planning.planner import _inputs
from diascope.planning.recipe import mirror_axes, recipe
from diascope.planning.survey import CaseFacts, MaskFacts, Survey
from diascope.planning.surveying.measuring import measure
from diascope.testing.factories import CLASSES, a_case

SIZE = (40, 48)


def skin(seed: int) -> np.ndarray:
    """A picture in colour with black corners, (3, 1, Y, X)."""
    base = np.array([200, 140, 110])[:, None, None] + np.random.default_rng(seed).normal(0, 8, (3, *SIZE))
    y, x = np.indices(SIZE)
    return np.where((y - 20) ** 2 + (x - 24) ** 2 < 400, base, 2).clip(0, 255).astype(np.uint8)[:, None]


def film(seed: int) -> np.ndarray:
    """A grey film as RGB, with the noise of JPEG in its colours and a coloured arrow."""
    rng = np.random.default_rng(seed)
    array = np.repeat(rng.integers(0, 256, (1, *SIZE)), 3, axis=0) + rng.integers(-3, 4, (3, *SIZE))
    array[:, 2:6, 2:9] = np.array([255, 220, 0])[:, None, None]
    return array.clip(0, 255).astype(np.uint8)[:, None]


def facts(pictures: list[np.ndarray], modality: str = "unknown") -> Fingerprint:
    cases = tuple(a_case(number, split="train") for number in range(len(pictures)))
    seen = {
        case.id: CaseFacts({"image": measure(Image(one, Geometry.unknown(), modality, "grey"), 9, "")}, {}, 0.01)
        for case, one in zip(cases, pictures, strict=True)
    }
    return of(cases, seen)


def of(cases: tuple[Case, ...], seen: dict[str, CaseFacts]) -> Fingerprint:
    dataset = Dataset(name="d", source="manifest", root=".", task="classification", target=CLASSES, cases=cases)
    return fingerprint(dataset, Survey(Path(), cases, CLASSES, seen, {}), lambda case: str(case.targets["label"]))


def planned(found: Fingerprint) -> Draft:
    draft = Draft({}, {})
    _inputs(draft, found)
    return draft


def test_pictures_in_colour_of_which_no_file_says_what_they_are_are_photographs() -> None:
    found = facts([skin(0), skin(1), film(2)])
    image = found.inputs["image"]
    assert image.modality == "photo"
    choice = planned(found).choices["intensity"]
    assert choice.value["image"]["rule"] == "rgb"
    assert (choice.value["image"]["low"], choice.value["image"]["high"]) == (0.0, 255.0)
    assert choice.reason == "image: rgb (photo: no file says what it is, and 2 of 3 pictures are in colour)"
    assert mirror_axes(image, CLASSES)[0] == (1, 2)
    assert recipe(image, "light", (1, 2), (1.0, 1.0, 1.0))[0][1]["rotation"][0] == 180.0


@pytest.mark.parametrize(
    ("pictures", "modality"),
    [
        ([film(0), film(1), skin(2)], "unknown"),
        ([film(0)[:1], film(1)[:1]], "unknown"),
        ([skin(0), skin(1)], "us"),
        ([np.repeat(skin(0), 3, axis=1)], "unknown"),
    ],
    ids=["grey as RGB", "grey", "a file says it", "volumes"],
)
def test_others_stay_what_they_are(pictures: list[np.ndarray], modality: str) -> None:
    found = facts(pictures, modality).inputs["image"]
    assert (found.modality, found.modality_reason) == (modality, "")


def test_the_reference_input_survives_the_file(tmp_path: Path) -> None:
    names = ("pt", "ct", "adc")
    refs = {name: FileRef(format="nifti", paths=(name,)) for name in names}
    case = a_case(0, inputs=refs, split="train")
    images = {
        name: measure(Image(np.ones((1, 4, 4 + number, 4)), Geometry.from_spacing((1, 1, 1)), "mr"), 9, "")
        for number, name in enumerate(names)
    }
    of((case,), {case.id: CaseFacts(images, {}, 0.01)}).write(tmp_path / "fingerprint.json")
    again = Fingerprint.read(tmp_path / "fingerprint.json")
    assert again.order == names
    assert planned(again).choices["image_inputs"].value == list(names)


def test_places_of_structures_are_those_of_the_masks_that_hold_them_and_only_of_enough() -> None:
    organs = Target(
        name="organs",
        kind="mask",
        columns=("mask",),
        labels=(Label(name="paired", value=1, members=(1, 2)), Label(name="rare", value=3)),
    )
    cases = tuple(a_case(number, split="train") for number in range(10))
    seen = {}
    for number, case in enumerate(cases):
        counts, across = {0: 60, 1: 30, 2: 10}, {1: 0.1, 2: 0.3}
        if number < 7:
            counts, across = {**counts, 3: 5}, {**across, 3: -0.2}
        image = measure(Image(film(number), Geometry.unknown()), 9, "")
        mask = MaskFacts(counts, (1, *SIZE), across=across)
        seen[case.id] = CaseFacts({"image": image}, {"mask": mask}, 0.01)
    dataset = Dataset(name="d", source="manifest", root=".", task="segmentation", target=organs, cases=cases)
    found = fingerprint(dataset, Survey(Path(), cases, organs, seen, {}), lambda case: "")
    assert found.label_places == {"paired": pytest.approx((0.15, 0.15, 0.15))}
