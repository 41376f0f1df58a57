"""From an opened release to a reader that was proven on the release's reference cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from diascope.core import registry
from diascope.core.errors import BadUsage, DiascopeError, DoesNotFit
from diascope.core.plan import Plan
from diascope.engine.choosing import usable
from diascope.engine.fit import load_weights
from diascope.engine.proving import unproven
from diascope.engine.reading import Reader, buffer_bytes
from diascope.engine.room import bounded
from diascope.store.releases import OpenRelease

PLAIN = ("torch", "fp32")


@dataclass(frozen=True)
class Ready:
    """A reader whose decisions are those of the release, and what the user should know about it."""

    reader: Reader
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Back end and precision, as findings and evaluations state them."""
        return f"{self.reader.backend} {self.reader.precision}"


def ready(opened: OpenRelease, backend: str | None = None, memory_gb: float | None = None) -> Ready:
    """A reader of all members, that reproduces the stored decisions on this machine.

    Args:
        opened: The release.
        backend: Asked for by name; None is the release's own, and plain torch where that cannot be used here.
        memory_gb: Bound for the buffers of reading; None is the plan's.

    Raises:
        BadUsage: When the back end that was asked for is not installed, or cannot read these inputs.
        DiascopeError: When no way of reading reproduces the release's decisions here.
    """
    release, plan = opened.release, opened.plan
    own = (release.backend, release.precision)
    networks = [load_weights(plan, opened.folder / member) for member in release.members]
    memory = buffer_bytes(memory_gb or plan["memory_gb"])
    reasons: list[str] = []
    for name, precision in dict.fromkeys(_ways(own, backend, _torch_only(plan))):
        reader, why = _tried(opened, networks, (name, precision), memory)
        if reader is not None:
            notes = [f"read with {name} {precision}: {reason}" for reason in reasons]
            return Ready(reader, tuple(notes))
        reasons.append(f"{name} {precision} is not used, because {why}")
    raise DiascopeError(
        f"nothing here reproduces the decisions of {release.label}: {'; '.join(reasons)}",
        todo="Use another back end (--backend torch), or the machine that the release was made on",
    )


def _torch_only(plan: Plan) -> bool:
    """Whether there is one way to read: inputs that are no images, and what was not made of torch's layers."""
    return bool(plan["readings"]) or registry.get("models", plan["model"]).fitted == "once"


def _ways(own: tuple[str, str], wanted: str | None, torch_only: bool) -> list[tuple[str, str]]:
    """Back ends and precisions to try, best first."""
    if wanted is None:
        return [own, PLAIN]
    if torch_only and wanted != "torch":
        raise BadUsage("this release is read by torch only", given=f"--backend {wanted}")
    if not registry.get("backends", wanted).is_available():
        raise BadUsage(f"the back end {wanted!r} is not installed here", todo="pip install 'diascope[fast]'")
    return [own, (wanted, "fp32")] if wanted == own[0] else [(wanted, "fp32")]


def _tried(
    opened: OpenRelease, networks: Sequence[nn.Module], way: tuple[str, str], memory: int
) -> tuple[Reader | None, str]:
    """The reader, or why it cannot be used."""
    if not usable(*way):
        return None, "it is not installed here" if way[1] == "fp32" else "this machine cannot run it"
    try:
        reader = Reader(networks, opened.plan, *way, memory)
        with bounded(f"one patch, read with {way[0]} {way[1]},"):
            why = unproven(reader, opened.release.decision, opened.arrays("reference.safetensors"))
    except DoesNotFit:
        raise
    except (DiascopeError, RuntimeError, ImportError, OSError) as error:  # also of the back end's own library
        return None, f"it fails here: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return (None, why) if why else (reader, "")
