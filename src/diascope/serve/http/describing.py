"""The API's own description (OpenAPI 3.1): how to log in, and for each route the errors that it can give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from diascope.serve.http.errors import Envelope

OPEN = frozenset({"session.login", "service.alive"})
"""Operations that need no login."""

SAYS = {
    "400": "Something of the request makes no sense",
    "401": "Nobody is logged in, or the session or token is over",
    "403": "The caller may not; the answer says who may",
    "404": "There is no such object, or the caller may not know of it",
    "406": "None of the media types that were asked for can be sent",
    "409": "What is there speaks against it",
    "413": "The body is too large",
    "415": "The body is of a type that is not taken here",
    "422": "The data was refused",
    "429": "Too many requests; `Retry-After` says when the next one is taken",
    "503": "Something that the service needs does not answer; `Retry-After` says when to ask again",
    "507": "A disk is full",
    "default": "What was wrong, what was given, what to do",
}
"""What each status means."""


def install(app: FastAPI) -> None:
    """Give an application its description."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                    openapi_version="3.1.0",
                    separate_input_output_schemas=app.separate_input_output_schemas,
                )
            )
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    envelope = Envelope.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= envelope.pop("$defs", {})
    schemas["Envelope"] = envelope
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "diascope-session"},
    }
    found["security"] = [{"token": []}, {"session": []}]
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}
    for address, path in found["paths"].items():
        for method, route in path.items():
            route["responses"].pop("422", None)
            if route.get("x-operation") in OPEN:
                route["security"] = []
            for status in _errors(address, method, route):
                route["responses"].setdefault(status, {"description": SAYS[status], "content": body})
            for status, said in route["responses"].items():
                if status >= "4" and not said.get("content"):
                    said["content"] = body
    return found


def _errors(address: str, method: str, route: dict[str, Any]) -> Iterator[str]:
    """The statuses that a route can give beside its own."""
    if route.get("x-operation") not in OPEN:
        yield from ("401", "403")
    if route.get("parameters") or "requestBody" in route:
        yield "400"
    if "{" in address:
        yield "404"
    if method not in ("get", "head"):
        yield from ("403", "409", "413", "507")
    if "requestBody" in route:
        yield from ("415", "422")
    yield from ("429", "503", "default")
