"""The application: routes, answers to errors, and what holds for every request."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from diascope.serve.http import errors
from diascope.serve.http.bodies import BoundedBodies
from diascope.serve.http.headers import Headers
from diascope.serve.service import Service

API = "/api/v1"


def application(service: Service, routers: list[tuple[str, APIRouter]]) -> FastAPI:
    """The web application of a service.

    Args:
        service: Opened.
        routers: Address and routes, from `routing.py`.
    """
    app = FastAPI(
        title="Diascope",
        version=version("diascope"),
        description="A second reader for medical images. Not a medical device.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=True,
    )
    app.state.service = service
    for prefix, router in routers:
        app.include_router(router, prefix=prefix)
    errors.install(app)
    app.add_middleware(BoundedBodies, small=1 << 20)
    app.add_middleware(Headers)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """The API's description names the ways to log in, and the one envelope of errors instead of FastAPI's own."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes,
                openapi_version="3.1.0",
            )  # fmt: skip
            app.openapi_schema = _with_errors(found)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]


def _with_errors(found: dict[str, Any]) -> dict[str, Any]:
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    envelope = errors.Envelope.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= envelope.pop("$defs", {})
    schemas["Envelope"] = envelope
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "diascope-session"},
    }
    found["security"] = [{"token": []}, {"session": []}]
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}}
    for path in found["paths"].values():
        for route in path.values():
            route["responses"].pop("422", None)
            route["responses"].setdefault(
                "default", {"description": "What was wrong, what was given, what to do", "content": body}
            )
    return found
