"""The promises of every plug-in family, as functions that raise `BrokenPromise`.

Each takes the plug-in's name, the plug-in and an empty folder. They ask only what holds for *every* member of a family;
what is special about one (golden values, speed, exact layouts) is tested beside it. A package that is not installed is
no broken promise: what needs one raises `MissingPackage`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.case import Case, TableRef, Target
from diascope.core.errors import DiascopeError, UnreadableFile
from diascope.core.image import Image
from diascope.core.problem import Problem
from diascope.features import Bins, Region
from diascope.formats import kind_of
from diascope.planning.survey import CaseFacts, Survey
from diascope.sources import SourceOptions
from diascope.testing.factories import (
    CELLS,
    CLASSES,
    LESION,
    SEVERAL,
    a_signal,
    a_survey,
    a_survey_of_signals,
    an_image,
)
from diascope.testing.keeping import kept
from diascope.testing.learning import backend, explainer, loss, model, transform


def metric(name: str, plugin: Any, folder: Path) -> None:
    """Perfect is its best value (or undefined), worse is not better, undefined is nan and never an error."""
    shown = {
        "mask": np.pad(np.ones((3, 4, 5), bool), 2),
        "image": np.linspace(0, 1, 2 * 12 * 13).reshape(2, 12, 13),
        "boxes": np.array([[0, 0, 1, 2, 1, 5, 7, 0.0]]),
    }
    truth = shown.get(plugin.kind, np.array([0, 1, 1, 0, 1, 0]))
    said = truth.astype(float) if plugin.kind == "probability" else truth
    best = plugin(truth.astype(bool) if plugin.kind == "probability" else truth, said)
    kinds = ("probability", "call", "value", "mask", "image", "boxes")
    kept(plugin.kind in kinds, f"{name}.kind is one of its family's", plugin.kind)
    kept(plugin.better in ("higher", "lower", "nearer"), f"{name}.better is one of its family's", plugin.better)
    kept(plugin.unit and plugin.title.get("en"), f"{name} has a unit and an English title")
    kept(math.isnan(best) or math.isclose(best, plugin.perfect, abs_tol=1e-9), f"{name} of a perfect answer", best)
    nothing = np.zeros((1, 3, 3), bool) if plugin.kind == "mask" else np.zeros(0)
    kept(math.isnan(plugin(nothing, nothing)), f"{name} of nothing is nan")
    constant = {"mask": np.zeros((1, 3, 3), bool), "image": np.zeros((1, 12, 12))}
    one_class = constant.get(plugin.kind, np.zeros(8, int))
    kept(isinstance(plugin(one_class, one_class), float), f"{name} of one class is a number or nan")


def file_format(name: str, plugin: Any, folder: Path) -> None:
    """What it takes comes back equal; what is broken is refused as `UnreadableFile`."""
    if not plugin.is_available():
        return
    kept(plugin.suffixes, f"{name} says which endings it reads")
    for number, image in enumerate((an_image("ct"), an_image("xray"), _a_mask())):
        path = folder / f"{number}{plugin.suffixes[0]}"
        if plugin.writes and _written(plugin, image, path):
            back = plugin.read([path])
            kept(np.array_equal(back.array, image.array), f"{name} keeps voxels through a round trip")
            kept(back.geometry.is_close(image.geometry), f"{name} keeps geometry through a round trip")
            kept(back.unit == image.unit, f"{name} keeps the unit through a round trip", back.unit)
            kept(plugin.recognises(path), f"{name} recognises what it wrote")
    if kind_of(plugin) == "signal" and plugin.writes:
        _signal_comes_back(name, plugin, folder / f"signal{plugin.suffixes[0]}")
    broken = folder / f"broken{plugin.suffixes[0]}"
    # Any words are a text.
    foreign = () if kind_of(plugin) == "text" else (b"not an image at all\n" * 40,)
    for content in (b"", bytes(range(256)) * 4, *foreign):
        broken.write_bytes(content)
        try:
            plugin.read([broken])
        except UnreadableFile as error:
            kept(error.reason, f"{name} says why a file is unreadable")
        else:
            kept(False, f"{name} refuses a file that is something else", content[:20])


def _signal_comes_back(name: str, plugin: Any, path: Path) -> None:
    signal = a_signal()
    plugin.write(signal, path)
    back = plugin.read([path])
    kept(np.array_equal(back.values, signal.values, equal_nan=True), f"{name} keeps samples through a round trip")
    kept((back.rate, back.start) == (signal.rate, signal.start), f"{name} keeps the time", (back.rate, back.start))
    kept((back.channels, back.units) == (signal.channels, signal.units), f"{name} keeps names and units")
    kept(plugin.recognises(path), f"{name} recognises what it wrote")


def _a_mask() -> Image:
    image = an_image("ct")
    return Image((image.array > 20).astype(np.uint8), image.geometry, "ct", "label")


def _written(plugin: Any, image: Image, path: Path) -> bool:
    try:
        plugin.write(image, path)
    except DiascopeError:
        return False  # A format may refuse an image that it cannot hold.
    return path.is_file()


def modality(name: str, plugin: Any, folder: Path) -> None:
    """It has a unit, finds a constant image, and its DICOM codes lead back to it."""
    kept(plugin.unit, f"{name} has a unit")
    kept(all(window.width > 0 and window.name for window in plugin.windows), f"{name}'s windows have name and width")
    constant = an_image("ct").with_array(np.full((1, 4, 9, 9), 7, np.int16))
    kept(plugin.quality(constant), f"{name}.quality finds a constant image")
    kept(all(code == code.upper() for code in plugin.dicom_codes), f"{name}'s DICOM codes are upper case")


def kind(name: str, plugin: Any, folder: Path) -> None:
    """It names a network that encodes it, and what a case lacks is nothing that could be refused or remarked."""
    model = registry.get("models", plugin.encoder)
    kept(name in model.takes, f"{name}'s encoder reads it", plugin.encoder)
    kept(model.gives == "vector" and model.fitted == "gradient", f"{name}'s encoder gives vectors, by gradient")
    nothing = Case(id="c", patient="p", inputs={})
    for what in (plugin.refusals, plugin.remarks):
        kept(what(nothing, "input", folder, {"columns": [], "channels": []}) == [], f"{name} says nothing of nothing")


def check(name: str, plugin: Any, folder: Path) -> None:
    """It never raises, says what it found in words, warns of nothing in clean data, and repeats itself."""
    kept(plugin.title.strip(), f"{name} says what it looks for")
    for what, survey in odd_surveys().items():
        known = {case.id for case in survey.cases}
        for problem in plugin.look(survey):
            kept(isinstance(problem, Problem), f"{name} gives problems", type(problem))
            kept(problem.title.strip() and "\n" not in problem.title, f"{name} says in one line what it found", what)
            kept(problem.detail.strip(), f"{name} says what to do about it", what)
            kept(set(problem.exclude) <= set(problem.cases) <= known, f"{name} names only known cases", what)
            kept(Problem.from_json(problem.to_json()) == problem, f"{name}'s problems can be written", what)
    signals = a_survey_of_signals([a_signal(number % 2 == 1, seed=number) for number in range(30)])
    for survey in (a_survey(60), a_survey(30, LESION), a_survey(30, CELLS), a_survey(80, SEVERAL), signals):
        warned = [problem.title for problem in plugin.look(survey) if problem.severity != "note"]
        kept(warned == [], f"{name} warns of nothing in clean data", warned)
    survey = a_survey(30, patient_known=False)
    kept(plugin.look(survey) == plugin.look(survey), f"{name} gives the same answer twice")


def odd_surveys() -> dict[str, Survey]:
    """Surveys of which a check must not die."""
    table = Case(id="t", patient="t", inputs={"table": TableRef(values={"age": 3.0})})
    films = a_survey(3)
    return {
        "no cases": Survey(Path(), (), CLASSES, {}, {}),
        "no target": a_survey(3, None),
        "nothing readable": Survey(Path(), films.cases, CLASSES, {}, dict.fromkeys(films.facts, "broken")),
        "a signal": a_survey_of_signals([a_signal()], None),
        "a table": Survey(Path(), (table,), None, {"t": CaseFacts({}, {}, 0.0)}, {}),
        "one case": a_survey(1),
        "no labels": a_survey(4, targets={}),
        "a foreign target": a_survey(4, Target(name="follow-up", kind="time_to_event", columns=("time", "event"))),
        "several labels": a_survey(4, SEVERAL, targets={"a": 1, "b": "uncertain"}),
        "masks": a_survey(4, LESION),
        "boxes": a_survey(4, CELLS, targets={"boxes": a_few_boxes()}),
        "no box at all": a_survey(4, CELLS, targets={"boxes": Boxes()}),
        "one patient in a given split": a_survey(4, patient="p", split="train"),
    }


def a_few_boxes() -> Boxes:
    """One sound box, and one of each kind that is not."""
    corners = [
        [0, 8, 9, 1, 20, 30],
        [0, 5, 5, 1, 5, 5],
        [0, 90, 90, 1, 99, 99],
        [0, 8, 9, 1, 20, 30],
        [0, 1, 1, 1, 2, 9],
    ]
    return Boxes.of(corners, ["cell"] * len(corners))


def source(name: str, plugin: Any, folder: Path) -> None:
    """It recognises nothing that is not there, and never raises while it looks."""
    (folder / "empty").mkdir()
    for location in ("", "/no/such/place", "bad\0name", "http://host/x", str(folder / "empty")):
        kept(plugin.recognises(location) is None, f"{name} recognises only its own layout", location)
    try:
        plugin.list(str(folder / "empty"), SourceOptions())
    except DiascopeError as error:
        kept(error.wrong, f"{name} says what was wrong")
    else:
        kept(False, f"{name} refuses a folder that is empty")


def task(name: str, plugin: Any, folder: Path) -> None:
    """It claims only what it can learn, and says what leaves."""
    strange = Target(name="strange", kind="no such kind", columns=("strange",))
    kept(plugin.summary, f"{name} says what it does")
    leaves = {"findings", "picture", "mask", "images", "boxes", "made", "encoder"}
    kept(set(plugin.writes) <= leaves, f"{name} says what leaves", plugin.writes)
    kept(strange not in plugin.claim([strange]), f"{name} claims no target of a kind that it does not know")
    claimed = plugin.claim([CLASSES, LESION, CELLS, SEVERAL])
    kept(all(isinstance(one, Target) for one in claimed), f"{name} claims targets")


def features(name: str, plugin: Any, folder: Path) -> None:
    """The same features of every region, as numbers or nan; the region is left as it was; units are of its features."""
    kept(plugin.flat in (None, True, False), f"{name}.flat is one of its family's", plugin.flat)
    rng, found = np.random.default_rng(0), []
    for depth in (1,) if plugin.flat else (4, 1) if plugin.flat is None else (4,):
        values = rng.normal(0, 40, (depth, 9, 8))
        for mask in (np.ones(values.shape), rng.random(values.shape) < 0.5, values == values.max()):
            region = Region.cut(values, mask, (2.0, 1.0, 0.5), Bins(width=25))
            before = region.levels.copy(), region.values.copy()
            found.append(plugin.measure(region))
            same = np.array_equal(region.levels, before[0]) and np.array_equal(region.values, before[1])
            kept(same, f"{name} leaves the region as it was")
            kept(not any(math.isinf(value) for value in found[-1].values()), f"{name} is a number or nan", found[-1])
    kept(all(one.keys() == found[0].keys() for one in found), f"{name} has the same features of every region")
    kept(set(plugin.units) <= set(found[0]), f"{name}.units are of its features", sorted(plugin.units))


PROMISES: Mapping[str, Callable[[str, Any, Path], None]] = MappingProxyType(
    {
        "tasks": task,
        "kinds": kind,
        "modalities": modality,
        "models": model,
        "formats": file_format,
        "sources": source,
        "checks": check,
        "transforms": transform,
        "losses": loss,
        "metrics": metric,
        "explainers": explainer,
        "features": features,
        "backends": backend,
    }
)
"""Family to what each of its members must keep."""


def keep(family: str, name: str, folder: Path) -> None:
    """Ask one plug-in, of this package or another, for its family's promises.

    Args:
        family: Such as `metrics`.
        name: Of the plug-in.
        folder: Empty; for what is written on the way.

    Raises:
        BrokenPromise: Says which.
        MissingPackage: When what it needs is not installed.
    """
    PROMISES[family](name, registry.get(family, name), folder)
