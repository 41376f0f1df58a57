"""Frames of a series in order, on the grid that releases read, as raw values: what a viewer draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import RowMapping

from diascope.core.errors import BadUsage, Conflict
from diascope.serve.access.matrix import Forbidden, decide
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer
from diascope.serve.http.routes.studies import UidInPath
from diascope.serve.viewing.describing import described
from diascope.serve.viewing.series import Opened, opened, series_row

router = APIRouter(prefix="/studies/{study}/series/{series}/frames", tags=["frames"])

MOST_FRAMES = 2000
"""In one answer."""
MOST_BYTES = 512 << 20
"""In one answer; one frame alone may be larger."""
AT_ONCE = 16 << 20
"""Bytes that are decoded together, while those before are sent."""

OCTETS = "application/octet-stream"
Part = Annotated[int, Query(ge=1, le=100_000, description="Of a series that is no one volume, from 1")]
Revision = Annotated[
    int | None, Query(ge=0, le=2**31 - 1, description="Refuse (409) when the series has another one by now")
]
Numbers = Annotated[
    str, Path(pattern=r"^[1-9][0-9]{0,8}-[1-9][0-9]{0,8}$", description="First and last frame, from 1: `1-20`")
]


class Window(Answer):
    """A display window: from `centre - width / 2` to `centre + width / 2`."""

    name: str
    """`as sent` of the header, `automatic` of the values, or of a preset of the modality."""
    centre: float
    """In the unit of the values."""
    width: float
    """The same."""


class Where(Answer):
    """Where a frame comes from."""

    uid: str
    """SOP Instance UID."""
    frame: int
    """Of that instance, from 1."""


class Piece(Answer):
    """Frames of one size that can be shown together."""

    part: int
    """From 1."""
    name: str
    """`echo 1`, `orientation 2`; empty where nothing is known."""
    count: int
    """Frames."""
    rows: int
    """Of each."""
    columns: int
    """Of each."""


class Frames(Answer):
    """The frames of a series, in order, and their grid."""

    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series; 0 while it has never been complete."""
    part: int
    """Which part this is, from 1."""
    parts: list[Piece]
    """All parts; one where the series is a volume, or frames of one size."""
    modality: str
    """Plug-in: ct, mr, xray, us, pt, photo, unknown."""
    unit: str
    """Of the values: HU, Bq/mL, a.u."""
    count: int
    """Frames."""
    rows: int
    """Of each."""
    columns: int
    """Of each."""
    samples: int
    """1; 3 for colours (red, green, blue of each pixel)."""
    type: str
    """uint8, int16, uint16, int32, float32; little endian."""
    affine: list[list[float]] | None
    """4 × 4: voxel (z, y, x, 1) to millimetres (x, y, z, 1), LPS; null where the series is no volume."""
    why: str
    """Why it is none."""
    physical: bool
    """Whether there are millimetres; where not, the affine counts pixels."""
    spacing: tuple[float, float] | None
    """Millimetres between rows and between columns; null where nobody knows."""
    frame_of_reference: str | None
    """UID."""
    windows: list[Window]
    """The first one is to be shown first."""
    range: tuple[float, float]
    """Smallest and largest value of the frame in the middle."""
    remarks: list[str]
    """What was corrected while reading."""
    instances: list[Where]
    """Of each frame."""


@router.get("", openapi_extra=operation("rendered.read"))
def describe_frames(asked: Who, study: UidInPath, series: UidInPath, part: Part = 1) -> Frames:
    """How many frames a series has, of what size and type, where they lie, and how to show them."""
    row = found(asked, study, series)
    with opened(asked.service, row) as shown:
        refuse_burned_in(asked, row, shown)
        said = described(shown, part)
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project"], part="frames", series=series))
    return Frames(study=study, series=series, revision=row["revision"], **said)


@router.get(
    "/{frames}",
    openapi_extra=operation("rendered.read"),
    response_class=StreamingResponse,
    responses={200: {"description": "Values, frame by frame", "content": {OCTETS: {}}}},
)
def read_frames(
    asked: Who, study: UidInPath, series: UidInPath, frames: Numbers, part: Part = 1, revision: Revision = None
) -> StreamingResponse:
    """Values of some frames: frame by frame, row by row, in the type that the description names, little endian."""
    row = found(asked, study, series)
    if revision not in (None, row["revision"]):
        raise Conflict("the series has another revision by now", given=row["revision"], todo="Describe it again")
    with ExitStack() as undone:
        shown = undone.enter_context(opened(asked.service, row))
        refuse_burned_in(asked, row, shown)
        wanted, each = _wanted(shown, part, frames)
        detail: dict[str, Any] = {"part": "frames", "series": series, "frames": frames}
        asked.service.audit.tell(asked.event("study.viewed", study, project=row["project"], **detail))
        blocks = _blocks(shown, part, wanted, each)
        first = next(blocks)  # what goes wrong here still has a status of its own
        content = _content(first, blocks, undone.pop_all())
    headers = {"Content-Length": str(len(wanted) * each), "Content-Disposition": "attachment"}
    return StreamingResponse(content, media_type=OCTETS, headers=headers)


def found(asked: Asked, study: str, series: str) -> RowMapping:
    """The row of a series, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    row = series_row(asked.service, study, series)
    asked.on("" if row is None else row["project"], study)
    if row is None:
        raise NotFound("there is no such series", given=series)
    return row


def refuse_burned_in(asked: Asked, row: RowMapping, shown: Opened) -> None:
    """Pixels that say whose they are, are an identity.

    Raises:
        Forbidden: When they may, and the caller may not see that.
    """
    if not shown.is_burned_in:
        return
    name = "identities.read"
    decision = decide(name, asked.caller, row["project"])
    if not decision.allowed:
        refused = asked.event("access.refused", row["uid"], "refused", row["project"], operation=name)
        asked.service.audit.tell(refused)
        raise Forbidden(decision)


def _wanted(shown: Opened, part: int, numbers: str) -> tuple[range, int]:
    """Frames from 0, and the bytes of each.

    Raises:
        NotFound: When there are no such frames.
        BadUsage: When it is too much at once.
    """
    frames = shown.part(part)
    first, last = (int(one) for one in numbers.split("-"))
    if not first <= last <= frames.shape[0]:
        raise NotFound(f"there are no such frames; it has {frames.shape[0]}", given=numbers)
    count, each = last - first + 1, frames.frame_bytes
    if count > MOST_FRAMES or (count > 1 and count * each > MOST_BYTES):
        most = max(1, min(MOST_FRAMES, MOST_BYTES // each))
        raise BadUsage(f"more than {most} frames of this series at once", todo="Ask for them in parts")
    return range(first - 1, last), each


def _blocks(shown: Opened, part: int, wanted: range, each: int) -> Iterator[bytes]:
    step = max(1, AT_ONCE // each)
    for start in range(wanted.start, wanted.stop, step):
        values = shown.read(part, range(start, min(start + step, wanted.stop)))
        yield values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _content(first: bytes, blocks: Iterator[bytes], files: ExitStack) -> Iterator[bytes]:
    with files:
        yield first
        yield from blocks
