"""One envelope for every error: what was wrong, what was given, what to do."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from diascope.core.errors import (
    BadUsage,
    Conflict,
    DataRefused,
    DiascopeError,
    StorageFailed,
    StorageFull,
    Unavailable,
    UnknownName,
    WorkspaceBusy,
)
from diascope.serve.access.limits import Throttled
from diascope.serve.access.matrix import Forbidden
from diascope.serve.access.refusals import Missing, NotLoggedIn, Taken, WrongLogin
from diascope.serve.dicomweb.negotiation import NotAcceptable

log = logging.getLogger(__name__)


class NotFound(DiascopeError):
    """What was asked for does not exist, or may not be known to exist by whoever asks."""


class CrossSite(DiascopeError):
    """A request that another site's page made with our cookie."""


class TooMany(DiascopeError):
    """More at once than the service takes; `retry_after` says in how many seconds to come back."""

    def __init__(self, wrong: str, retry_after: int, todo: str = "") -> None:
        super().__init__(wrong, todo=todo or f"Try again in {retry_after} s")
        self.retry_after = retry_after


class TooLarge(DiascopeError):
    """A body that is larger than the service takes."""


class WrongType(DiascopeError):
    """A body of a type that this address does not take, or an answer that it can't give."""


STATUS: tuple[tuple[type[DiascopeError], int, str], ...] = (
    (NotLoggedIn, 401, "not_logged_in"),
    (WrongLogin, 401, "wrong_login"),
    (Forbidden, 403, "forbidden"),
    (CrossSite, 403, "cross_site"),
    (NotFound, 404, "not_found"),
    (Missing, 404, "not_found"),
    (UnknownName, 404, "not_found"),
    (NotAcceptable, 406, "not_acceptable"),
    (TooLarge, 413, "too_large"),
    (WrongType, 415, "wrong_type"),
    (TooMany, 429, "too_many"),
    (Throttled, 429, "too_many"),
    (Taken, 409, "conflict"),
    (Conflict, 409, "conflict"),
    (WorkspaceBusy, 409, "busy"),
    (StorageFull, 507, "storage_full"),
    (StorageFailed, 503, "storage_failed"),
    (Unavailable, 503, "unavailable"),
    (BadUsage, 400, "bad_request"),
    (DataRefused, 422, "refused"),
    (DiascopeError, 422, "failed"),
)
"""The first class that fits decides."""

PLAIN = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "wrong_type"}
"""Codes of what the framework itself refuses."""


class Problem(BaseModel):
    """What every error of the API says."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: str
    """Short and stable, for programs."""
    wrong: str
    """What was wrong."""
    given: str | None = None
    """What was given."""
    todo: str = ""
    """What to do next."""
    reference: str = ""
    """Of the server's log, where the error is the server's."""


class Envelope(BaseModel):
    """The body of every answer that is an error."""

    error: Problem


def install(app: FastAPI) -> None:
    """Give an application its answers to errors; those to its own defects are in `defects.py`."""
    app.add_exception_handler(DiascopeError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(DBAPIError, _database)


def answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The envelope as a response."""
    return JSONResponse({"error": problem.model_dump()}, status, headers)


def status_of(error: DiascopeError) -> tuple[int, str]:
    """HTTP status and code of an error."""
    return next((status, code) for kind, status, code in STATUS if isinstance(error, kind))


def told(error: DiascopeError) -> JSONResponse:
    """What a client is told of an error."""
    status, code = status_of(error)
    headers = {}
    if isinstance(error, TooMany | Throttled):
        headers["Retry-After"] = str(error.retry_after)
    elif status in (503, 507):
        headers["Retry-After"] = "10"
    elif status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    given = None if error.given is None else str(error.given)[:500]
    return answer(status, Problem(code=code, wrong=error.wrong, given=given, todo=error.todo), headers)


async def _known(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DiascopeError)
    return told(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    first: dict[str, Any] = dict(error.errors()[0])
    in_body = first.get("loc", ("",))[0] == "body"
    if in_body and kind != "application/json" and int(request.headers.get("content-length", "1") or "1"):
        return told(WrongType("bodies are JSON here", given=kind[:100], todo="Send Content-Type: application/json"))
    place = ".".join(str(part) for part in first.get("loc", ()))[:200]
    return answer(400, Problem(code="bad_request", wrong=f"{place}: {first.get('msg', 'not valid')}"))


async def _plain(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    problem = Problem(code=PLAIN.get(error.status_code, "bad_request"), wrong=str(error.detail))
    return answer(error.status_code, problem, dict(error.headers or {}))


async def _database(_: Request, error: Exception) -> JSONResponse:
    # Neither the statement nor what the database says goes anywhere: both may quote what was sent.
    assert isinstance(error, DBAPIError)
    log.error("the database refused a statement: %s", type(error).__name__)
    return told(Unavailable("the database refused this", given=type(error).__name__, todo="Tell its administrator"))
