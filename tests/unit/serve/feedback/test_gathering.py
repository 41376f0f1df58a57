"""From answers in the index to a folder that is read as any other data, each label on the voxels that were meant."""

from __future__ import annotations

import csv
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from sqlalchemy import insert

from diascope import cli, formats
from diascope.core import registry
from diascope.core.errors import DataRefused
from diascope.core.feedback import Feedback
from diascope.serve.access.projects import create
from diascope.serve.access.users import HOST
from diascope.serve.database.labelling_tables import annotations as answers
from diascope.serve.database.labelling_tables import labellings
from diascope.serve.database.room_tables import drawings
from diascope.serve.database.tables import feedback, nouns, readings, results, users
from diascope.serve.feedback.collecting import Wanted
from diascope.serve.feedback.gathering import Gathering, gather
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.serve.viewing.series import opened, series_by_id
from diascope.sources import Request, SourceOptions
from diascope.stages.check import look
from diascope.testing.objects import uids
from diascope.testing.reading import (
    DEPTH,
    FLAT,
    SIDE,
    SOLID,
    a_film,
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    series_of,
    work_off,
)  # fmt: skip
from diascope.testing.service import a_service, a_user, events

SHAPE = (DEPTH, SIDE, SIDE)


def a_read(folder: Path, label: str, contents: list[list[bytes]]) -> Service:
    """Series that a release has read."""
    service = a_service(folder)
    a_signed_release(service, label)
    a_rule(service, label, send=[])
    for one in contents:
        arrive(service, one)
    become_complete(service)
    work_off(service)
    assert {one.state for one in rows_of(service, results)} == {"answered"}
    return service


def put(service: Service, table: Any, **row: Any) -> None:
    service.database.change(lambda connection: connection.execute(insert(table).values(**row)))


def read_by(service: Service, name: str, number: int, verdict: str, **said: Any) -> str:
    """A reading of the result of patient `number`; its id."""
    known = {one.name: one.id for one in rows_of(service, users)}
    reader = known.get(name) or a_user(service, name).id
    of = next(one for one in rows_of(service, results) if one.series_id == series_of(service, number).id)
    service.clock.forward(10)  # type: ignore[attr-defined]
    made = f"{name}-{number}-{len(rows_of(service, readings))}"
    put(service, readings, id=made, result_id=of.id, reader=reader, verdict=verdict, shown={}, comment="",
        at=service.clock(), **said)  # fmt: skip
    return made


def a_drawing(service: Service, name: str, number: int, voxels: np.ndarray, **labels: int) -> str:
    of = series_of(service, number)
    stored = service.archive.put(zlib.compress(voxels.astype(np.uint8).tobytes()))
    put(service, drawings, id=name, series_id=of.id, revision=of.revision, reader="ada", at=service.clock(),
        labels={str(value): label for label, value in labels.items()}, shape=list(voxels.shape), key=stored.key,
        sha256=stored.sha256)  # fmt: skip
    return name


def a_labelling(service: Service, name: str, asks: str, labels: list[str], exclusive: bool = False) -> None:
    put(service, labellings, id=name, project_id=FIRST_PROJECT, name=name, asks=asks, labels=labels,
        exclusive=exclusive, modality="", twice=0.0, release="", by="x", created=0.0)  # fmt: skip


def label_by(service: Service, reader: str, labelling: str, number: int, answer: dict[str, Any]) -> None:
    known = {one.name: one.id for one in rows_of(service, users)}
    of = series_of(service, number)
    service.clock.forward(10)  # type: ignore[attr-defined]
    put(service, answers, id=f"{reader}-{labelling}-{number}", labelling_id=labelling, series_id=of.id,
        revision=of.revision, reader=known.get(reader) or a_user(service, reader).id, answer=answer, unsure=False,
        comment="", at=service.clock())  # fmt: skip


def gathered(service: Service, newest: bool = False, **wanted: Any) -> tuple[Feedback, Path]:
    return gather(
        service, Gathering(Wanted(**{"project": FIRST_PROJECT, **wanted}), "user:eve", newest), lambda *_: None
    )


def table(folder: Path, name: str = "manifest.csv") -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def called(service: Service, number: int) -> str:
    of = next(one for one in rows_of(service, results) if one.series_id == series_of(service, number).id)
    return next(one["concept"] for one in of.findings["findings"] if one["status"] == "present")


def test_readings_become_labels_with_author_and_time_and_can_be_learnt_from(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(number) for number in (1, 2, 3, 4)])
    read_by(service, "ada", 1, "accept")
    read_by(service, "bob", 2, "amend", amended={called(service, 2): {"status": "absent"}})
    read_by(service, "ada", 3, "unsure")
    record, folder = gathered(service)
    right = {called(service, 1), ({"a", "b"} - {called(service, 2)}).pop()}
    rows = table(folder)
    assert {row["label"] for row in rows} == right
    assert len(rows) == record.cases == 2, "nobody read the fourth, and of the third nothing is known"
    assert {(one.author, one.change) for one in record.changes} == {
        ("ada", "confirmed"), ("bob", "changed"), ("ada", "undecided")
    }  # fmt: skip
    assert all(one.at.startswith("2027-") for one in record.changes)
    assert len(table(folder, "changes.csv")) == 3
    assert Feedback.read(folder / "feedback.json") == record
    listing = registry.get("sources", "manifest").list(str(folder), SourceOptions(target="label"))
    assert {case.patient for case in listing.cases} == {row["patient"] for row in rows}
    looked = look(Request(location=str(folder), options=SourceOptions(target="label")), lambda facts: None)
    assert (looked.task, len(looked.cases), looked.survey.unreadable) == ("classification", 2, {})


def test_the_pictures_are_those_that_were_read_and_name_nobody(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(1, PatientName="Zyxwolf^Quentin", PatientID="PHI-4711")])
    read_by(service, "ada", 1, "accept")
    _, folder = gathered(service)
    (path,) = (folder / "images").rglob("*.dcm")
    found = pydicom.dcmread(path)
    with opened(service, series_by_id(service, series_of(service, 1).id)) as shown:
        assert np.array_equal(found.pixel_array, shown.read(1, range(1))[0])
    whole = b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())
    for secret in (b"Zyxwolf", b"PHI-4711", uids(1)[0].encode(), uids(1)[1].encode()):
        assert secret not in whole


def test_a_corrected_mask_lies_where_it_was_drawn_on_the_image_that_is_learnt_from(tmp_path):
    service = a_read(tmp_path, SOLID, [a_volume(7, ImageOrientationPatient=[0, 1, 0, 1, 0, 0])])
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[1, 2, 5:9] = 1
    drawn[6, 11:13, 3] = 1
    a_drawing(service, "d1", 7, drawn, lesion=1)
    read_by(service, "ada", 7, "amend", amended={"lesion": {"drawing": "d1"}, "organ": {"status": "absent"}})
    record, folder = gathered(service)
    (row,) = table(folder)
    listing = registry.get("sources", "manifest").list(str(folder), SourceOptions(target="mask"))
    (case,) = listing.cases
    image = formats.read(case.inputs["image"], listing.root)
    mask = formats.read(case.targets["mask"], listing.root)
    assert json.loads((folder / "labels.json").read_text()) == {"organ": 1, "lesion": 2}
    assert np.allclose(image.geometry.affine, mask.geometry.affine)
    assert np.array_equal(mask.array[0] == 2, drawn == 1)
    assert not (mask.array == 1).any()
    assert record.changes[0].file == row["mask"]
    with opened(service, series_by_id(service, series_of(service, 7).id)) as shown:
        assert np.array_equal(image.array[0], shown.read(1, range(DEPTH)).astype(image.array.dtype))


def test_an_accepted_mask_is_that_of_the_release(tmp_path):
    service = a_read(tmp_path, SOLID, [a_volume(7)])
    read_by(service, "ada", 7, "accept")
    record, folder = gathered(service)
    (change,) = record.changes
    mask = registry.get("formats", "nifti").read([folder / change.file])
    of = rows_of(service, results)[0].findings["findings"]
    said = {one["concept"] for one in of if one["status"] == "present"}
    names = {value: name for name, value in record.labels.items()}
    assert {names[value] for value in np.unique(mask.array) if value} == said
    assert change.change == "confirmed"


def test_disagreements_are_left_open_unless_the_newest_shall_count(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(1), a_film(2)])
    read_by(service, "ada", 1, "accept")
    read_by(service, "bob", 1, "reject", reason="wrong_class")
    read_by(service, "ada", 2, "accept")
    record, folder = gathered(service)
    assert [one.column for one in record.disagreements] == ["label"]
    assert len(table(folder)) == 1
    again, second = gathered(service, newest=True)
    assert again.disagreements == ()
    assert len(table(second)) == 2
    assert second != folder


def test_statements_after_a_reading_count(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(1)])
    made = read_by(service, "ada", 1, "unsure")
    service.clock.forward(10)
    put(service, feedback, id="f1", reading_id=made, labels={"label": "a"}, author=a_user(service, "eve").id,
        at=service.clock())  # fmt: skip
    record, folder = gathered(service)
    assert [row["label"] for row in table(folder)] == ["a"]
    assert [(one.author, one.origin) for one in record.changes] == [("ada", "reading"), ("eve", "statement")]


def test_answers_of_the_label_pages_make_tables_of_classes_masks_and_boxes(tmp_path):
    service = a_service(tmp_path)
    for number in (1, 2):
        arrive(service, a_film(number))
    arrive(service, a_volume(7))
    become_complete(service)
    a_labelling(service, "triage", "classes", ["nodule", "fracture"])
    a_labelling(service, "outline", "masks", ["liver", "spleen"])
    a_labelling(service, "marks", "boxes", ["nodule"])
    label_by(service, "ada", "triage", 1, {"classes": ["nodule"]})
    label_by(service, "ada", "triage", 2, {"classes": []})
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[2, 3:6, 4], drawn[5, 7, 8:10] = 1, 2
    label_by(service, "ada", "outline", 7, {"drawing": a_drawing(service, "d1", 7, drawn, liver=1, spleen=2)})
    box = {"label": "nodule", "start": [0, 2, 3], "stop": [1, 8, 12]}
    label_by(service, "ada", "marks", 1, {"boxes": [box]})
    label_by(service, "ada", "marks", 2, {"boxes": []})
    record, folder = gathered(service)
    assert record.columns == {
        "nodule": "presence", "fracture": "presence", "outline": "mask", "marks": "boxes"
    }  # fmt: skip
    rows = {row["case"]: row for row in table(folder)}
    assert sorted((row["nodule"], row["fracture"]) for row in rows.values()) == [("", ""), ("0", "0"), ("1", "0")]
    (outlined,) = [row["mask:outline"] for row in rows.values() if row["mask:outline"]]
    mask = registry.get("formats", "nifti").read([folder / outlined])
    assert np.array_equal(mask.array[0], drawn)
    boxes = registry.get("sources", "box_table").list(str(folder), SourceOptions())
    found = {len(case.targets["boxes"].corners): case.targets["boxes"] for case in boxes.cases}
    assert set(found) == {0, 1}
    assert found[1].corners == ((0.0, 2.0, 3.0, 1.0, 8.0, 12.0),)
    only, _ = gathered(service, labelling="triage")
    assert set(only.columns) == {"nodule", "fracture"}


def test_a_series_that_has_changed_since_is_not_labelled_with_what_was_said_before(tmp_path):
    service = a_service(tmp_path)
    arrive(service, a_volume(7, range(4)))
    become_complete(service)
    a_labelling(service, "triage", "classes", ["nodule"])
    label_by(service, "ada", "triage", 7, {"classes": ["nodule"]})
    arrive(service, a_volume(7, range(4, 8)))
    become_complete(service)
    with pytest.raises(DataRefused, match="nobody has answered"):
        gathered(service)


def test_it_belongs_to_its_project_and_is_in_the_audit(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(1)])
    read_by(service, "ada", 1, "accept")
    record, folder = gathered(service)
    (noun,) = rows_of(service, nouns, nouns.c.kind == "feedback")
    assert (noun.name, noun.project_id, noun.by) == (folder.name, FIRST_PROJECT, "user:eve")
    (event,) = events(service, "feedback.gathered")
    assert event["detail"]["changes"] == len(record.changes)
    other = create(service, "other", HOST).id
    with pytest.raises(DataRefused):
        gathered(service, project=other)


def test_an_image_that_shows_whose_it_is_is_left_out_and_told(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(1, BurnedInAnnotation="YES"), a_film(2)])
    read_by(service, "ada", 1, "accept")
    read_by(service, "ada", 2, "accept")
    record, folder = gathered(service)
    assert record.left == {"its pixels show whose they are": 1}
    assert len(table(folder)) == len(list((folder / "images").iterdir())) == 1


def test_a_failure_leaves_nothing_behind(tmp_path):
    service = a_read(tmp_path, FLAT, [a_film(1)])
    read_by(service, "ada", 1, "accept")

    def stop(done: int, total: int) -> None:
        raise DataRefused("stopped")

    with pytest.raises(DataRefused, match="stopped"):
        gather(service, Gathering(Wanted(FIRST_PROJECT), "user:eve"), stop)
    assert list((tmp_path / "feedback").iterdir()) == []


def test_the_command_says_what_changed_what_is_open_and_what_is_next(tmp_path, capsys, monkeypatch):
    service = a_read(tmp_path, FLAT, [a_film(1), a_film(2)])
    read_by(service, "ada", 1, "accept")
    read_by(service, "ada", 2, "accept")
    read_by(service, "bob", 2, "reject", reason="wrong_class")
    service.close()
    monkeypatch.setattr("diascope.cli.serving.opened", lambda *_, **__: a_service(tmp_path))
    assert cli.run(["feedback", "--workspace", str(tmp_path), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "3 label changes of 2 readers: 1 changed, 2 confirmed" in said
    assert "open: " in said
    assert "1 cases with labels" in said
    assert "next: diascope check" in said
    assert cli.run(["feedback", "--workspace", str(tmp_path), "--json", "--newest"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["cases"], facts["disagreements"], facts["columns"]) == (2, [], {"label": "class"})
    assert cli.run(["feedback", "--workspace", str(tmp_path), "--release", "other@1"]) != 0
