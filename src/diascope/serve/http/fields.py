"""What bodies and answers are made of: texts without control characters, times, and the two kinds of record.

A body refuses what it does not know and converts nothing: "1" is no number. Every text is bounded and holds no control
characters, which neither a log line nor PostgreSQL can take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Strict, StringConstraints

from diascope.core.errors import BadUsage

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
PLAIN = r"^[^\x00-\x1f\x7f-\x9f]*$"

Text = Annotated[str, StringConstraints(max_length=4096, pattern=PLAIN)]
Line = Annotated[str, StringConstraints(max_length=256, pattern=PLAIN)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$")
]
"""Of something that people name: no control characters, no space in front."""
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
"""Of something that the service named."""
Uid = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9]+(\.[0-9]+)*$")]
"""DICOM UID, PS3.5, section 9."""

InPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Id")]
"""The id of an object in an address."""


def utc(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(seconds, UTC)


def _time(given: object) -> object:
    """Seconds since 1970, as the tables have them, as a time."""
    return utc(given) if isinstance(given, int | float) else given


Time = Annotated[datetime, BeforeValidator(_time)]
"""UTC, as RFC 3339 writes it."""


MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(given: object) -> object:
    if not isinstance(given, datetime) and not (isinstance(given, str) and MOMENT.fullmatch(given)):
        raise ValueError("write it as RFC 3339 does: 2026-05-01T08:00:00Z")
    return given


Moment = Annotated[datetime, BeforeValidator(_moment), Strict(strict=False)]
"""A time that a client gives, as text: JSON has no times, so that a strict body would take none."""


def seconds(moment: datetime) -> float:
    """Seconds since 1970."""
    return (moment - EPOCH).total_seconds()


class Body(BaseModel):
    """What a client sends: unknown fields are refused, nothing is converted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Answer(BaseModel):
    """What the service answers."""

    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True)


def refuse_controls(given: object) -> None:
    """Refuse control characters and half characters in any text of a body that another part of the program describes.

    Raises:
        ValueError: When there is one.
    """
    for text in _texts(given):
        if CONTROL.search(text):
            raise ValueError("a text holds control characters")


def refuse_odd(given: object, where: str) -> None:
    """Refuse what JSON of any shape may hold and neither a database nor an answer can: NaN, infinities, controls.

    Args:
        given: JSON of any shape.
        where: Name of the field, for the error.

    Raises:
        BadUsage: When there is any of it.
    """
    try:
        refuse_controls(given)
        json.dumps(given, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"{where}: it holds numbers or characters that can't be kept", given=str(error)[:100]) from error


def _texts(given: object) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping):
        for key, value in given.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(given, Sequence):
        for one in given:
            yield from _texts(one)
