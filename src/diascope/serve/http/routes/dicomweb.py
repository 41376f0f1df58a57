"""DICOMweb at `/dicom-web` (PS3.18): STOW-RS, QIDO-RS, WADO-RS. What they do is in `serve/dicomweb/`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import RowMapping

from diascope.core.errors import BadUsage
from diascope.serve.access.matrix import Forbidden, decide
from diascope.serve.dicomweb import negotiation, qido, rendering, wado
from diascope.serve.dicomweb.elements import JSON, Model
from diascope.serve.dicomweb.matching import KNOWN
from diascope.serve.dicomweb.query import Level, read_query
from diascope.serve.http import arriving
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound

PREFIX = "/dicom-web"
router = APIRouter(tags=["dicomweb"])

MOST_FRAMES = 1000
UID = r"^[0-9]+(\.[0-9]+)*$"
Uid = Annotated[str, Path(pattern=UID, max_length=64, description="DICOM UID")]
Frames = Annotated[str, Path(pattern=r"^[0-9]{1,9}(,[0-9]{1,9})*$", max_length=8192, description="From 1, by commas")]
Frame = Annotated[int, Path(ge=1, le=2**31 - 1, description="From 1")]
Element = Annotated[
    str, Path(pattern=r"^[0-9A-F]{8}(/[0-9]{1,6}/[0-9A-F]{8})*$", max_length=512, description="As the metadata says")
]
STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"


class DicomJson(Response):
    """Data sets in the DICOM JSON model."""

    media_type = JSON


def _says(*kinds: str, **others: str) -> dict[int | str, dict[str, Any]]:
    """What a route answers: media types of 200, other statuses (`s204="…"`)."""
    found: dict[int | str, dict[str, Any]] = {200: {"description": "Found", "content": {kind: {} for kind in kinds}}}
    found |= {int(status[1:]): {"description": text} for status, text in others.items()}
    return found


PAGES = _says(JSON, "application/json", s204="Nothing matches")
OBJECTS = _says("multipart/related", negotiation.DICOM, s406="Not in a transfer syntax that was asked for")
OCTETS = _says("multipart/related", negotiation.OCTETS, s406="Not in a form that was asked for")
PICTURES = _says(*rendering.KINDS, s406="Not in a form that was asked for")
ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {JSON: {}, "application/json": {}}}
    for status, text in {
        200: "All are stored",
        202: "Some are stored; the answer says which are not, and why",
        400: "None is stored: no DICOM, or no multipart message",
        409: "None is stored; the answer says why",
        413: "An object is larger than the service takes",
        415: "The parts are of another type",
        507: "A disk is full",
    }.items()
}
STORING = {"requestBody": {"required": True, "content": {"multipart/related": {"schema": {"type": "string"}}}}}
STORE: dict[str, Any] = {
    "responses": ANSWERS,
    "response_class": DicomJson,
    "openapi_extra": operation("instances.store") | STORING,
}


def _route(name: str, kind: type[Response], answers: dict[int | str, dict[str, Any]]) -> dict[str, Any]:
    return {"responses": answers, "response_class": kind, "openapi_extra": operation(name)}


SEARCH = _route("studies.list", DicomJson, PAGES)
READ = _route("instances.read", Response, OBJECTS)
HEADER = _route("studies.read", DicomJson, _says(JSON, "application/json"))
PART = _route("studies.read", Response, OCTETS)
DRAW = _route("rendered.read", Response, PICTURES)
Project = Annotated[str, Query(max_length=32, pattern=r"^[A-Za-z0-9_-]*$", description="Where a new study belongs")]


@router.post("/studies", **STORE)
async def store(request: Request, who: Who, project: Project = "") -> Response:
    """Store instances (STOW-RS)."""
    return await arriving.store(request, who, "", project, _base(request))


@router.post(STUDY, **STORE)
async def store_in_study(request: Request, who: Who, study: Uid, project: Project = "") -> Response:
    """Store instances of one study (STOW-RS)."""
    return await arriving.store(request, who, study, project, _base(request))


@router.get("/studies", **SEARCH)
def find_studies(request: Request, who: Who) -> Response:
    """Search for studies (QIDO-RS)."""
    return _found(request, who, "study")


@router.get("/series", **SEARCH)
def find_series(request: Request, who: Who) -> Response:
    """Search for series (QIDO-RS)."""
    return _found(request, who, "series")


@router.get("/instances", **SEARCH)
def find_instances(request: Request, who: Who) -> Response:
    """Search for instances (QIDO-RS)."""
    return _found(request, who, "instance")


@router.get(STUDY + "/series", **SEARCH)
def find_series_of_study(request: Request, who: Who, study: Uid) -> Response:
    """Search for series of a study (QIDO-RS)."""
    return _found(request, who, "series", study)


@router.get(STUDY + "/instances", **SEARCH)
def find_instances_of_study(request: Request, who: Who, study: Uid) -> Response:
    """Search for instances of a study (QIDO-RS)."""
    return _found(request, who, "instance", study)


@router.get(SERIES + "/instances", **SEARCH)
def find_instances_of_series(request: Request, who: Who, study: Uid, series: Uid) -> Response:
    """Search for instances of a series (QIDO-RS)."""
    return _found(request, who, "instance", study, series)


@router.get(STUDY, **READ)
def read_study(request: Request, who: Who, study: Uid) -> Response:
    """Retrieve the original instances of a study (WADO-RS)."""
    return _objects(request, who, _selected(who, study))


@router.get(SERIES, **READ)
def read_series(request: Request, who: Who, study: Uid, series: Uid) -> Response:
    """Retrieve the original instances of a series (WADO-RS)."""
    return _objects(request, who, _selected(who, study, series))


@router.get(INSTANCE, **READ)
def read_instance(request: Request, who: Who, study: Uid, series: Uid, instance: Uid) -> Response:
    """Retrieve an original instance (WADO-RS)."""
    return _objects(request, who, _selected(who, study, series, instance))


@router.get(STUDY + "/metadata", **HEADER)
def study_metadata(request: Request, who: Who, study: Uid) -> Response:
    """Headers of a study; without identity where the caller may not see it (WADO-RS)."""
    return _metadata(request, who, _selected(who, study))


@router.get(SERIES + "/metadata", **HEADER)
def series_metadata(request: Request, who: Who, study: Uid, series: Uid) -> Response:
    """Headers of a series (WADO-RS)."""
    return _metadata(request, who, _selected(who, study, series))


@router.get(INSTANCE + "/metadata", **HEADER)
def instance_metadata(request: Request, who: Who, study: Uid, series: Uid, instance: Uid) -> Response:
    """Header of an instance (WADO-RS)."""
    return _metadata(request, who, _selected(who, study, series, instance))


@router.get(INSTANCE + "/bulkdata/{element:path}", **PART)
def read_bulk_data(request: Request, who: Who, study: Uid, series: Uid, instance: Uid, element: Element) -> Response:
    """One long value; other than pixels for those who may read originals only, for it may hold anything (WADO-RS)."""
    (row,) = _selected(who, study, series, instance)
    if element not in wado.PIXELS:
        _refuse_unless(who, "instances.read", row)
    _refuse_burned_in(who, row)
    _tell(who, "study.viewed", row, part="bulk data")
    return _stream(*wado.bulk(who.service, row, element, _accept(request)))


@router.get(INSTANCE + "/frames/{frames}", **PART)
def read_frames(request: Request, who: Who, study: Uid, series: Uid, instance: Uid, frames: Frames) -> Response:
    """Frames, uncompressed or as they are stored (WADO-RS)."""
    (row,) = _selected(who, study, series, instance)
    _refuse_burned_in(who, row)
    numbers = [int(one) for one in frames.split(",")]
    if len(numbers) > MOST_FRAMES:
        raise BadUsage(f"more than {MOST_FRAMES} frames at once", todo="Ask for them in parts")
    _check_frames(row, numbers)
    _tell(who, "study.viewed", row, part="frames", frames=len(numbers))
    return _stream(*wado.frames(who.service, row, numbers, _accept(request)))


@router.get(INSTANCE + "/rendered", **DRAW)
def render_instance(request: Request, who: Who, study: Uid, series: Uid, instance: Uid) -> Response:
    """A picture of an instance, of its first frame where it has several (WADO-RS)."""
    return _picture(request, who, _selected(who, study, series, instance), None)


@router.get(INSTANCE + "/frames/{frame}/rendered", **DRAW)
def render_frame(request: Request, who: Who, study: Uid, series: Uid, instance: Uid, frame: Frame) -> Response:
    """A picture of a frame (WADO-RS)."""
    return _picture(request, who, _selected(who, study, series, instance), frame)


@router.get(STUDY + "/thumbnail", **DRAW)
def study_thumbnail(request: Request, who: Who, study: Uid) -> Response:
    """A small picture of a study (WADO-RS)."""
    return _picture(request, who, _selected(who, study), None, small=True)


@router.get(SERIES + "/thumbnail", **DRAW)
def series_thumbnail(request: Request, who: Who, study: Uid, series: Uid) -> Response:
    """A small picture of a series (WADO-RS)."""
    return _picture(request, who, _selected(who, study, series), None, small=True)


@router.get(INSTANCE + "/thumbnail", **DRAW)
def instance_thumbnail(request: Request, who: Who, study: Uid, series: Uid, instance: Uid) -> Response:
    """A small picture of an instance (WADO-RS)."""
    return _picture(request, who, _selected(who, study, series, instance), None, small=True)


@router.get(INSTANCE + "/frames/{frame}/thumbnail", **DRAW)
def frame_thumbnail(request: Request, who: Who, study: Uid, series: Uid, instance: Uid, frame: Frame) -> Response:
    """A small picture of a frame (WADO-RS)."""
    return _picture(request, who, _selected(who, study, series, instance), frame, small=True)


def _found(request: Request, who: Asked, level: Level, study: str = "", series: str = "") -> Response:
    query = read_query(level, request.query_params.multi_items(), KNOWN[level])
    kind = negotiation.chosen(_accept(request), [JSON, "application/json"])
    page = qido.search(who.service, who.caller, who.operation, query, qido.Place(_base(request), study, series))
    warnings = [*page.warnings]
    if page.more:
        count = page.total and page.total - query.offset - len(page.results)
        warnings.append(f"there are {count or 'many'} additional results; ask for them with offset")
    headers = {"Warning": ", ".join(f'299 diascope "{text}"' for text in warnings)} if warnings else {}
    if page.total is not None:
        headers["X-Total-Count"] = str(page.total)
    if not page.results:
        return Response(status_code=204, headers=headers)
    return DicomJson(_json(page.results), headers=headers, media_type=kind)


def _selected(who: Asked, study: str, series: str = "", instance: str = "") -> Sequence[RowMapping]:
    """Instances that an address names and the caller may know of.

    Raises:
        NotFound: When there are none.
        Forbidden: When the caller may not do this with them.
    """
    rows = wado.selected(who.service, study, series, instance)
    if not rows:
        raise NotFound("there is no such study, series or instance, or it is not yours to see")
    who.on(rows[0]["project_id"], study)
    return rows


def _objects(request: Request, who: Asked, rows: Sequence[RowMapping]) -> Response:
    kind, content = wado.objects(who.service, rows, _accept(request))
    _tell(who, "study.exported", rows[0], instances=len(rows))
    return _stream(kind, content)


def _metadata(request: Request, who: Asked, rows: Sequence[RowMapping]) -> Response:
    kind = negotiation.chosen(_accept(request), [JSON, "application/json"])
    sees = who.may("identities.read", rows[0]["project_id"])
    _tell(who, "study.viewed", rows[0], part="metadata", instances=len(rows), identities=sees)
    content = wado.metadata(who.service, rows, _base(request), lambda _: sees)
    return StreamingResponse(content, media_type=kind)


def _picture(
    request: Request, who: Asked, rows: Sequence[RowMapping], frame: int | None, small: bool = False
) -> Response:
    row = rendering.representative(rows)
    if row is None:
        raise NotFound("there is nothing in it that can be drawn")
    _refuse_burned_in(who, row)
    if frame is not None:
        _check_frames(row, [frame])
    accept = request.query_params.get("accept") or _accept(request)
    wanted = {} if small else rendering.read_parameters(request.query_params)
    _tell(who, "study.viewed", row, part="thumbnail" if small else "picture")
    if small:
        kind, content = rendering.thumbnail(who.service, row, frame, accept)
    else:
        kind, content = rendering.picture(who.service, row, frame, accept, wanted)
    return Response(content, media_type=kind)


def _check_frames(row: RowMapping, numbers: Sequence[int]) -> None:
    if not all(1 <= number <= (row["frames"] or 0) for number in numbers):
        raise NotFound(f"there is no such frame; it has {row['frames'] or 0}")


def _refuse_burned_in(who: Asked, row: RowMapping) -> None:
    """Pixels that say whose they are, are an identity."""
    if str(row["attributes"].get("BurnedInAnnotation", "")).upper() == "YES":
        _refuse_unless(who, "identities.read", row)


def _refuse_unless(who: Asked, name: str, row: RowMapping) -> None:
    decision = decide(name, who.caller, row["project_id"])
    if not decision.allowed:
        who.service.audit.tell(
            who.event("access.refused", row["instance_uid"], "refused", row["project_id"], operation=name)
        )
        raise Forbidden(decision)


def _tell(who: Asked, action: str, row: RowMapping, **detail: Any) -> None:
    who.service.audit.tell(who.event(action, row["study_uid"], "success", row["project_id"], **detail))


def _stream(kind: str, content: Iterator[bytes]) -> Response:
    return StreamingResponse(content, media_type=kind, headers={"Content-Disposition": "attachment"})


def _accept(request: Request) -> str:
    return request.headers.get("accept", "")


def _base(request: Request) -> str:
    """Address for links. Some clients leave the port out of `Host` (dicomweb-client does): then it is our own."""
    url, (host, port) = request.base_url, request.scope.get("server") or ("", None)
    if url.port is None and port and url.hostname == host:
        url = url.replace(port=port)
    return f"{str(url).rstrip('/')}{PREFIX}"


def _json(results: Sequence[Model]) -> str:
    return json.dumps(results, ensure_ascii=False, separators=(",", ":"))
