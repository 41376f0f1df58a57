"""What a user asks of the images before the network sees them: filters, and volumes read as slices (2.5-D)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from diascope.core import registry
from diascope.core.case import Dataset
from diascope.core.errors import BadUsage, UnknownName
from diascope.core.plan import Choice, Fingerprint, InputFacts
from diascope.engine.filtering import ONLY, filtered, own
from diascope.engine.preparing import read_images
from diascope.planning.draft import Draft
from diascope.transforms import ImageFilter

TIMED = 3
"""Cases that filters are timed on."""
EXAMPLE = '--set preprocess=\'["median", ["clahe", {"clip": 0.02}]]\''
MOST_SLICES = 15
STACKING = "slices"
"""The transform that makes channels of neighbouring slices."""
THICK = 2.0
"""Times the finest of the other axes' steps that slices lie apart where they were recorded as slices."""


def preprocessed(draft: Draft, dataset: Dataset, facts: Fingerprint) -> Fingerprint:
    """Put `preprocess` and `slices` into the draft; the facts, with the seconds that filters take of a case.

    Args:
        draft: With the inputs and their intensity rules.
        dataset: A few of its cases are filtered, to know how long it takes.
        facts: Of the data.

    Raises:
        UnknownName: When there is no filter, parameter or input of a name.
        BadUsage: When a filter does not suit the images, or the order cannot be kept; says why.
    """
    _slices(draft, facts)
    given = draft.by_hand.get("preprocess", [])
    steps = _steps(given, draft.choices["image_inputs"].value, facts)
    if not steps:
        draft.choices["preprocess"] = Choice(value=[], kind="fixed", reason="no filter: images as they were recorded")
        return facts
    seconds = _seconds(steps, draft, dataset)
    words = "; ".join(f"{name}: {_filter(name).words(own(params))}" for name, params in steps)
    reason = f"given; the rule says no filter. {words}. Measured: {seconds:.2f} s a case"
    draft.choices["preprocess"] = Choice(value=[list(step) for step in steps], kind="by hand", reason=reason)
    return facts.model_copy(update={"seconds_per_case": facts.seconds_per_case + seconds})


def filter_names() -> list[str]:
    """Every transform that a plan may name in `preprocess`."""
    return [name for name, transform in registry.each("transforms") if isinstance(transform, ImageFilter)]


def _filter(name: str) -> ImageFilter:
    found = registry.get("transforms", name) if name in registry.names("transforms") else None
    if not isinstance(found, ImageFilter):
        raise UnknownName("filter", name, filter_names())
    return found


def _steps(given: Any, images: Sequence[str], facts: Fingerprint) -> list[tuple[str, dict[str, Any]]]:
    """The filters asked for, with all parameters, in an order that can be kept."""
    if not isinstance(given, list):
        raise BadUsage(
            "the plan field 'preprocess' takes a list of filters", given=repr(given), todo=f"Write {EXAMPLE}"
        )
    if given and not images:
        raise BadUsage("filters are for images, and there is no image input", given=json.dumps(given))
    steps = []
    for one in given:
        name, params = _named(one)
        plugin, inputs = _filter(name), params.get(ONLY, list(images))
        settled = plugin.settled(own(params))
        _refuse_unsuited(name, plugin, inputs, {key: facts.inputs[key] for key in images})
        steps.append((name, {**settled, ONLY: inputs} if ONLY in params else settled))
    order = [_filter(name).when for name, _ in steps]
    if order != sorted(order, key=("before", "after").index):
        late = next(name for name, _ in steps if _filter(name).when == "after")
        early = next(
            name for name, _ in steps[[name for name, _ in steps].index(late) :] if _filter(name).when == "before"
        )
        raise BadUsage(
            f"{early} works in units of the image, before the intensity rule, and {late} after it",
            given=json.dumps(given),
            todo=f"Name {early} before {late}",
        )
    return steps


def _named(one: Any) -> tuple[str, dict[str, Any]]:
    """A filter as the user names it: alone, or with parameters."""
    if isinstance(one, str):
        return one, {}
    if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and isinstance(one[1], Mapping):
        return one[0], dict(one[1])
    raise BadUsage("a filter is a name, or a list of a name and its parameters", given=json.dumps(one), todo=EXAMPLE)


def _refuse_unsuited(name: str, plugin: ImageFilter, inputs: Any, images: Mapping[str, InputFacts]) -> None:
    for key in inputs if isinstance(inputs, list) else [inputs]:
        if key not in images:
            raise UnknownName(f"image input for the filter {name}", str(key), images)
        if plugin.modalities is not None and images[key].modality not in plugin.modalities:
            kinds = " and ".join(sorted(plugin.modalities))
            others = [other for other in images if images[other].modality in plugin.modalities]
            only = json.dumps([[name, {ONLY: others}]])
            raise BadUsage(
                f"the filter {name} is for images of the kinds {kinds}, and {key!r} is {images[key].modality}",
                given=name,
                todo=f"Name the inputs that it is for: {only}" if others else "Leave it out",
            )


def _seconds(steps: Sequence[tuple[str, dict[str, Any]]], draft: Draft, dataset: Dataset) -> float:
    """Seconds that the filters take of a case, the mean of a few."""
    cases, names = dataset.part("train"), tuple(draft.choices["image_inputs"].value)
    some = cases[:: max(1, len(cases) // TIMED)][:TIMED]
    spent = 0.0
    for case in some:
        images = read_images(case, Path(dataset.root), names)
        began = time.monotonic()
        for name, image in images.items():
            mine = [(step, own(params)) for step, params in steps if name in params.get(ONLY, (name,))]
            volume = torch.from_numpy(image.array.astype("float32"))
            filtered(volume, image.geometry, draft.choices["intensity"].value[name], mine)
        spent += time.monotonic() - began
    return spent / max(1, len(some))


def _slices(draft: Draft, facts: Fingerprint) -> None:
    """How many neighbouring slices a network of two dimensions sees; 0: volumes are read as volumes."""
    images = draft.choices["image_inputs"].value
    count = draft.by_hand.get("slices", 0)
    if not count:
        draft.put("slices", 0, "fixed", "volumes are read as volumes, pictures as pictures")
        return
    if not isinstance(count, int) or isinstance(count, bool) or count % 2 == 0 or not 1 <= count <= MOST_SLICES:
        raise BadUsage(
            f"slices takes an odd number up to {MOST_SLICES}: the slice and its neighbours on both sides",
            given=repr(count),
            todo="Write --set slices=3, or --set slices=1 for the slice alone",
        )
    if not images or facts.inputs[images[0]].dimensions != 3:
        raise BadUsage("slices are of volumes, and these images are flat", given=f"slices={count}", todo="Leave it out")
    z, y, x = facts.inputs[images[0]].spacings[2]
    if max(y, x) > THICK * min(z, y, x) and z < max(y, x):
        raise BadUsage(
            "slices are read along z, towards the head, and these volumes were recorded as slices across another axis",
            given=f"steps of {z:g} x {y:g} x {x:g} mm (z, y, x)",
            todo="Leave slices out: the network for volumes takes account of thick slices",
        )
    reason = f"given; {count} slices at once, the neighbours as channels, along z ({z:g} mm apart)"
    draft.choices["slices"] = Choice(value=count, kind="by hand", reason=reason)


def working(draft: Draft, facts: InputFacts) -> InputFacts:
    """Facts of an image as the network sees it: flat where volumes are read as slices."""
    return facts.model_copy(update={"dimensions": 2}) if draft.choices["slices"].value else facts


def end_with_slices(draft: Draft) -> None:
    """See that neighbouring slices become channels as the last step of `prepare`, also of one given by hand."""
    count, prepare = draft.choices["slices"].value, draft.choices["prepare"]
    if count > 1 and not any(name == STACKING for name, _ in prepare.value):
        steps = [*prepare.value, [STACKING, {"count": count}]]
        draft.choices["prepare"] = prepare.model_copy(update={"value": steps})
