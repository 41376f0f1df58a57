"""WADO-RS through the application."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from httpx import Response
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from sqlalchemy import select

from diascope.serve.database.tables import audit, instances
from diascope.testing.objects import a_dataset, an_object, as_bytes, uids
from diascope.testing.serving import STOW_TYPE, stow_body
from diascope.testing.web import OTHER, Browser, Site, a_site

STUDY = f"/dicom-web/studies/{uids(1)[0]}"
SERIES = f"{STUDY}/series/{uids(1)[1]}"
INSTANCE = f"{SERIES}/instances/{uids(1)[2]}"
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
GREY = (np.arange(40 * 36) * 2 % 4096).astype(np.uint16).reshape(40, 36)
FRAMES = (np.arange(3 * 40 * 36) % 251).astype(np.uint8).reshape(3, 40, 36)


def a_site_with(folder: Path, *objects: bytes) -> Site:
    site = a_site(folder)
    answer = site.someone("steward").post(
        "/dicom-web/studies", content=stow_body(objects), headers={"Content-Type": STOW_TYPE}
    )
    assert answer.status_code == 200, answer.text
    return site


def parts(answer: Response) -> list[tuple[str, bytes]]:
    """Content type and content of the parts of an answer."""
    assert answer.status_code == 200, answer.text
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    first, *middle, last = (b"\r\n" + answer.content).split(b"\r\n--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for part in middle:
        head, _, content = part.partition(b"\r\n\r\n")
        found.append((head.removeprefix(b"\r\nContent-Type: ").decode(), content))
    return found


def read(who: Browser, path: str, accept: str = "") -> Response:
    return who.get(path, headers={"Accept": accept} if accept else {})


def test_what_was_stored_comes_back_byte_for_byte(tmp_path: Path) -> None:
    """B12: a study of several syntaxes, each as it is stored."""
    syntaxes = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless, ExplicitVRBigEndian)
    objects = [an_object(1, 1, n, syntax, pixels=GREY) for n, syntax in enumerate(syntaxes, 1)]
    reader = a_site_with(tmp_path, *objects).someone("reader")
    found = parts(read(reader, STUDY, AS_STORED))
    assert [content for _, content in found] == objects
    assert [kind for kind, _ in found] == [f"application/dicom; transfer-syntax={one}" for one in syntaxes]
    assert len(parts(read(reader, SERIES, AS_STORED))) == 5
    alone = read(reader, INSTANCE, "application/dicom; transfer-syntax=*")
    assert (alone.content, alone.headers["content-disposition"]) == (objects[0], "attachment")


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless]
)
def test_explicit_little_endian_where_no_syntax_is_named(tmp_path: Path, syntax: str) -> None:
    """B13: decoded in the child, pixels and elements as they were."""
    reader = a_site_with(tmp_path, an_object(1, 1, 1, syntax, pixels=GREY)).someone("reader")
    ((kind, content),) = parts(read(reader, INSTANCE))
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert kind.endswith(ExplicitVRLittleEndian)
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(dataset.pixel_array, GREY)
    assert (str(dataset.PatientName), dataset.SOPInstanceUID) == ("Phantom^1", uids(1)[2])


def test_syntaxes_that_there_are_not(tmp_path: Path) -> None:
    site = a_site_with(tmp_path, an_object(1, 1, 1, ExplicitVRBigEndian))
    reader = site.someone("reader")
    assert read(reader, INSTANCE).status_code == 406
    assert read(reader, INSTANCE, AS_STORED.replace("*", JPEG2000Lossless)).status_code == 406
    assert read(reader, INSTANCE, "text/html").status_code == 406
    assert str(tmp_path) not in read(reader, INSTANCE).text


def test_export_of_a_polyglot(tmp_path: Path) -> None:
    """B9: the preamble is zeroed; served as an attachment that nobody sniffs or caches (C11)."""
    content = an_object()
    for head in (b"MZ\x90\0", b"\x7fELF", b"\xca\xfe\xba\xbe", b"II*\0", b"<html><script>"):
        site = a_site_with(tmp_path / head.hex(), head + content[len(head) :])
        answer = read(site.someone("reader"), INSTANCE, AS_STORED)
        ((_, found),) = parts(answer)
        assert found == b"\0" * 128 + content[128:]
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_damage_is_an_error(tmp_path: Path) -> None:
    """A12: a flipped byte ends the answer; it is never a wrong picture."""
    site = a_site_with(tmp_path, an_object())
    with site.service.database.reading() as connection:
        key = connection.execute(select(instances.c.key)).scalar_one()
    path = next((site.service.root / "archive").rglob(Path(key).name))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    reader = site.someone("reader")
    for address in (
        f"{INSTANCE}/rendered",
        f"{INSTANCE}/metadata",
        f"{INSTANCE}/frames/1",
        f"{STUDY}/thumbnail",
        INSTANCE,
    ):
        assert read(reader, address).status_code >= 400, address


def test_metadata(tmp_path: Path) -> None:
    """PS3.18 F: every element, bulk data by address; as pydicom reads it."""
    secret = pydicom.Dataset()
    secret.PatientName = "Nested^Name"
    made = a_dataset(1, pixels=GREY, OtherPatientIDsSequence=[secret], SliceLocation="nan", InstitutionName="Clinic")
    made.add_new(0x00091001, "OB", b"\1" * 5000)
    site = a_site_with(tmp_path, as_bytes(made), an_object(1, 1, 2))
    reader = site.someone("reader")
    header, _ = read(reader, f"{STUDY}/metadata").json()
    dataset = pydicom.Dataset.from_json(header, bulk_data_uri_handler=lambda uri: b"")
    assert (str(dataset.PatientName), dataset.Rows, dataset.PixelSpacing) == ("Phantom^1", 40, [0.7, 0.7])
    assert header["00201041"] == {"vr": "DS"}
    address = header["7FE00010"]["BulkDataURI"]
    assert parts(read(reader, address.removeprefix("http://diascope.test")))[0][1] == GREY.tobytes()
    private = header["00091001"]["BulkDataURI"].removeprefix("http://diascope.test")
    assert read(reader, private, "application/octet-stream").content == b"\1" * 5000
    assert len(read(reader, f"{SERIES}/metadata").json()) == 2


def test_metadata_for_those_who_may_not_see_identities(tmp_path: Path) -> None:
    """C10: a positive list; what is not on it is not there, at any depth."""
    item = pydicom.Dataset()
    item.PatientName, item.SliceThickness, item.ImageComments = "Nested^Name", "2", "Mr Nested"
    words = {"InstitutionName": "Clinic^X", "ImageComments": "of Phantom", "ReferringPhysicianName": "Doctor^D"}
    made = a_dataset(1, PixelMeasuresSequence=[item], RequestAttributesSequence=[item], **words)
    made.add_new(0x00091001, "LO", "Phantom again")
    site = a_site_with(tmp_path, as_bytes(made))
    researcher = site.someone("researcher")
    answer = read(researcher, f"{INSTANCE}/metadata")
    (header,) = answer.json()
    for word in ("Phantom", "Nested", "Clinic", "Doctor", '"P1"', '"A1"', "19700101"):
        assert word not in answer.text
    assert header["00100020"]["Value"][0].startswith("patient-")
    assert header["00289110"]["Value"] == [{"00180050": {"vr": "DS", "Value": [2.0]}}]
    assert read(researcher, INSTANCE).status_code == 403
    assert read(researcher, f"{INSTANCE}/bulkdata/00091001").status_code == 403
    assert read(researcher, f"{INSTANCE}/bulkdata/7FE00010").status_code == 200


def test_frames(tmp_path: Path) -> None:
    """PS3.18 8.7.3: uncompressed, or as they are stored."""
    made = a_dataset(1, pixels=FRAMES)
    site = a_site_with(tmp_path, as_bytes(made), an_object(1, 1, 2, JPEG2000Lossless, pixels=FRAMES))
    reader = site.someone("reader")
    for address in (INSTANCE, f"{SERIES}/instances/{uids(1, 1, 2)[2]}"):
        found = parts(read(reader, f"{address}/frames/3,1"))
        assert found == [("application/octet-stream", FRAMES[n].tobytes()) for n in (2, 0)]
        assert read(reader, f"{address}/frames/4").status_code == read(reader, f"{address}/frames/0").status_code == 404
        assert read(reader, f"{address}/frames/x").status_code == 400
    wanted = 'multipart/related; type="image/jp2"'
    ((kind, content),) = parts(read(reader, f"{address}/frames/2", wanted))
    assert (kind, content[:4]) == (f"image/jp2; transfer-syntax={JPEG2000Lossless}", b"\xff\x4f\xff\x51")
    assert read(reader, f"{INSTANCE}/frames/2", wanted).status_code == 406


def picture(answer: Response) -> Any:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_pictures(tmp_path: Path) -> None:
    """PS3.18 8.3.5: window, viewport, frame, media type."""
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 10, (32, 1))
    site = a_site_with(
        tmp_path,
        an_object(1, 1, 1, pixels=ramp),
        an_object(1, 1, 2, pixels=ramp, PhotometricInterpretation="MONOCHROME1"),
        an_object(1, 1, 3, pixels=FRAMES),
        an_object(1, 1, 4, JPEGLSLossless, pixels=np.zeros((8, 8, 3), np.uint8) + np.uint8([200, 10, 10])),
    )
    reader = site.someone("reader")
    plain = picture(read(reader, f"{INSTANCE}/rendered", "image/png"))
    assert plain.shape == (32, 64)
    assert (plain[0, 0], plain[0, 63]) == (0, 255)
    sharp = picture(read(reader, f"{INSTANCE}/rendered?window=320,1,linear", "image/png"))
    assert (sharp[0, 31], sharp[0, 33]) == (0, 255)
    small = picture(read(reader, f"{INSTANCE}/rendered?viewport=32,32", "image/png"))
    assert small.shape == (16, 32)
    part = picture(read(reader, f"{INSTANCE}/rendered?viewport=8,8,56,0,8,8&window=600,20,linear", "image/png"))
    assert part.shape == (8, 8)
    assert part.min() < part.max()
    turned = picture(read(reader, f"{SERIES}/instances/{uids(1, 1, 2)[2]}/rendered", "image/png"))
    assert np.array_equal(turned, 255 - plain)
    frames = f"{SERIES}/instances/{uids(1, 1, 3)[2]}/frames"
    second = picture(read(reader, f"{frames}/2/rendered?window=127.5,255,linear-exact", "image/png"))
    assert np.abs(second.astype(int) - FRAMES[1]).max() <= 1
    assert read(reader, f"{frames}/9/rendered").status_code == 404
    colour = picture(read(reader, f"{SERIES}/instances/{uids(1, 1, 4)[2]}/rendered", "image/png"))
    assert (colour[0, 0] == (200, 10, 10)).all()
    jpeg = read(reader, f"{INSTANCE}/rendered?quality=50")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert picture(jpeg).shape == (32, 64)


def test_thumbnails(tmp_path: Path) -> None:
    site = a_site_with(tmp_path, an_object(1, 1, 1, pixels=np.zeros((512, 256), np.uint8)), an_object(1, 1, 2))
    researcher = site.someone("researcher")
    assert picture(read(researcher, f"{INSTANCE}/thumbnail")).shape == (256, 128)
    assert max(picture(read(researcher, f"{STUDY}/thumbnail")).shape) == 256
    assert max(picture(read(researcher, f"{SERIES}/thumbnail")).shape) == 256


@pytest.mark.parametrize(
    "query",
    ["window=1", "window=1,0,linear", "window=1,2,cubic", "window=nan,1,linear", "viewport=0,1", "viewport=99999,1",
     "viewport=1", "viewport=1,1,a,b,c,d", "quality=0", "quality=x"],
)  # fmt: skip
def test_pictures_that_make_no_sense(tmp_path: Path, query: str) -> None:
    reader = a_site_with(tmp_path, an_object()).someone("reader")
    assert read(reader, f"{INSTANCE}/rendered?{query}").status_code == 400


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    """A report has no pixels: said so, and no more."""
    report = a_dataset(1, pixels=np.zeros((0, 0), np.uint8), Modality="SR")
    reader = a_site_with(tmp_path, as_bytes(report)).someone("reader")
    for path in ("rendered", "thumbnail", "frames/1"):
        assert read(reader, f"{INSTANCE}/{path}").status_code in (404, 406)


def test_burned_in_annotation_is_an_identity(tmp_path: Path) -> None:
    site = a_site_with(tmp_path, an_object(BurnedInAnnotation="YES"))
    for path in ("rendered", "thumbnail", "frames/1", "bulkdata/7FE00010"):
        assert read(site.someone("researcher"), f"{INSTANCE}/{path}").status_code == 403
        assert read(site.someone("reader"), f"{INSTANCE}/{path}").status_code == 200


def test_what_belongs_to_others_or_is_not_there(tmp_path: Path) -> None:
    """C1: the same answer for both."""
    site = a_site_with(tmp_path, an_object())
    outsider, reader = site.someone("reader", places=(OTHER,)), site.someone("reader")
    for path in ("", "/metadata", "/thumbnail"):
        assert read(outsider, STUDY + path).status_code == 404
        assert read(reader, f"/dicom-web/studies/1.2.3{path}").status_code == 404
        assert read(site.nobody(), STUDY + path).status_code == 401
    assert read(site.someone("administrator"), STUDY).status_code == 403


def test_what_is_read_is_audited(tmp_path: Path) -> None:
    """D1: one event a request."""
    site = a_site_with(tmp_path, *(an_object(1, 1, n) for n in range(1, 4)))
    reader = site.someone("reader")
    for path in (STUDY, f"{STUDY}/metadata", f"{INSTANCE}/frames/1", f"{INSTANCE}/rendered"):
        read(reader, path)
    with site.service.database.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.action.like("study.%"))).all()
    assert [(row.action, row.object, row.project_id) for row in rows] == [
        (action, uids(1)[0], "default") for action in ("study.exported", *["study.viewed"] * 3)
    ]
    assert rows[0].detail == {"instances": 3}
    assert "Phantom" not in json.dumps([dict(row.detail) for row in rows])
