"""The API's own description, for programs that make clients of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from diascope.serve.http.asking import operation

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False, openapi_extra=operation("service.alive"))
def describe(request: Request) -> JSONResponse:
    """OpenAPI 3.1; it holds no data of the service."""
    return JSONResponse(request.app.openapi())
