"""What filters of images share: parameters with a range and a unit, and one channel at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.core.errors import BadUsage, UnknownName
from diascope.core.geometry import Geometry
from diascope.transforms import Params

Floats = npt.NDArray[np.float32]
AXES = ("z", "y", "x")


@dataclass(frozen=True)
class Number:
    """What one parameter of a filter may be.

    Args:
        default: Where the user gives none.
        low: Smallest value.
        high: Largest value.
        unit: Of it, for people: `voxels`, `of the standard deviation`, ...
        whole: Whether only whole numbers are taken.
        odd: Whether only odd ones are, so that a voxel has as many neighbours on both sides.
        axes: Whether three may be given, for z, y and x of the upright image.
    """

    default: float
    low: float
    high: float
    unit: str = ""
    whole: bool = False
    odd: bool = False
    axes: bool = False

    @property
    def words(self) -> str:
        """What it takes."""
        kind = "an odd whole number" if self.odd else "a whole number" if self.whole else "a number"
        several = ", or three of them for z, y, x" if self.axes else ""
        return f"{kind} from {self.low:g} to {self.high:g}{several}"

    def takes(self, value: object) -> bool:
        """Whether a value may be given."""
        if self.axes and isinstance(value, Sequence) and not isinstance(value, str):
            return len(value) == len(AXES) and all(self._takes(one) for one in value)
        return self._takes(value)

    def _takes(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        fits = self.low <= value <= self.high and (float(value).is_integer() or not self.whole)
        return fits and (not self.odd or int(value) % 2 == 1)


class Filter:
    """A filter of one channel; a file defines `change`, its numbers, and when it works.

    A flat image (Z = 1) is filtered as a picture of two dimensions, a volume in all three.
    """

    scope: Literal["case"] = "case"
    when: Literal["before", "after"] = "before"
    modalities: frozenset[str] | None = None
    numbers: Mapping[str, Number] = MappingProxyType({})

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        """One channel (Z, Y, X), or (Y, X) of a flat image, to another of the same shape; not constant, not masked."""
        raise NotImplementedError

    def settled(self, given: Params) -> dict[str, Any]:
        found: dict[str, Any] = {name: _plain(number.default, number) for name, number in self.numbers.items()}
        for name, value in given.items():
            if name not in self.numbers:
                raise UnknownName(f"parameter of the filter {self._name}", name, self.numbers)
            number = self.numbers[name]
            if not number.takes(value):
                raise BadUsage(
                    f"the parameter {name!r} of the filter {self._name} takes {number.words}",
                    given=repr(value),
                    todo=f"Leave it out, or write for example {{{name!r}: {_plain(number.default, number)!r}}}",
                )
            found[name] = (
                [_plain(one, number) for one in value] if isinstance(value, Sequence) else _plain(value, number)
            )
        return found

    def words(self, params: Params) -> str:
        units = {name: f" ({number.unit})" if number.unit else "" for name, number in self.numbers.items()}
        said = [f"{name} {_said(params[name])}{units[name]}" for name in self.numbers]
        place = (
            "before the intensity rule, in units of the image" if self.when == "before" else "after the intensity rule"
        )
        return f"{', '.join(said)}; {place}" if said else place

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        if is_mask:
            return volume, geometry
        numbers = self.settled(params)
        changed = torch.empty_like(volume)
        for number, channel in enumerate(volume.numpy()):
            flat = channel.shape[0] == 1
            image = np.ascontiguousarray(channel[0] if flat else channel, dtype=np.float32)
            done = image if image.min() == image.max() else self.change(image, numbers)
            if flat:
                done = done[None]
            changed[number] = torch.from_numpy(np.ascontiguousarray(done, dtype=np.float32))
        return changed, geometry

    @property
    def _name(self) -> str:
        return type(self).__module__.rsplit(".", 1)[-1]


def each_axis(value: float | Sequence[float], dimensions: int) -> tuple[float, ...]:
    """One number an axis of the array that is filtered; a flat image takes those of y and x."""
    numbers = tuple(value) if isinstance(value, Sequence) else (value,) * len(AXES)
    return numbers[-dimensions:]


def spread(image: Floats) -> float:
    """The standard deviation of a channel, in which strengths are given: it means the same for every kind of image."""
    return float(image.std(dtype=np.float64))


def unit_range(image: Floats) -> tuple[Floats, float, float]:
    """A channel brought to 0..1, and its lowest and highest value, to bring it back."""
    low, high = float(image.min()), float(image.max())
    return (image - low) / (high - low), low, high


def _plain(value: float, number: Number) -> float:
    return int(value) if number.whole else float(value)


def _said(value: Any) -> str:
    return " x ".join(f"{one:g}" for one in value) if isinstance(value, Sequence) else f"{value:g}"
