"""Samples of the requests of a viewer: frames, masks, drawings."""

from __future__ import annotations

import itertools
import secrets
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import insert, select, update

from diascope.core.case import Label
from diascope.core.image import Image
from diascope.core.result import first_uid
from diascope.formats.dicom import FORMAT as DICOM
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.derived import quietly
from diascope.formats.dicomio.headers import headers
from diascope.formats.dicomio.segwriting import segmentation
from diascope.serve.database import room_tables, tables
from diascope.serve.incoming.receiving import Receiving
from diascope.serve.incoming.storing import Arrival, Origin, store
from diascope.testing.calls import SAMPLES, Call, Sample
from diascope.testing.dicomweb_calls import an_instance
from diascope.testing.objects import uids
from diascope.testing.reading import a_volume
from diascope.testing.web import Browser, Site

API = "/api/v1"
SERIES = "/studies/{study}/series/{series}"
OCTETS = "application/octet-stream"
LABELS = (Label(name="liver", value=1, code="SCT:10200004"), Label(name="mass", value=2, code="SCT:4147007"))
_NUMBERS = itertools.count(50_000)


def received(site: Site, contents: Sequence[bytes], project: str) -> None:
    """Let objects arrive in a project, and their series be complete for the first time."""
    receiving = Receiving(site.service)
    for content in contents:
        with site.service.archive.draft() as draft:
            draft.write(content)
            receiving.receive(draft, Origin("user:test", "192.0.2.1", project))
    done = update(tables.series).where(tables.series.c.completed.is_(None) & ~tables.series.c.made)
    values = {"completed": site.service.clock(), "revision": 1, "due": None}
    site.service.database.change(lambda connection: connection.execute(done.values(**values)))


def a_read_volume(site: Site, project: str, mask: npt.NDArray[Any] | None = None) -> tuple[str, str, str]:
    """A volume of which a release said where things are; UIDs of its study and series, and the id of the result.

    Args:
        site: Where.
        project: Whose.
        mask: Values of `LABELS` on the volume; by default both are somewhere.
    """
    number = next(_NUMBERS)
    contents = a_volume(number)
    received(site, contents, project)
    study, series, _ = uids(number)
    result = a_result_of(site, series)
    with tempfile.TemporaryDirectory() as name:
        paths = []
        for at, content in enumerate(contents):
            paths.append(Path(name) / f"{at}.dcm")
            paths[-1].write_bytes(content)
        keep_mask(site, project, result, paths, mask)
    return study, series, result


def a_result_of(site: Site, series: str) -> str:
    """An answered result about a series; its id."""
    made, now = secrets.token_hex(16), site.service.clock()
    with site.service.database.reading() as connection:
        of = connection.execute(select(tables.series).where(tables.series.c.uid == series)).one()
    values = {"revision": of.revision, "release": "lung@1", "seal": "", "state": "answered", "findings": {}}
    values |= {"id": made, "study_id": of.study_id, "series_id": of.id, "completed": now, "answered": now}
    site.service.database.change(lambda connection: connection.execute(insert(tables.results).values(**values)))
    return made


def keep_mask(
    site: Site, project: str, result: str, paths: Sequence[Path], mask: npt.NDArray[Any] | None = None
) -> None:
    """Keep a SEG of a result, as it is written before any review."""
    image = DICOM.read(paths)
    if mask is None:
        mask = np.zeros(image.shape, np.uint8)
        mask[1:4, 2:9, 3:7], mask[2, 4:6, 10:13] = 1, 2
    seg = segmentation(Image(mask[None], image.geometry, "ct", "label", {"labels": LABELS}), paths)
    seg.SOPInstanceUID = first_uid(result, "seg")
    with tempfile.TemporaryDirectory() as name, quietly():
        path = Path(name) / "seg.dcm"
        seg.file_meta.MediaStorageSOPInstanceUID = seg.SOPInstanceUID
        seg.save_as(path, enforce_file_format=True)
        facts, content = decoder().index(path), path.read_bytes()
        (one,) = headers([path])
    origin = Origin("service", "", project, made=True)
    store(site.service, [Arrival(facts, site.service.archive.put(content), origin, {"result": result})])
    row = {"result_id": result, "kind": "seg", "instance_uid": one.sop_uid}
    site.service.database.change(lambda connection: connection.execute(insert(tables.result_objects).values(**row)))


def a_drawing(site: Site, project: str, reader: str = "nobody") -> str:
    """A drawing on a series of a project; its id."""
    study, series, _ = an_instance(site, project)
    del study
    made, voxels = secrets.token_hex(16), np.zeros((1, 16, 16), np.uint8)
    voxels[0, 3:5, 4:9] = 1
    stored = site.service.archive.put(zlib.compress(voxels.tobytes()))
    with site.service.database.reading() as connection:
        of = connection.execute(select(tables.series).where(tables.series.c.uid == series)).one()
    values = {"id": made, "series_id": of.id, "revision": of.revision, "reader": reader, "labels": {"1": "mass"}}
    values |= {"shape": [1, 16, 16], "key": stored.key, "sha256": stored.sha256, "at": site.service.clock()}
    site.service.database.change(lambda connection: connection.execute(insert(room_tables.drawings).values(**values)))
    return made


def _of_series(tail: str) -> Sample:
    def made(site: Site, project: str, who: Browser) -> Call:
        study, series, _ = an_instance(site, project)
        return Call(f"/studies/{study}/series/{series}{tail}")

    return made


def _of_mask(tail: str) -> Sample:
    def made(site: Site, project: str, who: Browser) -> Call:
        key = f"mask of {project}"
        if key not in site.kept:
            site.kept[key] = a_read_volume(site, project)
        return Call(f"/findings/{site.kept[key][2]}/mask{tail}")

    return made


def _of_drawing(tail: str) -> Sample:
    return lambda site, project, who: Call(f"/drawings/{a_drawing(site, project)}{tail}")


def _drawn(site: Site, project: str, who: Browser) -> Call:
    study, series, _ = an_instance(site, project)
    content = zlib.compress(bytes(256))
    return Call(f"/studies/{study}/series/{series}/drawings", query={"label": "1:mass"}, content=content, kind=OCTETS)


SAMPLES["GET", f"{API}{SERIES}/frames"] = _of_series("/frames")
SAMPLES["GET", f"{API}{SERIES}/frames/{{frames}}"] = _of_series("/frames/1-1")
SAMPLES["GET", f"{API}/findings/{{result}}/mask"] = _of_mask("")
SAMPLES["GET", f"{API}/findings/{{result}}/mask/voxels"] = _of_mask("/voxels")
SAMPLES["GET", f"{API}/drawings/{{drawing}}"] = _of_drawing("")
SAMPLES["GET", f"{API}/drawings/{{drawing}}/voxels"] = _of_drawing("/voxels")
SAMPLES["POST", f"{API}{SERIES}/drawings"] = _drawn
