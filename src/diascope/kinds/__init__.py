"""Kinds of input that are no image: each module says how one kind is looked at, planned, and made into numbers.

Images have a place in the patient and go their own way (`engine/preparing.py`): several of them are stacked on one
grid, masks lie on them, and patches are cut from them. All other inputs are arrays of one fixed shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.case import Case, FileRef, TableRef
from diascope.core.plan import InputFacts, Plan
from diascope.models import InputSpec

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """What was seen of one input of one case, in one reading.

    Args:
        digest: SHA-256 of the content, so that the same content in another file agrees.
        file_digest: SHA-256 of the bytes of the file or files, to notice one that changes later.
        size: Samples, characters or letters.
        facts: What the kind wants to know of it, JSON types.
        history: What was corrected on reading.
    """

    digest: str
    file_digest: str
    size: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()


class Kind(Protocol):
    """What a file in this folder provides as `KIND`."""

    encoder: str
    """Name of the model that encodes it where several inputs are read together."""
    alone: str
    """Name of the model that reads it where it is the only input, and no case is left to compare models by."""

    def look(self, ref: FileRef, root: Path) -> Look:
        """Read one input.

        Raises:
            UnreadableFile: When it is broken.
        """
        ...

    def facts(self, refs: Sequence[FileRef | TableRef], looks: Sequence[Look | None]) -> InputFacts:
        """Facts over the training cases that have the input; rows of tables are not looked at."""
        ...

    def settings(self, facts: InputFacts) -> dict[str, Any]:
        """How every case is made into numbers, JSON types: what stands in the plan as `readings[name]`."""
        ...

    def reason(self, settings: Mapping[str, Any]) -> str:
        """Why so, in a few words."""
        ...

    def spec(self, settings: Mapping[str, Any]) -> InputSpec:
        """What an encoder is built for."""
        ...

    def array(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> npt.NDArray[Any]:
        """What the network sees of the input `name`; where the case has none, nan (letters of a text: 0).

        Raises:
            DataRefused: When it lacks what the release reads.
        """
        ...

    def describe(self, array: npt.NDArray[Any], settings: Mapping[str, Any]) -> Floats:
        """(D,) numbers by which the input gate tells what training has not seen; nan where nothing is known."""
        ...

    def refusals(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        """Why the input is not what a release was made for; empty where it is, and where there is none."""
        ...

    def remarks(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        """What of the input is read otherwise than it stands there, or not at all; for whoever reads the findings."""
        ...


def kind_of(settings: Mapping[str, Any]) -> Kind:
    """The plug-in that the settings of a reading are of."""
    plugin: Kind = registry.get("kinds", settings["kind"])
    return plugin


def arrays_of(case: Case, root: Path, plan: Plan) -> dict[str, npt.NDArray[Any]]:
    """Every input of a case that is no image, by its name.

    Raises:
        DataRefused: When one lacks what the plan reads.
    """
    readings: Mapping[str, Mapping[str, Any]] = plan["readings"]
    return {name: kind_of(settings).array(case, name, root, settings) for name, settings in readings.items()}


def is_missing(array: npt.NDArray[Any]) -> bool:
    """Whether an array says nothing: all nan, or a text of no letters."""
    return bool(np.isnan(array).all()) if array.dtype.kind == "f" else not array.any()
