"""For whoever watches the service: does it live, may it be sent work, what are its figures."""

from __future__ import annotations

import ipaddress
from typing import Literal

from fastapi import APIRouter, Request, Response

from diascope.serve import state
from diascope.serve.http.asking import address_of, asked, operation, service_of
from diascope.serve.http.fields import Answer
from diascope.serve.http.measuring import Measures

router = APIRouter(tags=["health"])
PREFIX = ""

TEXT = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers of proxies: behind one of this machine everybody seems to be on it."""


class Alive(Answer):
    """The process answers."""

    alive: Literal[True] = True
    """It is."""


class Ready(Answer):
    """Whether work may be sent."""

    ready: bool
    """Whether everything works that is needed to take and keep what is sent."""
    reasons: list[str]
    """Parts that do not work; `GET /api/v1/system` says why to those who may know."""


@router.get("/health/live", openapi_extra=operation("service.alive"))
def live() -> Alive:
    """Whether the process answers."""
    return Alive()


@router.get(
    "/health/ready",
    openapi_extra=operation("service.alive"),
    responses={503: {"model": Ready, "description": "Not ready; the parts that do not work"}},
)
def ready(request: Request, response: Response) -> Ready:
    """Whether work may be sent; 503 when not."""
    found = sorted({one.part for one in state.reasons(service_of(request)) if one.stops})
    if found:
        response.status_code = 503
        response.headers["Retry-After"] = "10"
    return Ready(ready=not found, reasons=found)


@router.get(
    "/metrics",
    openapi_extra=operation("system.read"),
    response_class=Response,
    responses={
        200: {"description": "Figures for Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
def metrics(request: Request) -> Response:
    """Figures for Prometheus: open on this machine, else for those who may `system.read`."""
    if not _on_this_machine(request):
        asked(request)
    measures: Measures = request.app.state.measures
    return Response(measures.written(), media_type=TEXT)


def _on_this_machine(request: Request) -> bool:
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
