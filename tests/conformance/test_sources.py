"""Every source recognises its own layout and nobody else's, and lists it soundly."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pydicom.uid
import pytest
import SimpleITK

from diascope import sources
from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.sources import SourceOptions
from diascope.testing.factories import a_signal


def picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((8, 8), np.uint8)
    array[2:4, 2:4] = value
    PIL.Image.fromarray(array).save(path)


def volume(path: Path, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (3, 4, 5) if channels == 1 else (channels, 3, 4, 5)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ones(shape, np.uint8)), str(path))


def table(path: Path, header: str, rows: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header.split(","), *(row.split(",") for row in rows)])


def slices(folder: Path, study: str, count: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    series = f"{study}.9"
    for index in range(count):
        data = pydicom.Dataset()
        data.SOPClassUID = pydicom.uid.CTImageStorage
        data.SOPInstanceUID = f"{series}.{index}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.PatientID = study, series, f"P{study}"
        data.Modality, data.Rows, data.Columns = "CT", 4, 4
        data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, index], [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = [1, 1], 1
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.PixelData = np.zeros((4, 4), np.uint16).tobytes()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.save_as(folder / f"{index}.dcm", enforce_file_format=True)


def image_folder(root: Path) -> str:
    for name in ("normal/a", "normal/b", "ill/a", "ill/b"):
        picture(root / f"{name}.png")
    return str(root)


def image_table(root: Path) -> str:
    for name in "abcd":
        picture(root / "pictures" / f"{name}.png")
    table(root / "metadata.csv", "image_id,dx", ["a,x", "b,y", "c,x", "d,y"])
    return str(root)


def manifest(root: Path) -> str:
    for name in "abcd":
        picture(root / "files" / f"{name}.png")
    table(root / "manifest.csv", "image,label", [f"files/{name}.png,{name < 'c'}" for name in "abcd"])
    return str(root)


def medmnist(root: Path) -> str:
    images, labels = np.zeros((4, 8, 8), np.uint8), np.array([[0], [1], [0], [1]])
    np.savez(root / "tiny.npz", train_images=images, train_labels=labels)
    return str(root)


def decathlon(root: Path) -> str:
    for name in ("a", "b"):
        volume(root / "imagesTr" / f"{name}.nii.gz")
        volume(root / "labelsTr" / f"{name}.nii.gz")
    listed = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in ("a", "b")]
    labels = {"0": "background", "1": "organ"}
    (root / "dataset.json").write_text(json.dumps({"modality": {"0": "CT"}, "labels": labels, "training": listed}))
    return str(root)


def nnunet(root: Path) -> str:
    for name in ("a", "b"):
        volume(root / "imagesTr" / f"{name}_0000.nii.gz")
        volume(root / "labelsTr" / f"{name}.nii.gz")
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "organ": 1}, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(content))
    return str(root)


def image_masks(root: Path) -> str:
    for name in ("a", "b"):
        picture(root / "images" / f"{name}.png")
        picture(root / "masks" / f"{name}.png", 255)
    return str(root)


def image_pairs(root: Path) -> str:
    for name in ("a", "b"):
        picture(root / "images" / f"{name}.png")
        picture(root / "targets" / f"{name}.png", 90)
    return str(root)


def dicom_tree(root: Path) -> str:
    slices(root / "one", "1.2.1")
    slices(root / "two", "1.2.2")
    table(root / "labels.csv", "StudyInstanceUID,label", ["1.2.1,x", "1.2.2,y"])
    return str(root)


def values_of_laboratory(root: Path) -> str:
    table(root / "labs.csv", "patient,sodium,sex,label", ["p1,140,f,x", "p2,131,m,y", "p3,138,m,x", "p4,127,f,y"])
    return str(root / "labs.csv")


def entity_records(root: Path) -> str:
    spans = [{"label_type": "drug", "start_pos": 4, "end_pos": 11}]
    lines = [json.dumps({"originalText": f"Took aspirin, {name}.", "entities": spans}) for name in "abcd"]
    (root / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return str(root)


def bio(root: Path) -> str:
    block = "Took O\naspirin B-drug\n. O\n"
    (root / "notes.conll").write_text("\n".join([block] * 4), encoding="utf-8")
    return str(root)


def brat(root: Path) -> str:
    for name in "abcd":
        (root / f"{name}.txt").write_text("Took aspirin.", encoding="utf-8")
        (root / f"{name}.ann").write_text("T1\tdrug 5 12\taspirin\n", encoding="utf-8")
    return str(root)


def pascal_voc(root: Path) -> str:
    for name in "abcd":
        picture(root / "JPEGImages" / f"{name}.png")
        (root / "Annotations").mkdir(exist_ok=True)
        box = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>4</xmax><ymax>4</ymax></bndbox>"
        (root / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><object><name>cell</name>{box}</object></annotation>"
        )
    return str(root)


def coco(root: Path) -> str:
    for name in "abcd":
        picture(root / f"{name}.png")
    images = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate("abcd")]
    boxes = [{"image_id": number, "category_id": 1, "bbox": [2, 2, 3, 3]} for number in range(4)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cell"}]}
    (root / "boxes.json").write_text(json.dumps(content))
    return str(root)


def box_table(root: Path) -> str:
    for name in "abcd":
        picture(root / f"{name}.png")
    rows = [f"{name}.png,2,2,5,5,cell" for name in "abcd"]
    table(root / "boxes.csv", "image,xmin,ymin,xmax,ymax,label", rows)
    return str(root)


def signal_table(root: Path) -> str:
    names = ",".join(f"s{number}" for number in range(60))
    rows = [a_signal(number % 2 == 1, 0.6, 100.0, number).values[:, 0] for number in range(12)]
    cells = [f"{'ab'[number % 2]}," + ",".join(f"{value:.3f}" for value in row) for number, row in enumerate(rows)]
    table(root / "beats.csv", f"label,{names}", cells)
    return str(root / "beats.csv")


def signal_files(root: Path) -> str:
    (root / "records").mkdir()
    for number in range(4):
        registry.get("formats", "signal_csv").write(a_signal(seed=number), root / "records" / f"r{number}.csv")
    table(
        root / "labels.csv", "record,patient,label", [f"r{number},p{number},{'xy'[number % 2]}" for number in range(4)]
    )
    return str(root)


def images(root: Path) -> str:
    for name in ("a", "more/b"):
        picture(root / f"{name}.png")
    return str(root)


REPORT = "The lungs are clear and no effusion is seen in study {n}."


def text_table(root: Path) -> str:
    table(root / "reports.csv", "uid,report,label", [f"{n},{REPORT.format(n=n)},{n % 2}" for n in range(8)])
    return str(root / "reports.csv")


def text_files(root: Path) -> str:
    for n in range(4):
        (root / f"r{n}.txt").write_text(REPORT.format(n=n))
    table(root / "labels.csv", "file,label", [f"r{n}.txt,{n % 2}" for n in range(4)])
    return str(root)


def sequence_table(root: Path) -> str:
    letters = ["".join("ACGT"[(n * 7 + place * place) % 4] for place in range(20)) for n in range(8)]
    table(root / "sites.csv", "class,name,sequence", [f"{'xy'[n % 2]},s{n},{one}" for n, one in enumerate(letters)])
    return str(root / "sites.csv")


def fasta(root: Path) -> str:
    (root / "sites.fasta").write_text("".join(f">s{n}\nACGTTGCA\n" for n in range(4)))
    table(root / "labels.csv", "id,class", [f"s{n},{'xy'[n % 2]}" for n in range(4)])
    return str(root)


def phantom(root: Path) -> str:
    return "phantom:2"


FACTORIES: dict[str, Callable[[Path], str]] = {
    function.__name__: function
    for function in (
        image_folder,
        image_table,
        manifest,
        medmnist,
        decathlon,
        nnunet,
        image_masks,
        image_pairs,
        dicom_tree,
        entity_records,
        bio,
        brat,
        pascal_voc,
        coco,
        box_table,
        signal_table,
        signal_files,
        images,
        text_table,
        text_files,
        sequence_table,
        fasta,
        phantom,
    )
}
FACTORIES["table"] = values_of_laboratory
NAMES = registry.names("sources")
FACTORIES["mask_boxes"] = image_masks
ASKED_FOR: dict[str, list[str]] = {"images": [], "mask_boxes": ["image_masks"]}
"""They take no folder by themselves; what recognises theirs. Folders of `images` have neither columns nor labels."""
OF_FOLDERS = [name for name in NAMES if name not in ("phantom", "images")]


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIASCOPE_PSEUDONYM_KEY", str(tmp_path_factory.mktemp("key") / "key"))


@pytest.mark.parametrize("name", NAMES)
def test_recognises_its_own_layout_and_nobody_elses(name: str, tmp_path: Path) -> None:
    assert name in FACTORIES, f"write a factory of a tiny {name} layout here"
    location = FACTORIES[name](tmp_path)
    recognised = [key for key, source in registry.each("sources") if source.recognises(location)]
    assert recognised == ASKED_FOR.get(name, [name])
    assert sources.recognise(location, name if name in ASKED_FOR else None) == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("location", ["", "/no/such/place", "bad\0name", "http://host/x", "README.md"])
def test_nothing_else_is_recognised_and_nothing_raises(name: str, location: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    source = registry.get("sources", name)
    assert source.recognises(location) is None
    assert source.recognises(str(tmp_path / "empty")) is None


@pytest.mark.parametrize("name", OF_FOLDERS)
def test_lists_its_layout(name: str, tmp_path: Path) -> None:
    listing = registry.get("sources", name).list(FACTORIES[name](tmp_path), SourceOptions())
    assert listing.cases
    assert listing.targets
    assert len({case.id for case in listing.cases}) == len(listing.cases)
    for case in listing.cases:
        assert case.patient
        assert set(case.targets) == {target.name for target in listing.targets}
        for ref in (*case.inputs.values(), *case.targets.values()):
            if isinstance(ref, FileRef):
                assert ref.format in registry.names("formats")
                assert all("\\" not in path and (listing.root / path).is_file() for path in ref.paths)
        for target in listing.targets:
            if target.kind == "category":
                assert case.targets[target.name] in {label.name for label in target.labels}


@pytest.mark.parametrize("name", OF_FOLDERS)
def test_the_same_folder_gives_the_same_listing(name: str, tmp_path: Path) -> None:
    location = FACTORIES[name](tmp_path)
    source = registry.get("sources", name)
    assert source.list(location, SourceOptions()) == source.list(location, SourceOptions())


@pytest.mark.parametrize("name", OF_FOLDERS)
@pytest.mark.parametrize("field", ["target", "patient", "site"])
def test_a_column_that_does_not_exist_is_named(name: str, field: str, tmp_path: Path) -> None:
    location = FACTORIES[name](tmp_path)
    with pytest.raises(UnknownName, match="named 'nonsense'; there are"):
        registry.get("sources", name).list(location, SourceOptions(**{field: "nonsense"}))


def test_several_layouts_are_refused_with_the_candidates(tmp_path: Path) -> None:
    image_masks(tmp_path)
    slices(tmp_path / "ct", "1.2.3")
    with pytest.raises(BadUsage, match=r"in 2 ways: dicom_tree: .*; image_masks: .*--source"):
        sources.recognise(str(tmp_path))
    assert sources.recognise(str(tmp_path), "image_masks") == "image_masks"


def test_no_layout_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="the folder is empty"):
        sources.recognise(str(tmp_path))
    with pytest.raises(BadUsage, match="no such file or folder"):
        sources.recognise(str(tmp_path / "nothing"))
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(DataRefused, match=r"no source recognises.*manifest"):
        sources.recognise(str(tmp_path))
