"""synthesize: images of nobody, marked as such, the same ones for the same seed."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli
from diascope.core.case import Label
from diascope.core.errors import BadUsage, Blocked, UnknownName
from diascope.core.plan import Plan
from diascope.core.registry import get
from diascope.formats.picture import FORMAT
from diascope.sources import SourceOptions, recognise
from diascope.stages.synthesize import Wanted, synthesize
from diascope.testing.factories import CLASSES
from diascope.testing.releases import a_plan, a_release

IMAGES = CLASSES.model_copy(update={"kind": "images"})


def of_images(**changes: Any) -> Plan:
    plain = {"model": "gan", "model_options": {"width": 8, "noise": 4}, "intensity": {"image": {"rule": "grey"}}}
    plan = a_plan(CLASSES, (1, 12, 16), **{**plain, **changes})
    return plan.model_copy(update={"task": "synthesis", "target": changes.get("target", IMAGES)})


def a_generator(folder: Path, **changes: Any) -> Path:
    return a_release(folder / "films@1", of_images(), decision={}, **changes)


def pixels(folder: Path) -> dict[str, bytes]:
    return {path.name: FORMAT.read([path]).array.tobytes() for path in folder.glob("*.png")}


def test_images_of_each_class_with_a_manifest_that_fit_reads(tmp_path: Path) -> None:
    found = synthesize(a_generator(tmp_path), tmp_path / "made", Wanted(3))
    assert found == {"release": "films@1", "out": str(tmp_path / "made"), "images": 6, "classes": ["a", "b"]}
    with (tmp_path / "made" / "manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["a"] * 3 + ["b"] * 3
    assert {row["synthetic"] for row in rows} == {"yes"}
    assert all("films@1" in row["made_by"] and row["made_by"].endswith("seed 0, unsigned") for row in rows)
    source = recognise(str(tmp_path / "made"))
    listing = get("sources", source).list(str(tmp_path / "made"), SourceOptions())
    assert source == "manifest"
    assert listing.targets[0].name == "label"
    assert all(case.synthetic and case.patient_known for case in listing.cases)
    assert len({case.patient for case in listing.cases}) == 6


def test_classes_whose_names_differ_in_signs_alone_do_not_overwrite_each_other(tmp_path: Path) -> None:
    names = [Label(name=name, value=value) for value, name in enumerate(("<5", ">5"))]
    plan = of_images().model_copy(update={"target": IMAGES.model_copy(update={"labels": tuple(names)})})
    release = a_release(tmp_path / "films@1", plan, decision={})
    synthesize(release, tmp_path / "made", Wanted(2))
    assert set(pixels(tmp_path / "made")) == {"-5-0-00001.png", "-5-0-00002.png", "-5-1-00001.png", "-5-1-00002.png"}


def test_each_file_says_that_it_is_synthetic(tmp_path: Path) -> None:
    synthesize(a_generator(tmp_path), tmp_path / "made", Wanted(1))
    image = FORMAT.read([tmp_path / "made" / "a-00001.png"])
    assert image.array.shape == (1, 1, 12, 16)
    assert image.array.dtype == np.uint8
    assert "films@1" in image.attributes["synthetic"]


def test_the_same_seed_gives_the_same_images_however_many_and_of_whichever_class(tmp_path: Path) -> None:
    release = a_generator(tmp_path)
    for name, wanted in {"many": Wanted(5), "one": Wanted(2, "b"), "other": Wanted(5, None, 1)}.items():
        synthesize(release, tmp_path / name, wanted)
    many, one, other = (pixels(tmp_path / name) for name in ("many", "one", "other"))
    assert set(one) == {"b-00001.png", "b-00002.png"}
    assert all(many[name] == content for name, content in one.items())
    assert not set(many.values()) & set(other.values())
    assert len(set(many.values())) == 10


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    release = a_generator(tmp_path)
    with pytest.raises(UnknownName, match="class of this release named 'c'"):
        synthesize(release, tmp_path / "made", Wanted(1, "c"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    with pytest.raises(BadUsage, match="not empty"):
        synthesize(release, tmp_path / "full", Wanted(1))
    with pytest.raises(BadUsage, match="makes no images"):
        synthesize(a_release(tmp_path / "other@1"), tmp_path / "made", Wanted(1))
    assert not (tmp_path / "made").exists()


def test_a_release_that_reproduces_training_images_makes_none(tmp_path: Path) -> None:
    release = a_generator(tmp_path, blocks=("training images are reproduced",))
    with pytest.raises(Blocked, match="reproduced"):
        synthesize(release, tmp_path / "made", Wanted(1))


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["synthesize", str(a_generator(tmp_path)), "--count", "2", "--class", "a", "--out", str(tmp_path / "made")]
    assert cli.run([*words, "--json", "-q", "-w", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2
    assert cli.run([*words, "--json", "-q", "-w", str(tmp_path)]) == 2
    assert "not empty" in json.loads(capsys.readouterr().out)["error"]["wrong"]
