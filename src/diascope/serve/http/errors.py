"""One envelope for every error: what was wrong, what was given, what to do."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
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
from diascope.serve.access.matrix import Forbidden

log = logging.getLogger(__name__)


class NotFound(DiascopeError):
    """What was asked for does not exist, or may not be known to exist by whoever asks."""


class NotLoggedIn(DiascopeError):
    """Nobody is known to ask."""


class CrossSite(DiascopeError):
    """A request that another site's page made with our cookie."""


class TooMany(DiascopeError):
    """Too many requests; `seconds` says when to come back."""

    def __init__(self, wrong: str, seconds: float, todo: str = "") -> None:
        super().__init__(wrong, todo=todo or f"Try again in {max(1, round(seconds))} s")
        self.seconds = max(1, round(seconds))


class TooLarge(DiascopeError):
    """A body that is larger than the service takes."""


class WrongType(DiascopeError):
    """A body of a type that this address does not take, or an answer that it can't give."""


STATUS: tuple[tuple[type[DiascopeError], int, str], ...] = (
    (NotLoggedIn, 401, "not_logged_in"),
    (Forbidden, 403, "forbidden"),
    (CrossSite, 403, "cross_site"),
    (NotFound, 404, "not_found"),
    (UnknownName, 404, "not_found"),
    (TooLarge, 413, "too_large"),
    (WrongType, 415, "wrong_type"),
    (TooMany, 429, "too_many"),
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


class Problem(BaseModel):
    """What every error of the API says."""

    code: str
    """Short and stable, for programs."""
    wrong: str
    given: str | None = None
    todo: str = ""
    reference: str = ""
    """Of the server's log, where the error is the server's."""


class Envelope(BaseModel):
    """The body of every answer that is an error."""

    error: Problem


def install(app: FastAPI) -> None:
    """Give an application its answers to errors."""
    app.add_exception_handler(DiascopeError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unknown)


def answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The envelope as a response."""
    return JSONResponse({"error": problem.model_dump()}, status, headers)


def status_of(error: DiascopeError) -> tuple[int, str]:
    """HTTP status and code of an error."""
    return next((status, code) for kind, status, code in STATUS if isinstance(error, kind))


async def _known(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DiascopeError)
    status, code = status_of(error)
    headers = {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.seconds)
    elif status in (503, 507):
        headers["Retry-After"] = "10"
    elif status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    given = None if error.given is None else str(error.given)
    return answer(status, Problem(code=code, wrong=error.wrong, given=given, todo=error.todo), headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = dict(error.errors()[0])
    place = ".".join(str(part) for part in first.get("loc", ()))
    return answer(400, Problem(code="bad_request", wrong=f"{place}: {first.get('msg', 'not valid')}"))


async def _plain(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    problem = Problem(code=codes.get(error.status_code, "bad_request"), wrong=str(error.detail))
    return answer(error.status_code, problem, dict(error.headers or {}))


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    # A defect of ours. The log gets a reference and the place, never the message: it may quote what was sent.
    reference = secrets.token_hex(6)
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else "unknown"
    route = getattr(request.scope.get("route"), "path", "unknown")
    log.error("%s: %s in %s at %s", reference, type(error).__name__, route, place)
    problem = Problem(
        code="internal",
        wrong="the service has a defect",
        todo="Tell its administrator the reference",
        reference=reference,
    )
    return answer(500, problem)
