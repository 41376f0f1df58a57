"""Kinds of jobs, one file each: `run(service, job, context)`, `TRIES` and `LANE`.

`run` ends its job with `context.done`, in one transaction with what the job gave, or raises; a job that it leaves
unended is done with nothing to say. `gave_up(service, job, context, error)`, where a kind has it, is called in the
place of another try after the last one: it ends the job with what must be written when nothing came of it.

Lanes have threads of their own, so that reading never waits for a slow peer, a training or an explanation.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from diascope.core.errors import DiascopeError, UnknownName

if TYPE_CHECKING:
    from diascope.serve.jobs.queue import Job
    from diascope.serve.jobs.worker import Context
    from diascope.serve.service import Service


@dataclass(frozen=True)
class Kind:
    """What can be done.

    Args:
        name: Of the file.
        run: Does it.
        tries: How often it is tried.
        lane: Which threads do it.
        gave_up: Says what must be said when nothing came of it.
    """

    name: str
    run: Callable[[Service, Job, Context], None]
    tries: int
    lane: Literal["reading", "sending", "training", "explaining"]
    gave_up: Callable[[Service, Job, Context, DiascopeError], None] | None = None


def names() -> list[str]:
    """All kinds, sorted."""
    return sorted(one.name for one in pkgutil.iter_modules(__path__))


def kind_of(name: str) -> Kind:
    """A kind by its name.

    Raises:
        UnknownName: When there is none.
    """
    if name not in names():
        raise UnknownName("kind of job", name, names())
    module = importlib.import_module(f"{__name__}.{name}")
    return Kind(name, module.run, module.TRIES, module.LANE, getattr(module, "gave_up", None))
