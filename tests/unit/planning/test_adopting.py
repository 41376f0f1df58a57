"""From what a person or a bundle says about a network to the fields of a plan; what contradicts itself is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from diascope.core.case import Label, Target
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.plan import Fingerprint, InputFacts
from diascope.core.presence import LABELS
from diascope.planning.adopting.bundle import ADDED, METADATA
from diascope.planning.adopting.manifest import Manifest, read_manifest
from diascope.planning.adopting.translating import fields, picks, refuse_few

SAID: dict[str, Any] = {
    "file": "model.onnx",
    "shape": [32, 48],
    "channels": 1,
    "intensity": {"rule": "grey"},
    "outputs": ["malignant", "benign"],
    "activation": "softmax",
    "applied": False,
}


def written(folder: Path, **changed: Any) -> Path:
    (folder / "model.onnx").write_bytes(b"\x08\x09")
    path = folder / "model.json"
    path.write_text(json.dumps({name: value for name, value in {**SAID, **changed}.items() if value is not None}))
    return path


def target(*names: str, kind: str = "category") -> Target:
    labels = tuple(Label(name=name, value=value) for value, name in enumerate(names))
    return Target(name="diagnosis", kind=kind, columns=("diagnosis",), labels=labels)


def facts(dimensions: Any = 2, physical: bool = False, **channels: int) -> Fingerprint:
    shape = (1, 40, 50) if dimensions == 2 else (20, 40, 50)
    inputs = {
        name: InputFacts(
            kind="image",
            modality="unknown",
            channels=count,
            dimensions=dimensions,
            physical=physical,
            shapes=(shape,) * 5,
            spacings=((1.0, 1.0, 1.0),) * 5,
            intensity={},
            per_case={},
        )
        for name, count in channels.items()
    }
    return Fingerprint(
        dataset="d", cases=60, patients=60, inputs=inputs, strata={}, bytes_decoded=0, seconds_per_case=0.1
    )


def test_a_manifest_names_a_file_beside_it(tmp_path: Path) -> None:
    given = read_manifest(written(tmp_path, sha256=hashlib.sha256(b"\x08\x09").hexdigest().upper()))
    assert given.path == tmp_path / "model.onnx"
    assert (given.kind, given.size, given.manifest.axes) == ("onnx", 2, "YX")


def test_another_file_than_the_one_that_was_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="not the file that the manifest speaks of"):
        read_manifest(written(tmp_path, sha256="0" * 64))
    path = written(tmp_path)
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(DataRefused, match="there is no file"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"activation": None, "applied": None}, "lacks activation, applied"),
        ({"shape": [16, 32, 32]}, "lacks axes"),
        ({"activation": "none"}, "activation"),
        ({"shape": [32, 0]}, "shape has a positive number for each axis"),
        ({"shape": [4, 32, 32], "axes": "YX"}, "shape has a positive number"),
        ({"spacing": [1.0]}, "spacing has a positive number"),
        ({"axes": "QX"}, "axes are named"),
        ({"outputs": ["a", "A "]}, "name each label once"),
        ({"outputs": [None, None]}, "name each label once"),
        ({"outputs": ["malignant"]}, "a softmax has two outputs"),
        ({"intensity": {"rule": "hounsfield"}}, "no intensity rule named"),
        ({"intensity": {"rule": "window", "low": -100}}, "needs 'high'"),
        ({"intensity": {"rule": "rgb", "mean": [0.5, 0.5]}}, "2 numbers for an image of 1 channels"),
        ({"intensity": {"rule": "grey", "mean": "dark"}}, "make no sense"),
        ({"intensity": {"rule": "windows", "windows": [[40, 400], [0, 80]]}}, "1 channels cannot come of 2 windows"),
        ({"channels": 0}, "0 channels"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BadUsage, match=why):
        read_manifest(written(tmp_path, **changed))


def test_a_field_that_does_not_exist_is_named_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'outputs'"):
        read_manifest(written(tmp_path, output_names=["a"]))
    (tmp_path / "model.json").write_text("[1]")
    with pytest.raises(BadUsage, match="JSON object"):
        read_manifest(tmp_path / "model.json")
    with pytest.raises(BadUsage, match="cannot read the manifest"):
        read_manifest(tmp_path / "none.json")


def a_bundle(folder: Path, **answer: Any) -> Path:
    """As MONAI's bundles are laid out."""
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "models/model.ts").write_bytes(b"PK\x03\x04")
    (folder / "LICENSE").write_text("\nApache License\n")
    image = {"type": "image", "num_channels": 1, "spatial_shape": [96, 96, 64], "value_range": [0, 1]}
    channels = {"1": "malignant", "0": "benign"}
    data = {"inputs": {"image": image}, "outputs": {"pred": {"num_channels": 2, "channel_def": channels, **answer}}}
    content = {"name": "Lung nodules", "version": "0.3.1", "network_data_format": data}
    (folder / METADATA).write_text(json.dumps(content))
    return folder


def test_a_bundle_says_part_and_a_file_beside_it_the_rest(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "nodules")
    with pytest.raises(BadUsage, match=r"lacks axes, intensity, activation, applied.*diascope\.json"):
        read_manifest(bundle)
    rest = {"axes": "RAS", "intensity": {"rule": "scale"}, "activation": "softmax", "applied": False}
    (bundle / ADDED).write_text(json.dumps(rest))
    given = read_manifest(bundle)
    said = given.manifest
    assert (said.file, said.channels, said.shape, said.outputs) == (
        "models/model.ts", 1, (96, 96, 64), ("benign", "malignant")
    )  # fmt: skip
    assert (said.name, said.licence) == ("Lung nodules 0.3.1", "Apache License")
    assert given.kind == "torchscript"
    own = fields(given, facts(3, True, image=1), target("benign", "malignant"))
    assert own["patch"] == [64, 96, 96]
    assert own["origin"]["source"] == "MONAI bundle nodules: Lung nodules 0.3.1"


def test_bundles_that_mark_voxels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="answers for whole images"):
        read_manifest(a_bundle(tmp_path / "b", format="segmentation"))
    with pytest.raises(BadUsage, match="no bundle of MONAI"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("outputs", "labels", "found"),
    [
        (["malignant", "benign"], ["benign", "Malignant"], [1, 0]),
        (["malignant"], ["benign", "malignant"], [None, 0]),
        (["a", None, "c"], ["c", "a"], [2, 0]),
    ],
)
def test_outputs_are_found_by_the_names_of_the_local_labels(outputs: Any, labels: Any, found: Any) -> None:
    manifest = Manifest.from_json({**SAID, "axes": "YX", "outputs": outputs, "activation": "sigmoid"})
    assert picks(manifest, target(*labels)) == found


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [(["a", "b", "c"], ["a", "b"]), (["a", "b"], ["a", "b", "c"]), (["x"], ["a", "b"]), (["a"], ["a", "b", "c"])],
)
def test_outputs_that_are_about_something_else_are_refused(outputs: Any, labels: Any) -> None:
    manifest = Manifest.from_json({**SAID, "axes": "YX", "outputs": outputs, "activation": "sigmoid"})
    with pytest.raises(BadUsage, match="are not about the same"):
        picks(manifest, target(*labels))


def test_targets_that_no_answer_is_about_are_refused() -> None:
    softmax = Manifest.from_json({**SAID, "axes": "YX"})
    with pytest.raises(BadUsage, match="answers for classes or labels"):
        picks(softmax, target(kind="number"))
    with pytest.raises(BadUsage, match="a probability of its own"):
        picks(softmax, target("benign", "malignant", kind=LABELS))
    single = Manifest.from_json({**SAID, "axes": "YX", "outputs": ["nodule"], "activation": "sigmoid"})
    with pytest.raises(BadUsage, match="not about the same"):
        picks(single, target("nodule", "effusion", kind=LABELS))


def test_pictures_are_brought_to_the_shape(tmp_path: Path) -> None:
    given = read_manifest(written(tmp_path, axes="XY", channels=3, intensity={"rule": "rgb"}))
    own = fields(given, facts(image=1), target("benign", "malignant"))
    assert own["patch"] == [1, 48, 32]
    assert own["prepare"] == [["resample", {"shape": [1, 48, 32], "order": 1, "anti_alias": True}]]
    assert own["channels"] == {"image": 3}
    assert own["model_options"]["picks"] == [1, 0]


def test_volumes_are_brought_to_the_spacing_and_cut(tmp_path: Path) -> None:
    said = {"shape": [48, 32, 16], "axes": "RAS", "spacing": [1.0, 2.0, 3.0], "channels": 2}
    given = read_manifest(written(tmp_path, **said))
    own = fields(given, facts(3, True, t1=1, t2=1), target("benign", "malignant"))
    assert own["patch"] == [16, 32, 48]
    assert own["spacing"] == [3.0, 2.0, 1.0]
    assert [name for name, _ in own["prepare"]] == ["resample", "crop_pad"]
    assert own["channels"] == {"t1": 1, "t2": 1}
    with pytest.raises(DataRefused, match="know no millimetres"):
        fields(given, facts(3, False, t1=1, t2=1), target("benign", "malignant"))


def test_a_manifest_may_prepare_in_its_own_way(tmp_path: Path) -> None:
    own = [["resample", {"shape": [1, 40, 56], "order": 1}], ["crop_pad", {"shape": [1, 32, 48]}]]
    given = read_manifest(written(tmp_path, prepare=own))
    assert fields(given, facts(image=1), target("benign", "malignant"))["prepare"] == own


@pytest.mark.parametrize(
    ("local", "why"),
    [
        (facts(3, image=1), "reads 2-D images"),
        (facts(image=2), "reads 1 channel"),
        (facts(a=1, b=1), "reads 1 channel"),
        (facts(), "there are none"),
    ],
)
def test_images_that_the_model_does_not_read_are_refused(tmp_path: Path, local: Fingerprint, why: str) -> None:
    given = read_manifest(written(tmp_path))
    with pytest.raises(DataRefused, match=why):
        fields(given, local, target("benign", "malignant"))


def test_few_cases_say_nothing() -> None:
    refuse_few(50)
    with pytest.raises(DataRefused, match="49 local cases are too few"):
        refuse_few(49)
