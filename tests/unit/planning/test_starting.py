"""What `--from` brings to a plan, and when it is refused: by whose labels were learnt, and by the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diascope.core.case import Case, Dataset, FileRef
from diascope.core.errors import BadUsage, DataRefused, Tampered, UnknownName
from diascope.planning.draft import Draft
from diascope.planning.starting import beginning, refuse_start, started_from
from diascope.store.releases import open_release
from diascope.store.workspace import Workspace
from diascope.testing.factories import CLASSES
from diascope.testing.releases import a_plan, a_release


def a_dataset(name: str, numbers: range, split: str = "train", folds: bool = False, item: str | None = None) -> Dataset:
    def ref(number: int) -> FileRef:
        return FileRef(format="picture", paths=(f"{name}/{number}.png",), digest=f"hash{number}", item=item)

    cases = tuple(
        Case(id=f"{name}{n}", patient=f"p{n}", inputs={"image": ref(n)}, split=split)  # type: ignore[arg-type]
        for n in numbers
    )
    dealt = tuple((case.patient,) for case in cases) if folds else ()
    return Dataset(
        name=name, source="manifest", root=".", task="classification", target=CLASSES, cases=cases, folds=dealt
    )


def a_workspace(folder: Path, learnt: Dataset | None = None, **changes: Any) -> Workspace:
    """With the release films@1, trained on a data set that is kept where it is given."""
    space = Workspace(folder)
    a_release(space.releases / "films@1", a_plan(), dataset="old@1", **changes)
    if learnt is not None:
        learnt.write(space.datasets / "old@1" / "dataset.json")
    return space


def started(space: Workspace, dataset: Dataset, **by_hand: Any) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    return started_from(beginning(space, "films"), space, dataset, by_hand, said.append), said


def test_the_network_and_its_weights_come_from_the_release(tmp_path: Path) -> None:
    space = a_workspace(tmp_path, a_dataset("old", range(10)))
    found, said = started(space, a_dataset("new", range(20, 30), "test"), batch=4)
    opened = open_release(space.releases / "films@1")
    assert (found["model"], found["model_options"]) == ("resnet", opened.plan["model_options"])
    assert found["batch"] == 4
    assert found["weights"] == {
        "file": str(opened.folder / "weights-0.safetensors"), "of": "films@1", "seal": opened.release.seal, "notes": [],
    }  # fmt: skip
    assert said == []


def test_of_several_networks_the_first_is_taken_and_said(tmp_path: Path) -> None:
    space = a_workspace(tmp_path, a_dataset("old", range(10)), seeds=(0, 1, 2))
    found, said = started(space, a_dataset("new", range(20, 30)))
    assert found["weights"]["notes"] == ["the first of its 3 networks"]
    assert said == ["films@1: the first of its 3 networks"]


@pytest.mark.parametrize(
    ("split", "folds"), [("test", False), ("val", False), ("train", True)], ids=["test", "val", "folds"]
)
def test_cases_whose_labels_were_learnt_are_not_tested_on(tmp_path: Path, split: str, folds: bool) -> None:
    space = a_workspace(tmp_path, a_dataset("old", range(10)))
    with pytest.raises(DataRefused, match="has learnt the labels of 3 of 10 cases") as refused:
        started(space, a_dataset("new", range(7, 17), split, folds))
    assert refused.value.cases == ("new7", "new8", "new9")


def test_cases_that_are_trained_on_again_or_were_tested_then_are_none_of_them(tmp_path: Path) -> None:
    again = a_workspace(tmp_path / "one", a_dataset("old", range(10)))
    assert started(again, a_dataset("new", range(10)))[1] == []
    tested = a_workspace(tmp_path / "two", a_dataset("old", range(10), "test"))
    assert started(tested, a_dataset("new", range(10), "test"))[1] == []


def test_images_of_one_file_are_told_apart_by_their_place_in_it(tmp_path: Path) -> None:
    space = a_workspace(tmp_path, a_dataset("old", range(10), item="train_images:1"))
    assert started(space, a_dataset("new", range(10), "test", item="val_images:1"))[1] == []


def test_a_data_set_that_is_not_here_is_said(tmp_path: Path) -> None:
    found, said = started(a_workspace(tmp_path), a_dataset("new", range(10), "test"))
    assert "is not known" in said[0]
    assert "is not known" in found["weights"]["notes"][0]


def test_another_network_and_a_second_start_are_refused(tmp_path: Path) -> None:
    space, dataset = a_workspace(tmp_path, a_dataset("old", range(10))), a_dataset("new", range(20, 30))
    with pytest.raises(BadUsage, match="films@1 is a 'resnet', whose weights fit no other network"):
        started(space, dataset, model="unet")
    with pytest.raises(BadUsage, match="weights come from one place"):
        started(space, dataset, weights="/some/file.pth")


def test_an_unknown_start_names_releases_and_encoders_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    space = a_workspace(tmp_path)
    with pytest.raises(UnknownName, match=r"no release or pretrained encoder named 'filsm'.*'films@1'"):
        beginning(space, "filsm")
    (space.releases / "films@1" / "weights-0.safetensors").write_bytes(b"other")
    with pytest.raises(Tampered):
        beginning(space, "films")


def test_what_is_fitted_at_once_starts_from_nothing() -> None:
    draft = Draft({"model": a_plan().choices["model"]}, {"weights": "x.pth"})
    with pytest.raises(BadUsage, match="fitted at once and starts from nothing"):
        refuse_start(draft)
    refuse_start(Draft({}, {}))
