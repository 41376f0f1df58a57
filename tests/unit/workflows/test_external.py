"""A release on other labelled data: which target, which inputs, which JSON, which report."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import save

from diascope import api, cli
from diascope.core.case import Label, Target
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.evaluation import Evaluation, Gate, Release
from diascope.core.plan import Choice, Plan
from diascope.core.record import canonical_json
from diascope.engine import measuring
from diascope.engine.building import build_network
from diascope.evidence.comparison import compare as paired
from diascope.evidence.intervals import measures
from diascope.reports import galleries
from diascope.stages import compare, validate
from diascope.store.releases import write_release
from diascope.workflows import external

Made = Callable[..., Path]


def a_plan(target: str, inputs: list[str]) -> Plan:
    labels = (Label(name="benign", value=0), Label(name="malignant", value=1))
    plain: dict[str, Any] = {
        "model": "resnet",
        "model_options": {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 6},
        "image_inputs": inputs,
        "table_inputs": [],
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

    def release(name: str = "films", target: str = "malignancy", inputs: tuple[str, ...] = ("image",)) -> Path:
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
            backend="torch", precision="fp32", decision=decision, gate=Gate(rules=()),
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
