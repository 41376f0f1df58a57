"""A release on other labelled data: which target, which inputs, which JSON, which report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import save

from diascope import api, cli, formats
from diascope.core.case import FileRef, Label, Split, Target
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.evaluation import Evaluation, Gate, GateRule, Release
from diascope.core.plan import Choice, Plan
from diascope.core.record import canonical_json
from diascope.engine import measuring
from diascope.engine.building import build_network
from diascope.engine.gate import broken_rules
from diascope.evidence.comparison import compare as paired
from diascope.evidence.intervals import measures
from diascope.reports import galleries
from diascope.stages import compare, validate
from diascope.store.releases import open_release, write_release
from diascope.testing import releases
from diascope.workflows import external

Made = Callable[..., Path]


def a_plan(target: str, inputs: list[str]) -> Plan:
    labels = (Label(name="benign", value=0), Label(name="malignant", value=1))
    plain: dict[str, Any] = {
        "model": "resnet",
        "model_options": {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 6},
        "image_inputs": inputs,
        "readings": {},
        "channels": dict.fromkeys(inputs, 1),
        "intensity": {name: {"rule": "z-score"} for name in inputs},
        "prepare": [["crop_pad", {"shape": [1, 8, 8]}]],
        "patch": [1, 8, 8],
        "spacing": [1.0, 1.0, 1.0],
        "dropout": 0.0,
        "read_batch": 4,
        "mirror_reading": False,
        "memory_gb": 2.0,
        "whole": True,
    }
    choices = {name: Choice(value=value, kind="fixed", reason="test") for name, value in plain.items()}
    named = Target(name=target, kind="category", columns=(target,), labels=labels, positive="malignant")
    return Plan(dataset="d@1", task="classification", target=named, seed=0, choices=choices)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals and pictures are not the question here."""
    monkeypatch.setattr(galleries, "SHOWN", 1)
    monkeypatch.setattr(validate, "worst_and_best", lambda *_: [])
    monkeypatch.setattr(external, "EXPLAINED", 0)
    monkeypatch.setattr(measuring, "measures", partial(measures, resamples=20))
    monkeypatch.setattr(compare, "paired", partial(paired, resamples=20))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a release of a network that was never trained."""

    def release(
        name: str = "films",
        target: str = "malignancy",
        inputs: tuple[str, ...] = ("image",),
        rules: tuple[GateRule, ...] = (),
    ) -> Path:
        plan = a_plan(target, list(inputs))
        torch.manual_seed(0)
        weights = save({key: value.contiguous() for key, value in build_network(plan).state_dict().items()})
        decision = {"temperature": 1.0, "point": {"threshold": 0.5}, "rule": {"en": "half", "zh-CN": "half"}}
        evaluation = Evaluation(
            dataset="d@1", part="test", task=plan.task, release=f"{name}@1", cases=1, patients=1, metrics={},
            headline=(), decision=decision,
        )  # fmt: skip
        index = Release(
            name=name, version="1", task=plan.task, target=plan.target, dataset="d@1", plan_hash=plan.content_hash(),
            backend="torch", precision="fp32", decision=decision, gate=Gate(rules=rules),
            members=("weights-0.safetensors",), hashes={},
        )  # fmt: skip
        files: dict[str, bytes | Path] = {
            "plan.json": canonical_json(plan.to_json()).encode(),
            "evaluation.json": canonical_json(evaluation.to_json()).encode(),
            "weights-0.safetensors": weights,
            "reference.safetensors": save({}),
        }
        folder = tmp_path / "ws" / "releases" / f"{name}@1"
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_release(folder, index, files)
        return folder

    return release


def data(root: Path, header: str, row: Callable[[int], str], count: int = 8) -> Path:
    """Pictures and a manifest."""
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for number in range(count):
        PIL.Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(root / f"{number}.png")
    rows = [f"{number},{number}.png,p{number},{row(number)}" for number in range(count)]
    (root / "manifest.csv").write_text("\n".join([f"case,image,patient,{header}", *rows]) + "\n")
    return root


def answer(number: int) -> str:
    return ("benign", "malignant")[number % 2]


def test_the_document_has_the_keys_of_fit_and_a_report_is_written(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "worst_and_best", galleries.worst_and_best)
    monkeypatch.setattr(external, "EXPLAINED", 1)
    release, source = made(), data(tmp_path / "other", "malignancy", answer)
    words = ["evaluate", "films@1", str(source), "-w", str(tmp_path / "ws"), "--json", "-q", "--accept", "duplicates"]
    assert cli.run(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) >= {"dataset", "plan", "run", "evaluation", "release", "report", "minutes"}
    assert (said["run"], said["release"], said["plan"]) == (None, str(release), str(release / "plan.json"))
    assert said["minutes"]["predicted"] is None
    assert said["minutes"]["actual"] >= 0
    assert said["evaluation"]["part"] == "external"
    assert said["evaluation"]["accepted"] == ["duplicates"]
    page = Path(said["report"]).read_text(encoding="utf-8")
    assert "External validation: 8 cases of 8 patients" in page
    assert "Accepted by hand" in page
    assert page.count("data:image/png") >= 3
    assert f"diascope evaluate films@1 {source} --source manifest --target malignancy" in page


def test_the_releases_own_target_is_meant(made: Made, tmp_path: Path) -> None:
    made()
    source = data(tmp_path / "other", "label,malignancy,stage", lambda n: f"{'xy'[n % 2]},{answer(n + n // 2)},{n % 3}")
    found = api.evaluate("films@1", source, tmp_path / "ws").evaluation
    assert found.cases == 8
    compared = api.compare(("films@1", "films@1"), source, tmp_path / "ws")
    assert compared["cases"] == 8


def test_a_target_of_another_name_is_found_by_its_labels(made: Made, tmp_path: Path) -> None:
    made()
    source = data(tmp_path / "other", "kind,verdict", lambda n: f"{'xy'[n % 2]},{answer(n)}")
    assert api.evaluate("films@1", source, tmp_path / "ws").evaluation.cases == 8
    two = data(tmp_path / "two", "first,second", lambda n: f"{answer(n)},{answer(n + n // 2)}")
    with pytest.raises(BadUsage, match=r"2 things.*--target first.*--target second"):
        api.evaluate("films@1", two, tmp_path / "ws")
    assert api.evaluate("films@1", two, tmp_path / "ws", target="second").evaluation.cases == 8


@pytest.mark.parametrize("column", ["malignancy", "label"])
def test_one_class_alone_has_a_sensitivity_and_no_auroc(made: Made, tmp_path: Path, column: str) -> None:
    made()
    source = data(tmp_path / "other", column, lambda _: "malignant", 24)
    found = api.evaluate("films@1", source, tmp_path / "ws")
    metrics = found.evaluation.metrics
    assert metrics["auroc"].value is None
    assert metrics["specificity"].value is None
    assert metrics["sensitivity"].value is not None
    assert "malignant" in found.report.read_text(encoding="utf-8")


def test_other_labels_are_refused(made: Made, tmp_path: Path) -> None:
    made()
    with pytest.raises(DataRefused, match="does not know the labels left, right"):
        api.evaluate("films@1", data(tmp_path / "o", "label", lambda n: ("left", "right")[n % 2]), tmp_path / "ws")


def test_an_input_that_the_release_does_not_read_may_be_missing(made: Made, tmp_path: Path) -> None:
    made()
    source = data(tmp_path / "o", "malignancy,image:pet", lambda n: f"{answer(n)},{f'{n}.png' if n % 2 else ''}")
    assert api.evaluate("films@1", source, tmp_path / "ws").evaluation.cases == 8


def test_another_language_is_refused_before_the_work(made: Made, tmp_path: Path) -> None:
    made()
    source = data(tmp_path / "o", "malignancy", answer)
    with pytest.raises(UnknownName, match="report language"):
        api.evaluate("films@1", source, tmp_path / "ws", lang="fr")
    with pytest.raises(UnknownName, match="report language"):
        api.fit(source, tmp_path / "ws", lang="fr")
    assert not list((tmp_path / "ws" / "datasets").iterdir())


def test_what_explain_fetches_is_told(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diascope.stages import predict

    release, told = made(), []

    def fetched(location: str, tell: Any) -> Any:
        tell({"event": "progress"})
        raise BadUsage("no further")

    monkeypatch.setattr(predict, "located", fetched)
    with pytest.raises(BadUsage, match="no further"):
        api.explain(release, "a set", tmp_path / "out", tell=told.append)
    assert told == [{"event": "progress"}]


MASK = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="mask", value=255),))


def vessels(root: Path, value: int = 255, folders: tuple[str, ...] = ("1st_manual",), count: int = 4) -> Path:
    """Pictures, with masks of the same name in one or more folders; a quarter of each is marked."""
    rng = np.random.default_rng(3)
    for number in range(count):
        for folder in ("images", *folders):
            (root / folder).mkdir(parents=True, exist_ok=True)
            picture = rng.integers(0, 255, (16, 16), dtype=np.uint8)
            shown = picture if folder == "images" else np.where(picture > 190, value, 0).astype(np.uint8)
            PIL.Image.fromarray(shown).save(root / folder / f"{number}.png")
    return root


def a_drawing_release(tmp_path: Path, target: Target = MASK) -> None:
    releases.a_release(tmp_path / "ws" / "releases" / "films@1", releases.a_plan(target))


def test_a_name_that_says_nothing_chooses_no_folder_of_masks(tmp_path: Path) -> None:
    a_drawing_release(tmp_path)
    source = vessels(tmp_path / "drive", folders=("1st_manual", "mask"))
    with pytest.raises(BadUsage, match=r"1st_manual, mask.*Choose one with --target"):
        api.evaluate("films@1", source, tmp_path / "ws")
    with pytest.raises(BadUsage, match=r"1st_manual, mask.*Choose one with --target"):
        api.compare(("films@1", "films@1"), source, tmp_path / "ws")
    for name in ("1st_manual", "mask"):
        made = api.evaluate("films@1", source, tmp_path / "ws", target=name)
        assert f"--target {name}" in made.report.read_text(encoding="utf-8")


def test_a_name_that_says_something_chooses_its_folder_of_masks(tmp_path: Path) -> None:
    named = Target(name="1st_manual", kind="mask", columns=("1st_manual",), labels=(Label(name="vessel", value=255),))
    a_drawing_release(tmp_path, named)
    source = vessels(tmp_path / "drive", folders=("1st_manual", "mask"))
    found = api.evaluate("films@1", source, tmp_path / "ws").evaluation
    assert any("'1st_manual' (value 255) of the data is taken for 'vessel' (255)" in one for one in found.warnings)


def test_one_structure_is_scored_and_drawn_alike_whatever_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "worst_and_best", galleries.worst_and_best)
    monkeypatch.setattr("diascope.reports.colours.LABEL_COLOURS", ("#30c0f0",))  # else the value chooses the colour
    a_drawing_release(tmp_path)
    as_255, as_1 = (
        api.evaluate("films@1", vessels(tmp_path / f"as{value}", value), tmp_path / "ws") for value in (255, 1)
    )
    assert as_255.evaluation.metrics == as_1.evaluation.metrics
    assert as_1.evaluation.metrics["dice"].value
    pictures = [[f.pictures for f in one.evaluation.figures if f.kind == "gallery"] for one in (as_255, as_1)]
    assert pictures[0]
    assert pictures[0] == pictures[1]
    note = "the label 'mask' (value 1) of the data is taken for 'mask' (255)"
    assert not [one for one in as_255.evaluation.warnings if "is taken for" in one]
    assert note in as_1.evaluation.warnings
    assert "value 1) of the data is taken for" in as_1.report.read_text(encoding="utf-8")
    compared = api.compare(("films@1", "films@1"), tmp_path / "as1", tmp_path / "ws")
    assert f"films@1: {note}" in compared["warnings"]


PARTS: dict[str, Split] = {"train": "train", "val": "val", "test": "test"}


def parts(root: Path, *names: str) -> Path:
    """A manifest whose cases take turns in parts of a split."""
    return data(root, "malignancy,split", lambda n: f"{answer(n // len(names))},{PARTS[names[n % len(names)]]}", 12)


def test_only_the_test_part_is_measured(made: Made, tmp_path: Path) -> None:
    made()
    source = parts(tmp_path / "o", "train", "val", "test")
    found = api.evaluate("films@1", source, tmp_path / "ws")
    assert found.evaluation.cases == 4
    assert "8 of 12 cases are train or val in their source, and were left out" in found.evaluation.warnings
    assert {int(one.case) % 3 for one in found.evaluation.cases_ranked} == {2}
    assert "External validation: 4 cases of 4 patients" in found.report.read_text(encoding="utf-8")
    compared = api.compare(("films@1", "films@1"), source, tmp_path / "ws")
    assert compared["cases"] == 4
    assert "8 of 12 cases are train or val in their source, and were left out" in compared["warnings"]


def test_cases_that_may_have_been_trained_on_are_measured_loudly(made: Made, tmp_path: Path) -> None:
    made()
    source = parts(tmp_path / "o", "train", "val")
    found = api.evaluate("films@1", source, tmp_path / "ws").evaluation
    loud = "THESE CASES MAY HAVE BEEN TRAINED ON: 12 of 12 are train or val in their source, which gives no labelled"
    assert found.cases == 12
    assert found.warnings[0].startswith(loud)
    told: list[Any] = []
    compared = api.compare(("films@1", "films@1"), source, tmp_path / "ws", tell=told.append)
    assert compared["warnings"][0].startswith(loud)
    assert any(one["event"] == "warning" and one["message"].startswith(loud) for one in told)


def a_rule(**changes: Any) -> GateRule:
    return GateRule(**{"input": "image", "modality": "unknown", "dimensions": 2, "channels": 1, **changes})


def test_volumes_are_refused_where_pictures_are_read(made: Made, tmp_path: Path) -> None:
    made(rules=(a_rule(),))
    rng = np.random.default_rng(1)
    volumes = rng.integers(0, 255, (6, 8, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "v.npz", test_images=volumes, test_labels=np.arange(6)[:, None] % 2)
    (tmp_path / "labels.json").write_text('{"0": "benign", "1": "malignant"}')
    wrong = r"films@1 reads 2-D images with 1 channel\(s\) as 'image', and 6 of 6 cases hold others.*3-D with 1"
    with pytest.raises(DataRefused, match=wrong) as refused:
        api.evaluate("films@1", tmp_path / "v.npz", tmp_path / "ws")
    assert len(refused.value.cases) == 6
    with pytest.raises(DataRefused, match=wrong):
        api.compare(("films@1", "films@1"), tmp_path / "v.npz", tmp_path / "ws")


def test_other_channels_are_refused_and_grey_stands_for_colour(made: Made, tmp_path: Path) -> None:
    source = data(tmp_path / "o", "malignancy", answer)
    made("rgb", rules=(a_rule(channels=3),))
    assert not api.evaluate("rgb@1", source, tmp_path / "ws").evaluation.warnings
    made("four", rules=(a_rule(channels=4),))
    with pytest.raises(DataRefused, match=r"with 4 channel\(s\) as 'image', and 8 of 8 cases.*2-D with 1 channel"):
        api.evaluate("four@1", source, tmp_path / "ws")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"intensity": {"mean": (0.0, 128.0)}}, r"image: mean \d+\.?\d*, trained on 0 to 128 \(grey values\)"),
        ({"intensity": {"std": (0.0, 1.0)}}, r"image: std \d+\.?\d*, trained on 0 to 1 \(grey values\)"),
        ({"spacing_low": (1, 1, 1), "spacing_high": (2, 2, 2)}, "image: no millimetres, and the release needs them"),
    ],
)
def test_what_predict_would_refuse_is_said(made: Made, tmp_path: Path, rule: dict[str, Any], why: str) -> None:
    made(rules=(a_rule(**rule),))
    source = data(tmp_path / "o", "malignancy", answer)
    found = api.evaluate("films@1", source, tmp_path / "ws", lang="zh-CN")
    (warning,) = [one for one in found.evaluation.warnings if "input_gate" in one]
    assert re.match(rf"predict would refuse \d of 8 cases: {why}", warning)
    assert "predict would refuse" not in found.report.read_text(encoding="utf-8")
    compared = api.compare(("films@1", "films@1"), source, tmp_path / "ws")
    assert warning in compared["warnings"]


def test_what_predict_would_refuse_is_what_it_refuses(made: Made, tmp_path: Path) -> None:
    made(rules=(a_rule(modality="photo", intensity={"mean": (110.0, 140.0), "std": (70.0, 76.0)}),))
    source = data(tmp_path / "o", "malignancy", answer)
    for number, array in enumerate((np.full((8, 8), 90), np.tile(np.arange(24).reshape(1, 8, 3) * 10, (8, 1, 1)))):
        PIL.Image.fromarray(array.astype(np.uint8)).save(source / f"{number}.png")
    found = api.evaluate("films@1", source, tmp_path / "ws", accept=["empty_image"]).evaluation
    opened = open_release(tmp_path / "ws" / "releases" / "films@1")
    refused = {
        str(number)
        for number in range(8)
        if broken_rules(opened.release.gate, {"image": formats.read(picture(f"{number}.png"), source)})
    }
    (warning,) = [one for one in found.warnings if "input_gate" in one]
    assert f"refuse {len(refused & {one.case for one in found.cases_ranked})} of {found.cases} cases" in warning
    assert 0 < len(refused) < 8


def picture(name: str) -> FileRef:
    return FileRef(format="picture", paths=(name,))
