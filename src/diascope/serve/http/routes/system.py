"""The state of the service: what works, what does not and why."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter

from diascope.serve import state
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Time, utc
from diascope.serve.keeping.hardening import weaknesses

router = APIRouter(prefix="/system", tags=["system"])


class Reason(Answer):
    """Something that does not work."""

    part: str
    """Of the service."""
    why: str
    """In plain English."""
    stops: bool
    """Whether nothing should be sent to the service meanwhile; else it goes on with less."""


class State(Answer):
    """How the service is."""

    version: str
    """Of the program."""
    time: Time
    """Of the server's clock."""
    state: Literal["ready", "degraded", "stopped"]
    """`degraded`: it goes on with less; `stopped`: nothing should be sent to it."""
    reasons: list[Reason]
    """What does not work; empty where everything does."""
    weaknesses: list[str]
    """How the process was started that an attacker would like; it works nevertheless."""
    database: Literal["sqlite", "postgresql"]
    """Kind of the index."""
    free_bytes: int | None
    """Space left for objects, bytes; null where the store does not say."""
    encrypted: bool
    """Whether objects are encrypted at rest; identities always are."""
    jobs: dict[str, int]
    """Number of jobs by state."""
    workers: list[str]
    """Those that have a job now."""
    peers: dict[str, bool]
    """Name to whether it is enabled."""
    releases: dict[str, str]
    """Releases that were put into service or withdrawn by hand, with their state."""


@router.get("", openapi_extra=operation("system.read"))
def read_state(asked: Who) -> State:
    """The state of the service."""
    service, reasons = asked.service, state.reasons(asked.service)
    stopped = any(one.stops for one in reasons)
    return State(
        version=version("diascope"),
        time=utc(service.clock()),
        state="stopped" if stopped else "degraded" if reasons else "ready",
        reasons=[Reason.model_validate(one) for one in reasons],
        weaknesses=weaknesses(),
        database="sqlite" if service.database.is_sqlite else "postgresql",
        free_bytes=service.archive.free_bytes(),
        encrypted=service.settings.encrypt,
        **state.counted(service),
    )
