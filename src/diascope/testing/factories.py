"""Small inputs with every value in the call: asymmetric and oblique, so that a mirrored axis shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef, Label, Target
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.signal import Signal
from diascope.kinds import Look
from diascope.kinds.signals.measuring import measured
from diascope.planning.survey import CaseFacts, MaskFacts, Survey
from diascope.planning.surveying.measuring import measure

CLASSES = Target(
    name="label", kind="category", columns=("label",), labels=(Label(name="a", value=0), Label(name="b", value=1))
)
CELLS = Target(name="boxes", kind="boxes", columns=("boxes",), labels=(Label(name="cell", value=1),))
SEVERAL = Target(
    name="findings", kind="labels", columns=("a", "b"), labels=(Label(name="a", value=0), Label(name="b", value=1))
)
LESION = Target(name="mask", kind="mask", columns=("mask",), labels=(Label(name="lesion", value=1),))


def oblique(seed: int = 0) -> Geometry:
    """An anisotropic geometry turned out of all planes."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return Geometry.from_spacing((3.0, 0.7, 1.1), (-20.0, 31.5, 7.25), -turn * np.sign(np.linalg.det(turn)))


def an_image(
    modality: str = "ct", shape: tuple[int, int, int] = (6, 20, 24), lesion: bool = True, seed: int = 0
) -> Image:
    """A noisy body with an organ on one side and, if asked, a bright lesion in it.

    Args:
        modality: Name of a modality; `ct` has HU on an oblique grid, `xray` and `photo` are flat, without mm.
        shape: (Z, Y, X); Z is 1 for flat modalities.
        lesion: Whether there is a lesion.
        seed: Of the noise.
    """
    flat = modality in ("xray", "photo", "us")
    size = (1, *shape[1:]) if flat else shape
    body, organ, spot = regions(size)
    noise = np.random.default_rng(seed).normal(0, 1, size)
    if flat:
        grey = 40 + 60 * body + 40 * organ + 60 * (spot & lesion) + 8 * noise
        array = np.repeat(grey.clip(0, 255).astype(np.uint8)[None], 3 if modality == "photo" else 1, axis=0)
        return Image(array, Geometry.unknown(), modality, "grey")
    values = -1000 + 1030 * body + 40 * organ + 50 * (spot & lesion) + 12 * noise
    unit = "HU" if modality == "ct" else "a.u."
    return Image(values.astype(np.int16)[None], oblique(), modality, unit)


def a_signal(late: bool = False, seconds: float = 2.0, rate: float = 100.0, seed: int = 0) -> Signal:
    """Two leads with a beat every 0.8 s and noise: a wide second wave follows each beat, earlier or later.

    Args:
        late: Whether it follows late.
        seconds: Length.
        rate: Samples a second.
        seed: Of noise, of when the first beat comes, and of how fast they follow.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    since = (time + rng.uniform(0, 0.8)) % (0.8 * rng.uniform(0.95, 1.05)) - 0.15
    wave = 0.35 if late else 0.2
    lead = np.exp(-((since / 0.02) ** 2)) + 0.35 * np.exp(-(((since - wave) / 0.05) ** 2))
    values = np.stack([lead, -0.6 * lead], axis=1) + rng.normal(0, 0.05, (len(time), 2))
    return Signal(values.astype(np.float32), rate, ("I", "aVR"), ("mV", "mV"), start=0.5)


def regions(
    shape: tuple[int, int, int],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Body, organ and lesion as (Z, Y, X) masks, none of them symmetric about any plane."""
    z, y, x = (np.linspace(-1, 1, size)[index] for size, index in zip(shape, np.indices(shape), strict=True))
    z = z * (shape[0] > 1)
    body = (y / 0.9) ** 2 + (x / 0.95) ** 2 < 1
    organ = (z / 1.2) ** 2 + ((y + 0.2) / 0.5) ** 2 + ((x - 0.3) / 0.45) ** 2 < 1
    lesion = ((z - 0.2) / 0.8) ** 2 + ((y + 0.3) / 0.2) ** 2 + ((x - 0.4) / 0.2) ** 2 < 1
    return body, organ, organ & lesion


def a_case(number: int = 0, **changes: Any) -> Case:
    """One case of one patient with one picture, a class and an age; its file does not exist.

    Args:
        number: Makes id, patient, class and age.
        **changes: Fields of `Case` to set otherwise.
    """
    plain: dict[str, Any] = {
        "id": f"case{number}",
        "patient": f"patient{number}",
        "inputs": {"image": FileRef(format="picture", paths=(f"{number}.png",))},
        "targets": {"label": "ab"[number % 2]},
        "covariates": {"age": 40.0 + number},
    }
    return Case.model_validate({**plain, **changes})


def a_survey(count: int, target: Target | None = CLASSES, **changes: Any) -> Survey:
    """A survey of `count` films that were read.

    Args:
        count: Number of cases.
        target: What is to be learnt; with `LESION` every case has a mask, with `CELLS` a box, with `SEVERAL` labels
            that say nothing of each other.
        **changes: Fields of every `Case` to set otherwise.
    """
    if target is LESION:
        changes = {"targets": {"mask": FileRef(format="picture", paths=("mask.png",))}, **changes}
    if target is CELLS:
        changes = {"targets": {"boxes": Boxes.of([[0, 8, 9, 1, 20, 30]], ["cell"])}, **changes}
    cases = tuple(a_case(number, **changes) for number in range(count))
    if target is SEVERAL and "targets" not in changes:
        cases = tuple(
            case.model_copy(update={"targets": {"a": number // 2 % 2, "b": number // 4 % 2}})
            for number, case in enumerate(cases)
        )
    masks = {"mask": MaskFacts({0: 4000, 1: 96}, (1, 64, 64))} if target is LESION else {}
    facts = {}
    for number, case in enumerate(cases):
        array = np.random.default_rng(number).integers(0, 256, (1, 1, 64, 64), dtype=np.uint8)
        seen = measure(Image(array, Geometry.unknown(), "xray", "grey"), 4096, "")
        facts[case.id] = CaseFacts({"image": seen}, masks, 0.01)
    return Survey(Path(), cases, target, facts, {})


def a_survey_of_signals(signals: Sequence[Signal], target: Target | None = CLASSES) -> Survey:
    """A survey of cases that have one signal each."""
    cases = tuple(
        a_case(number, inputs={"signal": FileRef(format="signal_csv", paths=(f"{number}.csv",), kind="signal")})
        for number in range(len(signals))
    )
    facts = {}
    for case, signal in zip(cases, signals, strict=True):
        digest = hashlib.sha256(signal.values.tobytes()).hexdigest()
        look = Look(digest, "", signal.length, measured(signal), signal.history)
        facts[case.id] = CaseFacts({}, {}, 0.01, {"signal": look})
    return Survey(Path(), cases, target, facts, {})
